"""What the TPU compiler says of an engine's step programs on a topology, asked on any machine.

libtpu brings XLA:TPU and Mosaic, and compiles for slices that it has never seen; nothing is run. The programs are those
that an engine on that slice would compile (`serving.engine.lowering`).
"""

import contextlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.stages import Compiled as Program
from jax.stages import Lowered

from serving.engine.loading import choose_attention
from serving.engine.lowering import abstract_decoder, abstract_state, lower_step, paging, step_program
from serving.engine.options import EngineOptions
from serving.engine.step import StepShape
from serving.models.config import DecoderConfig
from serving.process.libtpu import only_compile
from sharding.collectives import Collective, collectives
from sharding.layout import Layout
from sharding.mesh import MeshSpec
from sharding.rules import Rules
from sharding.topology import Topology


@dataclass(frozen=True, slots=True)
class Compiled:
    """Two programs of an engine, as one device runs them.

    Attributes:
        arguments: bytes that weights, cache and tables take.
        temporaries: bytes beside those, of the program that needs more.
        decode_code, mixed_code: bytes of the programs themselves.
        decode: collectives of a step in which all streams draw a token.
        mixed: collectives of a step that also reads a chunk of a prompt.
    """

    arguments: int
    temporaries: int
    decode_code: int
    mixed_code: int
    decode: tuple[Collective, ...]
    mixed: tuple[Collective, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """Which programs: the largest two of an engine.

    Attributes:
        streams: rows of both.
        context: tokens of the longest sequence.
        blocks: pages of prompts in the second.
        page_size: tokens in a page of the cache.
        pages: of the cache.
    """

    streams: int
    context: int
    blocks: int
    page_size: int
    pages: int


def compiler_is_there() -> bool:
    """Whether libtpu is installed."""
    return importlib.util.find_spec("libtpu") is not None


def tpu_devices(topology: Topology) -> list[jax.Device]:
    """The devices of a TPU topology, to compile for. Nothing can be put on them."""
    only_compile()
    alone = {"chips_per_host_bounds": (1, 1, 1)} if topology.chips == 1 else {}
    described = topologies.get_topology_desc(topology_name=topology.name, platform="tpu", **alone)
    return list(described.devices)


def lowered_steps(
    config: DecoderConfig, topology: Topology, mesh: MeshSpec, rules: Rules, steps: Steps
) -> tuple[Lowered, Lowered]:
    """The decode program and the mixed one of an engine in bfloat16 on the mesh of one replica."""
    layout = Layout.plan(config, mesh, rules, tpu_devices(topology))
    options = EngineOptions(
        max_rows=steps.streams, page_size=steps.page_size, step_tokens=steps.blocks * steps.page_size
    )
    attention, _ = choose_attention(options, layout, jnp.bfloat16, steps.context)
    pages = paging(steps.pages, steps.page_size, steps.context, attention)
    program, weights = step_program(abstract_decoder(layout, jnp.bfloat16), options, layout, pages)
    state = abstract_state(layout, steps.streams, pages, jnp.bfloat16)
    with jax.sharding.use_abstract_mesh(layout.mesh.abstract_mesh):  # by which kernels know the chip
        decode, mixed = (
            lower_step(program, StepShape(steps.streams, blocks), weights, state) for blocks in (0, steps.blocks)
        )
    return decode, mixed


def compile_steps(
    config: DecoderConfig, topology: Topology, mesh: MeshSpec, rules: Rules, steps: Steps
) -> tuple[Program, Program]:
    """The same compiled. Raises jax.errors.JaxRuntimeError where they need more memory than there is.

    One after the other: libtpu 0.0.42 now and then crashes in a process that compiles two at once.
    """
    decode, mixed = lowered_steps(config, topology, mesh, rules, steps)
    with _not_cached():
        return decode.compile(), mixed.compile()


def read(decode: Program, mixed: Program) -> Compiled:
    """What both programs need and send."""
    analyses = [program.memory_analysis() for program in (decode, mixed)]
    return Compiled(
        arguments=max(one.argument_size_in_bytes for one in analyses),
        temporaries=max(
            one.temp_size_in_bytes + one.output_size_in_bytes - one.alias_size_in_bytes for one in analyses
        ),
        decode_code=analyses[0].generated_code_size_in_bytes,
        mixed_code=analyses[1].generated_code_size_in_bytes,
        decode=tuple(collectives(decode.as_text())),
        mixed=tuple(collectives(mixed.as_text())),
    )


@contextlib.contextmanager
def _not_cached() -> Iterator[None]:
    """Keeps JAX from writing to its cache on disk, where there is one: it can read no program there but for devices
    that it has."""
    option = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, option)
    jax.config.update(option, float("inf"))
    try:
        yield
    finally:
        jax.config.update(option, before)
