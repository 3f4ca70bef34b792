"""What clients see over HTTP when a real engine, or the whole gateway, is killed under load."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.server_process import ServerProcess

STREAMS = 16
QUESTION = {"messages": [{"role": "user", "content": "Tell me about the sea."}], "temperature": 0, "ignore_eos": True}
LONG = QUESTION | {"stream": True, "max_tokens": 300}
SHORT = QUESTION | {"max_tokens": 8}


class Client:
    """Speaks to one server's chat endpoint."""

    def __init__(self, http: httpx.AsyncClient):
        self._http = http

    async def stream(self, started: asyncio.Queue[None]) -> list[str]:
        """A long stream's data lines to its end; `started` is told of the first content."""
        lines = []
        async with self._http.stream("POST", "/v1/chat/completions", json=LONG) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                lines.append(line.removeprefix("data: "))
                if len(lines) == 2:  # the first is the role's
                    started.put_nowait(None)
        return lines

    async def ask(self) -> httpx.Response:
        """The answer to a short question, whatever it is."""
        return await self._http.post("/v1/chat/completions", json=SHORT)

    async def ask_until_served(self) -> tuple[str, list[httpx.Response]]:
        """The reply to a short question, asked again when each refusal says so, and the refusals."""
        refusals = []
        while (response := await self.ask()).status_code != 200:
            refusals.append(response)
            await asyncio.sleep(float(response.headers["retry-after"]))
        return response.json()["choices"][0]["message"]["content"], refusals


@pytest.fixture(scope="module")
def server(server_data: Path) -> Iterator[ServerProcess]:
    """One to harm: the first test leaves it with another engine, the last one leaves nothing of it."""
    process = ServerProcess(server_data)
    yield process
    process.kill()


@pytest.fixture
async def client(server) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as http:
        yield Client(http)


async def under_load(client: Client) -> list[asyncio.Task[list[str]]]:
    """Many streams that have all begun to speak."""
    started: asyncio.Queue[None] = asyncio.Queue()
    streams = [asyncio.create_task(client.stream(started)) for _ in range(STREAMS)]
    for _ in streams:
        await started.get()
    return streams


async def test_a_killed_engine_under_load(server, client):
    before, _ = await client.ask_until_served()
    streams = await under_load(client)
    killed = server.engine_pid()
    os.kill(killed, signal.SIGKILL)

    for lines in await asyncio.gather(*streams):
        assert json.loads(lines[-1])["error"]["code"] == "server_is_overloaded"
        assert "[DONE]" not in lines
        assert all(choice["finish_reason"] is None for line in lines[:-1] for choice in json.loads(line)["choices"])

    refused = await client.ask()
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "server_is_overloaded"
    assert 1 <= int(refused.headers["retry-after"]) <= 120  # longer than that the official client will not wait
    readiness = await asyncio.to_thread(server.get, "/ready")
    assert readiness.status_code == 503
    assert (await asyncio.to_thread(server.get, "/health")).status_code == 200

    after, refusals = await client.ask_until_served()
    assert after == before
    assert {refusal.status_code for refusal in refusals} <= {503}
    assert server.engine_pid() != killed
    assert (await asyncio.to_thread(server.get, "/ready")).status_code == 200


async def test_a_killed_gateway_leaves_no_engine(server, client, process_end):
    streams = await under_load(client)
    ended = asyncio.create_task(process_end(server.engine_pid()))
    await asyncio.sleep(0)  # it watches before there is something to see
    server.kill()
    await ended
    for broken in await asyncio.gather(*streams, return_exceptions=True):
        assert isinstance(broken, httpx.TransportError)
