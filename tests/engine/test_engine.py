"""The engine as its callers see it, on a tiny random model whose logits the oracle knows."""

from pathlib import Path

import numpy as np
import pytest

from serving.engine.request import FinishReason, GenerationRequest, SamplingParams
from tests.engine.offline import Offline, offline

FOLDER = Path(__file__).parent.parent / "oracles" / "golden" / "grouped_tied"
REFERENCE = np.load(FOLDER / "reference.npz")
PROMPT = tuple(REFERENCE["prompt"].tolist())
GREEDY = REFERENCE["reply"].tolist()
OPTIONS = {"max_rows": 4, "max_context": 256, "step_tokens": 32, "pages": 20}


@pytest.fixture(scope="module")
def engine():
    with offline(FOLDER, **OPTIONS) as running:
        running.engine.wait_warm()
        yield running


_names = iter(range(10**9))


def request(prompt=PROMPT, **sampling) -> GenerationRequest:
    return GenerationRequest(f"r{next(_names)}", tuple(prompt), SamplingParams(**{"max_tokens": 12} | sampling))


def tokens(engine: Offline, **sampling) -> list[int]:
    return engine.generate([request(**sampling)])[0].tokens


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def test_stop_tokens_end_a_reply_and_are_named(engine):
    stop = GREEDY[5]
    (reply,) = engine.generate([request(temperature=0, stop_token_ids=(stop,))])
    end = GREEDY.index(stop) + 1
    assert (reply.tokens, reply.finish_reason, reply.stop_token) == (GREEDY[:end], FinishReason.STOP, stop)


def test_min_tokens_keeps_stop_tokens_from_being_drawn(engine):
    where = next(index for index in range(1, 8) if GREEDY[index] not in GREEDY[:index])
    stop = GREEDY[where]
    reply = tokens(engine, temperature=0, stop_token_ids=(stop,), min_tokens=8)
    assert reply[:where] == GREEDY[:where] and len(reply) >= 8 and stop not in reply[:8]


def test_length_ends_a_reply(engine):
    (reply,) = engine.generate([request(temperature=0, max_tokens=7)])
    assert (reply.tokens, reply.finish_reason) == (GREEDY[:7], FinishReason.LENGTH)


def test_a_seed_repeats_and_another_differs(engine):
    first = tokens(engine, temperature=1.5, seed=2**64 - 1)
    assert first == tokens(engine, temperature=1.5, seed=2**64 - 1)
    assert first != tokens(engine, temperature=1.5, seed=2**63 - 1)


def test_logit_bias_and_allowed_tokens(engine):
    assert set(tokens(engine, temperature=0, logit_bias={9: 100.0})) == {9}
    assert set(tokens(engine, temperature=1.5, allowed_token_ids=(4, 7))) <= {4, 7}


def test_a_slot_s_bias_does_not_outlive_its_request(engine):
    for _ in range(5):
        tokens(engine, temperature=0, logit_bias={9: 100.0}, repetition_penalty=1.3)
        assert tokens(engine, temperature=0) == GREEDY[:12]


def test_penalties_are_the_reference_s(engine):
    """Greedy under penalties, replayed in numpy from logprobs of the engine's own."""
    sampling = {"temperature": 0, "repetition_penalty": 1.4, "frequency_penalty": 0.6, "presence_penalty": 0.3}
    (reply,) = engine.generate([request(**sampling, logprobs=20, max_tokens=30)])
    assert len(set(reply.tokens)) > len(set(GREEDY[:30])) - 5
    logits = REFERENCE["logits"][len(PROMPT) - 1].astype(np.float64)
    seen = np.isin(np.arange(len(logits)), PROMPT)
    penalised = np.where(seen, np.where(logits > 0, logits / 1.4, logits * 1.4), logits)
    assert reply.tokens[0] == penalised.argmax()


