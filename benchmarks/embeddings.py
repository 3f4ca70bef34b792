"""Our encoder beside sentence-transformers on torch: texts a second at several sizes of a request.

python -m benchmarks.embeddings [--python PYTHON] [--folder FOLDER] [--texts FILE] [--output results.json]

Ours runs in its own process and is reached by gRPC, as gateways reach it; sentence-transformers is called inside its
process, by `encode` with its defaults. Both are given the same texts, from characters to vectors, and take turns, so
that whatever else the machine does weighs on both alike; a ratio is the median of the turns' ratios.
"""

import asyncio
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import Progress
from rich.table import Table

from benchmarks import display, machine
from benchmarks.peers.environment import python_with
from benchmarks.peers.json_lines import JsonLines
from serving.encoder.options import EncoderOptions
from serving.encoder.request import EmbedRequest
from serving.fleet.encoder_replica import EncoderReplica
from serving.fleet.launcher import LocalLauncher, LocalProcess
from serving.fleet.replica import ReplicaState
from serving.models.encoder_folder import find_encoder

CACHE = Path(tempfile.gettempdir()) / "tradewind-peers"
PACKAGES = ("torch==2.13.0", "sentence-transformers")
ROOT = Path(__file__).parents[1]
START_LIMIT = 600  # seconds
LEAST_TEXTS = 64  # of a turn, so that single texts are timed by many calls


@dataclass
class Samples:
    """Texts a second by size of a request, a figure a turn, and the share of our places that held no token."""

    ours: dict[int, list[float]] = field(default_factory=dict)
    theirs: dict[int, list[float]] = field(default_factory=dict)
    padding: float = 0.0
    difference: float = 0.0  # the largest, between two vectors of one text
    others_use: list[float] = field(default_factory=list)  # of all cores, as a share

    def ratio(self, size: int) -> float:
        """Ours over theirs, the median over the turns."""
        return statistics.median(a / b for a, b in zip(self.ours[size], self.theirs[size], strict=True))


