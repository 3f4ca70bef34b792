"""`tradewind chat`: talk to a running server in the terminal."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import httpx
from rich.console import Console

DEFAULT_URL = "http://127.0.0.1:8000"
PROMPT = "› "
HELP = """\
/new            start a new conversation
/system TEXT    set the system prompt (without TEXT: clear it); starts a new conversation
/help           show this
/quit           leave (so does Ctrl-D)
Ctrl-C          stop the reply that is being written"""

# Line feed and tab are all that a reply may do to the terminal: no escape sequences, no carriage return.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ChatError(Exception):
    """The server could not be reached or did not answer; the message is for people."""


@dataclass(slots=True)
class Reply:
    """A reply as far as it has come. Times are readings of the client's clock, in seconds."""

    asked: float
    text: str = ""
    first: float | None = None  # when the first text came
    last: float | None = None  # when the latest text came
    finish_reason: str | None = None
    usage: dict = field(default_factory=dict)

    def figures(self) -> str:
        """Time to first token, speed and token counts in one line, as far as they are known."""
        parts = []
        if self.finish_reason == "length":
            parts.append("cut at the token limit")
        if self.first is not None:
            wait = self.first - self.asked
            parts.append(f"{wait * 1000:.0f} ms to first token" if wait < 1 else f"{wait:.1f} s to first token")
        if self.usage:
            written = self.usage["completion_tokens"]
            if written > 1 and self.first is not None and self.last > self.first:
                parts.append(f"{(written - 1) / (self.last - self.first):.3g} tokens/s")
            cached = (self.usage.get("prompt_tokens_details") or {}).get("cached_tokens")
            parts.append(f"{self.usage['prompt_tokens']} tokens in{f' ({cached} cached)' if cached else ''}, {written} out")
        return " · ".join(parts)


class Completions:
    """The server's `/v1/chat/completions` for one model (`model` None: the first that the server lists)."""

    def __init__(
        self,
        http: httpx.Client,
        model: str | None,
        sampling: Mapping[str, object],
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._http = http
        self._sampling = {name: value for name, value in sampling.items() if value is not None}
        self._clock = clock
        self.model = model or self._first_model()

    def stream(self, messages: list[dict[str, str]]) -> Iterator[tuple[str, Reply]]:
        """Yield each piece of text with the reply so far. Raises ChatError; closing the iterator stops the reply."""
        request = {"model": self.model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
        reply = Reply(asked=self._clock())
        with self._answer("POST", "/v1/chat/completions", json=request | self._sampling) as response:
            for data in _events(response):
                if data == "[DONE]":
                    return
                chunk = json.loads(data)
                if "error" in chunk:
                    raise ChatError(chunk["error"]["message"])
                reply.usage = chunk.get("usage") or reply.usage
                for choice in chunk["choices"]:
                    reply.finish_reason = choice["finish_reason"] or reply.finish_reason
                    if text := choice["delta"].get("content"):
                        reply.last = self._clock()
                        reply.first = reply.first or reply.last
                        reply.text += text
                        yield text, reply
        raise ChatError("The connection closed before the reply was finished.")
