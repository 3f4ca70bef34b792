"""The error envelope."""

from typing_extensions import TypedDict


class ErrorDetails(TypedDict):
    """What went wrong, for people (`message`) and for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(TypedDict):
    """The body of every answer with a status of 400 or more, and the last event of a stream that failed."""

    error: ErrorDetails
