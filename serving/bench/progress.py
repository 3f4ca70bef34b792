"""How far a run has come, on one line."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from serving.bench.measurement import Measurement


class RunProgress:
    """A bar that fills with the requests that ended, or with the time where that is nearer its end.

    Nothing is drawn where no person looks. It is a context manager.
    """

    def __init__(self, console: Console, requests: int, seconds: float) -> None:
        self._requests = requests
        self._seconds = seconds
        self._running = self._ended = self._failed = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            refresh_per_second=4,  # what is drawn more often is time that the measurement lacks
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1.0)

    def __enter__(self) -> "RunProgress":
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def show(self, request: Measurement) -> None:
        """Count a request that was sent or ended."""
        if request.finished is None:
            self._running += 1
        else:
            self._running -= 1
            self._ended += 1
            self._failed += bool(request.error)
        elapsed = self._bar.tasks[0].elapsed or 0.0
        failed = f" · [red]{self._failed:,} failed[/]" if self._failed else ""
        line = f"{self._ended:,} of {self._requests:,} · {self._running:,} in flight{failed}"
        done = max(self._ended / self._requests, min(elapsed / self._seconds, 1.0))
        self._bar.update(self._task, description=line, completed=done)
