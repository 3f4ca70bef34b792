"""`tradewind chat`: talk to a running server in the terminal."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import httpx
from rich.console import Console

with suppress(ImportError):
    import readline  # noqa: F401 - gives input() line editing and history

DEFAULT_URL = "http://127.0.0.1:8000"
HELP = """\
/new           start a new conversation
/system TEXT   set the system prompt and start anew; without TEXT: clear it
/help          show this
/quit          leave, as does Ctrl-D
Ctrl-C         stop the reply that is being written"""

# Line feed and tab are all that a reply may do to the terminal: no escape sequences, no carriage return.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ChatError(Exception):
    """The server could not be reached or did not answer; the message is for people."""


def chat(
    url: str = DEFAULT_URL,
    model: str | None = None,
    system: str | None = None,
    sampling: Mapping[str, float | int | None] | None = None,
) -> int:
    """Chat with the server at `url` until the user leaves; the process's exit status is returned.

    On a terminal it converses. With stdin from a pipe or a file it sends all of that as one message, writes the
    reply to stdout and the figures to stderr. `model` None is the first model that the server lists; `sampling` holds
    request fields as the API names them, and None leaves one to the model's default.
    """
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    given = {name: value for name, value in (sampling or {}).items() if value is not None}
    try:
        with httpx.Client(base_url=_base_url(url), timeout=httpx.Timeout(10, read=None)) as http:
            server = Server(http, given)
            session = Session(server, model or server.first_model(), system, notes)
            if sys.stdin.isatty():
                session.converse()
            else:
                session.answer(_whole_input())
    except ChatError as failure:
        notes.print(str(failure), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


class Server:
    """The two calls of the OpenAI API that a chat needs. Failures of any kind become ChatError."""

    def __init__(self, http: httpx.Client, sampling: Mapping[str, float | int]):
        self._http = http
        self._sampling = sampling

    def first_model(self) -> str:
        """The id of the first model that the server lists."""
        with self._request("GET", "v1/models") as response:
            return json.loads(response.read())["data"][0]["id"]

    def stream(self, model: str, messages: list[dict[str, str]]) -> Iterator[dict]:
        """The chunks of a chat completion as they come; closing the iterator makes the server stop."""
        body = {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
        with self._request("POST", "v1/chat/completions", json=body | self._sampling) as response:
            for data in _events(response.iter_bytes()):
                if data == b"[DONE]":
                    return
                chunk = json.loads(data)
                if "error" in chunk:
                    raise ChatError(_failure(chunk["error"]))
                yield chunk
        raise ChatError("The connection closed before the reply was finished.")

    @contextmanager
    def _request(self, method: str, path: str, **content) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, path, **content) as response:
                if response.is_error:
                    response.read()
                    raise ChatError(_refusal(response))
                yield response
        except httpx.ConnectError as failure:
            address = str(self._http.base_url)
            raise ChatError(f"No server answers at {address}. Is `tradewind serve` running there?") from failure
        except httpx.HTTPError as failure:
            raise ChatError(f"The connection to the server failed: {failure}.") from failure
        except (ValueError, LookupError, TypeError) as failure:
            raise ChatError(f"{self._http.base_url} does not answer as an OpenAI-compatible server does.") from failure


class Reply:
    """One reply: iterate over it for its text, then ask for its figures."""

    def __init__(self, chunks: Iterator[dict], clock: Callable[[], float] = time.perf_counter):
        self.text = ""
        self._chunks = chunks
        self._clock = clock
        self._asked = clock()
        self._first = self._last = None  # when text came, in seconds of the clock
        self._finish_reason = None
        self._usage = None

    def __iter__(self) -> Iterator[str]:
        for chunk in self._chunks:
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk["choices"]:
                self._finish_reason = choice.get("finish_reason") or self._finish_reason
                if text := _CONTROL.sub("", choice["delta"].get("content") or ""):
                    self._last = self._clock()
                    self._first = self._first or self._last
                    self.text += text
                    yield text

    def close(self) -> None:
        """Hang up, so that the server stops generating."""
        self._chunks.close()

    def figures(self) -> str:
        """How it ended where that is worth a word, time to first token, speed and token counts, as far as known."""
        parts = ["cut at the token limit"] if self._finish_reason == "length" else []
        if self._first is not None:
            wait = self._first - self._asked
            parts.append(f"{wait * 1000:.0f} ms to first token" if wait < 1 else f"{wait:.1f} s to first token")
        if self._usage:
            read, written = self._usage["prompt_tokens"], self._usage["completion_tokens"]
            if written > 1 and self._last > self._first:
                parts.append(f"{(written - 1) / (self._last - self._first):,.0f} tokens/s")
            cached = (self._usage.get("prompt_tokens_details") or {}).get("cached_tokens")
            parts.append(f"{read} tokens in{f' ({cached} cached)' if cached else ''}, {written} out")
        return " · ".join(parts)


class Session:
    """A conversation on the terminal. Replies go to stdout as they are, everything else to `notes`."""

    def __init__(self, server: Server, model: str, system: str | None, notes: Console):
        self._server = server
        self._model = model
        self._system = system
        self._notes = notes
        self._turns: list[dict[str, str]] = []

    def converse(self) -> None:
        """Read messages and commands until /quit or the end of input."""
        self._notes.print(f"[bold cyan]Tradewind[/] · {self._model} · [dim]/help shows the commands[/]\n")
        while (line := _read_line()) is not None:
            command, _, rest = line.strip().partition(" ")
            if command == "/quit":
                return
            if command.startswith("/"):
                self._obey(command, rest.strip())
            elif command:
                self._converse_once(line)

    def answer(self, message: str) -> None:
        """Stream the reply to one message; a message without one is not kept. Raises ChatError."""
        question = {"role": "user", "content": message.strip()}
        system = [{"role": "system", "content": self._system}] if self._system else []
        reply = Reply(self._server.stream(self._model, [*system, *self._turns, question]))
        try:
            for text in reply:
                print(text, end="", flush=True)
        finally:
            reply.close()
            if reply.text:
                print(flush=True)
                self._notes.print(reply.figures(), style="dim", markup=False)
                self._turns += [question, {"role": "assistant", "content": reply.text}]

    def _converse_once(self, message: str) -> None:
        try:
            self.answer(message)
        except ChatError as failure:
            self._notes.print(str(failure), style="red", markup=False)
        except KeyboardInterrupt:
            self._notes.print("stopped", style="dim")
        self._notes.print()

    def _obey(self, command: str, rest: str) -> None:
        if command == "/new":
            self._turns.clear()
            note = "A new conversation."
        elif command == "/system":
            self._turns.clear()
            self._system = rest or None
            note = f"A new conversation, system prompt: {rest}" if rest else "A new conversation, no system prompt."
        elif command == "/help":
            note = HELP
        else:
            note = f"{command} is not a command.\n{HELP}"
        self._notes.print(f"{note}\n", style="dim", markup=False)


def _events(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The data of each server-sent event. Only a line feed ends a line: JSON text may hold other line separators."""
    pending = b""
    for chunk in chunks:
        *lines, pending = (pending + chunk).split(b"\n")
        yield from (line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:"))


def _whole_input() -> str:
    message = sys.stdin.read()
    if not message.strip():
        raise ChatError("There is no message on standard input.")
    return message


def _read_line() -> str | None:
    """The next line that the user types; None at the end of input. Ctrl-C drops what was typed."""
    while True:
        try:
            return input("> ")
        except KeyboardInterrupt:
            print("\n(/quit leaves)", file=sys.stderr)
        except EOFError:
            print(file=sys.stderr)
            return None


def _base_url(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url.rstrip("/").removesuffix("/v1"))
    except httpx.InvalidURL as failure:
        raise ChatError(f"{url!r} is not an address: {failure}.") from failure
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ChatError(f"{url!r} is not an address of a server; one looks like {DEFAULT_URL}.")
    return parsed


def _refusal(response: httpx.Response) -> str:
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        wait = response.headers.get("retry-after")
        return f"The engine is restarting. Try again {f'in {wait} s' if wait else 'later'}."
    try:
        return response.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        return f"The server answered with status {response.status_code}; is it a Tradewind server?"


def _failure(error: dict) -> str:
    if error.get("code") == "server_is_overloaded":
        return "The engine stopped before the reply was finished."
    return error["message"]
