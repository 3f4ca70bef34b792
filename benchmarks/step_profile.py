"""Where the milliseconds of one decode step and one prefill step go.

python -m benchmarks.step_profile [--model FOLDER] [--streams 16] [--context 256]

Runs the engine's own step programs in this process: first untraced, for the step's time, then under JAX's profiler,
whose events are told apart by the program's named scopes. Operations that run side by side on several cores count
once for each, so a part's milliseconds are its share of all operations' time, scaled to the untraced step. Host work
(planning, filling the inputs, reading, committing) is timed around the same steps; transport is the engine
benchmark's business, which measures from outside. The floor is what the step's bytes and products alone would take.
"""

import gzip
import json
import re
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import typer
from rich.table import Table

from benchmarks import display, machine, models
from benchmarks.contender import Model
from serving.engine.loading import choose_attention, placed, plan_layout
from serving.engine.options import EngineOptions
from serving.engine.pages import PagePool
from serving.engine.request import GenerationRequest, SamplingParams
from serving.engine.runner import Runner
from serving.engine.scheduler import Scheduler, StepPlan
from serving.models import checkpoint
from serving.models.config import DecoderConfig

PAGE_SIZE = 16
REPEATS = 12
WRITTEN = Path(tempfile.gettempdir()) / "tradewind-peers" / "files" / "llama-135m"

PARTS = {
    "attention: gather pages": re.compile(r"/attention/.*gather"),
    "attention: write pages": re.compile(r"/attention/scatter"),
    "attention: products and softmax": re.compile(r"/attention/"),
    "products with the weights": re.compile(r"/layers/.*dot_general"),
    "norms, rotations, activations": re.compile(r"/layers/"),
    "head": re.compile(r"/head/"),
    "draw": re.compile(r"/draw/"),
}
"""The parts of a step, by the scopes in an operation's name; the first that matches counts."""
REST = "embedding, inputs, bookkeeping"


@dataclass(frozen=True)
class StepProfile:
    """Milliseconds of one kind of step: its parts on the device, the host's work beside it, its floor."""

    name: str
    parts: dict[str, float]
    device: float
    host: dict[str, float]
    floor: float


