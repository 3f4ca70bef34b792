"""`tradewind chat`: from a pipe and at a terminal with the real server; in-process with a misbehaving one."""

import codecs
import http.server
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx
import pytest

from serving.chat import chat

CHAT = [sys.executable, "-m", "serving.cli", "chat"]
PATIENCE = 60  # seconds for the terminal to show what is awaited
OVERLOADED = {"error": {"message": "no engine", "code": "server_is_overloaded"}}
GREEDY = {"temperature": 0, "max_tokens": 12}
GREEDY_FLAGS = ["--temperature", "0", "--max-tokens", "12"]


def completion(url: str, *contents: str, system: str = "") -> dict:
    """The server's own answer to a conversation whose turns alternate."""
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": ("user", "assistant")[i % 2], "content": content} for i, content in enumerate(contents)]
    answer = httpx.post(f"{url}/v1/chat/completions", json={"messages": messages, **GREEDY}, timeout=PATIENCE)
    return answer.raise_for_status().json()


def content(answer: dict) -> str:
    return answer["choices"][0]["message"]["content"]


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *command: str):
        self._own, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "dumb"}
        )
        os.close(theirs)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._seen = ""

    def type(self, line: str) -> None:
        os.write(self._own, f"{line}\n".encode())

    def read_until(self, pattern: str) -> str:
        """What was shown up to and with a match of `pattern`, since the last call."""
        while not (match := re.search(pattern, self._seen)):
            ready, _, _ = select.select([self._own], [], [], PATIENCE)
            assert ready, f"{pattern!r} did not come; shown was {self._seen!r}"
            self._seen += self._decoder.decode(os.read(self._own, 4096)).replace("\r", "")
        shown, self._seen = self._seen[: match.end()], self._seen[match.end() :]
        return shown

    def interrupt_until(self, pattern: str) -> None:
        """Presses Ctrl-C until that is answered: input() shows its prompt a moment before it listens to signals."""
        while not re.search(pattern, self._seen):
            self.process.send_signal(signal.SIGINT)
            while select.select([self._own], [], [], 1)[0] and not re.search(pattern, self._seen):
                self._seen += self._decoder.decode(os.read(self._own, 4096)).replace("\r", "")

    def ask(self, line: str) -> str:
        """The reply to `line`."""
        self.type(line)
        shown = self.read_until(r"\n[^\n]* to first token[^\n]*\n")
        self.read_until("> $")
        return shown.partition(f"{line}\n")[2].rpartition("\n")[0].rpartition("\n")[0]

    def command(self, line: str) -> str:
        """What is shown after a line that starts with a slash."""
        self.type(line)
        return self.read_until("> $")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._own)


@contextmanager
def terminal(*command: str):
    shell = Terminal(*command)
    try:
        shell.read_until("> $")
        yield shell
    finally:
        shell.close()


def test_piped_message_is_answered_on_stdout(server):
    expected = completion(server.url, "Hello!")
    command = [*CHAT, "--url", server.url, *GREEDY_FLAGS]
    run = subprocess.run(command, input="Hello!\n", capture_output=True, text=True, check=True)
    assert run.stdout == content(expected) + "\n"
    usage = expected["usage"]
    assert re.search(r"\d (ms|s) to first token", run.stderr)
    assert re.search(
        rf"{usage['prompt_tokens']} tokens in( \(\d+ cached\))?, {usage['completion_tokens']} out", run.stderr
    )


def test_conversation_goes_along_until_a_new_one_is_begun(server):
    with terminal(*CHAT, "--url", server.url, *GREEDY_FLAGS) as shell:
        first = shell.ask("My name is Ada.")
        assert first == content(completion(server.url, "My name is Ada."))
        second = shell.ask("What is my name?")
        assert second == content(completion(server.url, "My name is Ada.", first, "What is my name?"))
        assert "new conversation" in shell.command("/new")
        assert shell.ask("What is my name?") == content(completion(server.url, "What is my name?"))


def test_system_prompt_by_flag_and_command(server):
    with terminal(*CHAT, "--url", server.url, "--system", "You are Bo.", *GREEDY_FLAGS) as shell:
        assert shell.ask("Who are you?") == content(completion(server.url, "Who are you?", system="You are Bo."))
        assert "system prompt: You are Cy." in shell.command("/system You are Cy.")
        assert shell.ask("Who are you?") == content(completion(server.url, "Who are you?", system="You are Cy."))
        assert "no system prompt" in shell.command("/system")
        assert shell.ask("Who are you?") == content(completion(server.url, "Who are you?"))


