"""A container of a built overlay as a process on this machine: its command, its settings, its image's packages."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping

from tests.infra.containers.dockerfile import CONTAINERS
from tests.infra.kubernetes.manifests import ROOT

START_TIMEOUT = 300  # seconds; a loaded CI machine compiles slowly


class CellProcess:
    """`tradewind COMMAND ARGUMENTS` with the packages of `lock`; its settings come from `environment` alone."""

    def __init__(self, lock: str, command: str, arguments: list[str], environment: Mapping[str, str]):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
        self.lines: list[str] = []
        self._ready = threading.Event()
        runner = [sys.executable, "-m", "tests.infra.containers.image_packages"]
        self.process = subprocess.Popen(
            [*runner, str(CONTAINERS / "requirements" / f"{lock}.txt"), command, *arguments],
            cwd=ROOT,
            env=inherited | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for_address(self) -> None:
        """Return when the gateway has said where it serves, which it does when the engine serves."""
        if not self._ready.wait(START_TIMEOUT) or self.process.poll() is not None:
            self.kill()
            raise RuntimeError("".join(self.lines))

    def terminate(self) -> int:
        """SIGTERM, as Kubernetes sends it; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """End it without a word, if it runs."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)
            if re.search(r"http://\S+:\d+", line):
                self._ready.set()
        self._ready.set()


def free_port() -> int:
    """A port of the loopback address that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
