"""Keeps one replica served: starts its process, watches it, and starts the next one when it died."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from serving.fleet.launcher import Launcher, ProcessHandle
from serving.fleet.served_process import ServedProcess

log = logging.getLogger(__name__)

LAST_WORDS = 1.0  # seconds in which a process whose connection broke usually proves to have died


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pauses between starts, in seconds: doubling, capped, short again after a process that served a while."""

    first: float = 0.25
    longest: float = 30.0
    reset_after: float = 60.0

    def delay(self, failures: int) -> float:
        """The pause after that many failures in a row (one or more)."""
        return min(self.first * 2 ** min(failures - 1, 32), self.longest)


class Supervisor:
    """Gives a replica a process, again and again, until it is stopped.

    It never gives up: `last_error` and the replica's progress say why the latest process ended. The first start waits
    for `after`, where that is given.
    """

    def __init__(
        self,
        replica: ServedProcess,
        launcher: Launcher,
        backoff: Backoff = Backoff(),
        after: asyncio.Event | None = None,
    ) -> None:
        self.replica = replica
        self._after = after
        self.last_error = ""
        self._launcher = launcher
        self._backoff = backoff
        self._task: asyncio.Task[None] | None = None

    @property
    def target(self) -> str:
        """Where every one of the processes listens."""
        return self._launcher.target

    def start(self) -> None:
        """Start the first process and begin to watch; returns at once."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the process, and its running requests with it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._launcher.close()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        if self._after is not None:
            await self._after.wait()
        while True:
            try:
                self.last_error = await self._serve_once()
            except Exception as error:  # whatever it was, the next start may do better
                log.exception("the %s could not be kept", self.replica.kind)
                self.last_error = f"the {self.replica.kind} could not be started: {error}"
            ready_at = self.replica.ready_at
            if ready_at is not None and loop.time() - ready_at >= self._backoff.reset_after:
                failures = 0
            failures += 1
            delay = self._backoff.delay(failures)
            log.error("%s; next start in %g s", self.last_error, delay)
            self.replica.down(self.last_error, restart_in=delay)
            await asyncio.sleep(delay)

    async def _serve_once(self) -> str:
        """Stay with one process from its start to its end; returns why it ended."""
        process = await self._launcher.start()
        try:
            return await self._attend(process)
        finally:
            await process.stop()

    async def _attend(self, process: ProcessHandle) -> str:
        connection = asyncio.create_task(self.replica.serve(process.target))
        end = asyncio.create_task(process.wait())
        try:
            await asyncio.wait((connection, end), return_when=asyncio.FIRST_COMPLETED)
            if not connection.done():
                reason = ": ".join(filter(None, (end.result(), process.last_line)))
                self.replica.down(reason)
                return reason
            await asyncio.wait((end,), timeout=LAST_WORDS)
            return "; ".join(task.result() for task in (connection, end) if task.done())
        finally:
            connection.cancel()
            end.cancel()
            await asyncio.gather(connection, end, return_exceptions=True)
