"""Loglikelihoods over HTTP: asked for and read exactly as lm-evaluation-harness does, without having it."""

from operator import itemgetter

import httpx
import pytest

EQUAL = 1e-4  # of a sum of logprobs; float32 sums differ that much between batches of different shapes

PAIRS = [
    ("The cat sat on the", " mat"),
    ("Question: What do bees make?\nAnswer:", " honey and wax"),
    ("Zoë habite", " à Genève, 日本 🙂"),
    ("1 2 3 4", " 5 6 7 8 9 10"),
    ("One day a little girl", " went to the park with her mother and her dog. They"),
]


def score(url: str, prompts: list[list[int]], context_lengths: list[int]) -> list[tuple[float, bool]]:
    """`LocalCompletionsAPI.model_call` and `.parse_logprobs` of lm-eval 0.4.13."""
    body = {
        "model": httpx.get(f"{url}/v1/models").json()["data"][0]["id"],
        "prompt": prompts,
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": 1,
        "seed": 1234,
        "echo": True,
    }
    answer = httpx.post(f"{url}/v1/completions", json=body, timeout=120).raise_for_status().json()
    results = []
    for choice, length in zip(sorted(answer["choices"], key=itemgetter("index")), context_lengths, strict=True):
        logprobs = choice["logprobs"]["token_logprobs"][length:-1]
        tops = choice["logprobs"]["top_logprobs"][length:-1]
        greedy = all(logprob == max(top.values()) for logprob, top in zip(logprobs, tops, strict=True))
        results.append((sum(logprobs), greedy))
    return results


@pytest.mark.parametrize("batch", [1, len(PAIRS)])
def test_they_are_those_of_the_engine(server, own_engine, batch):
    contexts = [own_engine.ids(context) for context, _ in PAIRS]
    prompts = [own_engine.ids(context + continuation) for context, continuation in PAIRS]
    lengths = [len(context) for context in contexts]
    scored = []
    for first in range(0, len(PAIRS), batch):
        scored += score(server.url, prompts[first : first + batch], lengths[first : first + batch])
    expected = [own_engine.loglikelihood(*pair) for pair in zip(prompts, lengths, strict=True)]
    assert [logprob for logprob, _ in scored] == pytest.approx([logprob for logprob, _ in expected], abs=EQUAL)
    assert [greedy for _, greedy in scored] == [greedy for _, greedy in expected]
    assert len({round(logprob, 3) for logprob, _ in scored}) == len(PAIRS)


def test_the_likeliest_continuation_counts_as_greedy_and_another_does_not(server, own_engine):
    context = own_engine.ids("The cat sat on the")
    likeliest = own_engine.continuation(context, 6)
    other = [*likeliest[:-1], (likeliest[-1] + 1) % own_engine.tokenizer.vocab_size]
    prompts = [[*context, *likeliest], [*context, *other]]
    (best, is_greedy), (worse, other_is_greedy) = score(server.url, prompts, [len(context)] * 2)
    assert (is_greedy, other_is_greedy) == (True, False)
    assert best > worse


def test_they_do_not_depend_on_what_the_prefix_cache_holds(server, own_engine):
    tokens = own_engine.ids("A long time ago in a land of mountains there lived an old king with " * 4)
    (cold,) = score(server.url, [tokens], [3])
    (warm,) = score(server.url, [tokens], [3])
    assert warm == pytest.approx(cold, abs=EQUAL)
