"""An app over a replica that plays back a script, and an HTTP client inside the same process."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from serving.api.app import create_app
from serving.orchestrator.served_model import ServedModel
from serving.settings import ServerSettings, Settings
from tests.orchestrator.scripted import Script, ScriptedReplica, says, write_model

NOW = 1_700_000_000.5


class StandingFleet:
    """A supervisor with nothing to start."""

    def __init__(self, replica: ScriptedReplica) -> None:
        self.replica = replica
        self.events: list[str] = []

    def start(self) -> None:
        self.events.append("start")

    async def stop(self) -> None:
        self.events.append("stop")


class Bench:
    """The app, its scripted replica, and a client."""

    def __init__(self, model: ServedModel, script: Script, max_body_bytes: int) -> None:
        self.model = model
        self.replica = ScriptedReplica(script)
        self.fleet = StandingFleet(self.replica)
        settings = Settings(server=ServerSettings(max_body_bytes=max_body_bytes))
        self.app = create_app(settings, self.fleet, model, clock=lambda: NOW)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway")

    async def chat(self, **fields) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": "hi"}]} | fields
        return await self.http.post("/v1/chat/completions", json=body)

    async def complete(self, **fields) -> httpx.Response:
        return await self.http.post("/v1/completions", json={"prompt": "hi"} | fields)

    def ids(self, text: str) -> list[int]:
        return self.model.tokenizer.encode(text, False)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> ServedModel:
    """A tokenizer and a chat template, no weights."""
    folder = tmp_path_factory.mktemp("model")
    write_model(folder)
    return ServedModel.from_folder("tiny", folder)


@pytest.fixture
async def bench(model) -> AsyncIterator:
    """`bench("hello")` is an app whose every reply is "hello"; a script can be given in place of the text."""
    async with contextlib.AsyncExitStack() as stack:

        def make(reply: str | Script = "hello world", *, max_body_bytes: int = 100_000, **options) -> Bench:
            script = says(model.tokenizer.encode(reply, False), **options) if isinstance(reply, str) else reply
            made = Bench(model, script, max_body_bytes)
            stack.push_async_callback(made.http.aclose)
            return made

        yield make


@contextlib.asynccontextmanager
async def _listening(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with httpx.AsyncClient(base_url="http://{}:{}".format(*listener.getsockname())) as client:
            yield client
    finally:
        server.should_exit = True
        await task


@pytest.fixture
def listening():
    """`async with listening(app) as client` has the app behind uvicorn, and a client that talks to it by TCP."""
    return _listening
