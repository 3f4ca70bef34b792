"""How far the engine has come on its way to serving: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from serving.engine.request import EngineDescription
from serving.fleet.replica import Replica, ReplicaState

VERBS = {"starting": "Starting the engine", "loading": "Loading", "compiling": "Compiling"}


class StartupDisplay:
    """Shows each change of a replica until it is ready, then where to find the service. A restart shows anew.

    `clock` gives seconds.
    """

    def __init__(self, console: Console, address: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self._console = console
        self._address = address
        self._clock = clock
        self._began = clock()
        self._last = ""
        self._bar: Progress | None = None

    def show(self, replica: Replica) -> None:
        """Show where `replica` stands; it is called after each change."""
        if replica.state is ReplicaState.READY and replica.description:
            self.close()
            self._announce(replica.description)
        elif replica.state is ReplicaState.DOWN:
            self.close()
            self._began = self._clock()
            self._console.print(replica.progress.message, style="red", markup=False, highlight=False, soft_wrap=True)
        elif replica.progress.stage in VERBS:
            progress = replica.progress
            line = " · ".join(filter(None, (VERBS[progress.stage], progress.message)))
            self._draw(line, progress.done, progress.total)

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._last = ""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self, line: str, done: int, total: int) -> None:
        if not self._console.is_terminal:
            if line != self._last:
                self._console.print(line, markup=False, highlight=False)
            self._last = line
            return
        if self._bar is None:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.add_task("", total=None)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], description=line, total=total or None, completed=done)

    def _announce(self, engine: EngineDescription) -> None:
        seconds = self._clock() - self._began
        facts = (
            f"{engine.platform}, {engine.dtype}, {engine.max_context:,} tokens of context, {engine.max_rows} at once"
        )
        for line in (
            f"[bold green]Ready[/] in {seconds:.1f} s: [bold]{self._address}[/]",
            "[dim]Chat page at /, OpenAI-compatible API at /v1, its description at /docs. Ctrl-C stops.[/]",
            f"[dim]Engine: {facts}[/]",
        ):
            self._console.print(line, highlight=False, soft_wrap=True)
