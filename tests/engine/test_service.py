"""The gRPC service around an engine whose every step the test itself publishes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

from serving.engine import codec
from serving.engine.codec import StepOutput
from serving.engine.request import (
    Delta,
    EngineDescription,
    EngineStats,
    FinishReason,
    GenerationRequest,
    SamplingParams,
)
from serving.engine.service import EngineService
from serving.engine.turns import Cancel, Turn
from serving.process.codec import decode_progress, encode_empty
from serving.process.progress import StartupProgress

DESCRIPTION = EngineDescription("tiny", 128, 32000, 4, 16, 32, "float32", "cpu", "f00d", (2,))


class HandDrivenEngine:
    """Keeps what the service asks of it; `publish` is the service's own."""

    description = DESCRIPTION

    def __init__(self):
        self.failed: BaseException | None = None
        self.submitted: asyncio.Queue[GenerationRequest] = asyncio.Queue()
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()

    def start(self, publish: Callable[[list[Delta], EngineStats], None], announce: Callable[[Turn], None]) -> None:
        self.publish = publish

    def submit(self, request: GenerationRequest) -> None:
        self.submitted.put_nowait(request)

    def cancel(self, request_id: str) -> None:
        self.cancelled.put_nowait(request_id)

    def stop(self) -> None:
        pass


class Gateway:
    """One client of the service."""

    def __init__(self, channel: grpc.aio.Channel):
        watch = channel.unary_stream(codec.METHODS["WatchStartup"], encode_empty, decode_progress)
        self.watch = lambda: watch(None)
        describe = channel.unary_unary(codec.METHODS["Describe"], encode_empty, codec.decode_description)
        self.describe = lambda: describe(None)
        self.generate = channel.stream_stream(codec.METHODS["Generate"], codec.encode_command, codec.decode_step)
        self.generate_raw = channel.stream_stream(codec.METHODS["Generate"])


class Bench:
    """A service on a real socket, and its clients."""

    def __init__(self, socket: str):
        self.engine = HandDrivenEngine()
        self.failures: list[BaseException] = []
        self.service = EngineService(asyncio.get_running_loop(), self.fail)
        self.target = f"unix:{socket}"

    def fail(self, error: BaseException) -> None:
        """As the server does."""
        self.failures.append(error)
        self.service.close(f"the engine failed: {error}")

    @contextlib.asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        async with grpc.aio.insecure_channel(self.target) as channel:
            yield Gateway(channel)


@contextlib.asynccontextmanager
async def bench(tmp_path, *, ready: bool = True) -> AsyncIterator[Bench]:
    made = Bench(str(tmp_path / "e.sock"))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((made.service.handler(),))
    server.add_insecure_port(made.target)
    await server.start()
    if ready:
        made.service.serve(made.engine)
    try:
        async with asyncio.timeout(20):
            yield made
    finally:
        await server.stop(None)


def request(name: str) -> GenerationRequest:
    return GenerationRequest(name, (5, 6), SamplingParams(max_tokens=3))


async def end_of(stream) -> tuple[list[StepOutput], grpc.StatusCode]:
    """What is left of a stream, and the status that it ends with."""
    steps = []
    with contextlib.suppress(grpc.aio.AioRpcError):
        async for step in stream:
            steps.append(step)
    return steps, await stream.code()


async def test_every_watcher_sees_every_stage_of_the_start(tmp_path):
    stages = [StartupProgress("loading", 1, 2, "weights"), StartupProgress("compiling", 0, 9)]
    async with bench(tmp_path, ready=False) as b, b.gateway() as gateway:
        early = gateway.watch()
        for stage in stages:
            b.service.report(stage)
        assert [await early.read(), await early.read()] == stages
        b.service.serve(b.engine)
        assert [stage async for stage in gateway.watch()] == [*stages, StartupProgress("ready")]
        assert await early.read() == StartupProgress("ready")
        assert await early.read() is grpc.aio.EOF


async def test_describe_and_generate_are_unavailable_until_ready(tmp_path):
    async with bench(tmp_path, ready=False) as b, b.gateway() as gateway:
        b.service.report(StartupProgress("compiling", 3, 9))
        watcher = gateway.watch()
        await watcher.read()
        with pytest.raises(grpc.aio.AioRpcError, match="compiling") as refused:
            await gateway.describe()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert (await end_of(gateway.generate()))[1] is grpc.StatusCode.UNAVAILABLE
        b.service.serve(b.engine)
        assert await gateway.describe() == DESCRIPTION


