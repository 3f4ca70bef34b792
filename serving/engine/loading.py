"""From a model folder to an engine that can step: types, memory, weights, compiled programs."""

import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import psutil
from flax import nnx
from jax.experimental import multihost_utils
from jax.typing import DTypeLike

from serving.engine.attention.backend import AttentionBackend, Demand, page_bytes
from serving.engine.attention.choice import choose, usual_page_size
from serving.engine.lowering import abstract_decoder
from serving.engine.options import EngineOptions
from serving.engine.request import EngineDescription
from serving.engine.runner import Runner
from serving.models import checkpoint
from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from serving.models.generation_defaults import GenerationDefaults
from serving.process.compiled_programs import keep_compiled_in
from serving.process.libtpu import keep_quiet_without_a_tpu
from serving.process.progress import StartupProgress
from sharding.layout import Layout
from sharding.mesh import MeshSpec
from sharding.rules import Rules

log = logging.getLogger(__name__)

HOST_MEMORY_SHARE = 0.125
"""Of a host's free memory, when the KV cache lives there: enough for long chats, little enough for a laptop."""

DEVICE_MEMORY_SHARE = 0.9
"""Of an accelerator's memory that the weights leave free."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A runner whose essential programs are compiled, and what it turned out to be."""

    runner: Runner
    description: EngineDescription
    step_tokens: int


def load(folder: Path, options: EngineOptions, progress: Callable[[StartupProgress], None]) -> Loaded:
    """Reads the weights, lays out the cache, compiles until any request can be served; the rest goes on behind.

    Raises OSError, UnsupportedModelError, CheckpointError, or ValueError where the options do not fit each other.
    """
    keep_quiet_without_a_tpu()
    keep_compiled_in(options.compilation_cache_dir)
    progress(StartupProgress("loading", message=folder.name))
    config = served_config(DecoderConfig.from_folder(folder), options)
    dtype = _dtype(options.dtype)
    if jax.default_backend() == "cpu" and dtype != jnp.float32:
        log.warning("%s on a CPU is many times slower than float32; --dtype auto computes in float32", dtype.name)
    layout = plan_layout(config, options, jax.devices())
    for note in layout.notes:
        log.info("%s", note)
    platform = layout.mesh.devices.flat[0].platform
    options = dataclasses.replace(options, page_size=options.page_size or usual_page_size(platform))
    decoder = checkpoint.load(folder, config, dtype, layout.place, abstract_decoder(layout, dtype))
    attention, notes = choose_attention(options, layout, dtype, config.max_position)
    for note in notes:
        log.info("%s", note)
    pages = _pages(options, layout, attention, config.max_position)
    context = min(config.max_position, pages * options.page_size)
    runner = Runner(
        decoder, options, layout, attention, pages=pages, max_context=context, step_tokens=_step_tokens(options)
    )
    _compile(runner, progress)
    description = EngineDescription(
        model=folder.name,
        max_context=context,
        vocab_size=config.vocab_size,
        max_rows=options.max_rows,
        page_size=options.page_size,
        pages=pages,
        dtype=jnp.dtype(dtype).name,
        platform=jax.default_backend(),
        fingerprint=checkpoint.fingerprint(folder, f"{jnp.dtype(dtype).name} {config.quantised} {context}"),
        eos_token_ids=GenerationDefaults.from_folder(folder).eos_token_ids,
    )
    return Loaded(runner, description, runner.step_tokens)


def served_config(config: DecoderConfig, options: EngineOptions) -> DecoderConfig:
    """The model as the options have it: its weights' type, and its longest context, by which LongRoPE is chosen."""
    return dataclasses.replace(
        config,
        max_position=min(options.max_context or config.max_position, config.max_position),
        quantised=config.quantised if options.quantise == "none" else options.quantise,
    )


def plan_layout(config: DecoderConfig, options: EngineOptions, devices: Sequence[jax.Device]) -> Layout:
    """Where a model lies, as the options say. Raises ShardingError, with the arithmetic, where that cannot work."""
    mesh = MeshSpec.parse(options.mesh) if options.mesh else None
    rules = Rules.from_file(Path(options.sharding_rules)) if options.sharding_rules else Rules()
    return Layout.plan(config, mesh, rules, devices)


def choose_attention(
    options: EngineOptions, layout: Layout, dtype: DTypeLike, context: int
) -> tuple[AttentionBackend, list[str]]:
    """The attention backend of an engine, and what it leaves to the reference. Raises ValueError where it cannot run.

    Args:
        context: tokens of the longest sequence.
    """
    demand = Demand(
        config=layout.config,
        kv_heads=layout.config.kv_heads // layout.rules.parts("kv_heads", layout.spec),
        page_size=options.page_size,
        dtype=dtype,
        sequences=options.max_rows + _step_tokens(options) // options.page_size,
        context=context,
    )
    return choose(options.attention, layout.mesh.devices.flat[0].platform, demand)


def placed(decoder: Decoder, dtype: DTypeLike, layout: Layout) -> Decoder:
    """A decoder that is in memory already, with its weights on the layout's devices."""
    return nnx.merge(nnx.graphdef(abstract_decoder(layout, dtype)), layout.distribute(nnx.state(decoder)))


def _compile(runner: Runner, progress: Callable[[StartupProgress], None]) -> None:
    essential = runner.programs.ESSENTIAL
    ready = threading.Event()

    def report(done: int, total: int) -> None:
        if not ready.is_set():
            progress(StartupProgress("compiling", min(done, essential), essential, f"{total} step programs in all"))

    progress(StartupProgress("compiling", 0, essential, f"{runner.programs.total} step programs in all"))
    runner.programs.start(report)
    runner.programs.wait_essential()
    ready.set()


def _dtype(name: str) -> jnp.dtype:
    """XLA:CPU is 10 to 20 times slower at small bfloat16 products than at float32 ones; accelerators prefer them."""
    if name == "auto":
        name = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    return jnp.dtype(name)


def _step_tokens(options: EngineOptions) -> int:
    """A CPU takes a second for what an accelerator takes milliseconds for, and others' tokens wait meanwhile."""
    return options.step_tokens or (128 if jax.default_backend() == "cpu" else 512)


def _pages(options: EngineOptions, layout: Layout, attention: AttentionBackend, context: int) -> int:
    """How many pages the cache gets: as told, or what the memory holds up to every row at its longest."""
    if options.pages:
        return options.pages
    shares = layout.rules.parts("kv_heads", layout.spec) * layout.stages
    held = page_bytes(attention, layout.config, options.page_size, _dtype(options.dtype)) // shares
    most = options.max_rows * -(-context // options.page_size)
    pages = _least(int(min(most, _kv_memory(options) // held)))
    if pages < 1:
        raise ValueError(
            f"the KV cache may take {_kv_memory(options):.0f} bytes, but one page takes {held} on each device; "
            "raise kv_memory"
        )
    return pages


def _least(pages: int) -> int:
    """The fewest pages among the processes of a replica, whose hosts may have different memory free."""
    if jax.process_count() == 1:
        return pages
    return int(multihost_utils.process_allgather(np.int32(pages)).min())


def _kv_memory(options: EngineOptions) -> float:
    """Bytes for the KV cache."""
    if options.kv_memory > 1:
        return options.kv_memory
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        free = stats["bytes_limit"] - stats.get("bytes_in_use", 0)
        return free * (options.kv_memory or DEVICE_MEMORY_SHARE)
    return _free_host_memory() * (options.kv_memory or HOST_MEMORY_SHARE)


def _free_host_memory() -> int:
    """Bytes of memory that programs may still take (Linux's own estimate where there is one)."""
    return psutil.virtual_memory().available
