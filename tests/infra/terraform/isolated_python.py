"""Python environments of their own, for tools whose requirements would not get along with ours.

They are made once and kept under `build/`, which git ignores and `make clean` removes.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

KEPT = Path(__file__).parents[3] / "build" / "infra"


def python_with(requirement: str) -> Path:
    """The interpreter of an environment that holds `requirement`, such as `checkov==3.3.30`, and nothing of ours."""
    folder = KEPT / requirement
    python, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        venv.create(folder, clear=True, with_pip=True)
        if not _install("uv", "pip", "install", "--quiet", "--python", str(python), requirement):
            subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True)
        complete.touch()
    return python


def download(requirement: str, python: Path) -> Path:
    """The wheel of `requirement`, with the pip of an environment above."""
    folder = KEPT / "wheels" / requirement
    complete = folder / "complete"
    if not complete.exists():
        command = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        subprocess.run([python, *command, requirement], check=True)
        complete.touch()
    (wheel,) = folder.glob("*.whl")
    return wheel


def _install(uv: str, *arguments: str) -> bool:
    """Whether uv is here and did it. It is quick, but knows no index that only pip was told of."""
    beside = Path(sys.executable).with_name(uv)
    found = str(beside) if beside.exists() else shutil.which(uv)
    return found is not None and subprocess.run([found, *arguments], check=False, capture_output=True).returncode == 0