class OurEncoder:
    """An encoder's process, all of whose programs are compiled, and the gateway's own client of it."""

    def __init__(self, process: LocalProcess, replica: EncoderReplica, connection: asyncio.Task[str]) -> None:
        self.replica = replica
        self._process = process
        self._connection = connection

    @classmethod
    async def start(cls, folder: Path, options: EncoderOptions) -> "OurEncoder":
        """Ready when everything is compiled."""
        command = [sys.executable, "-m", "benchmarks.warm_encoder", str(folder)]
        as_json = json.dumps(asdict(options))
        process = await LocalLauncher(lambda listen: [*command, listen, as_json], kind="encoder").start()
        ready = asyncio.Event()
        replica = EncoderReplica("ours", on_change=lambda r: r.state is ReplicaState.READY and ready.set())
        connection = asyncio.create_task(replica.serve(process.target))
        waiting = asyncio.create_task(ready.wait())
        ended = asyncio.create_task(process.wait())
        await asyncio.wait((connection, waiting, ended), timeout=START_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            for task in (connection, waiting):
                task.cancel()
            await process.stop()
            raise RuntimeError(f"the encoder did not start: {process.last_line}")
        return cls(process, replica, connection)

    async def encode(self, calls: Sequence[Sequence[str]]) -> tuple[float, np.ndarray]:
        """Seconds for these requests, one after another, and the first text's vector."""
        now = asyncio.get_running_loop().time
        began = now()
        answers = [await self.replica.embed(EmbedRequest(tuple(texts), truncate=True)) for texts in calls]
        return now() - began, answers[0].vectors[0]

    async def stop(self) -> None:
        """End the process."""
        self._connection.cancel()
        await asyncio.gather(self._connection, return_exceptions=True)
        await self._process.stop()


async def compare(
    folder: Path,
    python: Path,
    texts: Sequence[str],
    sizes: Sequence[int],
    repeats: int,
    quiet: float,
    options: EncoderOptions,
    progress: Progress,
) -> Samples:
    """Both encoders' turns at every size."""
    samples, chance = Samples(), random.Random(0)
    task = progress.add_task("start both", total=repeats * len(sizes) + 1)
    ours = await OurEncoder.start(folder, options)
    theirs = await JsonLines.start(python, "sentence_transformers_worker.py", str(folder))
    try:
        for _ in range(repeats):
            for size in sizes:
                progress.update(task, description=f"{size} texts a request", advance=1)
                samples.others_use.append(await machine.quiet(quiet))
                calls = [chance.sample(texts, size) for _ in range(max(LEAST_TEXTS // size, 1))]
                seconds, mine = await ours.encode(calls)
                answer = await theirs.ask({"calls": calls})
                samples.ours.setdefault(size, []).append(size * len(calls) / seconds)
                samples.theirs.setdefault(size, []).append(size * len(calls) / answer["seconds"])
                samples.difference = max(samples.difference, float(np.abs(mine - answer["first"]).max()))
        stats = ours.replica.stats
        samples.padding = stats.padding / (stats.padding + stats.tokens)
    finally:
        await ours.stop()
        await theirs.stop()
    return samples


def paragraphs() -> list[str]:
    """Texts to measure with: the paragraphs, list items and table rows of this project's documentation."""
    files = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
    blocks = [line.strip(" -|#") for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return sorted({block for block in blocks if len(block) >= 20})


def table(samples: Samples, caption: str) -> Table:
    """A row a size."""
    shown = Table("texts a request", title="Texts a second", caption=caption)
    for heading in ("tradewind", "sentence-transformers", "ours / theirs"):
        shown.add_column(heading, justify="right")
    for size in samples.ours:
        rates = (statistics.median(rates[size]) for rates in (samples.ours, samples.theirs))
        shown.add_row(str(size), *(f"{rate:,.1f}" for rate in rates), f"{samples.ratio(size):.2f}")
    return shown


Folder = Annotated[str, typer.Option(help="Encoder's folder; by default the one that comes along.")]
Python = Annotated[Path | None, typer.Option(help="Interpreter with sentence-transformers; by default one is made.")]
Texts = Annotated[Path | None, typer.Option(help="Texts, one a line; by default paragraphs of the documentation.")]
Sizes = Annotated[list[int], typer.Option(min=1, help="Texts in one request.")]
Repeats = Annotated[int, typer.Option(min=1, help="Turns of both at every size.")]
Quiet = Annotated[float, typer.Option(min=0, help="Most seconds to wait for a quiet machine before each turn.")]
Cache = Annotated[Path, typer.Option(help="Folder for environments and compiled programs.")]
Output = Annotated[Path | None, typer.Option(help="Write every sample as JSON.")]


def main(
    folder: Folder = "",
    python: Python = None,
    texts: Texts = None,
    size: Sizes = [1, 32, 256],  # noqa: B006
    repeats: Repeats = 5,
    quiet: Quiet = 20,
    cache: Cache = CACHE,
    output: Output = None,
) -> None:
    """Print texts a second and their ratio."""
    console, computer = display.console(), machine.describe()
    given = texts.read_text(encoding="utf-8").splitlines() if texts else paragraphs()
    options = EncoderOptions(compile_threads=2, compilation_cache_dir=str(cache / "compiled-encoders"))
    with display.progress() as progress:
        python = python or python_with(cache / "environments" / "sentence-transformers", *PACKAGES)
        samples = asyncio.run(compare(find_encoder(folder), python, given, size, repeats, quiet, options, progress))
    words = statistics.mean(len(text.split()) for text in given)
    console.print(
        table(samples, f"{machine.title(computer)}; medians of {repeats} turns; {words:.0f} words a text"),
        f"vectors differ by {samples.difference:.1g} at most; {samples.padding:.0%} of our places held no token; "
        f"others used {statistics.median(samples.others_use):.0%} of the cores before a turn",
    )
    if output:
        output.write_text(json.dumps({"machine": computer, **asdict(samples)}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