def test_commands_are_explained_and_quit_leaves(server):
    with terminal(*CHAT, "--url", server.url) as shell:
        shown = shell.command("/help")
        assert all(command in shown for command in ("/new", "/system", "/quit", "Ctrl-C"))
        assert "/nonsense is not a command" in shell.command("/nonsense")
        shell.type("/quit")
        assert shell.process.wait(PATIENCE) == 0


def test_ctrl_c_stops_the_reply_and_not_the_chat(server):
    long = "from serving.chat import chat; chat({!r}, sampling={{'min_tokens': 800, 'max_tokens': 800}})"
    with terminal(sys.executable, "-c", long.format(server.url)) as shell:
        shell.type("Tell me about the sea.")
        shell.read_until(r"sea\.\n[^\n]*\w{2}")
        shell.process.send_signal(signal.SIGINT)
        shown = shell.read_until("> $")
        assert "stopped" in shown
        assert "800 out" not in shown
        shell.interrupt_until("/quit leaves")
        shell.type("/quit")
        assert shell.process.wait(PATIENCE) == 0


@contextmanager
def misbehaving(status: int = 200, body: bytes = b"", **headers: str):
    """A server that gives every request this one answer and hangs up; its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.fixture
def say(monkeypatch, capsys):
    """Send "Hello!" as from a pipe; exit status, stdout and stderr."""

    def run(url: str, model: str | None = "m", message: str = "Hello!") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(message))
        status = chat(url, model)
        return status, *capsys.readouterr()

    return run


def events(*chunks: dict | str) -> bytes:
    lines = (chunk if isinstance(chunk, str) else json.dumps(chunk, ensure_ascii=False) for chunk in chunks)
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def text(piece: str) -> dict:
    return {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}], "usage": None}


def test_refusal_is_told_in_the_server_s_words(say):
    with misbehaving(400, json.dumps({"error": {"message": "The message is too long."}}).encode()) as url:
        assert say(url) == (1, "", "The message is too long.\n")


def test_restarting_engine_is_told_with_when_to_retry(say):
    with misbehaving(503, json.dumps(OVERLOADED).encode(), retry_after="3") as url:
        assert say(url) == (1, "", "The engine is restarting. Try again in 3 s.\n")


def test_error_midway_keeps_the_text_and_fails(say):
    with misbehaving(body=events(text("Half a"), OVERLOADED)) as url:
        status, shown, notes = say(url)
    assert (status, shown) == (1, "Half a\n")
    assert notes.endswith("The engine stopped before the reply was finished.\n")


def test_connection_that_closes_early_is_no_finished_reply(say):
    with misbehaving(body=events(text("Half a"))) as url:
        status, shown, notes = say(url)
    assert (status, shown) == (1, "Half a\n")
    assert notes.endswith("The connection closed before the reply was finished.\n")


def test_reply_cannot_steer_the_terminal(say):
    pieces = ["a\x1b]0;title\x07b\r", "\u2028c\u0085\td\n\x9b2J"]
    with misbehaving(body=events(*map(text, pieces), "[DONE]")) as url:
        status, shown, _ = say(url)
    assert (status, shown) == (0, "a]0;titleb\u2028c\td\n2J\n")


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{}", b'{"data": []}', b"[1]"])
def test_server_of_another_kind(say, body):
    with misbehaving(body=body) as url:
        status, shown, notes = say(url, model=None)
    assert (status, shown) == (1, "")
    assert "OpenAI-compatible" in notes


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://127.0.0.1:1", "No server answers at http://127.0.0.1:1"),
        ("localhost:8000", "'localhost:8000' is not an address"),
        ("http://", "'http://' is not an address"),
        ("ftp://127.0.0.1", "'ftp://127.0.0.1' is not an address"),
    ],
)
def test_wrong_address(say, url, complaint):
    status, _, notes = say(url)
    assert status == 1
    assert complaint in notes.replace("\n", " ")


def test_nothing_to_say(say):
    assert say("http://127.0.0.1:1", message=" \n") == (1, "", "There is no message on standard input.\n")
