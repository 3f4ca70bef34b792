"""What the prefix cache is worth: hits on a real trace beside those of an infinite cache, and a second turn's wait.

python -m benchmarks.prefix [--trace mooncake.jsonl.gz] [--output results.json]

A Mooncake trace (see `serving.bench.trace`) says which blocks of 512 tokens its prompts share. Every block becomes
random tokens, fewer by `--length-scale`, and the prompts go to the engine as they arrived there, so many at a time. The
infinite cache is computed: it keeps every page that was ever in a prompt, and has each request finish before the next;
beside it stands the ideal LRU cache of the engine's own room.
Without a trace, only conversations are measured: the time to the first token of a second turn, which carries the first
turn, its reply and a question more, over that of the first turn.
"""

import asyncio
import json
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from benchmarks.contender import Model, Prompt, Prompts
from benchmarks.machine import describe, quantile, title
from benchmarks.models import described, embedded, llama_135m
from benchmarks.tradewind_engine import TradewindEngine
from serving.bench.trace import Replay
from serving.bench.workload import Plan, Session
from serving.engine.options import EngineOptions
from serving.engine.request import GenerationRequest, SamplingParams

TARGET = 0.2  # a second turn's time to first token over the first's
REPLY = 16  # tokens of a turn's reply, and of the question after it
SHARES = (0.25, 0.5, 0.75)  # of the context that a first turn takes
LOWEST_ID = 16  # ids below are special ones

Advance = Callable[[], None]


@dataclass(frozen=True)
class Answered:
    """One request: tokens of its prompt, how many of them were cached, and seconds to its first token."""

    prompt_tokens: int
    cached_tokens: int
    first_token: float


class Engine(TradewindEngine):
    """Our engine, asked for what it says of its cache."""

    async def ask(self, prompt: Prompt, tokens: int) -> tuple[Answered, list[int]]:
        """Send a request, wait for its end, and return what was measured and the reply."""
        sampling = SamplingParams(max_tokens=tokens, temperature=0, ignore_eos=True)
        request = GenerationRequest(f"prefix-{next(self._numbers)}", tuple(prompt), sampling)
        now = asyncio.get_running_loop().time
        sent, first, cached = now(), None, 0
        reply: list[int] = []
        async for delta in self._replica.generate(request):
            if delta.error:
                raise RuntimeError(delta.error)
            if delta.tokens and first is None:
                first, cached = now() - sent, delta.cached_tokens
            reply += delta.tokens
        return Answered(len(prompt), cached, first), reply

    @property
    def page_size(self) -> int:
        """Tokens."""
        return self._replica.description.page_size

    @property
    def pages(self) -> int:
        """Of the whole pool."""
        return self._replica.description.pages


def token_prompts(sessions: Iterable[Session], vocabulary: int) -> Iterator[tuple[list[int], int]]:
    """The tokens of each session's prompt, and of its reply how many. Segments of one key have the same tokens."""
    for session in sessions:
        (turn,) = session.turns
        prompt: list[int] = []
        for segment in turn.prompt:
            draw = random.Random(segment.key)
            prompt += [draw.randrange(LOWEST_ID, vocabulary) for _ in range(segment.tokens)]
        yield prompt, turn.output_tokens


