"""Virtual environments for peers."""

import os
import subprocess
import sys
from pathlib import Path

LIMIT = 3600  # seconds for one command of a set-up

BRIEF_SPIN = {**os.environ, "GOMP_SPINCOUNT": "2000"}
"""The environment of peers that compute with OpenMP's threads, which by default wait for each other in a loop of
milliseconds: beside a process that takes their core away they then all but stand still."""


def python_with(folder: Path, *packages: str) -> Path:
    """The interpreter of a virtual environment that has `packages`, made by pip where it is not there yet."""
    python, complete = folder / "bin" / "python", folder / ".complete"
    if not complete.exists():
        run(sys.executable, "-m", "venv", "--clear", str(folder))
        run(str(python), "-m", "pip", "install", "--quiet", *packages)
        complete.touch()
    return python


def run(*command: str, cwd: Path | None = None) -> str:
    """A command's output. Raises RuntimeError with the end of it when it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
    return done.stdout
