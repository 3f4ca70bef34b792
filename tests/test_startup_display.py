"""What a person sees while the engine starts: a bar on a terminal, lines in a log."""

import io

from rich.console import Console

from serving.engine.request import EngineDescription
from serving.fleet.replica import Replica, ReplicaState
from serving.process.progress import StartupProgress
from serving.startup_display import StartupDisplay

ENGINE = EngineDescription(
    model="tiny", max_context=2048, vocab_size=9, max_rows=8, page_size=16, pages=9, dtype="float32", platform="cpu",
    fingerprint="f",
)  # fmt: skip
START = [
    (ReplicaState.STARTING, StartupProgress("starting")),
    (ReplicaState.STARTING, StartupProgress("loading", message="tiny")),
    *((ReplicaState.STARTING, StartupProgress("compiling", done, 3, "9 programs")) for done in range(4)),
    (ReplicaState.STARTING, StartupProgress("ready")),
    (ReplicaState.READY, StartupProgress("ready")),
]
FAILURE = [(ReplicaState.DOWN, StartupProgress("failed", message="the engine's process was killed by SIGKILL"))]


class Clock:
    """Half a second passes between two looks."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def shown(changes: list[tuple[ReplicaState, StartupProgress]], **options: bool) -> str:
    console = Console(file=io.StringIO(), width=120, **options)
    display = StartupDisplay(console, "http://127.0.0.1:8000", Clock())
    replica = Replica("engine")
    replica.description = ENGINE
    for replica.state, replica.progress in changes:
        display.show(replica)
    display.close()
    return console.file.getvalue()


def test_a_log_gets_one_line_a_stage_then_the_address():
    assert shown(START).splitlines() == [
        "Starting the engine",
        "Loading · tiny",
        "Compiling · 9 programs",
        "Ready in 0.5 s: http://127.0.0.1:8000",
        "Chat page at /, OpenAI-compatible API at /v1, its description at /docs. Ctrl-C stops.",
        "Engine: cpu, float32, 2,048 tokens of context, 8 at once",
    ]


def test_a_terminal_gets_a_bar_that_goes_before_the_address_comes():
    output = shown(START, force_terminal=True, color_system=None)
    assert "3/3" in output
    before, after = output.split("Ready in")
    assert before.endswith("\x1b[2K")  # the bar's line is cleared
    assert "Compiling" not in after


def test_an_engine_that_ended_is_said_and_its_successor_shown_anew():
    lines = shown([*START, *FAILURE, *START]).splitlines()
    assert lines.count("Loading · tiny") == 2
    assert lines[6] == "the engine's process was killed by SIGKILL"
    assert lines[7] == "Starting the engine"
    assert lines[10] == "Ready in 0.5 s: http://127.0.0.1:8000"
