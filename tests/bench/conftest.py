"""A server of OpenAI's protocol that does what a test says: for the faults and the order of events that a real one
shows too seldom."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

TEMPLATE_TOKENS = 3


@dataclass
class Asked:
    """One request, and the means to answer it."""

    path: str
    body: dict
    writer: asyncio.StreamWriter = field(repr=False)

    def head(self, status: int = 200, *fields: str) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", *fields]
        self.writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode())

    def whole(self, answer: dict, status: int = 200) -> None:
        data = json.dumps(answer).encode()
        self.head(status, f"content-length: {len(data)}")
        self.writer.write(data)

    def event(self, data: dict | str) -> None:
        text = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        self.writer.write(b"%x\r\n%b\r\n" % (len(text), text))

    def stream(self, *texts: str, done: bool = True) -> None:
        """A whole answer in as many events as there are texts, and one more with their count."""
        self.head(200, "transfer-encoding: chunked")
        for text in texts:
            self.event({"choices": [{"index": 0, "delta": {"content": text}}]})
        details = {"prompt_tokens_details": {"cached_tokens": 1}}
        usage = {"prompt_tokens": self.prompt_tokens, "completion_tokens": 2 * len(texts), **details}
        self.event({"choices": [], "usage": usage})
        if done:
            self.event("[DONE]")
        self.writer.write(b"0\r\n\r\n")

    @property
    def prompt_tokens(self) -> int:
        """This server's tokenizer has two tokens a word, its template some more."""
        said = self.body.get("messages") or [{"content": self.body["prompt"]}]
        return TEMPLATE_TOKENS + 2 * sum(len(message["content"].split()) for message in said)


Answer = Callable[[Asked], Awaitable[None]]


class StandIn:
    """Answers the questions before a run by itself, and streamed completions as `answer` does."""

    def __init__(self, answer: Answer, context: int | None = None):
        self.asked: list[Asked] = []
        self.connections = 0
        self.hung_up = asyncio.Event()
        self._answer = answer
        self._context = context
        self._tasks: set[asyncio.Task] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                lengths = [int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length")]
                body = json.loads(await reader.readexactly(lengths[0])) if lengths else {}
                await self._reply(Asked(head.split()[1], body, writer), reader)
                await writer.drain()
        self.hung_up.set()
        writer.close()

    async def _reply(self, asked: Asked, reader: asyncio.StreamReader) -> None:
        if asked.path == "/v1/models":
            asked.whole({"data": [{"id": "stand-in", "max_model_len": self._context}, {"id": "other"}]})
        elif not asked.body.get("stream"):
            asked.whole({"choices": [], "usage": {"prompt_tokens": asked.prompt_tokens, "completion_tokens": 1}})
        else:
            self.asked.append(asked)
            await self._answer(asked)


@pytest.fixture
def stand_in() -> Callable[..., AsyncIterator[tuple[StandIn, str]]]:
    """`async with stand_in(answer) as (server, url)`."""

    @asynccontextmanager
    async def start(answer: Answer, context: int | None = None):
        server = StandIn(answer, context)
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        host, port = listener.sockets[0].getsockname()
        try:
            yield server, f"http://{host}:{port}"
        finally:
            listener.close()
            for task in server._tasks:
                task.cancel()

    return start
