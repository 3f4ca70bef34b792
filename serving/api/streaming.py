"""A generation as a stream of events: chunks in order, and an end that cannot be taken for another."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from serving.api.answer import Usage
from serving.api.encoding import DONE, event
from serving.api.errors import failure_of
from serving.api.wire.sampling import StreamOptions
from serving.fleet.replica import ReplicaUnavailable
from serving.orchestrator.failures import GenerationFailed
from serving.orchestrator.generation import Generation, Pieces
from serving.orchestrator.reply_text import Piece

log = logging.getLogger(__name__)


class Chunks(Protocol):
    """Writes the events of one kind of stream. Each may be none, one or several."""

    def opening(self) -> bytes:
        """Before the first piece."""

    def of(self, piece: Piece) -> bytes:
        """For a piece."""

    def closing(self) -> bytes:
        """After the last piece."""


class ChunkUsage:
    """The `usage` field of a stream's chunks, as its options ask for it."""

    def __init__(self, options: StreamOptions | None, generation: Generation) -> None:
        self._continuous = bool(options and options.continuous_usage_stats)
        self._at_end = bool(options and options.include_usage)
        self._usage = Usage.of(generation)

    def count(self, piece: Piece) -> None:
        """Take a piece in."""
        self._usage.count(piece)

    def field(self) -> dict[str, Any]:
        """What a chunk carries beside its choices."""
        if self._continuous:
            return {"usage": self._usage.counts()}
        return {"usage": None} if self._at_end else {}

    def last(self, head: Mapping[str, Any]) -> bytes:
        """The chunk after all choices, where it was asked for."""
        return event({**head, "choices": [], "usage": self._usage.counts()}) if self._at_end else b""


async def stream_events(first: Piece, later: Pieces, chunks: Chunks) -> AsyncGenerator[bytes, None]:
    """The whole stream. One that fails midway ends with an error event and without [DONE].

    `first` was awaited before the answer began, so that a failure up to then has a status of its own.
    """
    try:
        async with aclosing(later):
            yield chunks.opening() + chunks.of(first)
            async for piece in later:
                yield chunks.of(piece)
        yield chunks.closing() + DONE
    except Exception as error:
        if not isinstance(error, ReplicaUnavailable | GenerationFailed):
            log.exception("a stream failed")
        yield event(failure_of(error).envelope)
