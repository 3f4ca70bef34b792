"""The whole evaluation, row by row."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from training.evaluation import likelihood, loops, on_topic, reading, showcase, tool_use
from training.evaluation.bench import Bench, HeldOut
from training.evaluation.model import Model
from training.evaluation.report import Report
from training.generate import Sampling


def evaluate(
    model: Model,
    data: Path,
    sampling: Sampling,
    *,
    name: str,
    trained_tokens: int | None = None,
    examples: int = 300,
    console: Console,
) -> Report:
    """Runs every measurement on the held-out examples under DATA, at most `examples` a row.

    `sampling` is the one that the model is served with. Raises FileNotFoundError where nothing was held out.
    """
    held_out = HeldOut.from_folder(data)
    columns = (TextColumn("{task.description:38.38}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bench = Bench(model, data, sampling, examples, progress)
        rows = [
            *likelihood.rows(bench, held_out),
            *reading.rows(bench, held_out),
            *tool_use.rows(bench, held_out),
            *on_topic.rows(bench),
            *loops.rows(bench, held_out),
        ]
        replies = showcase.replies(bench)
    return Report(name, trained_tokens, sampling, tuple(rows), replies, held_out.sizes())
