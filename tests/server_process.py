"""A real `tradewind serve` process for tests to talk to."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

START_TIMEOUT = 180  # seconds; a loaded CI machine compiles slowly


class ServerProcess:
    """`tradewind serve` on an address of its own, ready to answer.

    Its programs are kept where the tests keep theirs: they are compiled once, whichever server needs them first.

    Args:
        data_dir: where it keeps everything else.
        flags: further command-line flags, e.g. `"--max-rows", "4"`.
        host, port: where it listens; port 0 is any free one.
    """

    def __init__(self, data_dir: Path, *flags: str, host: str = "127.0.0.1", port: str = "0"):
        command = [sys.executable, "-m", "serving.cli", "serve", "--host", host, "--port", port]
        programs = os.environ["JAX_COMPILATION_CACHE_DIR"]
        command += ["--compilation-cache-dir", programs, "--encoder-compilation-cache-dir", programs]
        command += ["--data-dir", str(data_dir), *flags]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_TIMEOUT) or self.process.poll() is not None:
            self.kill()
            raise RuntimeError("tradewind serve did not become ready:\n" + "".join(self.lines))
        self.url = self._address()

    def wait_for(self, words: str) -> None:
        """Returns once the server has written `words`."""
        with self._changed:
            written = self._changed.wait_for(lambda: any(words in line for line in self.lines), START_TIMEOUT)
        assert written, f"{words!r} is not in:\n" + "".join(self.lines)

    def engine_pid(self) -> int:
        """The process id of the engine that the server started."""
        return self.child_pid("engine")

    def child_pid(self, command: str) -> int:
        """The process id of the child that the server started as `tradewind COMMAND`."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            if command.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return int(child)
        raise LookupError(f"none of {children} is the {command}")

    def get(self, path: str) -> httpx.Response:
        """The answer to a plain GET."""
        return httpx.get(self.url + path, timeout=30)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ends the server as Ctrl-C does, or by another signal; returns its exit status, when `lines` are all there."""
        self.process.send_signal(how)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._reader.join()
        return status

    def kill(self) -> None:
        """Ends the server without a word."""
        self.process.kill()
        self.process.wait()

    def _address(self) -> str:
        found = re.findall(r"http://\S+?:\d+", "".join(self.lines))
        return found[-1]

    def _read(self) -> None:
        for line in self.process.stderr:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
            if re.search(r"http://\S+:\d+", line):
                self._ready.set()
        self._ready.set()
