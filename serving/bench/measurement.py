"""One request as it went: the answer's events as they come, and the times at which they came."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

DATA = b"data:"
DONE = b"[DONE]"


@dataclass(slots=True)
class Measurement:
    """Times are in seconds after the start of the run. None and empty: not yet, or not known."""

    session: int
    turn: int
    sent: float
    late: float = 0.0  # behind the time of arrival that the plan had
    text_at: list[float] = field(default_factory=list)  # when each event with text came
    finished: float | None = None  # the whole answer was there, or had failed
    error: str = ""  # the kind of failure
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str | None = None

    @property
    def succeeded(self) -> bool:
        """It ended as it should."""
        return self.finished is not None and not self.error

    @property
    def ttft(self) -> float | None:
        """Seconds to the first text, or to the end of an answer without any."""
        first = self.text_at[0] if self.text_at else self.finished if self.succeeded else None
        return None if first is None else first - self.sent

    @property
    def token_time(self) -> float | None:
        """Mean seconds for every token after the first; None for fewer than two."""
        if not self.text_at or not self.tokens or self.tokens < 2:
            return None
        return (self.text_at[-1] - self.text_at[0]) / (self.tokens - 1)

    @property
    def tokens(self) -> int:
        """Tokens of the answer as the server counts them, else events with text."""
        return len(self.text_at) if self.output_tokens is None else self.output_tokens

    @property
    def gaps(self) -> list[float]:
        """Seconds between one event with text and the next."""
        return [later - earlier for earlier, later in zip(self.text_at, self.text_at[1:], strict=False)]


class Answer:
    """Receives the answer to a streamed completion and writes down what it brings.

    `text_of` finds the text in a choice, `started` is the event loop's time of the run's start.
    """

    def __init__(self, measurement: Measurement, text_of: Callable[[dict], str], started: float) -> None:
        self.text = ""
        self._measurement = measurement
        self._text_of = text_of
        self._started = started
        self._status = 0
        self._pending = b""
        self._done = False

    def begin(self, status: int) -> None:
        """The head is there."""
        self._status = status

    def data(self, data: bytes, at: float) -> None:
        """A piece of the body, in which lines may begin and end anywhere."""
        if self._status != 200:
            self._pending += data
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            if line.startswith(DATA):
                self._event(line[len(DATA) :].strip(), at - self._started)

    def end(self) -> None:
        """There is no more. What is not a whole answer becomes an error of a kind."""
        if self._status != 200:
            self._measurement.error = error_kind(str(self._status), self._pending)
        elif not self._done and not self._measurement.error:
            self._measurement.error = "cut short"

    def _event(self, data: bytes, at: float) -> None:
        if data == DONE:
            self._done = True
            return
        try:
            chunk = json.loads(data)
            if "error" in chunk:
                self._measurement.error = error_kind("while streaming", data)
                return
            self._count(chunk.get("usage"))
            for choice in chunk["choices"]:
                self._measurement.finish_reason = choice.get("finish_reason") or self._measurement.finish_reason
                if text := self._text_of(choice):
                    self.text += text
                    self._measurement.text_at.append(at)
        except (ValueError, LookupError, TypeError, AttributeError):
            self._measurement.error = "not OpenAI's protocol"

    def _count(self, usage: dict[str, Any] | None) -> None:
        if usage:
            self._measurement.prompt_tokens = usage.get("prompt_tokens")
            self._measurement.output_tokens = usage.get("completion_tokens")
            self._measurement.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")


def error_kind(where: str, body: bytes) -> str:
    """A short name such as `503 server_is_overloaded`, the same for all failures of a kind."""
    try:
        error = json.loads(body)["error"]
        return f"{where} {error.get('code') or error.get('type')}" if isinstance(error, dict) else f"{where} {error}"
    except (ValueError, LookupError, TypeError):
        return where


def error_message(body: bytes) -> str:
    """What the server says of a failure, as far as it does."""
    try:
        error = json.loads(body)["error"]
        return error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, LookupError, TypeError):
        return body[:200].decode(errors="replace")