def test_logprobs_are_those_of_the_reference(engine):
    (reply,) = engine.generate([request(temperature=0, logprobs=3)])
    expected = log_softmax(REFERENCE["logits"][len(PROMPT) - 1 :].astype(np.float64))
    for index, entry in enumerate(reply.logprobs):
        order = np.argsort(-expected[index])[:3]
        assert [token for token, _ in entry.top] == order.tolist()
        np.testing.assert_allclose([value for _, value in entry.top], expected[index][order], atol=1e-4)
        assert entry.token == GREEDY[index] and entry.logprob == entry.top[0][1]


def test_prompt_logprobs_are_those_of_the_reference(engine):
    for _ in range(2):  # the second time the prompt is in the prefix cache
        (reply,) = engine.generate([request(temperature=0, max_tokens=1, prompt_logprobs=1)])
        expected = log_softmax(REFERENCE["logits"].astype(np.float64))
        assert len(reply.prompt_logprobs) == len(PROMPT) and reply.prompt_logprobs[0] is None
        for index, entry in enumerate(reply.prompt_logprobs[1:]):
            assert entry.token == PROMPT[index + 1] and len(entry.top) == 1
            np.testing.assert_allclose(entry.logprob, expected[index][entry.token], atol=1e-4)


def test_cancelling_frees_the_pages_at_once(engine):
    running = engine.submit(request(temperature=0, max_tokens=200))
    while not running.tokens:
        engine.step()
    assert engine.stats.pages_used > 0
    engine.engine.cancel(list(engine.replies)[-1])
    while running.finish_reason is None:
        engine.step()
    assert running.finish_reason is FinishReason.CANCELLED
    assert engine.stats.pages_used == 0 and len(running.tokens) < 200


def test_what_cannot_be_served_is_refused_with_the_numbers(engine):
    (reply,) = engine.generate([request(prompt=range(60), max_tokens=1), request(prompt=[1] * 256)])[1:]
    assert reply.finish_reason is FinishReason.ERROR and "256" in reply.error


def test_more_requests_than_rows_all_get_their_reply(engine):
    replies = engine.generate([request(temperature=0, max_tokens=20) for _ in range(13)])
    assert [reply.tokens for reply in replies] == [GREEDY[:20]] * 13


def test_a_pool_too_small_for_all_preempts_and_every_reply_is_the_same(engine):
    before = engine.stats.preemptions
    replies = engine.generate([request(temperature=0, max_tokens=150) for _ in range(4)])
    assert engine.stats.preemptions > before
    assert [reply.tokens for reply in replies] == [GREEDY[:150]] * 4


def test_nothing_compiles_after_warm_up(engine):
    tokens(engine, temperature=1, top_p=0.8, repetition_penalty=1.1, logprobs=2, prompt_logprobs=0)
    engine.generate([request(temperature=0, prompt=PROMPT[:n], max_tokens=n) for n in range(1, 30)])
    assert engine.stats.compiles_after_warmup == 0


def test_bfloat16_stays_near_the_float32_reference():
    with offline(FOLDER, **OPTIONS | {"max_rows": 1, "dtype": "bfloat16"}) as engine:
        (reply,) = engine.generate([request(temperature=0, max_tokens=8, prompt_logprobs=0)])
    assert not reply.error and len(reply.tokens) == 8
    expected = log_softmax(REFERENCE["logits"].astype(np.float64))
    for index, entry in enumerate(reply.prompt_logprobs[1:]):
        assert entry.logprob == pytest.approx(expected[index, entry.token], abs=0.3)


def test_a_failing_step_ends_every_request_with_an_error(monkeypatch):
    def broken(self, plan):
        raise RuntimeError("the device is on fire")

    monkeypatch.setattr("serving.engine.runner.Runner.dispatch", broken)
    with offline(FOLDER, **OPTIONS) as engine:
        (reply,) = engine.generate([request()])
        assert reply.finish_reason is FinishReason.ERROR
        assert "on fire" in str(engine.engine.failed)