class ProfiledEngine:
    """Scheduler and runner of one engine, stepped by hand.

    Args:
        model: the model folder.
        rows: sequences that run at once.
        context: tokens of prompt and reply at most.
        step_tokens: prompt tokens in one step.
    """

    def __init__(self, model: Model, rows: int, context: int, step_tokens: int) -> None:
        pages = rows * -(-context // PAGE_SIZE)
        options = EngineOptions(max_rows=rows, page_size=PAGE_SIZE, decode_steps=1)
        config = DecoderConfig.from_folder(model.folder)
        layout = plan_layout(config, options, jax.devices()[:1])
        decoder = placed(checkpoint.load(model.folder, config, jnp.float32), jnp.float32, layout)
        attention, _ = choose_attention(options, layout, jnp.float32, context)
        self.runner = Runner(
            decoder, options, layout, attention, pages=pages, max_context=context, step_tokens=step_tokens
        )
        self.scheduler = Scheduler(
            PagePool(pages, PAGE_SIZE),
            rows=rows,
            step_tokens=self.runner.step_tokens,
            max_context=context,
            eos_ids=(),
            clock=time.monotonic,
            prefix_cache=False,
        )
        self.runner.programs.start(lambda done, total: None)
        self.runner.programs.wait_all()
        self._vocabulary = model.vocabulary
        self.last: StepPlan | None = None

    def submit(self, count: int, prompt: int, reply: int) -> None:
        """Queues requests, no two prompts alike."""
        for number in range(count):
            tokens = tuple((number * 977 + index) % self._vocabulary for index in range(prompt))
            sampling = SamplingParams(max_tokens=reply, temperature=0, ignore_eos=True)
            self.scheduler.submit(GenerationRequest(f"{number}", tokens, sampling))

    def step(self, host: Counter) -> float:
        """One whole step, nothing in flight before or after; returns the device's seconds, adds to `host`."""
        began = time.perf_counter()
        plan = self.scheduler.schedule()
        planned = time.perf_counter()
        dispatched = self.runner.dispatch(plan)
        filled = time.perf_counter()
        dispatched.outputs.drawn.tokens.block_until_ready()
        computed = time.perf_counter()
        result = dispatched.read()
        read = time.perf_counter()
        self.scheduler.commit(plan, result)
        host["plan"] += planned - began
        host["fill and dispatch"] += filled - planned
        host["read"] += read - computed
        host["commit"] += time.perf_counter() - read
        self.last = plan
        return computed - filled


def profile(engine: ProfiledEngine, name: str, steps: int, floor: float) -> StepProfile:
    """The next `steps` steps untraced and as many traced, all of one kind."""
    host: Counter = Counter()
    device = 1e3 * sum(engine.step(host) for _ in range(steps)) / steps
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            for _ in range(steps):
                engine.step(Counter())
        trace = next(Path(folder).rglob("perfetto_trace.json.gz"))
        events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    plan = engine.last
    blocks = sum(-(-(chunk.end - chunk.start) // PAGE_SIZE) for chunk in plan.chunks)
    _, program = engine.runner.programs.choose(len(plan.rows) + len(plan.chunks), blocks)
    scopes = operation_scopes(program.as_text())
    spent: Counter = Counter()
    for event in events:
        if event.get("ph") == "X" and event["name"] in scopes:
            scope = scopes[event["name"]]
            spent[next((part for part, pattern in PARTS.items() if pattern.search(scope)), REST)] += event["dur"]
    scale = device / sum(spent.values())
    parts = {part: spent[part] * scale for part in (*PARTS, REST)}
    return StepProfile(name, parts, device, {key: 1e3 * value / steps for key, value in host.items()}, floor)


def operation_scopes(program: str) -> dict[str, str]:
    """The named scope of every operation of a compiled program.

    Products may lose their names to XLA's rewrites. One that did, alone or in a fusion, is attention's if it runs among
    nothing but attention's operations, else the layers'. Loops and conditionals are left out: what they run is counted
    by itself.
    """
    scopes: dict[str, str] = {}
    named: dict[str, list[str]] = defaultdict(list)  # scopes by computation
    unnamed: dict[str, tuple[str, str]] = {}  # where each runs, and what it calls
    computation = ""
    for line in program.splitlines():
        if opening := re.match(r"(?:ENTRY )?%([\w.\-]+) \(.*\{$", line):
            computation = opening.group(1)
        operation = re.match(r"\s+(?:ROOT )?%([\w.\-]+) = ", line)
        if not operation or re.search(r"[\])}] (while|conditional|call)\(", line):
            continue
        if scope := re.search(r'op_name="([^"]+)"', line):
            scopes[operation.group(1)] = scope.group(1)
            named[computation].append(scope.group(1))
        elif re.search(r" (dot|fusion)\(", line):
            called = re.search(r"calls=%([\w.\-]+)", line)
            unnamed[operation.group(1)] = computation, called.group(1) if called else ""
    for name, (place, called) in unnamed.items():
        if named[called]:
            scopes[name] = named[called][0]
        else:
            attends = all("/attention/" in scope for scope in named[place])
            scopes[name] = "/layers/attention/dot_general" if attends else "/layers/dot_general"
    return scopes


def decode_profile(model: Model, streams: int, context: int) -> StepProfile:
    """Steps of `streams` rows with about `context` tokens each."""
    prompt, reply = context - REPEATS, 4 * REPEATS
    engine = ProfiledEngine(model, streams, prompt + reply, 128)
    engine.submit(streams, prompt, reply)
    engine.step(Counter())
    while engine.last.chunks:
        engine.step(Counter())
    moved = 4 * (model.parameters + streams * context * model.kv_elements)
    floor = 1e3 * moved / machine.read_bandwidth()
    return profile(engine, f"decode, {streams} streams at {context} tokens", REPEATS, floor)


def prefill_profile(model: Model, prompt: int, step_tokens: int) -> StepProfile:
    """The mean step of a prompt that is read in steps of `step_tokens`."""
    steps = -(-prompt // step_tokens) * 3
    engine = ProfiledEngine(model, 1, prompt + PAGE_SIZE, step_tokens)
    engine.submit(7, prompt, 1)
    for _ in range(steps // 3):
        engine.step(Counter())
    config = DecoderConfig.from_folder(model.folder)
    products = 2 * step_tokens * (model.parameters - config.vocab_size * config.hidden_size)
    name = f"prefill, {step_tokens} tokens of a prompt of {prompt}"
    return profile(engine, name, steps, 1e3 * products / machine.matmul_rate())


def table(found: StepProfile) -> Table:
    """The profile as rows of milliseconds and shares."""
    rows = Table("part", "ms", "share", title=found.name)
    for part, milliseconds in found.parts.items():
        rows.add_row(part, f"{milliseconds:.2f}", f"{milliseconds / found.device:.0%}")
    rows.add_section()
    rows.add_row("device, whole step", f"{found.device:.2f}", "100%")
    rows.add_row("floor", f"{found.floor:.2f}", f"{found.floor / found.device:.0%}")
    rows.add_section()
    for part, milliseconds in found.host.items():
        rows.add_row(f"host: {part}", f"{milliseconds:.2f}", f"{milliseconds / found.device:.0%}")
    return rows


def main(
    model: Annotated[Path, typer.Option(help="Model folder; by default a 135M Llama of random weights.")] = WRITTEN,
    streams: Annotated[int, typer.Option(help="Sequences that decode.", min=1)] = 16,
    context: Annotated[int, typer.Option(help="Tokens of each.", min=64)] = 256,
    prompt: Annotated[int, typer.Option(help="Tokens of the prompt that is read.", min=16)] = 512,
    step_tokens: Annotated[int, typer.Option(help="Prompt tokens of the prefill step.", min=16)] = 128,
) -> None:
    """Print where the time of a decode and of a prefill step goes."""
    measured = models.llama_135m(model) if model == WRITTEN else models.described(model.name, model)
    out = display.console()
    out.print(machine.title(machine.describe()))
    out.print(table(decode_profile(measured, streams, context)))
    out.print(table(prefill_profile(measured, prompt, step_tokens)))


if __name__ == "__main__":
    typer.run(main)
