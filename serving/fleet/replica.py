"""One engine as the gateway sees it: requests go in, deltas come out, and nobody waits for an engine that is gone."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field

import grpc

from serving.engine import codec
from serving.engine.codec import StepOutput
from serving.engine.request import Delta, EngineDescription, EngineStats, GenerationRequest
from serving.engine.turns import Cancel
from serving.fleet.served_process import ReplicaState, ReplicaUnavailable, ServedProcess
from serving.process.channel import KEEPALIVE
from serving.process.codec import encode_empty

__all__ = ["Replica", "ReplicaState", "ReplicaUnavailable"]


class Replica(ServedProcess):
    """One engine's client."""

    kind = "engine"
    methods = codec.METHODS

    def __init__(
        self, name: str, *, on_change: Callable[["Replica"], None] = lambda _: None, keepalive: float = KEEPALIVE
    ) -> None:
        super().__init__(name, on_change=on_change, keepalive=keepalive)
        self.description: EngineDescription | None = None
        self.stats = EngineStats()
        self._commands: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._running: dict[str, _Running] = {}

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Delta, None]:
        """The request's deltas as they come, until one carries a finish reason. Its id must not have been used before.
        Deltas that arrive faster than they are taken come joined.

        Closing the iterator, or cancelling the task that waits on it, cancels the request in the engine. Raises
        `ReplicaUnavailable` at once unless the replica is ready, and from the iterator when the engine dies; ValueError
        for an id that is running already or a value that the wire has no room for.
        """
        self._require_ready()
        if request.id in self._running:
            raise ValueError(f"request id {request.id!r} is already running")
        return self._deltas(request.id, codec.encode_command(request))

    async def _carry(self, channel: grpc.aio.Channel) -> None:
        describe = channel.unary_unary(codec.METHODS["Describe"], encode_empty, codec.decode_description)
        self.description = await describe(None)
        generate = channel.stream_stream(codec.METHODS["Generate"], None, codec.decode_step)
        self._commands = asyncio.Queue()
        try:
            steps = generate(_until_none(self._commands))
            await steps.initial_metadata()  # the engine sends it when the stream stands
            if not steps.done():
                self._ready()
            async for step in steps:
                self._take(step)
        finally:
            self._commands.put_nowait(None)

    def _end_requests(self) -> None:
        self.stats = EngineStats()
        for running in self._running.values():
            running.put(self.unavailable())

    def _take(self, step: StepOutput) -> None:
        self.stats = step.stats
        for delta in step.deltas:
            if running := self._running.get(delta.id):
                running.put(delta)

    async def _deltas(self, request_id: str, submission: bytes) -> AsyncGenerator[Delta, None]:
        self._require_ready()
        running = self._running[request_id] = _Running()
        self._commands.put_nowait(submission)
        try:
            while not running.ended:
                item = await running.take()
                if isinstance(item, ReplicaUnavailable):
                    running.ended = True
                    raise item
                running.ended = item.finish_reason is not None
                yield item
        finally:
            del self._running[request_id]
            if not running.ended:
                self._commands.put_nowait(codec.encode_command(Cancel(request_id)))


@dataclass(slots=True)
class _Running:
    """A request's deltas that nobody has taken yet; `ended` once the engine needs no word about it."""

    ended: bool = False
    _waiting: deque[Delta | ReplicaUnavailable] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, item: Delta | ReplicaUnavailable) -> None:
        """One more, whoever takes it when."""
        self._waiting.append(item)
        self._news.set()

    async def take(self) -> Delta | ReplicaUnavailable:
        """All that wait as one, up to a failure; waits for the first."""
        await self._news.wait()
        item = self._waiting.popleft()
        while self._waiting and isinstance(item, Delta) and not _fails(self._waiting[0]):
            item = item.joined(self._waiting.popleft())
        if not self._waiting:
            self._news.clear()
        return item


def _fails(item: Delta | ReplicaUnavailable) -> bool:
    return isinstance(item, ReplicaUnavailable) or bool(item.error)


async def _until_none(queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (item := await queue.get()) is not None:
        yield item
