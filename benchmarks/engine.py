"""Our engine beside its peers: decode, prefill, first tokens under load, start, memory.

python -m benchmarks.engine [--peers] [--model FOLDER ...] [--dtype float32] [--output results.json]

Ours runs in its own process and is reached by gRPC, as gateways reach it. With --peers, llama.cpp and transformers run
the very same weights, and all take turns, measurement by measurement, so that whatever else the machine does weighs on
all alike; a ratio is the median of the turns' ratios. The floor is what this machine could do in the same
turn: a decode step that takes as long as reading its weights, keys and values once, a prompt that takes as long as its
products with the weights in float32. llama.cpp's decode and prefill figures are those of its own
llama-batched-bench, a loop without server and sampler; its first tokens are llama-server's.
"""

import asyncio
import contextlib
import json
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from benchmarks import display, machine, models
from benchmarks.contender import (
    LONG_PROMPT,
    OTHERS,
    PROMPT,
    Model,
    Prompts,
    StreamingEngine,
    decode_rate,
    first_token,
    interference,
)
from benchmarks.peers.llama_cpp import LlamaCpp, LlamaServer
from benchmarks.peers.transformers_engine import TransformersEngine
from benchmarks.tradewind_engine import TradewindEngine
from serving.engine.options import EngineOptions

OURS, LLAMA, TRANSFORMERS, FLOOR = "tradewind", "llama.cpp", "transformers", "floor"
CACHE = Path(tempfile.gettempdir()) / "tradewind-peers"
BYTES = {"float32": 4, "bfloat16": 2}
CONTEXT = 1024
STEP_TOKENS = EngineOptions().step_tokens
PAGE_SIZE = 16

DECODE = "decode, {} streams, tokens/s"
PREFILL = f"prefill of {LONG_PROMPT}, tokens/s"
ALONE = f"first token of {LONG_PROMPT}, alone, ms"
BESIDE = f"first token of {LONG_PROMPT} beside {OTHERS} streams, ms"
WORST_GAP = f"worst gap of the {OTHERS} meanwhile, ms"
QUIET_GAP = f"worst gap of the {OTHERS} before, ms"
COLD_START, WARM_START = "start, nothing compiled before, s", "start, s"
MEMORY = "peak memory, MiB"


@dataclass(frozen=True)
class Plan:
    """How much is measured. `patience` is the most seconds for one measurement, `quiet` for a quiet machine before."""

    streams: tuple[int, ...]
    repeats: int
    reply: int
    patience: float
    quiet: float
    step_tokens: int

    def options(self, dtype: str, cache: Path) -> EngineOptions:
        """Room for the most streams of this plan, in the cache as in the decode rows."""
        most = max(*self.streams, OTHERS + 1)
        tokens = max(most * (PROMPT + self.reply + PAGE_SIZE), (OTHERS + 1) * CONTEXT)
        return EngineOptions(
            max_rows=most,
            max_context=CONTEXT,
            pages=tokens // PAGE_SIZE,
            page_size=PAGE_SIZE,
            step_tokens=self.step_tokens,
            dtype=dtype,
            compilation_cache_dir=str(cache),
        )


@dataclass
class Results:
    """Samples by measure, engine and turn."""

    samples: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, measure: str, engine: str, value: float | None) -> None:
        """One more turn."""
        self.samples.setdefault(measure, {}).setdefault(engine, []).append(value)

    def median(self, measure: str, engine: str) -> float | None:
        """Over the turns that came to an end."""
        found = [value for value in self.samples[measure].get(engine, ()) if value is not None]
        return statistics.median(found) if found else None

    def ratio(self, measure: str, peer: str) -> float | None:
        """Ours over the peer's, the median over the turns."""
        ours, theirs = (self.samples[measure].get(engine, []) for engine in (OURS, peer))
        pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if a and b]
        return statistics.median(a / b for a, b in pairs) if pairs else None


