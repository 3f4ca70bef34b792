"""`tradewind retriever` as a process, from its first answer to its exit status."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from serving.process.codec import decode_progress, encode_empty
from serving.retriever import codec
from serving.retriever.request import Adding, InCollection, Query, RetrieverDescription, Searching, Upload
from tests.golden_encoders import GOLDEN


@pytest.fixture
def retriever(tmp_path):
    """`async with retriever(*flags)`: `tradewind retriever` at TMP_PATH/r; standard error is in its `stderr`."""

    @contextlib.asynccontextmanager
    async def running(*flags: str, listen: str = "r") -> AsyncIterator[asyncio.subprocess.Process]:
        command = [sys.executable, "-m", "serving.cli", "retriever", "--listen", f"unix:{tmp_path}/{listen}"]
        command += ["--data-dir", str(tmp_path / "data"), "--encoder-address", f"unix:{tmp_path}/encoder"]
        command += ["--encoder-model", str(GOLDEN / "bert"), *flags]
        process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            async with asyncio.timeout(180):
                yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    return running


@pytest.fixture
async def channel(tmp_path):
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/r") as channel:
        yield channel


def call(channel: grpc.aio.Channel, name: str, request):
    """One call's answer."""
    kind = codec.CALLS[name]
    return channel.unary_unary(kind.path, kind.encode_request, kind.decode_answer)(request)


def stages(channel: grpc.aio.Channel):
    return channel.unary_stream(codec.METHODS["WatchStartup"], encode_empty, decode_progress)(None, wait_for_ready=True)


async def until(stream: grpc.aio.UnaryStreamCall, wanted: Callable[[Any], bool]):
    """The next value of a stream that is wanted."""
    value = await stream.read()
    while not wanted(value):
        value = await stream.read()
    return value


async def test_it_waits_for_the_encoder_serves_and_ends_when_told(retriever, channel, echo_encoder):
    async with retriever("--document-bytes", "1000") as process:
        start = stages(channel)
        await until(start, lambda progress: progress.message == "waiting for the encoder")
        with pytest.raises(grpc.aio.AioRpcError, match="the retriever is not ready: loading"):
            await call(channel, "List", InCollection("t"))
        async with retriever(listen="r2") as second:  # one folder, one writer
            _, log = await second.communicate()
            assert second.returncode == 1
            assert b"another server keeps its documents in" in log and b"Traceback" not in log
        echo_encoder()
        await until(start, lambda progress: progress.stage == "ready")
        assert await call(channel, "Describe", None) == RetrieverDescription("echo echo", 32, 1000)

        stats = channel.unary_stream(codec.METHODS["WatchStats"], encode_empty, codec.decode_stats)(None)
        assert (await stats.read()).documents == 0
        uploads = (Upload("a", b"Secret harbour words"), Upload("b", b"Other words"))
        receipts = await call(channel, "Add", Adding("t", "c", uploads))
        assert [(receipt.id, receipt.status) for receipt in receipts.items] == [("a", "pending"), ("b", "pending")]
        while (await call(channel, "Get", InCollection("t", "c"))).pending:
            pass
        hits = await call(channel, "Search", Searching("t", "c", Query("harbour", mode="bm25")))
        assert [hit.document for hit in hits.items] == ["a"]
        seen = await until(stats, lambda stats: stats.searches and not stats.waiting)
        assert seen.documents == 2 and seen.index_bytes > 0 and seen.search_seconds > 0
        with pytest.raises(grpc.aio.AioRpcError, match="'big' has 1,001 bytes; accepted are 1,000"):
            await call(channel, "Add", Adding("t", "c", (Upload("big", b"x" * 1001),)))

        process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError, match="the retriever is stopping"):
            await until(stats, lambda stats: stats is grpc.aio.EOF)
        assert await process.wait() == 0
        log = await process.stderr.read()
        assert b"harbour" not in log and b"Traceback" not in log  # documents and questions stay out of logs


async def test_it_ends_when_the_encoder_becomes_another_one(retriever, channel, echo_encoder):
    async with retriever("--exit-with-parent") as process:
        first = echo_encoder("--fingerprint", "fp_1")
        await until(stages(channel), lambda progress: progress.stage == "ready")
        first.kill()
        first.wait()
        echo_encoder("--fingerprint", "fp_2")
        assert await process.wait() == 1
        log = await process.stderr.read()
        assert b"the retriever ends: the encoder is echo fp_2 now; it was echo fp_1" in log and b"Traceback" not in log


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (
            ("--database-url", "mysql://me:hush@here/db"),
            1,
            b"--database-url: the database mysql://me:***@here/db is of",
        ),
        (("--database-url", "postgresql://me:hush@127.0.0.1:1/db"), 1, b"the database cannot be opened"),
        (("--encoder-address", ""), 2, b"--encoder-address is missing"),
        (("--encoder-model", "./no/such"), 2, b"error: there is no folder no/such"),
    ],
)
async def test_what_it_cannot_start_with_is_named(retriever, flags, status, message):
    async with retriever(*flags) as process:
        _, log = await process.communicate()
        assert process.returncode == status
        assert message in log and b"hush" not in log and b"Traceback" not in log