def ideal_hits(prompts: Iterable[Sequence[int]], page_size: int, room: int | None = None) -> list[int]:
    """Tokens of each prompt that an ideal cache of whole pages would have: each request is over before the next comes.

    `room` is in pages, of which the longest unused goes first, and of equally long unused ones the later in its prompt;
    without it nothing is ever forgotten. The last token is always computed, since what follows it is asked for.
    """
    numbers: dict[tuple[int, tuple[int, ...]], int] = {}  # of a page after the page with its parent's number
    kept: dict[int, None] = {}  # by number, the longest unused first
    hits = []
    for prompt in prompts:
        chain = [0]
        for begin in range(0, len(prompt) - page_size + 1, page_size):
            page = chain[-1], tuple(prompt[begin : begin + page_size])
            chain.append(numbers.setdefault(page, len(numbers) + 1))
        usable = chain[1 : 1 + (len(prompt) - 1) // page_size]
        hits.append(page_size * sum(1 for _ in takewhile(kept.__contains__, usable)))
        for number in reversed(chain[1:]):
            kept.pop(number, None)
            kept[number] = None
        while room is not None and len(kept) > room:
            del kept[next(iter(kept))]
    return hits


async def replay(
    engine: Engine, prompts: list[tuple[list[int], int]], at_once: int, advance: Advance
) -> list[Answered]:
    """Ask everything in order, `at_once` at a time."""
    answered: list[Answered | None] = [None] * len(prompts)
    numbered = iter(enumerate(prompts))

    async def take_turns() -> None:
        for number, (prompt, tokens) in numbered:
            answered[number], _ = await engine.ask(prompt, tokens)
            advance()

    await asyncio.gather(*(take_turns() for _ in range(at_once)))
    return answered


async def converse(engine: Engine, prompts: Prompts, length: int) -> tuple[Answered, Answered]:
    """A conversation of two turns with nothing else running."""
    prompt = prompts.next(length)
    first, reply = await engine.ask(prompt, REPLY)
    second, _ = await engine.ask([*prompt, *reply, *prompts.next(REPLY)], REPLY)
    return first, second


async def measure(
    model: Model, options: EngineOptions, sessions: list[Session], at_once: int, repeats: int, progress: Progress
) -> dict:
    """All of it, from one engine."""
    task = progress.add_task("starting the engine, compiling", total=len(sessions) + len(SHARES) * repeats)
    engine = await Engine.start_warm(model, options)

    def advance() -> None:
        progress.advance(task)

    try:
        progress.update(task, description="second turns")
        random_prompts = Prompts(model.vocabulary)
        await converse(engine, random_prompts, model.context // 2)  # the first one of all is not measured
        turns: dict[int, list[tuple[Answered, Answered]]] = {}
        for length in (int(model.context * share) for share in SHARES):
            turns[length] = []
            for _ in range(repeats):
                turns[length].append(await converse(engine, random_prompts, length))
                advance()
        progress.update(task, description=f"the trace, {at_once} at a time")
        prompts = list(token_prompts(sessions, model.vocabulary))
        answered = await replay(engine, prompts, at_once, advance)
        tokens = [prompt for prompt, _ in prompts]
        infinite = ideal_hits(tokens, engine.page_size)
        lru = ideal_hits(tokens, engine.page_size, engine.pages)
        pool = engine.pages * engine.page_size
        compiles = engine.compiles_after_warmup
    finally:
        await engine.stop()
    return {
        "turns": {n: [[asdict(turn) for turn in pair] for pair in pairs] for n, pairs in turns.items()},
        "trace": [
            {**asdict(one), "infinite_cache": most, "lru_cache": same_room}
            for one, most, same_room in zip(answered, infinite, lru, strict=True)
        ],
        "pool_tokens": pool,
        "compiles_after_warmup": compiles,
    }


def turns_table(measured: dict, machine: dict) -> Table:
    """Medians of first and second turns."""
    table = Table(title="Time to first token of a second turn", caption=title(machine))
    for heading in ("first turn, tokens", "first, ms", "second, ms", f"ratio (target {TARGET:g})", "cached in second"):
        table.add_column(heading, justify="right")
    for length, pairs in measured["turns"].items():
        first, second = (quantile([pair[turn]["first_token"] for pair in pairs], 0.5) for turn in (0, 1))
        cached = sum(pair[1]["cached_tokens"] for pair in pairs) / sum(pair[1]["prompt_tokens"] for pair in pairs)
        ratio = second / first
        shown = f"[{'green' if ratio <= TARGET else 'red'}]{ratio:.3f}[/]"
        table.add_row(f"{length:,}", f"{first * 1000:.1f}", f"{second * 1000:.1f}", shown, f"{cached:.1%}")
    return table


def trace_table(measured: dict, machine: dict) -> Table:
    """Hits, ours and the best there can be, and what they do to the wait."""
    rows = measured["trace"]
    room = f"{measured['pool_tokens']:,}"
    asked = sum(row["prompt_tokens"] for row in rows)
    found = [sum(row[name] for row in rows) for name in ("cached_tokens", "lru_cache", "infinite_cache")]
    table = Table(title=f"Prefix cache on {len(rows):,} requests of the trace", caption=title(machine))
    for heading in ("", "this engine", "ideal LRU", "infinite cache"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("room, tokens", room, room, "all")
    table.add_row(f"found of {asked:,} prompt tokens", *(f"{hits:,}" for hits in found))
    table.add_row("hit rate", *(f"{hits / asked:.1%}" for hits in found))
    for name, chosen in (
        (
            "first token, ms: less than half found",
            [row for row in rows if 2 * row["cached_tokens"] < row["prompt_tokens"]],
        ),
        ("first token, ms: more", [row for row in rows if 2 * row["cached_tokens"] >= row["prompt_tokens"]]),
    ):
        if chosen:
            table.add_row(name, f"{1000 * quantile([row['first_token'] for row in chosen], 0.5):.1f}")
    return table


def main(
    trace: Annotated[Path | None, typer.Option(help="A Mooncake trace; without one only turns are measured.")] = None,
    model: Annotated[str, typer.Option(help="embedded, 135m (random weights), or a model folder.")] = "embedded",
    requests: Annotated[int, typer.Option(min=1, help="How many of the trace, from its start.")] = 4000,
    length_scale: Annotated[float, typer.Option(min=1e-6, help="Multiplies the trace's token counts.")] = 1 / 64,
    at_once: Annotated[int, typer.Option(min=1, help="Requests of the trace at a time.")] = 4,
    pages: Annotated[int, typer.Option(min=0, help="Pages in the engine's pool; 0 lets it choose.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Conversations of each length.")] = 10,
    output: Annotated[Path | None, typer.Option(help="Write everything measured as JSON.")] = None,
) -> None:
    """Print the hit rate beside an infinite cache's, and the wait of a second turn over the first's."""
    machine = describe()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="tradewind-prefix-") as folder:
        chosen = {"embedded": embedded, "135m": lambda: llama_135m(Path(folder))}.get(
            model, lambda: described(model, Path(model))
        )()
        sessions = Replay(trace, length_scale=length_scale).sessions(0) if trace else iter(())
        plan = Plan.of(islice(sessions, requests), context=chosen.context)
        options = EngineOptions(max_rows=max(8, at_once), pages=pages)
        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, transient=True) as progress:
            measured = asyncio.run(measure(chosen, options, plan.sessions, at_once, repeats, progress))
    console.print(f"{chosen.name}, {measured['compiles_after_warmup']} compiles after warm-up", highlight=False)
    console.print(turns_table(measured, machine))
    if trace:
        console.print(trace_table(measured, machine))
        console.print(
            f"{trace.name}: lengths x {length_scale:g}, so that a block of 512 tokens has {512 * length_scale:g}; "
            f"{plan.cut:,} prompts cut to the context of {chosen.context:,}; arrivals not kept",
            highlight=False,
        )
    if output:
        settings = {"trace": str(trace), "length_scale": length_scale, "at_once": at_once, "model": chosen.name}
        output.write_text(json.dumps({"machine": machine, **settings, **measured}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
