"""Clients that hang up, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from serving.engine.request import Delta, FinishReason


class Endless:
    """A script that goes on until it is cancelled, and tells when all its requests were."""

    def __init__(self, *, silent: bool = False) -> None:
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self._running = 0
        self._silent = silent

    async def __call__(self, request) -> AsyncIterator[Delta]:
        self._running += 1
        self.began.set()
        try:
            while True:
                await asyncio.sleep(0.001)
                if not self._silent:
                    yield Delta(request.id, (70,))
        finally:
            self._running -= 1
            if not self._running:
                self.ended.set()


BODY = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("n", [1, 3])
async def test_a_stream_that_nobody_reads_is_cancelled(bench, listening, n):
    script = Endless()
    b = bench(script)
    async with listening(b.app) as client:
        async with client.stream("POST", "/v1/chat/completions", json=BODY | {"stream": True, "n": n}) as response:
            async for line in response.aiter_lines():
                if '"content":"' in line:
                    break
        async with asyncio.timeout(10):
            await script.ended.wait()
        assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_waiting_for_an_answer_ends_with_the_connection(bench, listening, path, stream):
    script = Endless(silent=True)
    b = bench(script)
    async with listening(b.app) as client:
        request = asyncio.create_task(client.post(path, json=BODY | {"prompt": "hi", "stream": stream}))
        async with asyncio.timeout(10):
            await script.began.wait()
            request.cancel()
            await script.ended.wait()
        assert (await client.get("/health")).status_code == 200
    assert b.replica.cancelled == [b.replica.requests[0].id]


async def test_an_answer_to_the_last_byte_cancels_nothing(bench, listening):
    b = bench("hello")
    async with listening(b.app) as client:
        async with client.stream("POST", "/v1/chat/completions", json=BODY | {"stream": True}) as response:
            lines = [line async for line in response.aiter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        assert json.loads(lines[-2].removeprefix("data: "))["choices"][0]["finish_reason"] == FinishReason.STOP
    assert b.replica.cancelled == []
