"""The engine's process, from its first answer to its exit status, with the stand-in engine inside."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from serving.engine import codec
from serving.engine.request import FinishReason, GenerationRequest, SamplingParams
from serving.process.codec import decode_progress, encode_empty

ECHO_ENGINE = Path(__file__).parents[1] / "fleet" / "echo_engine.py"
STUCK = GenerationRequest("endless", (5, 6), SamplingParams(max_tokens=10**9))


@contextlib.asynccontextmanager
async def engine(listen: str, *flags: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running engine process; standard error is in its `stderr`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ECHO_ENGINE), "--listen", listen, *flags), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def stages(channel: grpc.aio.Channel) -> AsyncIterator[str]:
    """The stages of the start, from the moment that the server listens."""
    watch = channel.unary_stream(codec.METHODS["WatchStartup"], encode_empty, decode_progress)
    async for progress in watch(None, wait_for_ready=True):
        yield f"{progress.stage} {progress.message}".strip()


async def drained(stream: AsyncIterator) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass


async def generate(channel: grpc.aio.Channel, request: GenerationRequest) -> grpc.aio.StreamStreamCall:
    """A stream with one request on its way, once the engine is ready."""
    assert [stage async for stage in stages(channel)][-1] == "ready"
    stream = channel.stream_stream(codec.METHODS["Generate"], codec.encode_command, codec.decode_step)()
    await stream.write(request)
    return stream


async def test_a_request_is_answered_token_by_token(tmp_path):
    async with engine(f"unix:{tmp_path}/e"), grpc.aio.insecure_channel(f"unix:{tmp_path}/e") as channel:
        stream = await generate(channel, GenerationRequest("a", (5, 6), SamplingParams(max_tokens=3)))
        deltas = []
        while not deltas or deltas[-1].finish_reason is None:
            deltas += (await stream.read()).deltas
        assert [token for delta in deltas for token in delta.tokens] == [5, 6, 5]
        assert deltas[-1].finish_reason is FinishReason.LENGTH
        assert deltas[-1].timings.arrived <= deltas[-1].timings.first_token <= deltas[-1].timings.finished


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_streams_and_the_process(tmp_path, name):
    async with engine(f"unix:{tmp_path}/e") as process, grpc.aio.insecure_channel(f"unix:{tmp_path}/e") as channel:
        stream = await generate(channel, STUCK)
        await anext(aiter(stream))
        process.send_signal(name)
        with pytest.raises(grpc.aio.AioRpcError, match="the engine is stopping") as ended:
            await drained(stream)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await process.wait() == 0


async def test_the_process_ends_with_its_parents_pipe(tmp_path):
    target = f"unix:{tmp_path}/e"
    async with engine(target, "--exit-with-parent") as process, grpc.aio.insecure_channel(target) as channel:
        await (await generate(channel, STUCK)).read()
        process.stdin.close()
        assert await process.wait() == 0


async def test_without_the_flag_the_end_of_input_ends_nothing(tmp_path):
    async with engine(f"unix:{tmp_path}/e") as process:
        process.stdin.close()
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/e") as channel:
            assert (await (await generate(channel, STUCK)).read()).deltas


async def test_a_load_that_never_ends_does_not_keep_the_process(tmp_path):
    async with engine(f"unix:{tmp_path}/e", "--stuck") as process:
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/e") as channel:
            coming = stages(channel)
            assert await anext(coming) == "loading weights"
            process.terminate()
            with pytest.raises(grpc.aio.AioRpcError, match="the engine is stopping"):
                await drained(coming)
        assert await process.wait() == 0


async def test_a_failed_load_is_reported_and_ends_the_process(tmp_path):
    async with engine(f"unix:{tmp_path}/e", "--broken") as process:
        _, log = await process.communicate()
        assert process.returncode == 1
        assert b"the weights are broken" in log


async def test_a_failed_loop_ends_the_process_and_logs_no_prompt(tmp_path):
    async with engine(f"unix:{tmp_path}/e", "--poison", "31999") as process:
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/e") as channel:
            stream = await generate(channel, GenerationRequest("a", (31998, 31999), SamplingParams(max_tokens=3)))
            (delta,) = (await stream.read()).deltas
            assert (delta.finish_reason, delta.error) == (FinishReason.ERROR, "the engine failed")
            with pytest.raises(grpc.aio.AioRpcError):
                await stream.read()
        _, log = await process.communicate()
        assert process.returncode == 1
        assert b"a poisoned prompt" in log
        assert b"3199" not in log


async def test_an_address_in_use_is_named(unused_tcp_port):
    address = f"127.0.0.1:{unused_tcp_port}"
    async with engine(address), grpc.aio.insecure_channel(address) as channel:
        assert [stage async for stage in stages(channel)][-1] == "ready"
        async with engine(address) as second:
            _, log = await second.communicate()
            assert second.returncode == 1
            assert f"cannot listen at {address}".encode() in log
