"""One engine as the gateway sees it: requests go in, deltas come out, and nobody waits for an engine that is gone."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum

import grpc

from serving.engine import codec
from serving.engine.channel import channel_options
from serving.engine.codec import StepOutput
from serving.engine.request import Delta, EngineDescription, EngineStats, GenerationRequest, StartupProgress
from serving.engine.turns import Cancel

MAX_RETRY_AFTER = 10.0  # seconds; a start with compiled programs at hand is quicker than the cold one before it


class ReplicaState(StrEnum):
    """Where a replica stands."""

    STARTING = "starting"  # waiting for its engine to load and compile
    READY = "ready"
    DOWN = "down"  # no engine; whoever keeps the replica starts the next one


class ReplicaUnavailable(Exception):
    """The replica cannot generate now; `retry_after` says in how many seconds it is worth another try."""

    def __init__(self, reason: str, retry_after: float):
        super().__init__(reason)
        self.retry_after = retry_after


class Replica:
    """One engine's client. `serve` connects it to an engine; in between, every request is refused at once.

    `on_change` is called when `state` changed or the start came further. `keepalive` is in seconds: an engine that
    does not answer a ping for so long, sent after so long a silence, is given up.
    """

    def __init__(
        self, name: str, *, on_change: Callable[["Replica"], None] = lambda _: None, keepalive: float = 10.0
    ) -> None:
        self.name = name
        self.state = ReplicaState.STARTING
        self.progress = StartupProgress("starting")
        self.description: EngineDescription | None = None
        self.stats = EngineStats()
        self.ready_at: float | None = None  # the event loop's time when the latest engine became ready
        self._on_change = on_change
        self._keepalive = keepalive
        self._startup_at: float | None = None  # when the latest start began or the next one will
        self._startup_seconds = 10.0  # a guess until one start has been seen
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

    @property
    def retry_after(self) -> float:
        """Whole seconds until the replica is expected to serve again, from 1 to MAX_RETRY_AFTER."""
        now = asyncio.get_running_loop().time()
        began = now if self._startup_at is None else self._startup_at
        return float(min(max(math.ceil(began + self._startup_seconds - now), 1), MAX_RETRY_AFTER))

    def unavailable(self) -> ReplicaUnavailable:
        """The error for a request that comes while the replica is not ready."""
        wait = self.retry_after
        doing = self.progress.stage if self.state is ReplicaState.STARTING else "restarting"
        return ReplicaUnavailable(f"the engine is {doing}; try again in {wait:g} s", wait)

    async def serve(self, target: str) -> str:
        """Carry requests to the engine at `target` (`unix:/path` or `host:port`) from its start to its end.

        Waits for an engine that is not there yet. Returns why the engine could not start or the connection ended;
        then, and when cancelled, running requests end with `ReplicaUnavailable`.
        """
        started = self._startup_at = asyncio.get_running_loop().time()
        self.ready_at = None
        self._change(ReplicaState.STARTING, StartupProgress("starting"))
        reason = "the engine ended"
        try:
            async with grpc.aio.insecure_channel(target, options=channel_options(self._keepalive)) as channel:
                await self._start(channel)
                await self._carry(channel, started)
        except _StartFailed as error:
            reason = f"the engine could not start: {error}"
        except grpc.aio.AioRpcError as error:
            reason = f"the connection to the engine ended: {error.details()}"
        finally:
            self.down(reason)
        return reason

    def down(self, reason: str, restart_in: float = 0.0) -> None:
        """Refuse requests, and end those that run; the next start is `restart_in` seconds away.

        Called again it mends the reason and the time.
        """
        self._startup_at = asyncio.get_running_loop().time() + restart_in
        progress = StartupProgress("failed", message=reason)
        if self.state is ReplicaState.DOWN:
            self.progress = progress
            return
        self.stats = EngineStats()
        self._change(ReplicaState.DOWN, progress)
        for running in self._running.values():
            running.put(self.unavailable())

    async def _start(self, channel: grpc.aio.Channel) -> None:
        watch = channel.unary_stream(codec.METHODS["WatchStartup"], codec.encode_empty, codec.decode_progress)
        async for progress in watch(None, wait_for_ready=True):
            if progress.stage == "failed":
                raise _StartFailed(progress.message)
            if progress.stage != "ready":  # it is when requests are taken
                self._change(ReplicaState.STARTING, progress)
        describe = channel.unary_unary(codec.METHODS["Describe"], codec.encode_empty, codec.decode_description)
        self.description = await describe(None)

    async def _carry(self, channel: grpc.aio.Channel, started: float) -> None:
        generate = channel.stream_stream(codec.METHODS["Generate"], None, codec.decode_step)
        self._commands = asyncio.Queue()
        try:
            steps = generate(_until_none(self._commands))
            await steps.initial_metadata()  # the engine sends it when the stream stands
            if not steps.done():
                self.ready_at = asyncio.get_running_loop().time()
                self._startup_seconds = self.ready_at - started
                self._change(ReplicaState.READY, StartupProgress("ready"))
            async for step in steps:
                self._take(step)
        finally:
            self._commands.put_nowait(None)

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

    def _require_ready(self) -> None:
        if self.state is not ReplicaState.READY:
            raise self.unavailable()

    def _change(self, state: ReplicaState, progress: StartupProgress) -> None:
        self.state, self.progress = state, progress
        self._on_change(self)


class _StartFailed(Exception):
    """The engine's own word that it will not come."""


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
