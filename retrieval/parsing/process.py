"""Documents are parsed in a process of their own, and a parser that hangs or crashes takes only that along."""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from pebble import ProcessExpired, ProcessPool

from retrieval.errors import UnreadableDocument
from retrieval.parsing.blocks import ParsedDocument
from retrieval.parsing.formats import parse

Parse = Callable[[bytes, str, str], Awaitable[ParsedDocument]]
"""parse(data, name, media type) -> the document. Raises UnreadableDocument."""


class ParserProcess:
    """One process, started with the first document, and anew after one that ended it. It ends with this one."""

    def __init__(self, seconds: float) -> None:
        """`seconds` are what a document may take."""
        self._seconds = seconds
        # Not forked: threads of ours may hold locks.
        self._pool = ProcessPool(max_workers=1, context=multiprocessing.get_context("spawn"))

    async def parse(self, data: bytes, name: str, media_type: str) -> ParsedDocument:
        """As `formats.parse`, and a document that takes too long or ends the process is unreadable as well."""
        future = self._pool.schedule(parse, args=(data, name, media_type), timeout=self._seconds)
        try:
            return await asyncio.wrap_future(future)
        except TimeoutError:
            raise UnreadableDocument(f"{name}: it took longer to read than {self._seconds:g} s") from None
        except ProcessExpired:
            raise UnreadableDocument(f"{name}: whoever read it crashed") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._pool.stop()
        self._pool.join()
