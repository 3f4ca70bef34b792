"""Every failure leaves the house in OpenAI's envelope, as a response or as the last event of a stream."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serving.api.encoding import JsonAnswer
from serving.api.wire.errors import ErrorEnvelope
from serving.fleet.replica import ReplicaUnavailable
from serving.orchestrator.failures import GenerationFailed, InvalidRequest
from serving.retriever.request import Conflict, InvalidRetrieval, NotFound

INVALID = "invalid_request_error"
SHOWN_CHARACTERS = 60
CLIENT_CLOSED_REQUEST = 499  # nginx's; nobody is there to read it


class ModelNotFound(Exception):
    """The request names a model that is not served here."""

    def __init__(self, asked: str, *served: str) -> None:
        names = " and ".join(f"'{name}'" for name in served)
        super().__init__(f"The model '{_shorten(asked)}' does not exist; this server has {names}.")


class ClientGone(Exception):
    """The client hung up before it had its answer."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure as a client sees it."""

    status: int
    message: str
    type: str = INVALID
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def envelope(self) -> ErrorEnvelope:
        """The body."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def answer(self) -> JsonAnswer:
        """The response."""
        return JsonAnswer(self.envelope, self.status, dict(self.headers))


def failure_of(error: Exception) -> Failure:
    """What to tell the client of `error`. Nothing of an unforeseen one: its text is for the log."""
    match error:
        case InvalidRequest():
            return Failure(400, str(error), param=error.field, code=error.code)
        case RequestValidationError():
            return _invalid_body(error.errors())
        case InvalidRetrieval():
            return Failure(400, str(error))
        case NotFound():
            return Failure(404, str(error), code="not_found")
        case Conflict():
            return Failure(409, str(error), code="conflict")
        case ModelNotFound():
            return Failure(404, str(error), param="model", code="model_not_found")
        case ReplicaUnavailable():
            wait = {"retry-after": str(math.ceil(error.retry_after))}
            return Failure(503, str(error), "service_unavailable_error", code="server_is_overloaded", headers=wait)
        case GenerationFailed():
            return Failure(500, str(error), "server_error")
        case ClientGone():
            return Failure(CLIENT_CLOSED_REQUEST, "the client closed the connection")
        case HTTPException():
            return _http_failure(error)
        case _:
            return Failure(500, "The server had an error while processing your request.", "server_error")


def install_error_answers(app: FastAPI) -> None:
    """Answer every foreseen failure with the envelope; the others are `RequestEnvelope`'s."""

    async def answer(request: Request, error: Exception) -> JsonAnswer:
        failure = failure_of(error)
        if failure.status == HTTPStatus.NOT_FOUND and isinstance(error, HTTPException):
            return Failure(404, f"There is nothing at {request.method} {_shorten(request.url.path)}.").answer()
        return failure.answer()

    for kind in (
        InvalidRequest,
        RequestValidationError,
        InvalidRetrieval,
        NotFound,
        Conflict,
        ModelNotFound,
        ReplicaUnavailable,
        GenerationFailed,
        ClientGone,
        HTTPException,
    ):
        app.add_exception_handler(kind, answer)


def _http_failure(error: HTTPException) -> Failure:
    headers = error.headers or {}
    match error.status_code:
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = {name.lower(): value for name, value in headers.items()}.get("allow", "")
            return Failure(405, f"The method is not allowed here; accepted is {allowed}.", headers=headers)
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Failure(status, str(error.detail), "server_error", headers=headers)
        case status:
            return Failure(status, str(error.detail), headers=headers)


def _invalid_body(errors: Sequence[Mapping[str, Any]]) -> Failure:
    """One sentence on the first thing that is wrong with a body: the field, what was given, what is accepted."""
    error = errors[0]
    given, place = error.get("input"), error["loc"][1:]
    if not place:
        kind = "nothing" if given is None else "bytes" if isinstance(given, bytes) else _shown(given)
        return Failure(
            400, f"The body must be a JSON object, sent with the header content-type: application/json; given {kind}."
        )
    param = _path(place)
    if error["type"] == "missing":
        return Failure(400, f"{param} is missing.", param=param)
    return Failure(400, f"{param}: {_uncapitalised(error['msg'])}; given {_shown(given)}.", param=param)


def _path(place: Sequence[str | int]) -> str:
    """A field's place as clients write it: messages[2].content."""
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{_shorten(part)}" if path else _shorten(part)
    return path


def _shown(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f'"{_shorten(value)}"'
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case _:
            return _shorten(str(value))


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."


def _uncapitalised(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
