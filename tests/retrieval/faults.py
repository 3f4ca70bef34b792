"""Faults for the integrity tests: a process that ends between any two steps, and merges that happen when told."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import wraps
from unittest import mock

from retrieval import collection
from retrieval.index import files
from retrieval.index.segment import Segment
from retrieval.store.database import Database


class Crash(BaseException):
    """The process ends here. No handler of ours may run on: those catch Exception."""


class CrashPoints:
    """Counts the steps after which a process could end, and ends it at the one that was chosen."""

    def __init__(self) -> None:
        self._left = 0

    def arm(self, steps: int) -> None:
        """The process ends after so many steps; 0 for never."""
        self._left = steps

    def step(self) -> None:
        """One step is over."""
        self._left -= 1
        if self._left == 0:
            raise Crash

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within, each write to files or to SQL is a step before and after it."""
        write = Database.write

        @asynccontextmanager
        async def counted(database: Database):
            async with write(database) as connection:
                yield connection
                self.step()  # before the commit
            self.step()

        with ExitStack() as stack:
            for place, name in (
                (files, "_sync"),
                (files, "write_vectors"),
                (files, "finish"),
                (files, "remove"),
                (collection, "merge"),
            ):
                stack.enter_context(mock.patch.object(place, name, self._around(getattr(place, name))))
            stack.enter_context(mock.patch.object(Segment, "of", self._around(Segment.of)))
            stack.enter_context(mock.patch.object(Database, "write", counted))
            yield

    def _around(self, function: Callable) -> Callable:
        @wraps(function)
        def stepping(*arguments):
            self.step()
            result = function(*arguments)
            self.step()
            return result

        return stepping


class InlineExecutor(Executor):
    """Runs what it is given at once."""

    def submit(self, function, /, *arguments, **named) -> Future:
        return _run(Future(), function, *arguments, **named)


class HeldExecutor(Executor):
    """Runs what it is given when it is told to, so that other things happen before."""

    def __init__(self) -> None:
        self.waiting: list[tuple] = []
        self._holds = True

    def submit(self, function, /, *arguments, **named) -> Future:
        future: Future = Future()
        if not self._holds:
            return _run(future, function, *arguments, **named)
        self.waiting.append((future, function, arguments, named))
        return future

    def release(self) -> None:
        """Runs all that waits and was not cancelled."""
        waiting, self.waiting = self.waiting, []
        for future, function, arguments, named in waiting:
            if future.set_running_or_notify_cancel():
                _run(future, function, *arguments, **named)

    @contextmanager
    def released(self) -> Iterator[None]:
        """Within, all that waits and comes runs at once."""
        self._holds = False
        self.release()
        try:
            yield
        finally:
            self._holds = True


def _run(future: Future, function, *arguments, **named) -> Future:
    try:
        future.set_result(function(*arguments, **named))
    except BaseException as error:  # as in executors with threads
        future.set_exception(error)
    return future
