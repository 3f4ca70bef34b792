"""A follower's process: it loads what its leader loads, then obeys every turn that the leader announces.

Join, wait for the others, load, say what, follow, end with the leader's stream. It serves nobody.
"""

import asyncio
import logging
import queue
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NoReturn, Protocol

import grpc

from serving.engine import codec
from serving.engine.member import JOIN_SECONDS, Leaving, Member, ProcessGroup, Report
from serving.engine.options import EngineOptions
from serving.engine.request import Delta, EngineDescription, EngineStats
from serving.engine.turns import Turn
from serving.process.channel import channel_options
from serving.process.ending import GRACE, Ending, explained, run_to_end
from serving.process.progress import StartupProgress

log = logging.getLogger(__name__)

SETTLE_SECONDS = 5.0
"""How long a failure here waits for the leader's word: longer than the leader waits to learn who was lost."""


class FollowingEngine(Protocol):
    """What a follower asks of an engine: `serving.engine.engine.Engine`, or a stand-in for it."""

    description: EngineDescription
    failed: BaseException | None

    def follow(self, publish: Callable[[list[Delta], EngineStats], None], turns: Callable[[], Turn | None]) -> None:
        """Begin to obey, on a thread of its own, what `turns` gives until that is None."""


Load = Callable[[Callable[[StartupProgress], None]], FollowingEngine]


def run(model: Path, options: EngineOptions, group: ProcessGroup, *, exit_with_parent: bool = False) -> NoReturn:
    """Follow the leader of `group` until it stops; ends the process.

    The exit status is 0 when the leader or this process was told to stop; 1 when the leader is lost or ends the
    replica for a reason, and when the model cannot be loaded or the engine's loop fails.
    """

    def load(report: Callable[[StartupProgress], None]) -> FollowingEngine:
        from serving.engine.distributed import load_together  # brings JAX

        return load_together(group, model, options, report)

    member = Member.of(group, options)
    run_to_end(follow(group.leader, member, load, exit_with_parent=exit_with_parent))


async def follow(leader: str, member: Member, load: Load, *, exit_with_parent: bool = False) -> int:
    """Follow the leader at that address until one of both ends; returns the exit status."""
    ending = Ending(with_parent=exit_with_parent)
    async with grpc.aio.insecure_channel(leader, options=channel_options()) as channel:
        follower = _Follower(channel, leader, member, ending)
        working = asyncio.create_task(follower.work(load))
        status, reason = await ending.wait()
        working.cancel()
        if channel.get_state() is grpc.ChannelConnectivity.READY:
            await follower.leave(reason)
    return status


class _Follower:
    """One process's stream to its leader, which brings the turns and whose end is the replica's."""

    def __init__(self, channel: grpc.aio.Channel, leader: str, member: Member, ending: Ending):
        self._leader = leader
        self._member = member
        self._ending = ending
        self._reports: asyncio.Queue[Report] = asyncio.Queue()
        self._turns: queue.SimpleQueue[Turn | None] = queue.SimpleQueue()
        self._failures: asyncio.Queue[BaseException] = asyncio.Queue()
        call = channel.stream_stream(codec.METHODS["Follow"], codec.encode_report, codec.decode_turn)
        self._stream = call(self._tell(), wait_for_ready=True)
        self._reading = asyncio.create_task(self._read())

    async def work(self, load: Load) -> None:
        """Joins, loads and follows; ends the process when that fails, unless the leader has a better reason."""
        try:
            await self._join()
            engine = await asyncio.to_thread(load, lambda progress: log.debug("%s", progress))
            self._reports.put_nowait(engine.description)
            self._start(engine)
        except Exception as error:
            reason, unexpected = explained(error)
            await self._fail(f"the engine could not start: {reason}", unexpected)
            return
        error = await self._failures.get()
        await self._fail(f"the engine failed: {type(error).__name__}: {error}", error)

    async def leave(self, reason: str) -> None:
        """Tells the leader why this process ends, when that is the first to end, and lets it have heard that."""
        if not self._reading.done():
            self._reports.put_nowait(Leaving(reason))
            await asyncio.wait([self._reading], timeout=GRACE)

    async def _tell(self) -> AsyncIterator[Report]:
        while True:
            yield await self._reports.get()

    async def _join(self) -> None:
        log.info("%s waits for the leader at %s and all others", self._member, self._leader)
        self._reports.put_nowait(self._member)
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                await self._stream.initial_metadata()  # comes when all have joined, and when the stream has ended
        except TimeoutError:
            missed = f"the leader at {self._leader} and all {self._member.processes} processes did not meet"
            raise OSError(f"{missed} within {JOIN_SECONDS:.0f} s") from None
        if self._stream.done():
            raise OSError("the leader has ended the stream")
        log.info("%s and all others have joined; it loads", self._member)

    def _start(self, engine: FollowingEngine) -> None:
        loop = asyncio.get_running_loop()

        def publish(deltas: list[Delta], stats: EngineStats) -> None:
            """Of all that the engine's thread has to tell, only its failure is news here."""
            if engine.failed is not None:
                loop.call_soon_threadsafe(self._failures.put_nowait, engine.failed)

        engine.follow(publish, self._turns.get)
        log.info("%s is ready", self._member)

    async def _read(self) -> None:
        """Passes turns on until the stream ends; its end is this process's."""
        count = 0
        try:
            async for turn in self._stream:
                self._turns.put(turn)
                count += 1
            if self._ending.finish("the leader has stopped"):
                log.info("%s followed %d turns until the leader stopped", self._member, count)
        except grpc.aio.AioRpcError as error:
            self._ending.fail(self._explain_end(error))
        finally:
            self._turns.put(None)

    def _explain_end(self, error: grpc.aio.AioRpcError) -> str:
        match error.code():
            case grpc.StatusCode.ABORTED:
                return f"the leader has ended this replica: {error.details()}"
            case grpc.StatusCode.FAILED_PRECONDITION:
                return f"the leader at {self._leader} refuses this process: {error.details()}"
        leader = f"process 0/{self._member.processes} of this replica, the leader at {self._leader},"
        return f"{leader} was lost: {error.details()}"

    async def _fail(self, reason: str, error: BaseException | None) -> None:
        await asyncio.wait([self._reading], timeout=SETTLE_SECONDS)
        self._ending.fail(reason, error)
