"""Replicas whose engine is the stand-in process of echo_engine.py, kept by the product's own supervisor."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from serving.engine.request import GenerationRequest, SamplingParams
from serving.fleet.launcher import LocalLauncher, LocalProcess
from serving.fleet.replica import Replica, ReplicaState
from serving.fleet.supervisor import Backoff, Supervisor
from serving.process.progress import StartupProgress

ECHO_ENGINE = Path(__file__).with_name("echo_engine.py")
QUICK = Backoff(first=0.01, longest=0.05)


class Fleet:
    """A supervised replica, and everything that became of it."""

    def __init__(self, launcher, backoff: Backoff, **replica_options):
        self.seen: list[tuple[ReplicaState, StartupProgress]] = []  # everything that was shown
        self.launcher = launcher
        self._changed = asyncio.Event()
        self.replica = Replica("r0", on_change=self._note, **replica_options)
        self.supervisor = Supervisor(self.replica, launcher, backoff)

    def _note(self, replica: Replica) -> None:
        self.seen.append((replica.state, replica.progress))
        self._changed.set()

    async def until(self, state: ReplicaState, message: str | None = None) -> None:
        """Return when the replica is in `state`, and its progress has `message` if one is given."""
        while self.replica.state is not state or message not in (None, self.replica.progress.message):
            self._changed.clear()
            await self._changed.wait()


class RecordingLauncher(LocalLauncher):
    """Keeps the engines that it started."""

    def __init__(self, command: Callable[[str], Sequence[str]], **options):
        super().__init__(command, **options)
        self.engines: list[LocalProcess] = []

    async def start(self) -> LocalProcess:
        self.engines.append(await super().start())
        return self.engines[-1]


def echo_command(*flags: str) -> Callable[[str], Sequence[str]]:
    """The command line of a stand-in engine, as the launcher takes it."""
    return lambda listen: (sys.executable, str(ECHO_ENGINE), "--listen", listen, "--exit-with-parent", *flags)


@pytest.fixture
def echo() -> Callable[..., Callable[[str], Sequence[str]]]:
    return echo_command


@pytest.fixture
def echo_fleet():
    """`async with echo_fleet(*flags) as fleet`: a fleet of one stand-in engine, ready unless told otherwise."""

    @contextlib.asynccontextmanager
    async def started(
        *flags: str, launcher=None, ready=True, grace=8.0, backoff=QUICK, **replica_options
    ) -> AsyncIterator[Fleet]:
        fleet = Fleet(launcher or RecordingLauncher(echo_command(*flags), grace=grace), backoff, **replica_options)
        fleet.supervisor.start()
        try:
            async with asyncio.timeout(30):
                if ready:
                    await fleet.until(ReplicaState.READY)
                yield fleet
        finally:
            await fleet.supervisor.stop()

    return started


@pytest.fixture
def request_of():
    """`request_of(name, max_tokens)`: a request whose echo is 5, 6, 7, 5, 6, ..."""

    def request(name: str, max_tokens: int = 4) -> GenerationRequest:
        return GenerationRequest(name, (5, 6, 7), SamplingParams(max_tokens=max_tokens))

    return request


@pytest.fixture
def process_end():
    """`await process_end(pid)` returns when the process has ended, whoever its parent is."""

    async def ended(pid: int) -> None:
        loop = asyncio.get_running_loop()
        handle = os.pidfd_open(pid)
        over = loop.create_future()
        loop.add_reader(handle, over.set_result, None)
        try:
            await over
        finally:
            loop.remove_reader(handle)
            os.close(handle)

    return ended
