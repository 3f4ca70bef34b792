"""The leader's side of a replica over several hosts: the processes that follow it, each at the end of a stream."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import grpc

from serving.engine import codec
from serving.engine.member import JOIN_SECONDS, Leaving, Member, Report, load_misfit
from serving.engine.request import EngineDescription
from serving.engine.turns import Turn
from serving.process.progress import StartupProgress

log = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0
"""How long a failure waits for the news that a process was lost, which would be its cause."""


@dataclass(frozen=True, slots=True, eq=False)
class _Follower:
    member: Member
    turns: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)  # None: no more


class Followers:
    """The processes that follow this one. All but `announce` belongs to the event loop.

    Args:
        own: this process, the leader. Where it is the only one, nobody follows and nothing here waits.
        on_loss: called with words for people when a follower is gone.
    """

    def __init__(self, own: Member, on_loss: Callable[[str], None]):
        self._own = own
        self._on_loss = on_loss
        self._loop = asyncio.get_running_loop()
        numbers = range(1, own.processes)
        self._joined = {number: self._loop.create_future() for number in numbers}  # each of a _Follower
        self._loaded = {number: self._loop.create_future() for number in numbers}  # each of an EngineDescription
        self._complete = asyncio.Event()  # all have joined, or none will
        self._lost = self._loop.create_future()
        self._closed = False
        self._reason = ""  # why streams are aborted, if they are

    def handler(self) -> grpc.GenericRpcHandler:
        """The service that followers call, as `grpc.aio.Server.add_generic_rpc_handlers` takes it."""
        follow = grpc.stream_stream_rpc_method_handler(self._follow, codec.decode_report)  # turns come encoded
        return grpc.method_handlers_generic_handler(codec.REPLICA_SERVICE, {"Follow": follow})

    async def join(self, report: Callable[[StartupProgress], None]) -> None:
        """Waits until all have joined, and then lets them load. Raises OSError naming those who are late."""
        everybody = len(self._joined)
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                while late := self._late():
                    waiting = f"waiting for {self._named(late)}"
                    log.info("%s", waiting)
                    report(StartupProgress("loading", everybody - len(late), everybody, waiting))
                    await asyncio.wait(late.values(), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise OSError(f"{self._named(self._late())} did not join within {JOIN_SECONDS:.0f} s") from None
        self._complete.set()

    async def load(self, description: EngineDescription) -> None:
        """Waits until all have loaded what the leader has. Raises ValueError where one has not."""
        for number, loaded in self._loaded.items():
            if misfit := load_misfit(await loaded, description):
                raise ValueError(f"{self._joined[number].result().member} has loaded something else: {misfit}")

    def announce(self, turn: Turn) -> None:
        """Tells every follower of a turn that the leader is about to obey; on the engine's thread."""
        if self._joined:
            self._loop.call_soon_threadsafe(self._send, codec.encode_turn(turn))

    async def settle(self) -> None:
        """Gives the news of a loss a moment to arrive."""
        if self._joined:
            await asyncio.wait([self._lost], timeout=SETTLE_SECONDS)

    def close(self, reason: str = "") -> None:
        """Ends every stream behind the turns announced so far, in good order or for a reason; the first call counts."""
        if self._closed:
            return
        self._closed, self._reason = True, reason
        self._complete.set()
        self._send(None)

    def _late(self) -> dict[int, asyncio.Future]:
        return {number: joined for number, joined in self._joined.items() if not joined.done()}

    def _named(self, numbers: Iterable[int]) -> str:
        """As in "process 1/3, 2/3 of this replica"."""
        return f"process {', '.join(f'{number}/{self._own.processes}' for number in numbers)} of this replica"

    def _send(self, turn: bytes | None) -> None:
        for joined in self._joined.values():
            if joined.done():
                joined.result().turns.put_nowait(turn)

    async def _follow(self, reports: AsyncIterator[Report], context: grpc.aio.ServicerContext) -> None:
        try:
            member = await anext(aiter(reports), None)
            refusal = self._refusal(member)
        except ValueError as error:
            refusal = str(error)
        if refusal:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, refusal)
        follower = _Follower(member)
        self._joined[member.process].set_result(follower)
        listening = asyncio.create_task(self._listen(reports, member))
        telling = asyncio.create_task(self._tell(follower, context))
        why = ""
        try:
            await asyncio.wait((listening, telling), return_when=asyncio.FIRST_COMPLETED)
            why = listening.result() if listening.done() else ""
        finally:
            listening.cancel()
            telling.cancel()
            if not self._closed:
                self._lose(member, why)
        if self._reason:
            await context.abort(grpc.StatusCode.ABORTED, self._reason)

    def _refusal(self, member: Report | None) -> str:
        """Why a process may not follow, or nothing."""
        if not isinstance(member, Member):
            return "the first report must say who joins"
        if misfit := member.misfit(self._own):
            return misfit
        if self._closed:
            return f"{member} comes too late: the replica is ending"
        if self._joined[member.process].done():
            return f"{member} has joined already, from host {self._joined[member.process].result().member.host}"
        return ""

    async def _listen(self, reports: AsyncIterator[Report], member: Member) -> str:
        """Takes a follower's reports until it leaves; returns why, if it says so."""
        async for report in reports:
            match report:
                case EngineDescription():
                    self._loaded[member.process].set_result(report)
                case Leaving(reason):
                    return reason
        return ""

    async def _tell(self, follower: _Follower, context: grpc.aio.ServicerContext) -> None:
        await self._complete.wait()
        await context.send_initial_metadata(())
        while (turn := await follower.turns.get()) is not None:
            await context.write(turn)

    def _lose(self, member: Member, why: str) -> None:
        reason = f"process {member.process}/{member.processes} of this replica was lost (host {member.host})"
        if not self._lost.done():
            self._lost.set_result(None)
        self._on_loss(f"{reason}: {why}" if why else reason)