async def test_gateways_may_use_the_same_ids(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as one, b.gateway() as two:
        streams = [one.generate(), two.generate()]
        for stream in streams:
            await stream.write(request("a"))
        first, second = await b.engine.submitted.get(), await b.engine.submitted.get()
        assert first.id != second.id
        assert first.prompt == (5, 6)
        deltas = [Delta(first.id, tokens=(1,)), Delta(second.id, tokens=(2,))]
        b.engine.publish(deltas, EngineStats(running=2))
        answers = [await stream.read() for stream in streams]
        assert {answer.deltas for answer in answers} == {(Delta("a", tokens=(1,)),), (Delta("a", tokens=(2,)),)}
        assert answers[0].stats == EngineStats(running=2)


async def test_a_broken_stream_cancels_its_running_requests_only(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as one, b.gateway() as two:
        leaving, staying = one.generate(), two.generate()
        await leaving.write(request("done"))
        done = await b.engine.submitted.get()
        b.engine.publish([Delta(done.id, finish_reason=FinishReason.STOP)], EngineStats())
        await leaving.read()
        await leaving.write(request("a"))
        abandoned = await b.engine.submitted.get()
        await staying.write(request("a"))
        kept = await b.engine.submitted.get()
        leaving.cancel()
        assert await b.engine.cancelled.get() == abandoned.id
        await staying.write(Cancel("a"))
        assert await b.engine.cancelled.get() == kept.id
        assert b.engine.cancelled.empty()


async def test_steps_that_wait_become_one_message(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as gateway:
        stream = gateway.generate()
        await stream.write(request("a"))
        name = (await b.engine.submitted.get()).id
        for step in (1, 2, 3):
            b.engine.publish([Delta(name, tokens=(step,))], EngineStats(steps=step))
        output = await stream.read()
        assert [delta.tokens for delta in output.deltas] == [(1,), (2,), (3,)]
        assert output.stats == EngineStats(steps=3)


async def test_a_gateway_without_requests_hears_of_changed_stats_only(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as busy, b.gateway() as idle:
        streams = working, resting = busy.generate(), idle.generate()
        await working.write(request("a"))
        name = (await b.engine.submitted.get()).id
        for stream in streams:
            await stream.initial_metadata()
        for token, stats in ((1, EngineStats(running=1)), (2, EngineStats(running=1)), (3, EngineStats(running=2))):
            b.engine.publish([Delta(name, tokens=(token,))], stats)
            assert (await working.read()).deltas == (Delta("a", tokens=(token,)),)
        assert await resting.read() == StepOutput((), EngineStats(running=1))
        assert await resting.read() == StepOutput((), EngineStats(running=2))


async def test_a_new_gateway_learns_the_stats_at_once(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as gateway:
        b.engine.publish([], EngineStats(prefix_hits=7))
        await gateway.describe()
        assert (await gateway.generate().read()).stats == EngineStats(prefix_hits=7)


async def test_an_id_that_is_running_is_refused(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as gateway:
        stream = gateway.generate()
        await stream.write(request("a"))
        await stream.write(request("a"))
        assert (await end_of(stream))[1] is grpc.StatusCode.INVALID_ARGUMENT
        assert "'a' is already running" in await stream.details()
        assert await b.engine.cancelled.get() == (await b.engine.submitted.get()).id


async def test_an_unreadable_command_ends_only_its_own_stream(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as gateway:
        healthy = gateway.generate()
        await healthy.write(request("a"))
        name = (await b.engine.submitted.get()).id
        for garbage in (b"", b"\xff\xff\xff"):
            stream = gateway.generate_raw()
            await stream.write(garbage)
            assert (await end_of(stream))[1] is grpc.StatusCode.INVALID_ARGUMENT
        b.engine.publish([Delta(name, tokens=(1,))], EngineStats())
        assert (await healthy.read()).deltas == (Delta("a", tokens=(1,)),)


async def test_a_failed_engine_delivers_its_errors_and_ends_the_streams(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as gateway:
        stream = gateway.generate()
        await stream.write(request("a"))
        name = (await b.engine.submitted.get()).id
        b.engine.failed = RuntimeError("out of memory")
        b.engine.publish([Delta(name, finish_reason=FinishReason.ERROR, error="failed")], EngineStats())
        steps, status = await end_of(stream)
        assert [step.deltas for step in steps] == [(Delta("a", finish_reason=FinishReason.ERROR, error="failed"),)]
        assert status is grpc.StatusCode.UNAVAILABLE
        assert await stream.details() == "the engine failed: out of memory"
        assert b.failures == [b.engine.failed]


async def test_closing_sends_what_was_generated_and_then_refuses(tmp_path):
    async with bench(tmp_path) as b, b.gateway() as gateway:
        stream = gateway.generate()
        await stream.write(request("a"))
        name = (await b.engine.submitted.get()).id
        b.engine.publish([Delta(name, tokens=(1,))], EngineStats())
        await asyncio.sleep(0)  # the loop distributes what was published before it closes
        b.service.close("stopping for the night")
        steps, status = await end_of(stream)
        assert [step.deltas for step in steps] == [(Delta("a", tokens=(1,)),)]
        assert status is grpc.StatusCode.UNAVAILABLE
        assert await b.engine.cancelled.get() == name
        with pytest.raises(grpc.aio.AioRpcError, match="for the night"):
            await gateway.describe()
