"""Answers as JSON bytes and as server-sent events."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Send

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

DONE = format_sse_event(data_str="[DONE]")


class JsonAnswer(Response):
    """A JSON body from plain values, which FastAPI leaves as it is."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """UTF-8, without spaces."""
        return _encode(content).encode()


def event(data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return format_sse_event(data_str=_encode(data))


class EventStream(EventSourceResponse):
    """Events as they come. The generator is closed when the client has gone, and with it all that it holds open."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        self._events = events

    async def stream_response(self, send: Send) -> None:
        """Send headers and events."""
        async with aclosing(self._events):
            await super().stream_response(send)
