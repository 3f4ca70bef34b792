"""The design target on an accelerator: is attention right, how soon comes a first token, how fast do streams decode?

python -m benchmarks.accelerator [--shape 40gb] [--shape llama3-8b] [--batch 8] [--batch 16] [--tokens 131072]

First every attention backend that the platform runs is compared with the reference. Then an engine with random weights
serves streams that fill the KV cache, and their speed is set against what the card copies and multiplies in the same
run. Targets, on one H100 with 40 GB of weights and 128k tokens of cache: first tokens of 512-token prompts in under
200 ms while 15 others decode, at least 50 tokens/s a stream, at least 80% of the bandwidth at batch 16.

It has run on a CPU with `--shape tiny`, which shows that it works and nothing else. It has not run on a GPU or a TPU.
"""

import dataclasses
import functools
import gc
import os
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import typer
from flax import nnx
from jax.typing import DTypeLike
from rich.table import Table

from benchmarks import display, machine
from benchmarks.attention_error import LIMITS, backends, errors
from serving.engine.attention.backend import page_bytes
from serving.engine.attention.choice import usual_page_size
from serving.engine.attention.reference import ReferenceAttention
from serving.engine.engine import Engine
from serving.engine.loading import Loaded, choose_attention, plan_layout
from serving.engine.lowering import abstract_decoder
from serving.engine.options import EngineOptions
from serving.engine.request import Delta, EngineDescription, EngineStats, GenerationRequest, SamplingParams
from serving.engine.runner import Runner
from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from serving.models.shapes import published_shape
from sharding.layout import Layout

TINY = DecoderConfig(
    vocab_size=256, hidden_size=64, layers=2, heads=4, kv_heads=2, head_dim=16, mlp_size=128, max_position=4096
)
PROBES = 8
"""Prompts whose first token is waited for, one after another."""


@dataclass(frozen=True)
class Workload:
    """Streams that fill a cache."""

    batch: int
    context: int  # tokens of each
    reply: int  # of which so many are drawn
    prompt: int  # tokens of the prompts whose first token is waited for


@dataclass(frozen=True)
class Card:
    """What the device does at best: bytes a second, copied, and operations a second, in one large product."""

    copy: float
    products: float


@dataclass(frozen=True)
class Speed:
    """What an engine did with a workload."""

    step: float  # seconds of a decode step
    read: float  # bytes that it has to read
    first_tokens: list[float]  # seconds
    prefill: float  # prompt tokens a second, while streams that have begun decode

    @property
    def bandwidth(self) -> float:
        """Bytes a second."""
        return self.read / self.step


def random_decoder(layout: Layout, dtype: DTypeLike) -> Decoder:
    """A decoder whose weights are made where they lie, one by one."""

    @functools.cache
    def maker(shape: tuple[int, ...], sharding: jax.sharding.Sharding) -> Callable[[jax.Array], jax.Array]:
        def make(key: jax.Array) -> jax.Array:
            if len(shape) == 1:
                return jnp.ones(shape, dtype)
            return jax.random.normal(key, shape, dtype) * jnp.asarray(shape[-2] ** -0.5, dtype)

        return jax.jit(make, out_shardings=sharding)

    graph, state = nnx.split(abstract_decoder(layout, dtype))
    leaves, tree = jax.tree.flatten(state)
    keys = jax.random.split(jax.random.key(0), len(leaves))
    made = [maker(leaf.shape, leaf.sharding)(key) for leaf, key in zip(leaves, keys, strict=True)]
    return nnx.merge(graph, jax.tree.unflatten(tree, made))


