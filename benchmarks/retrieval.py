"""How well retrieval finds, and what its index costs as it grows.

python -m benchmarks.retrieval SQUAD [--texts FILE_OR_FOLDER ...] [--sizes 10000,100000,1000000] [--plot growth.png]

Quality: the questions of SQuAD (as `{"context", "question", "answerable"}`, JSON lines, gzipped or not) are asked of
its paragraphs, each of which is the one right answer to its questions: nDCG at 10 and recall at 100 of the search by
meaning, by words, and of both fused. Growth: the same questions with ever more other texts among the paragraphs, by an
exact search and by the index that the product would choose for so many. Other texts come from `--texts` (text, TSV,
JSON lines; not the file of SQuAD itself), `--real` at most; beyond these, vectors are made by mixing two.
"""

import json
import multiprocessing
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from benchmarks import display
from benchmarks.machine import describe, title
from benchmarks.retrieval_growth import Growth, measure_growth
from benchmarks.retrieval_quality import Quality, Squad, measure_quality
from benchmarks.retrieval_texts import embed, mixed, other_texts
from retrieval.index.vectors import unit_rows

LOSS = 0.005  # of nDCG that an approximate index may cost


def quality_table(results: Iterable[Quality], squad: Squad, machine: dict) -> Table:
    """One row for each way to search."""
    table = Table(
        title=f"{len(squad.questions):,} questions to {len(squad.paragraphs):,} paragraphs", caption=title(machine)
    )
    for heading in ("search", "nDCG@10", "recall@10", "recall@100", "ms a question"):
        table.add_column(heading, justify="right" if heading != "search" else "left")
    for result in results:
        shares = (f"{value:.4f}" for value in (result.ndcg_10, result.recall_10, result.recall_100))
        table.add_row(result.name, *shares, f"{result.milliseconds:.2f}")
    return table


def growth_table(results: Iterable[Growth], machine: dict) -> Table:
    """One row for each size."""
    table = Table(title="The index as it grows, beside an exact search", caption=title(machine))
    for heading in (
        "vectors",
        "made",
        "kind",
        "build, s",
        "index, MiB",
        "opened",
        "recall@10",
        "nDCG@10 exact",
        "nDCG@10",
        f"loss (at most {LOSS:.1%})",
        "exact p50, ms",
        "p50, ms",
        "p99, ms",
    ):
        table.add_column(heading, justify="left" if heading == "kind" else "right")
    for result in results:
        loss = 1 - result.ndcg / result.exact_ndcg
        table.add_row(
            f"{result.vectors:,}",
            f"{result.made:,}",
            result.kind,
            f"{result.build_seconds:.1f}",
            f"{result.index_bytes / 2**20:,.0f}",
            f"{result.opened} of {result.partitions}",
            f"{result.recall:.4f}",
            f"{result.exact_ndcg:.4f}",
            f"{result.ndcg:.4f}",
            f"[{'green' if loss <= LOSS else 'red'}]{loss:.2%}[/]",
            f"{result.exact_p50 * 1000:.2f}",
            f"{result.p50 * 1000:.2f}",
            f"{result.p99 * 1000:.2f}",
        )
    return table


def plot(results: list[Growth], path: Path) -> None:
    """Recall against latency for each size, and build time and memory against size."""
    from matplotlib import pyplot

    figure, (curve, costs) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for result in results:
        if result.sweep:
            points = sorted(result.sweep)
            label = f"{result.vectors:,} vectors"
            curve.plot([1000 * seconds for seconds, _ in points], [recall for _, recall in points], "o-", label=label)
    curve.set(
        xscale="log", xlabel="milliseconds a query, median", ylabel="recall@10", title="Partitions opened: few to many"
    )
    curve.legend()
    sizes = [result.vectors for result in results]
    costs.plot(sizes, [result.build_seconds for result in results], "o-", label="build, s")
    costs.plot(sizes, [result.index_bytes / 2**20 for result in results], "s-", label="index, MiB")
    costs.plot(sizes, [1000 * result.p50 for result in results], "^-", label="query p50, ms")
    costs.plot(sizes, [1000 * result.exact_p50 for result in results], "v--", label="exact query p50, ms")
    costs.set(xscale="log", yscale="log", xlabel="vectors", title="What growth costs")
    costs.legend()
    figure.savefig(path, dpi=140)


def main(
    squad: Annotated[Path, typer.Argument(help="SQuAD rows as JSON lines.")],
    texts: Annotated[list[Path] | None, typer.Option(help="Files or folders of other texts, for growth.")] = None,
    sizes: Annotated[
        str, typer.Option(help="Numbers of vectors, parted by commas; empty for none.")
    ] = "10000,100000,1000000",
    real: Annotated[int, typer.Option(min=0, help="Other texts that are embedded at most.")] = 1_000_000,
    questions: Annotated[int, typer.Option(min=1, help="How many, drawn from all.")] = 10_000,
    encoder: Annotated[str, typer.Option(help="Folder of an encoder; empty takes the one that comes along.")] = "",
    vectors: Annotated[Path | None, typer.Option(help="Folder that keeps vectors from one run to the next.")] = None,
    plot_to: Annotated[Path | None, typer.Option("--plot", help="Draw growth as a PNG.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write everything measured as JSON.")] = None,
) -> None:
    """Print both tables."""
    machine, console = describe(), display.console()
    wanted = [int(size) for size in sizes.split(",") if size]
    read = Squad.read(squad, questions)
    with display.progress() as progress:
        step = progress.add_task("reading texts")
        others = other_texts(texts or [], min(real, max(wanted, default=0)), without=squad)
        parts = []
        for name, some in (("paragraphs", read.paragraphs), ("questions", read.questions), ("other texts", others)):
            progress.update(step, description=f"embedding {name}", total=len(some), completed=0)
            rows = embed(some, encoder, vectors, lambda count: progress.advance(step, count))
            parts.append(unit_rows(rows, *rows.shape)[0])
        paragraphs, asked, rest = parts[0], parts[1], parts[2].reshape(-1, parts[0].shape[1])
        progress.update(step, description="quality", total=None)
        qualities = measure_quality(read, paragraphs, asked)
        growths = []
        for size in wanted:
            progress.update(step, description=f"an index of {size:,}")
            growths.append(in_own_process(paragraphs, rest, asked, read.answers, size))
    console.print(quality_table(qualities, read, machine))
    if growths:
        console.print(growth_table(growths, machine))
    if plot_to and growths:
        plot(growths, plot_to)
    if output:
        measured = {"quality": [vars(result) for result in qualities], "growth": [vars(result) for result in growths]}
        output.write_text(json.dumps({"machine": machine, **measured}, indent=1) + "\n")


def in_own_process(
    paragraphs: np.ndarray, others: np.ndarray, questions: np.ndarray, answers: np.ndarray, size: int
) -> Growth:
    """Memory is measured where nothing else has used any."""
    with tempfile.TemporaryDirectory(prefix="tradewind-retrieval-") as folder:
        file = Path(folder) / "vectors.npy"
        made = write_vectors(file, paragraphs, others, size)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(measure_growth, (file, questions, answers, made))


def write_vectors(file: Path, paragraphs: np.ndarray, others: np.ndarray, size: int) -> int:
    """Writes `size` vectors, real ones as far as there are any; returns how many were made."""
    own = others[: max(0, size - len(paragraphs))]
    made = max(0, size - len(paragraphs) - len(own))
    np.save(file, np.concatenate([paragraphs[:size], own, mixed(own if len(own) else paragraphs, made)]))
    return made


if __name__ == "__main__":
    typer.run(main)
