"""Who starts an engine, an encoder or a retriever: a child process of ours, or nobody, for one at a fixed address."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from serving.encoder.options import EncoderOptions
from serving.engine.options import EngineOptions
from serving.retriever.options import RetrieverOptions

log = logging.getLogger(__name__)

Command = Callable[[str], Sequence[str]]
"""A command line, as a function of the address that the process is to listen at."""


class ProcessHandle(Protocol):
    """A process that was started."""

    target: str  # where its gRPC server listens
    last_line: str  # of what it wrote

    async def wait(self) -> str:
        """Return when the process has ended; says how it ended."""

    async def stop(self) -> None:
        """End the process; returns when it has ended."""


class Launcher(Protocol):
    """Starts processes of one kind, one at a time, which all listen at `target`."""

    target: str

    async def start(self) -> ProcessHandle:
        """Start one; returns at once, while it loads."""

    def close(self) -> None:
        """Leave nothing behind; no process runs any more."""


def engine_command(model: Path, options: EngineOptions) -> Command:
    """The command line of `tradewind engine` for a local child, as a function of the address to listen at."""

    return _child_command("engine", "--model", str(model), *options.flags())


def encoder_command(options: EncoderOptions) -> Command:
    """The command line of `tradewind encoder` for a local child, as a function of the address to listen at."""
    return _child_command("encoder", *options.flags())


def retriever_command(data_dir: Path, encoder_address: str, encoder_model: str, options: RetrieverOptions) -> Command:
    """The command line of `tradewind retriever` for a local child, as a function of the address to listen at."""
    encoder = ("--encoder-address", encoder_address, "--encoder-model", encoder_model)
    return _child_command("retriever", "--data-dir", str(data_dir), *encoder, *options.flags())


def _child_command(name: str, *flags: str) -> Command:
    def command(listen: str) -> Sequence[str]:
        return [sys.executable, "-m", "serving.cli", name, "--listen", listen, "--exit-with-parent", *flags]

    return command


class LocalLauncher:
    """Starts a child process that listens at a socket in a private folder and ends with its parent.

    `kind` is what the process is, in messages; `grace` is how many seconds it has to end when asked to; `environment`
    is what it finds there beside ours, such as secrets, which a command line would show to everybody.
    """

    def __init__(
        self,
        command: Command,
        *,
        kind: str = "engine",
        grace: float = 8.0,
        environment: Mapping[str, str] | None = None,
    ):
        # One folder for all, that whoever else was told the address finds the next process there too.
        self._folder = tempfile.TemporaryDirectory(prefix="tradewind-", ignore_cleanup_errors=True)
        self.target = f"unix:{Path(self._folder.name) / kind}.sock"
        self._command = command
        self._kind = kind
        self._grace = grace
        self._environment = environment or {}

    async def start(self) -> "LocalProcess":
        """Start the child; its output goes to this process's log."""
        process = await asyncio.create_subprocess_exec(
            *self._command(self.target),
            stdin=subprocess.PIPE,  # held open: its end is how the child learns that this process died
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._environment},
            start_new_session=True,  # the terminal's Ctrl-C is the gateway's to handle
        )
        return LocalProcess(process, self._kind, self.target, self._grace, self._folder)

    def close(self) -> None:
        """Remove the socket's folder."""
        self._folder.cleanup()


class LocalProcess:
    """A running child process."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        kind: str,
        target: str,
        grace: float,
        folder: tempfile.TemporaryDirectory,
    ):
        self._kind = kind
        self._folder = folder  # of its socket; goes with the last who holds it
        self.target = target
        self.pid = process.pid
        self._process = process
        self._grace = grace
        self.last_line = ""
        self._output = asyncio.create_task(self._forward_output())

    async def wait(self) -> str:
        """Return when the process has ended and `last_line` is its last; says how it ended."""
        status = await self._process.wait()
        await asyncio.wait((self._output,))
        if status < 0:
            return f"the {self._kind}'s process was killed by {signal.Signals(-status).name}"
        return f"the {self._kind}'s process ended with status {status}"

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that did not help within the grace period."""
        try:
            if self._process.returncode is None:
                self._process.terminate()
                async with asyncio.timeout(self._grace):
                    await self._process.wait()
        except TimeoutError:
            log.warning("the %s's process %d did not end in %g s and is killed", self._kind, self.pid, self._grace)
        finally:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            await asyncio.wait((self._output,))

    async def _forward_output(self) -> None:
        rest = b""
        while chunk := await self._process.stdout.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._forward(line)
        if rest:
            self._forward(rest)

    def _forward(self, line: bytes) -> None:
        self.last_line = line.decode(errors="replace").rstrip()
        log.info("[%s %d] %s", self._kind, self.pid, self.last_line)


class FixedAddress:
    """A process that somebody else starts and keeps, such as Kubernetes."""

    last_line = ""

    def __init__(self, target: str):
        self.target = target

    async def start(self) -> "FixedAddress":
        """There is nothing to start."""
        return self

    async def wait(self) -> str:
        """Never returns: only the connection tells how such a process fares."""
        return await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        """There is nothing to stop."""

    def close(self) -> None:
        """There is nothing to remove."""