class MeasuredEngine:
    """An engine in this process whose deltas are kept with the time of their coming."""

    def __init__(self, decoder: Decoder, layout: Layout, options: EngineOptions, workload: Workload, dtype: DTypeLike):
        self._vocabulary = layout.config.vocab_size
        pages = workload.batch * workload.context // options.page_size
        attention, _ = choose_attention(options, layout, dtype, workload.context)
        runner = Runner(
            decoder, options, layout, attention, pages=pages, max_context=workload.context,
            step_tokens=options.step_tokens,
        )  # fmt: skip
        runner.programs.start(lambda done, total: None)
        runner.programs.wait_essential()  # the two that a full batch needs
        runner.programs.cancel()
        description = EngineDescription(
            model="", max_context=workload.context, vocab_size=self._vocabulary, max_rows=workload.batch,
            page_size=options.page_size, pages=pages, dtype=jnp.dtype(dtype).name, platform=jax.default_backend(),
            fingerprint="",
        )  # fmt: skip
        self._engine = Engine(Loaded(runner, description, runner.step_tokens), options)
        self._news: queue.SimpleQueue[tuple[float, list[Delta]]] = queue.SimpleQueue()
        self._engine.start(self._publish)
        self.arrivals: dict[str, list[tuple[float, int]]] = {}  # of each request: when came how many tokens
        self.ended: dict[str, Delta] = {}

    def _publish(self, deltas: list[Delta], stats: EngineStats) -> None:
        self._news.put((time.monotonic(), deltas))

    def submit(self, name: str, number: int, prompt: int, reply: int) -> None:
        """Asks for a reply to a prompt of tokens that its number makes its own."""
        tokens = tuple(np.random.default_rng(number).integers(self._vocabulary, size=prompt).tolist())
        sampling = SamplingParams(max_tokens=reply, temperature=0, ignore_eos=True)
        self._engine.submit(GenerationRequest(name, tokens, sampling))
        self.arrivals[name] = []

    def cancel(self, name: str) -> None:
        """Ends a request."""
        self._engine.cancel(name)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Takes in what the engine says until `done`."""
        while not done():
            moment, deltas = self._news.get()
            for delta in deltas:
                if delta.error:
                    raise RuntimeError(f"request {delta.id}: {delta.error}") from self._engine.failed
                if delta.tokens:
                    self.arrivals[delta.id].append((moment, len(delta.tokens)))
                if delta.finish_reason:
                    self.ended[delta.id] = delta

    def stop(self) -> None:
        """Ends the engine."""
        self._engine.stop()


def serve(engine: MeasuredEngine, workload: Workload, weights: int, token: int) -> Speed:
    """Fills the batch and lets it decode; then again but for one row, through which prompts pass.

    Args:
        weights: bytes of weights that a decode step reads.
        token: bytes of one token's keys and values.
    """
    batch = [f"stream {number}" for number in range(workload.batch)]
    began = time.monotonic()
    for number, name in enumerate(batch):
        engine.submit(name, number, workload.context - workload.reply, workload.reply)
    engine.run_until(lambda: engine.ended.keys() >= set(batch))
    together = max(engine.arrivals[name][0][0] for name in batch)
    parting = min(engine.arrivals[name][-1][0] for name in batch)
    drawn = [sum(count for at, count in engine.arrivals[name] if together < at <= parting) for name in batch]
    step = (parting - together) / machine.quantile(drawn, 0.5)
    contexts = sum(
        workload.context - workload.reply + count / 2 + sum(n for at, n in engine.arrivals[name] if at <= together)
        for name, count in zip(batch, drawn, strict=True)
    )

    others = [f"again {number}" for number in range(workload.batch - 1)]
    for number, name in enumerate(others):
        engine.submit(name, number, workload.context - workload.reply, workload.reply)
    engine.run_until(lambda: all(engine.arrivals[name] for name in others))
    first_tokens = []
    for number in range(PROBES):
        engine.submit(probe := f"probe {number}", workload.batch + number, workload.prompt, 1)
        engine.run_until(lambda probe=probe: probe in engine.ended)
        timings = engine.ended[probe].timings
        first_tokens.append(timings.first_token - timings.arrived)
    for name in others:
        engine.cancel(name)
    engine.run_until(lambda: engine.ended.keys() >= set(others))
    read_prompts = workload.batch * (workload.context - workload.reply) / (together - began)
    return Speed(step, weights + token * contexts, first_tokens, read_prompts)


def card(small: bool) -> Card:
    """The device's ceilings, the best of several runs each."""
    dtype = jnp.float32 if small else jnp.bfloat16
    edge = 512 if small else 8192
    held = jnp.arange(2**24 if small else 2**30).astype(dtype)
    factor = jax.random.normal(jax.random.key(0), (edge, edge), dtype)

    def seconds(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> float:
        run, best = jax.jit(function), float("inf")
        run(x).block_until_ready()
        for _ in range(10):
            began = time.perf_counter()
            run(x).block_until_ready()
            best = min(best, time.perf_counter() - began)
        return best

    return Card(2 * held.nbytes / seconds(lambda x: x + 1, held), 2 * edge**3 / seconds(lambda x: x @ x, factor))


def measure(config: DecoderConfig, workloads: list[Workload], options: EngineOptions, small: bool) -> list[Speed]:
    """Serves each workload with one decoder."""
    dtype = jnp.dtype(options.dtype)
    layout = plan_layout(config, options, jax.devices())
    decoder = random_decoder(layout, dtype)
    held = nnx.state(decoder)
    table = 0 if config.tied_embeddings else decoder.embed.embedding[...].nbytes  # a row of it is read, no more
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(held)) - table
    token = page_bytes(ReferenceAttention(), layout.config, 1, dtype)
    found = []
    for workload in workloads:
        engine = MeasuredEngine(decoder, layout, dataclasses.replace(options, max_rows=workload.batch), workload, dtype)
        found.append(serve(engine, workload, weights, token))
        engine.stop()
        del engine  # with its cache, before there is another
        gc.collect()
    return found


