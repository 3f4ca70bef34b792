import asyncio
import contextlib
import itertools

import pytest
from prometheus_client import CollectorRegistry

from serving.engine.request import Delta, FinishReason, SamplingParams, Timings
from serving.fleet.replica import ReplicaState, ReplicaUnavailable
from serving.orchestrator.failures import GenerationFailed
from serving.orchestrator.generation import Generation, Orchestrator, choice_seeds, collect
from serving.orchestrator.prompt import Prompt
from serving.orchestrator.reply_text import TextOptions
from serving.telemetry.metrics import RequestMetrics
from tests.orchestrator.scripted import ScriptedReplica, says

PLAIN = TextOptions()


class Bench:
    """An orchestrator over a scripted replica, and what it counted."""

    def __init__(self, model, script):
        self.registry = CollectorRegistry()
        self.replica = ScriptedReplica(script)
        ticks = itertools.count()  # every look at the clock is a second later
        metrics = RequestMetrics(self.registry, model.name)
        self.orchestrator = Orchestrator(self.replica, model, metrics, lambda: next(ticks))

    def start(self, *, prompts=((5, 6),), max_tokens=64, text=PLAIN, **fields):
        generation = Generation(
            "g", tuple(Prompt(p) for p in prompts), SamplingParams(max_tokens), text, **({"seed": 9} | fields)
        )
        return self.orchestrator.generate(generation)

    async def replies(self, choices=1, **fields):
        return await collect(self.start(**fields), choices)

    def metric(self, name, **labels):
        return self.registry.get_sample_value(f"vllm:{name}", {"model_name": "tiny"} | labels)


@pytest.fixture
def bench(model):
    return lambda script: Bench(model, script)


async def forever(request):
    while True:
        yield Delta(request.id, (70,))
        await asyncio.sleep(0)


async def test_one_choice_streams_as_it_comes(bench, model):
    tokens = model.tokenizer.encode("hello world", False)
    b = bench(says(tokens))
    texts = [piece.text async for piece in b.start()]
    assert texts == ["hello", " world", ""]
    (request,) = b.replica.requests
    assert (request.id, request.prompt, request.sampling.seed) == ("g-0", (5, 6), 9)
    assert b.replica.finished == ["g-0"]


async def test_choices_of_several_prompts_keep_their_indices(bench):
    b = bench(lambda request: says([request.prompt[0]])(request))
    replies = await b.replies(4, prompts=((40, 1), (50, 1)), n=2)
    assert [reply.tokens for reply in replies] == [[40, 1], [40, 1], [50, 1], [50, 1]]
    assert [request.id for request in b.replica.requests] == ["g-0", "g-1", "g-2", "g-3"]
    seeds = [request.sampling.seed for request in b.replica.requests]
    assert seeds[:2] == seeds[2:] and seeds[0] == 9 and seeds[1] != 9


async def test_seeds_are_drawn_where_none_is_given():
    drawn = [seed for _ in range(50) for seed in choice_seeds(None, 2)]
    assert len(set(drawn)) == 100 and all(0 <= seed < 2**64 for seed in drawn)
    assert choice_seeds(-1, 1) == [2**64 - 1]
    assert len({seed % 2**32 for seed in choice_seeds(1, 128)}) == 128


async def test_a_stop_string_cancels_the_engines_request(bench, model):
    b = bench(says(model.tokenizer.encode("aENDbbbbb", False)))
    (reply,) = await b.replies(text=TextOptions(stop=("END",)))
    assert (reply.text, reply.finish_reason) == ("a", FinishReason.STOP)
    assert b.replica.cancelled == ["g-0"]


@pytest.mark.parametrize("n", [1, 3])
async def test_closing_the_stream_cancels_every_choice(bench, n):
    b = bench(forever)
    async with contextlib.aclosing(b.start(n=n)) as pieces:
        seen = set()
        async for piece in pieces:
            seen.add(piece.index)
            if len(seen) == n:
                break
    assert sorted(b.replica.cancelled) == [f"g-{index}" for index in range(n)]
    assert b.metric("request_success_total", finished_reason="abort") == n


@pytest.mark.parametrize("n", [1, 3])
async def test_a_lost_engine_ends_all_choices(bench, n):
    def dies(request):
        yield Delta(request.id, (70,))
        if request.id == "g-0":
            yield ReplicaUnavailable("the engine ended", 3)
        while True:
            yield Delta(request.id, (70,))

    async def patient(request):
        for delta in dies(request):
            yield delta
            await asyncio.sleep(0)

    b = bench(patient)
    with pytest.raises(ReplicaUnavailable):
        await b.replies(n, n=n)
    assert len(b.replica.cancelled) == n - 1


async def test_an_engines_refusal_is_reported(bench):
    b = bench(lambda request: [Delta(request.id, finish_reason=FinishReason.ERROR, error="no room")])
    with pytest.raises(GenerationFailed, match="no room"):
        await b.replies()
    assert b.metric("request_success_total", finished_reason="error") == 1


async def test_a_prompt_alone_has_no_reply(bench):
    b = bench(says([70], eos=False))
    (reply,) = await b.replies(prompt_only=True)
    assert (reply.text, reply.tokens, reply.finish_reason) == ("", [], FinishReason.LENGTH)


async def test_nothing_is_asked_of_an_engine_that_is_not_ready(bench):
    b = bench(says([70]))
    assert b.orchestrator.require_engine().model == "tiny"
    b.replica.state = ReplicaState.STARTING
    with pytest.raises(ReplicaUnavailable) as refused:
        b.orchestrator.require_engine()
    assert refused.value.retry_after == 7


async def test_what_was_generated_is_counted(bench):
    timings = Timings(arrived=1.0, scheduled=1.5, first_token=2.0, finished=5.0)
    b = bench(
        lambda request: [
            Delta(request.id, (70,)),
            Delta(request.id, (71, 72), finish_reason=FinishReason.LENGTH, timings=timings),
        ]
    )
    await b.replies(prompts=((5, 6, 7),))
    assert b.metric("prompt_tokens_total") == 3
    assert b.metric("generation_tokens_total") == 3
    assert b.metric("time_to_first_token_seconds_sum") == 1
    assert b.metric("inter_token_latency_seconds_count") == 2
    assert b.metric("inter_token_latency_seconds_sum") == 1
    assert b.metric("e2e_request_latency_seconds_sum") == 3
    assert b.metric("request_queue_time_seconds_sum") == 0.5
    assert b.metric("request_decode_time_seconds_sum") == 3.0
    assert b.metric("request_success_total", finished_reason="length") == 1