class Comparison:
    """The engines that run one model in one type, and what is measured of them by turns."""

    def __init__(self, model: Model, dtype: str, plan: Plan, progress: Progress) -> None:
        self.results = Results()
        self._model = model
        self._dtype = dtype
        self._plan = plan
        self._prompts = Prompts(model.vocabulary)
        self._progress = progress
        self._others_use: list[float] = []  # per cent of all cores
        self._task = progress.add_task("", total=plan.repeats * (len(plan.streams) + 2) + 3)

    async def run(self, llama: LlamaCpp | None, transformers: Path | None) -> Results:
        """Everything, from cold starts to warm ones."""
        with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
            options = self._plan.options(self._dtype, Path(folder) / "compiled")
            self._step("start with nothing compiled")
            cold = await TradewindEngine.start(self._model, options)
            await cold.stop()
            self.results.add(COLD_START, OURS, cold.start_seconds)
            self._step("compile everything")
            file = await asyncio.to_thread(llama.convert, self._model, self._dtype, Path(folder)) if llama else None
            async with contextlib.AsyncExitStack() as stack:
                ours = await _entered(stack, TradewindEngine.start_warm(self._model, options))
                server = await _entered(stack, LlamaServer.start(llama, file)) if llama else None
                worker = None
                if transformers:
                    worker = await _entered(stack, TransformersEngine.start(transformers, self._model, self._dtype))
                await self._agreement(ours, server, worker)
                for _ in range(self._plan.repeats):
                    for streams in self._plan.streams:
                        await self._turn(f"decode, {streams} streams")
                        await self._decode(streams, ours, llama, file, worker)
                    await self._turn("prefill")
                    await self._prefill(ours, llama, file, worker)
                    await self._turn("first tokens beside other streams")
                    for name, engine in ((OURS, ours), (LLAMA, server)):
                        if engine:
                            await self._first_tokens(name, engine)
                for name, engine in ((OURS, ours), (LLAMA, server), (TRANSFORMERS, worker)):
                    if engine:
                        self.results.add(MEMORY, name, engine.peak_memory() / 2**20)
                    if engine and engine is not ours:
                        self.results.add(WARM_START, name, engine.start_seconds)
                usual, worst = statistics.median(self._others_use), max(self._others_use)
                self.results.notes.append(f"others used {usual:.0f}% of the cores before a turn, {worst:.0f}% at worst")
                if ours.compiles_after_warmup:
                    self.results.notes.append(f"{ours.compiles_after_warmup} compiles after warm-up")
            self._step("start again")
            again = await TradewindEngine.start(self._model, options)
            await again.stop()
            self.results.add(WARM_START, OURS, again.start_seconds)
        self._progress.remove_task(self._task)
        return self.results

    def _step(self, doing: str) -> None:
        self._progress.update(self._task, description=f"{self._model.name}, {self._dtype}: {doing}", advance=1)

    async def _turn(self, doing: str) -> None:
        """A step that begins when the machine is quiet."""
        self._step(doing)
        self._others_use.append(100 * await machine.quiet(self._plan.quiet))

    async def _agreement(
        self, ours: TradewindEngine, server: LlamaServer | None, worker: TransformersEngine | None
    ) -> None:
        """Notes how long the greedy replies of all engines are the same: they run the same weights."""
        prompt = self._prompts.next(PROMPT)
        mine = await ours.reply(prompt, 32)
        replies = {LLAMA: await server.reply(prompt, 32)} if server else {}
        if worker:
            replies[TRANSFORMERS] = (await worker.generate([prompt], 32, self._plan.patience))["replies"][0]
        for name, reply in replies.items():
            same = next((i for i, (a, b) in enumerate(zip(mine, reply, strict=False)) if a != b), len(mine))
            self.results.notes.append(f"{name}'s greedy reply agrees with ours for {same} of {len(mine)} tokens")

    async def _decode(
        self,
        streams: int,
        ours: TradewindEngine,
        llama: LlamaCpp | None,
        file: Path | None,
        worker: TransformersEngine | None,
    ) -> None:
        measure, plan = DECODE.format(streams), self._plan
        bandwidth = await asyncio.to_thread(machine.read_bandwidth)
        self.results.add(measure, FLOOR, streams * bandwidth / self._step_bytes(streams))
        self.results.add(measure, OURS, await decode_rate(ours, self._prompts, streams, plan.reply, plan.patience))
        if llama:
            most = 4 * plan.patience  # it cannot be told to stop early
            rate = await asyncio.to_thread(llama.decode_rate, file, streams, plan.reply, most)
            self.results.add(measure, LLAMA, rate)
        if worker:
            prompts = [self._prompts.next(PROMPT) for _ in range(streams)]
            took = await worker.generate(prompts, plan.reply, plan.patience)
            rate = streams * (took["steps"] - 1) / took["rest"] if took["steps"] > 1 else None
            self.results.add(measure, TRANSFORMERS, rate)

    def _step_bytes(self, streams: int) -> float:
        """What a decode step reads at least: all weights, and the keys and values of every stream at half its reply."""
        context = streams * (PROMPT + self._plan.reply / 2)
        return (self._model.parameters + context * self._model.kv_elements) * BYTES[self._dtype]

    async def _prefill(
        self, ours: TradewindEngine, llama: LlamaCpp | None, file: Path | None, worker: TransformersEngine | None
    ) -> None:
        operations = 2 * self._model.parameters  # for a token, attention's own products left out
        rate = await asyncio.to_thread(machine.matmul_rate)
        self.results.add(PREFILL, FLOOR, rate / operations)
        self.results.add(PREFILL, OURS, LONG_PROMPT / await first_token(ours, self._prompts, LONG_PROMPT))
        if llama:
            rate = await asyncio.to_thread(llama.prefill_rate, file, LONG_PROMPT, 4 * self._plan.patience)
            self.results.add(PREFILL, LLAMA, rate)
        if worker:
            took = await worker.generate([self._prompts.next(LONG_PROMPT)], 1, self._plan.patience)
            self.results.add(PREFILL, TRANSFORMERS, LONG_PROMPT / took["first"])

    async def _first_tokens(self, name: str, engine: StreamingEngine) -> None:
        self.results.add(ALONE, name, 1000 * await first_token(engine, self._prompts, LONG_PROMPT))
        found = await interference(engine, self._prompts, 3, self._plan.patience)
        for measure, values in (
            (BESIDE, [each.first_token for each in found]),
            (WORST_GAP, [each.worst_gap for each in found]),
            (QUIET_GAP, [each.quiet_gap for each in found]),
        ):
            self.results.add(measure, name, 1000 * statistics.median(values) if values else None)


