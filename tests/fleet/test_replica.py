"""One replica over a real engine process: requests, cancellation, refusals."""

import asyncio
import contextlib

import pytest

from serving.engine.request import Delta, FinishReason, GenerationRequest, SamplingParams, TokenLogprobs
from serving.fleet.replica import Replica, ReplicaState, ReplicaUnavailable, _Running
from serving.process.progress import StartupProgress

ENDLESS = 10**9


async def tokens(replica: Replica, request: GenerationRequest) -> list[int]:
    return [token async for delta in replica.generate(request) for token in delta.tokens]


async def test_a_request_streams_to_its_finish(echo_fleet, request_of):
    async with echo_fleet() as fleet:
        deltas = [delta async for delta in fleet.replica.generate(request_of("a"))]
        assert [token for delta in deltas for token in delta.tokens] == [5, 6, 7, 5]
        assert [delta.finish_reason for delta in deltas if delta.finish_reason] == [FinishReason.LENGTH]
        assert deltas[-1].finish_reason is FinishReason.LENGTH
        assert {delta.id for delta in deltas} == {"a"}
        assert fleet.replica.description.model == "echo"
        assert fleet.replica.stats.steps >= 4


async def test_every_stage_of_the_start_is_shown_once(echo_fleet):
    async with echo_fleet() as fleet:
        assert fleet.seen == [
            (ReplicaState.STARTING, StartupProgress("starting")),
            *((ReplicaState.STARTING, StartupProgress("loading", done, 2, "weights")) for done in range(3)),
            (ReplicaState.READY, StartupProgress("ready")),
        ]


async def test_many_requests_share_the_stream(echo_fleet):
    async with echo_fleet() as fleet:
        prompts = [(n, n + 1) for n in range(200)]  # three times as many as there are rows
        requests = [GenerationRequest(str(p[0]), p, SamplingParams(max_tokens=50)) for p in prompts]
        answers = await asyncio.gather(*(tokens(fleet.replica, request) for request in requests))
        assert answers == [list(prompt) * 25 for prompt in prompts]


async def test_closing_the_iterator_cancels_the_request(echo_fleet, request_of):
    async with echo_fleet("--max-rows", "1") as fleet:
        abandoned = fleet.replica.generate(request_of("a", ENDLESS))
        await anext(abandoned)
        waiting = asyncio.create_task(tokens(fleet.replica, request_of("b")))
        await abandoned.aclose()
        assert await waiting == [5, 6, 7, 5]  # the engine's only row was free again


async def test_cancelling_the_task_cancels_the_request(echo_fleet, request_of):
    async with echo_fleet("--max-rows", "1", "--step-seconds", "0.001") as fleet:
        first_token = asyncio.Event()

        async def read() -> None:
            async for _ in fleet.replica.generate(request_of("a", ENDLESS)):
                first_token.set()

        task = asyncio.create_task(read())
        await first_token.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert await tokens(fleet.replica, request_of("b")) == [5, 6, 7, 5]


async def test_an_iterator_that_nobody_reads_costs_nothing(echo_fleet, request_of):
    async with echo_fleet("--max-rows", "1") as fleet:
        fleet.replica.generate(request_of("a", ENDLESS))
        assert await tokens(fleet.replica, request_of("b")) == [5, 6, 7, 5]


async def test_a_request_that_cannot_be_sent_harms_no_other(echo_fleet, request_of):
    async with echo_fleet() as fleet:
        running = fleet.replica.generate(request_of("a", 50))
        first = await anext(running)
        with pytest.raises(ValueError, match="'a' is already running"):
            fleet.replica.generate(request_of("a"))
        with pytest.raises(ValueError, match="out of range"):
            fleet.replica.generate(GenerationRequest("b", (-1,), SamplingParams(max_tokens=1)))
        assert len(first.tokens) + sum([len(delta.tokens) async for delta in running]) == 50


async def test_nobody_waits_for_an_engine_that_loads(echo_fleet, request_of):
    async with echo_fleet("--stuck", ready=False) as fleet:
        with pytest.raises(ReplicaUnavailable, match="starting") as refused:
            fleet.replica.generate(request_of("a"))
        assert 1 <= refused.value.retry_after <= 10
        assert fleet.replica.description is None
        await fleet.until(ReplicaState.STARTING, "weights")
        with pytest.raises(ReplicaUnavailable, match="loading"):
            fleet.replica.generate(request_of("a"))


async def test_requests_end_when_the_replica_goes_down(echo_fleet, request_of):
    async with echo_fleet("--step-seconds", "0.001") as fleet:
        running = fleet.replica.generate(request_of("a", ENDLESS))
        await anext(running)
        unread = fleet.replica.generate(request_of("b"))
        fleet.replica.down("maintenance", restart_in=5.5)
        with pytest.raises(ReplicaUnavailable, match="restarting"):
            async for _ in running:
                pass
        with pytest.raises(ReplicaUnavailable) as refused:
            await anext(unread)
        assert 6 <= refused.value.retry_after <= 10  # the pause and the time of one start
        assert fleet.replica.progress == StartupProgress("failed", message="maintenance")
        assert fleet.replica.stats.running == 0


async def test_deltas_that_nobody_took_come_joined_and_a_failure_comes_alone():
    running = _Running()
    first = Delta("a", (1, 2), (TokenLogprobs(1, -0.5), TokenLogprobs(2, -0.1)), cached_tokens=16)
    second = Delta("a", (3,), (TokenLogprobs(3, -0.2),), finish_reason=FinishReason.LENGTH)
    running.put(first)
    running.put(second)
    running.put(Delta("a", finish_reason=FinishReason.ERROR, error="broken"))
    taken = await running.take()
    assert taken.tokens == (1, 2, 3) and [at.token for at in taken.logprobs] == [1, 2, 3]
    assert taken.cached_tokens == 16 and taken.finish_reason is FinishReason.LENGTH
    assert (await running.take()).error == "broken"
    running.put(first)
    assert await running.take() == first
