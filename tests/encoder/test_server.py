"""`tradewind encoder` as a process, from its first answer to its exit status."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from serving.encoder import codec
from serving.encoder.request import EmbedRequest
from serving.process.codec import decode_progress, encode_empty
from tests.golden_encoders import GOLDEN, TEXTS, VECTORS

ECHO_ENCODER = Path(__file__).parents[1] / "fleet" / "echo_encoder.py"


@contextlib.asynccontextmanager
async def running(tmp_path, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process at tmp_path/e; standard error is in its `stderr`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--listen", f"unix:{tmp_path}/e", stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(180):
            yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


class Client:
    """The service's calls."""

    def __init__(self, channel: grpc.aio.Channel):
        calls = codec.METHODS
        self.watch_startup = channel.unary_stream(calls["WatchStartup"], encode_empty, decode_progress)
        self.describe = channel.unary_unary(calls["Describe"], encode_empty, codec.decode_description)
        self.watch_stats = channel.unary_stream(calls["WatchStats"], encode_empty, codec.decode_stats)
        self.embed = channel.unary_unary(calls["Embed"], codec.encode_request, codec.decode_embeddings)

    async def stages(self) -> list[str]:
        """All stages of the start, from the moment that the server listens."""
        return [progress.stage async for progress in self.watch_startup(None, wait_for_ready=True)]


@contextlib.asynccontextmanager
async def client(tmp_path) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/e") as channel:
        yield Client(channel)


async def drained(stream: grpc.aio.UnaryStreamCall) -> None:
    """Read a stream until it fails."""
    while await stream.read() is not grpc.aio.EOF:
        pass


async def refusal(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code(), refused.value.details()


@pytest.fixture
def encoder(tmp_path, server_data):
    """`async with encoder(folder)`: `tradewind encoder` with few programs."""
    quick = ("--encoder-max-tokens", "40", "--encoder-batch-tokens", "32", "--data-dir", str(server_data))
    return lambda folder: running(tmp_path, "-m", "serving.cli", "encoder", "--encoder-model", str(folder), *quick)


async def test_it_says_how_far_it_is_serves_and_ends_when_told(tmp_path, encoder):
    async with encoder(GOLDEN / "bert") as process, client(tmp_path) as calls:
        stages = await calls.stages()
        assert stages[0] == "loading" and "compiling" in stages and stages[-1] == "ready"
        description = await calls.describe(None)
        assert (description.dimensions, description.max_tokens, description.normalised) == (32, 40, True)
        stats = calls.watch_stats(None)
        assert (await stats.read()).texts == 0

        embeddings = await calls.embed(EmbedRequest(tuple(TEXTS[:2]) * 2))
        np.testing.assert_allclose(embeddings.vectors, np.tile(VECTORS["bert"][:2], (2, 1)), atol=1e-4)
        assert embeddings.token_counts == (3, 14, 3, 14)
        seen = await stats.read()
        while seen.texts < 4:
            seen = await stats.read()
        assert (seen.tokens, seen.waiting) == (34, 0)

        code, message = await refusal(calls.embed(EmbedRequest(("fine", "long " * 50))))
        assert code is grpc.StatusCode.OUT_OF_RANGE
        assert message.startswith("input[1] has ") and message.endswith("this encoder's maximum is 40")
        assert (await calls.embed(EmbedRequest(("long " * 50,), truncate=True))).token_counts == (40,)
        code, message = await refusal(calls.embed(EmbedRequest(((1, 5000),))))
        assert code is grpc.StatusCode.INVALID_ARGUMENT and "token id 5000" in message

        process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError, match="the encoder is stopping"):
            await drained(stats)
        assert await process.wait() == 0
        assert b"long long" not in await process.stderr.read()  # texts stay out of logs


async def test_it_ends_with_its_parent_s_pipe(tmp_path):
    async with running(tmp_path, str(ECHO_ENCODER), "--exit-with-parent") as process, client(tmp_path) as calls:
        assert (await calls.stages())[-1] == "ready"
        process.stdin.close()
        assert await process.wait() == 0


async def test_weights_that_cannot_be_read_end_it_with_the_reason(tmp_path, encoder):
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in (GOLDEN / "bert").glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "modules.json").unlink()
    (folder / "model.safetensors").write_bytes(b"nothing")
    async with encoder(folder) as process:
        _, log = await process.communicate()
        assert process.returncode == 1
        assert b"model.safetensors: not a readable safetensors file" in log and b"Traceback" not in log


async def test_a_model_that_is_not_there_is_the_user_s_mistake(encoder):
    async with encoder("./no/such/folder") as process:
        _, log = await process.communicate()
        assert (process.returncode, log) == (2, b"error: there is no folder no/such/folder\n")
