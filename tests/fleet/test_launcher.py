"""Child processes: what they say, how they end, and that they end."""

import asyncio
import logging
import re
import sys
from pathlib import Path

import pytest

from serving.engine.options import EngineOptions
from serving.fleet.launcher import LocalLauncher, engine_command, log

TALKATIVE = """
import sys
print("to stdout", flush=True)
print("x" * 200_000, file=sys.stderr)
sys.stderr.write("no such model")
sys.exit(1)
"""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)


def python(program: str, **options) -> LocalLauncher:
    """A launcher of a small Python program, which finds its address in sys.argv[1]."""
    return LocalLauncher(lambda listen: (sys.executable, "-c", program, listen), **options)


def permissions(folder: Path) -> int | None:
    return folder.stat().st_mode & 0o777 if folder.exists() else None


class Listener(logging.Handler):
    """Sets `heard` with the first line that is logged."""

    def __init__(self):
        super().__init__()
        self.heard = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.set()


async def test_the_engines_command_spells_out_its_settings():
    command = engine_command(Path("some/model"), EngineOptions(max_rows=3, prefix_cache=False))("unix:/run/e.sock")
    assert command[:4] == [sys.executable, "-m", "serving.cli", "engine"]
    assert "--exit-with-parent" in command
    assert "--no-prefix-cache" in command
    for flag, value in (("--model", "some/model"), ("--listen", "unix:/run/e.sock"), ("--max-rows", "3")):
        assert command[command.index(flag) + 1] == value


async def test_output_is_logged_and_the_last_line_kept(caplog):
    caplog.set_level(logging.INFO, "serving.fleet.launcher")
    engine = await python(TALKATIVE).start()
    assert await engine.wait() == "the engine's process ended with status 1"
    assert engine.last_line == "no such model"
    assert caplog.messages == [
        f"[engine {engine.pid}] {line}" for line in ("to stdout", "x" * 200_000, "no such model")
    ]
    await engine.stop()


async def test_a_killed_process_says_so():
    engine = await python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").start()
    assert await engine.wait() == "the engine's process was killed by SIGKILL"
    await engine.stop()


async def test_the_socket_lies_in_a_private_folder_that_stays_for_the_next_process_and_goes_with_the_launcher():
    launcher = python("import time; time.sleep(600)")
    folder = Path(re.fullmatch(r"unix:(.+)/engine.sock", launcher.target)[1])
    for _ in range(2):
        engine = await launcher.start()
        assert engine.target == launcher.target
        assert permissions(folder) == 0o700
        await engine.stop()
        assert await engine.wait() == "the engine's process was killed by SIGTERM"
    launcher.close()
    assert permissions(folder) is None


async def test_what_a_command_line_would_show_is_in_the_environment():
    show = "import os, sys; print(os.environ['SECRET'], len(os.environ) > 1)"
    engine = await python(show, environment={"SECRET": "hush"}).start()
    await engine.wait()
    assert engine.last_line == "hush True"


async def test_a_process_that_will_not_end_is_killed(monkeypatch, caplog):
    listener = Listener()
    monkeypatch.setattr(log, "handlers", [listener])
    caplog.set_level(logging.INFO, log.name)
    engine = await python(STUBBORN, grace=0.05).start()
    await listener.heard.wait()  # it says when it has become deaf
    await engine.stop()
    assert await engine.wait() == "the engine's process was killed by SIGKILL"


async def test_a_program_that_is_not_there_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    launcher = LocalLauncher(lambda listen: ("/no/such/program", listen))
    with pytest.raises(FileNotFoundError):
        await launcher.start()
    launcher.close()
    assert list(tmp_path.iterdir()) == []
