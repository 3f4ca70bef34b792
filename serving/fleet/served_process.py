"""A process as the gateway in front of it sees it, from its start to its end; nobody waits for one that is gone."""

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import ClassVar

import grpc

from serving.process.channel import KEEPALIVE, channel_options
from serving.process.codec import decode_progress, encode_empty
from serving.process.progress import StartupProgress

MAX_RETRY_AFTER = 10.0  # seconds; a start with compiled programs at hand is quicker than the cold one before it


class ReplicaState(StrEnum):
    """Where a replica stands."""

    STARTING = "starting"  # waiting for its process to load and compile
    READY = "ready"
    DOWN = "down"  # no process; whoever keeps the replica starts the next one


class ReplicaUnavailable(Exception):
    """The replica cannot serve now; `retry_after` says in how many seconds it is worth another try."""

    def __init__(self, reason: str, retry_after: float):
        super().__init__(reason)
        self.retry_after = retry_after


class ServedProcess(ABC):
    """The client of a process that serves one model. `serve` connects it to one; in between, requests are refused.

    `on_change` is called when `state` changed or the start came further. `keepalive` is in seconds: a process that
    does not answer a ping for so long, sent after so long a silence, is given up.
    """

    kind: ClassVar[str]  # what the process is, in messages
    methods: ClassVar[Mapping[str, str]]  # its calls by name, WatchStartup among them

    def __init__(
        self, name: str, *, on_change: Callable[["ServedProcess"], None] = lambda _: None, keepalive: float = KEEPALIVE
    ) -> None:
        self.name = name
        self.state = ReplicaState.STARTING
        self.progress = StartupProgress("starting")
        self.settled = asyncio.Event()  # set once it was ready, or down, for the first time
        self.ready_at: float | None = None  # the event loop's time when the latest process became ready
        self._on_change = on_change
        self._keepalive = keepalive
        self._startup_at: float | None = None  # when the latest start began or the next one will
        self._startup_seconds = 10.0  # a guess until one start has been seen

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
        return ReplicaUnavailable(f"the {self.kind} is {doing}; try again in {wait:g} s", wait)

    async def serve(self, target: str) -> str:
        """Carry requests to the process at `target` (`unix:/path` or `host:port`) from its start to its end.

        Waits for a process that is not there yet. Returns why it could not start or the connection ended; then, and
        when cancelled, running requests end with `ReplicaUnavailable`.
        """
        self._startup_at = asyncio.get_running_loop().time()
        self.ready_at = None
        self._change(ReplicaState.STARTING, StartupProgress("starting"))
        reason = f"the {self.kind} ended"
        try:
            async with grpc.aio.insecure_channel(target, options=channel_options(self._keepalive)) as channel:
                await self._start(channel)
                await self._carry(channel)
        except _StartFailed as error:
            reason = f"the {self.kind} could not start: {error}"
        except grpc.aio.AioRpcError as error:
            reason = f"the connection to the {self.kind} ended: {error.details()}"
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
        self._change(ReplicaState.DOWN, progress)
        self._end_requests()

    @abstractmethod
    async def _carry(self, channel: grpc.aio.Channel) -> None:
        """Ask the process what it is, say `_ready` once it takes requests, and stay until the connection ends."""

    @abstractmethod
    def _end_requests(self) -> None:
        """End the requests that run, for the process has gone."""

    def _ready(self) -> None:
        self.ready_at = asyncio.get_running_loop().time()
        self._startup_seconds = self.ready_at - self._startup_at
        self._change(ReplicaState.READY, StartupProgress("ready"))

    def _require_ready(self) -> None:
        if self.state is not ReplicaState.READY:
            raise self.unavailable()

    async def _start(self, channel: grpc.aio.Channel) -> None:
        watch = channel.unary_stream(self.methods["WatchStartup"], encode_empty, decode_progress)
        async for progress in watch(None, wait_for_ready=True):
            if progress.stage == "failed":
                raise _StartFailed(progress.message)
            if progress.stage != "ready":  # it is when requests are taken
                self._change(ReplicaState.STARTING, progress)

    def _change(self, state: ReplicaState, progress: StartupProgress) -> None:
        self.state, self.progress = state, progress
        if state is not ReplicaState.STARTING:
            self.settled.set()
        self._on_change(self)


class _StartFailed(Exception):
    """The process's own word that it will not come."""