def main(
    shape: Annotated[list[str], typer.Option(help="Published shapes, or tiny.")] = ["40gb", "llama3-8b"],  # noqa: B006
    batch: Annotated[list[int], typer.Option(help="Streams that share the cache.", min=2)] = [8, 16],  # noqa: B006
    tokens: Annotated[int, typer.Option(help="Tokens of the cache.", min=256)] = 131_072,
    reply: Annotated[int, typer.Option(help="Tokens of each stream that are drawn.", min=2)] = 512,
    prompt: Annotated[int, typer.Option(help="Tokens of the prompts whose first token is waited for.")] = 512,
    attention: Annotated[str, typer.Option(help="The engine's option.")] = "auto",
    mesh: Annotated[str, typer.Option(help="The engine's option.")] = "tensor=1",
) -> None:
    """Print how right, how soon and how fast."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.92")  # weights and cache fill a card of 80 GB
    platform, kind = jax.default_backend(), jax.devices()[0].device_kind
    small = platform == "cpu"
    dtype = "float32" if small else "bfloat16"
    options = EngineOptions(
        mesh=mesh, attention=attention, dtype=dtype, page_size=usual_page_size(platform),
        step_tokens=min(512, prompt), decode_steps=4,
    )  # fmt: skip
    configs = {name: TINY if name == "tiny" else published_shape(name) for name in shape}
    if unknown := [name for name, config in configs.items() if config is None]:
        raise typer.BadParameter(f"there is no shape {unknown[0]}")
    workloads = [Workload(streams, tokens // streams, reply, prompt) for streams in batch]
    for workload in workloads:
        if reply <= (last := workload.batch * -(-(workload.context - reply) // options.step_tokens)):
            raise typer.BadParameter(
                f"the first of {workload.batch} streams has drawn {last} tokens when the last one's prompt is read; "
                f"with --tokens {tokens} and --prompt {prompt}, --reply has to be more than that"
            )
    out, limits = display.console(), card(small)
    out.print(f"{machine.title(machine.describe())}; {len(jax.devices())} x {kind}, JAX {jax.__version__}")
    out.print(f"copies {limits.copy / 1e9:,.0f} GB/s, multiplies {limits.products / 1e12:,.1f} TFLOP/s in {dtype}")
    wrong = False
    checked = Table("backend", "shape", "attention", "rows", "prompts", title="relative error against the reference")
    speeds = Table(
        "shape", "streams x context", "tokens/s a stream", "step, ms", "GB read a step", "GB/s", "of copying",
        "first token, ms: median, worst", "prompts, tokens/s", "of multiplying", title="an engine with random weights",
    )  # fmt: skip
    for name, config in configs.items():
        for backend, one in backends(platform).items():
            for attended, parts in errors(one, config, dtype, 128 if small else 4096).items():
                wrong |= max(parts) > LIMITS[dtype]
                checked.add_row(backend, name, attended, *(f"{part:.1e}" for part in parts))
        products = 2 * (_parameters(config) - config.vocab_size * config.hidden_size)
        for workload, speed in zip(workloads, measure(config, workloads, options, small), strict=True):
            speeds.add_row(
                name, f"{workload.batch} x {workload.context:,}", f"{1 / speed.step:,.1f}", f"{1e3 * speed.step:,.2f}",
                f"{speed.read / 1e9:,.2f}", f"{speed.bandwidth / 1e9:,.0f}", f"{speed.bandwidth / limits.copy:.0%}",
                f"{1e3 * machine.quantile(speed.first_tokens, 0.5):,.0f}, {1e3 * max(speed.first_tokens):,.0f}",
                f"{speed.prefill:,.0f}", f"{speed.prefill * products / limits.products:.0%}",
            )  # fmt: skip
    out.print(checked)
    out.print(speeds)
    if wrong:
        raise SystemExit("attention differs from the reference by more than arithmetic does")


def _parameters(config: DecoderConfig) -> int:
    state = nnx.state(nnx.eval_shape(lambda: Decoder(config, rngs=nnx.Rngs(0))), nnx.Param)
    return sum(leaf.size for leaf in jax.tree.leaves(state))


if __name__ == "__main__":
    typer.run(main)
