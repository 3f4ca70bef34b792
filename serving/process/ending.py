"""The life of a process: what ends it, with which status, and that nothing can keep it."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

log = logging.getLogger(__name__)

GRACE = 3.0  # seconds that streams, then the engine's loop, have to end


class Ending:
    """Why this process ends, as whoever spoke first says: a signal, the parent's end or a failure."""

    def __init__(self, *, with_parent: bool = False):
        loop = asyncio.get_running_loop()
        self._said: asyncio.Future[tuple[int, str]] = loop.create_future()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._say, 0, "it was told to stop")
        self._parent = asyncio.create_task(self._watch_parent()) if with_parent else None

    def fail(self, reason: str, error: BaseException | None = None) -> None:
        """Ends the process with status 1 and the reason in the log, with `error`'s traceback where one is given."""
        if self._say(1, reason):
            log.error("%s", reason, exc_info=error)

    def finish(self, reason: str) -> bool:
        """Ends the process with status 0; False where it is ending already."""
        return self._say(0, reason)

    async def wait(self) -> tuple[int, str]:
        """The exit status and the reason, once there is one."""
        return await asyncio.shield(self._said)

    def _say(self, status: int, reason: str) -> bool:
        """Whether this was the first reason."""
        if self._said.done():
            return False
        self._said.set_result((status, reason))
        return True

    async def _watch_parent(self) -> None:
        """The parent holds the other end of standard input, so the input ends when the parent does, however it does."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.read(1024):
            pass
        self._say(0, "its parent has ended")


def explained(error: Exception) -> tuple[str, Exception | None]:
    """Why a start failed, in words, and the error where its traceback would tell more.

    OSError and ValueError are a model or options that do not fit: their messages are for people.
    """
    if isinstance(error, OSError | ValueError):
        return str(error), None
    return f"{type(error).__name__}: {error}", error


def run_to_end(main: Coroutine[Any, Any, int]) -> NoReturn:
    """Runs `main` and ends the process with the status that it returns."""
    status = asyncio.Runner().run(main)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a usual exit would wait for a compilation or a device step, which nothing can interrupt
