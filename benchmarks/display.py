"""How benchmarks show themselves."""

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

WIDTH = 140  # characters of a table that goes into a file


def console() -> Console:
    """Standard output; into a file, wide enough for the tables."""
    out = Console()
    return out if out.is_terminal else Console(width=WIDTH)


def progress() -> Progress:
    """A bar that says what is being measured, on standard error, and goes when it is done."""
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