async def _entered(stack: contextlib.AsyncExitStack, starting: Any) -> Any:
    """What was started, to be stopped with the stack."""

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[Any]:
        engine = await starting
        try:
            yield engine
        finally:
            await engine.stop()

    return await stack.enter_async_context(running())


def table(title: str, caption: str, results: Results, peers: Iterable[str]) -> Table:
    """A row a measure: the floor, ours, the peers, ours over theirs."""
    peers = list(peers)
    shown = Table(title=title, caption=caption)
    for heading in ("", OURS, *peers, *(f"ours / {peer}" for peer in peers), FLOOR, "ours / floor"):
        shown.add_column(heading, justify="right" if heading else "left", no_wrap=not heading)
    for measure in results.samples:
        values = [results.median(measure, engine) for engine in (OURS, *peers)]
        ratios = [results.ratio(measure, peer) for peer in peers]
        floor, share = results.median(measure, FLOOR), results.ratio(measure, FLOOR)
        cells = [_figure(value) for value in values] + [_ratio(ratio) for ratio in ratios]
        shown.add_row(measure, *cells, _figure(floor), _ratio(share))
    return shown


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


Peers = Annotated[bool, typer.Option("--peers", help="Measure llama.cpp and transformers by turns with ours.")]
Folders = Annotated[list[Path], typer.Option(help="Model folder; by default embedded and 135M Llama.")]
Types = Annotated[list[str], typer.Option(help="float32 or bfloat16; both by default.")]
Streams = Annotated[list[int], typer.Option(min=1, help="Streams at once.")]
Repeats = Annotated[int, typer.Option(min=1, help="Turns of every engine at every measurement.")]
Reply = Annotated[int, typer.Option(min=2, max=512, help="Tokens of a reply.")]
Patience = Annotated[float, typer.Option(min=1, help="Most seconds for one measurement; slow engines generate less.")]
Quiet = Annotated[float, typer.Option(min=0, help="Most seconds to wait for a quiet machine before each turn.")]
StepTokens = Annotated[int, typer.Option(help="Prompt tokens that our engine takes in a step.")]
Cache = Annotated[Path, typer.Option(help="Folder for peers' sources, programs and environments.")]
Output = Annotated[Path | None, typer.Option(help="Write every sample as JSON.")]


def main(
    peers: Peers = False,
    model: Folders = [],  # noqa: B006
    dtype: Types = ["float32", "bfloat16"],  # noqa: B006
    streams: Streams = [1, 8, 16, 32, 64],  # noqa: B006
    repeats: Repeats = 3,
    reply: Reply = 128,
    patience: Patience = 30,
    quiet: Quiet = 20,
    step_tokens: StepTokens = STEP_TOKENS,
    cache: Cache = CACHE,
    output: Output = None,
) -> None:
    """Print a table for each model and type."""
    console = display.console()
    plan = Plan(tuple(sorted(set(streams))), repeats, reply, patience, quiet, step_tokens)
    computer = machine.describe()
    caption = f"{machine.title(computer)}; medians of {repeats} turns"
    found: list[dict[str, Any]] = []
    with display.progress() as progress, tempfile.TemporaryDirectory(prefix="tradewind-models-") as written:
        llama = worker = None
        if peers:
            task = progress.add_task("fetch and build the peers (many minutes the first time)", total=None)
            cache.mkdir(parents=True, exist_ok=True)
            llama, worker = LlamaCpp.prepare(cache), TransformersEngine.prepare(cache)
            progress.remove_task(task)
        chosen = [models.described(folder.name, folder) for folder in model]
        for each in chosen or [models.embedded(), models.llama_135m(Path(written) / "llama-135m")]:
            for kind in dtype:
                results = asyncio.run(Comparison(each, kind, plan, progress).run(llama, worker))
                shown = table(f"{each.name}, {kind}", caption, results, (LLAMA, TRANSFORMERS) if peers else ())
                console.print(shown, *results.notes, sep="\n")
                found.append({"model": each.name, "dtype": kind, **asdict(results)})
                if output:
                    report = {"machine": computer, "plan": asdict(plan), "results": found}
                    output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
