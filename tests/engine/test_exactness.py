"""The embedded model says the same 200 tokens alone or in company, however the engine comes to compute them.

Greedy replies may differ only where the two best logits lay within 1e-4 of each other; the tests print how often that
was. Seeded replies may not differ at all.
"""

from dataclasses import dataclass, replace

import pytest

from serving.engine.engine import Engine
from serving.engine.loading import Loaded, load
from serving.engine.options import EngineOptions
from serving.engine.request import GenerationRequest, SamplingParams
from serving.models.chat_template import ChatTemplate
from serving.models.folder import EMBEDDED_MODEL
from serving.models.tokenizer import Tokenizer
from tests.engine.offline import Offline, Reply, running

NEAR = 1e-4
LENGTH = 200
OPTIONS = EngineOptions(max_rows=16, max_context=512, step_tokens=128)
QUESTIONS = [
    "Hello, who are you?",
    "What is the capital of France?",
    "Tell me a short story about a sailor and the wind.",
    "I feel a bit tired today. What should I do?",
    "Explain what a tree is to a child, please.",
    "Do you like music? Which kind?",
    "Name three animals that live in the sea, and say one thing about each of them.",
    "Thank you, that was very helpful. Goodbye!",
]


@pytest.fixture(scope="module")
def requests() -> list[GenerationRequest]:
    """Sixteen requests: every question once greedily and once drawn with a seed. Half share a long system prompt."""
    tokenizer, template = Tokenizer.from_folder(EMBEDDED_MODEL), ChatTemplate.from_folder(EMBEDDED_MODEL)
    found = []
    for index, question in enumerate(QUESTIONS):
        messages = [{"role": "user", "content": question}]
        if index % 2:
            messages.insert(0, {"role": "system", "content": "You answer in short and friendly sentences. " * 4})
        prompt = tuple(tokenizer.encode(template.render(messages), add_special_tokens=False))
        greedy = SamplingParams(max_tokens=LENGTH, temperature=0, ignore_eos=True, logprobs=2)
        drawn = SamplingParams(max_tokens=LENGTH, temperature=0.8, top_p=0.9, seed=index, ignore_eos=True)
        found.append(GenerationRequest(f"greedy {index}", prompt, greedy))
        found.append(GenerationRequest(f"drawn {index}", prompt, drawn))
    return found


@dataclass
class Comparison:
    """How a run compares with the replies of requests that were alone."""

    alone: dict[str, Reply]

    def check(self, how: str, requests: list[GenerationRequest], replies: list[Reply]) -> None:
        near_ties = 0
        for request, reply in zip(requests, replies, strict=True):
            expected = self.alone[request.id]
            assert len(reply.tokens) == LENGTH
            if reply.tokens == expected.tokens:
                continue
            where = next(i for i, (a, b) in enumerate(zip(reply.tokens, expected.tokens, strict=True)) if a != b)
            assert request.sampling.temperature == 0, f"{how}: {request.id} differs from token {where} on"
            (_, best), (_, second) = expected.logprobs[where].top
            assert best - second <= NEAR, f"{how}: {request.id} differs at token {where}, where {best - second} apart"
            near_ties += 1
        print(f"{how}: {near_ties} of {len(requests)} replies differ, each from a near tie on")


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The model and its programs, for one engine after another."""
    model = load(EMBEDDED_MODEL, OPTIONS, lambda _: None)
    model.runner.programs.wait_all()
    return model


def engine_of(loaded: Loaded, *, pages: int = 0, step_tokens: int = 0, **options) -> Engine:
    """One with an empty cache of all pages or fewer, which reads prompts in steps of so many tokens."""
    description = replace(loaded.description, pages=pages or loaded.description.pages)
    step_tokens = step_tokens or loaded.step_tokens
    return Engine(replace(loaded, description=description, step_tokens=step_tokens), replace(OPTIONS, **options))


def one_by_one(engine: Offline, requests: list[GenerationRequest]) -> list[Reply]:
    return [engine.generate([request])[0] for request in requests]


@pytest.fixture(scope="module")
def alone(loaded, requests) -> tuple[list[Reply], list[Reply]]:
    """Every request alone, with the prefix cache cold for each first of a pair; and once more, when it is warm."""
    with running(engine_of(loaded)) as engine:
        return one_by_one(engine, requests), one_by_one(engine, requests)


@pytest.fixture(scope="module")
def comparison(alone, requests) -> Comparison:
    return Comparison({request.id: reply for request, reply in zip(requests, alone[0], strict=True)})


def test_the_logits_are_peaked_enough_for_this_to_mean_something(comparison):
    gaps = [entry.top[0][1] - entry.top[1][1] for reply in comparison.alone.values() for entry in reply.logprobs]
    assert len(gaps) == len(QUESTIONS) * LENGTH
    assert sum(gap > 0.1 for gap in gaps) > 0.8 * len(gaps)


def test_warm_prefix_cache(loaded, requests, alone, comparison):
    page = loaded.description.page_size
    expected = [(len(request.prompt) - 1) // page * page for request in requests]
    assert [reply.cached_tokens for reply in alone[1]] == expected and sum(expected) > 0
    comparison.check("alone, prefix cache warm", requests, alone[1])


def test_batch_of_sixteen(loaded, requests, comparison):
    with running(engine_of(loaded)) as engine:
        comparison.check("batch of 16", requests, engine.generate(requests))


@pytest.mark.parametrize("step_tokens", [16, 48, 128])
def test_chunk_size_without_prefix_cache(step_tokens, loaded, requests, comparison):
    with running(engine_of(loaded, step_tokens=step_tokens, prefix_cache=False)) as engine:
        comparison.check(f"batch of 16, chunks of {step_tokens}, no cache", requests, engine.generate(requests))


def test_one_decode_step_a_dispatch(loaded, requests, comparison):
    with running(engine_of(loaded, decode_steps=1)) as engine:
        comparison.check("one step a dispatch", requests, engine.generate(requests))


def test_forced_preemption(loaded, requests, comparison):
    with running(engine_of(loaded, pages=96)) as engine:  # half of what sixteen replies take
        replies = engine.generate(requests)
        assert engine.stats.preemptions > 0
    comparison.check("preempted", requests, replies)
