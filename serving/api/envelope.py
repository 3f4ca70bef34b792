"""What every HTTP exchange has: an id, a stopwatch, a limit on the body, and an answer even to the unforeseen."""

import asyncio
import logging
import secrets
from collections.abc import Callable

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.errors import failure_of

log = logging.getLogger(__name__)


class RequestEnvelope:
    """ASGI middleware: `x-request-id` and `openai-processing-ms` on every answer, 413 for bodies beyond the limit.

    A body is refused by its content-length before a byte of it is read, else as soon as more have come than
    `max_body_bytes` says for its path. An exception that nobody foresaw is logged with the request's id and answered
    with 500.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: Callable[[str], int]) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        arrived = clock()
        limit = self._max_body_bytes(scope["path"])
        request_id = f"req_{secrets.token_hex(16)}"
        answering = False

        async def send_with_headers(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                elapsed_ms = round((clock() - arrived) * 1000)
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"openai-processing-ms", str(elapsed_ms).encode()),
                ]
            await send(message)

        try:
            _check_announced(scope, limit)
            await self._app(scope, _limited(receive, limit), send_with_headers)
        except Exception as error:
            if answering:
                raise
            if not isinstance(error, HTTPException):
                log.exception("%s: %s %s failed", request_id, scope["method"], scope["path"])
            await failure_of(error).answer()(scope, receive, send_with_headers)


def _check_announced(scope: Scope, limit: int) -> None:
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)


def _limited(receive: Receive, limit: int) -> Receive:
    received = 0

    async def receive_within_limit() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return receive_within_limit


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body is too large; accepted are up to {limit} bytes.")
