"""Step programs on their way to the compiler: for an engine's arrays, or for their shapes alone."""

import functools
from typing import Any

import jax
from flax import nnx
from jax.stages import Lowered
from jax.typing import DTypeLike

from serving.engine.attention.backend import AttentionBackend
from serving.engine.options import EngineOptions
from serving.engine.step import DeviceState, Paging, StepProgram, StepShape, packed_views
from serving.models.decoder import Decoder
from sharding.layout import Layout, logical_axes


def paging(pages: int, page_size: int, max_context: int, attention: AttentionBackend) -> Paging:
    """A cache of so many pages for sequences up to `max_context` tokens."""
    longest, multiple = -(-max_context // page_size), attention.table_pages(page_size)
    return Paging(pages, page_size, -(-longest // multiple) * multiple, attention)


def step_program(decoder: Decoder, options: EngineOptions, layout: Layout, pages: Paging) -> tuple[StepProgram, tuple]:
    """The step function of a decoder that lies as `layout` says, and the weights that it is called with."""
    graph, weights = nnx.split(decoder)
    leaves, treedef = jax.tree.flatten(weights)
    program = StepProgram(graph, treedef, pages, options.decode_steps, layout, micro_batches=options.micro_batches)
    return program, tuple(leaves)


def lower_step(program: StepProgram, shape: StepShape, weights: Any, state: DeviceState) -> Lowered:
    """The program for one shape; `compile()` goes on from there. Arrays may be shapes with types and shardings."""
    layout = program.layout
    held = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), (weights, state))
    packed, _ = packed_views(shape, program.paging)
    inputs = jax.ShapeDtypeStruct(packed.shape, packed.dtype, sharding=layout.replicated)
    step = functools.partial(program, shape=shape)
    outputs = (DeviceState.shardings(layout, program.paging.attention), layout.replicated)
    return jax.jit(step, donate_argnums=1, out_shardings=outputs).lower(*held, inputs)


def abstract_decoder(layout: Layout, dtype: DTypeLike) -> Decoder:
    """The decoder that runs on a layout, with shapes, types and shardings in place of its weights."""
    run = nnx.eval_shape(
        lambda: Decoder(layout.stage_config, dtype=dtype, rngs=nnx.Rngs(0), per_device=layout.per_device)
    )
    graph, state = nnx.split(run)

    def of(path: tuple, variable: nnx.Variable) -> nnx.Variable:
        held, axes = variable.get_value(), logical_axes(variable)
        shape = held.shape
        if layout.stages > 1 and path[0] == "layers":
            shape, axes = (layout.stages, *shape), ("layers", *axes)
        sharding = layout.even_sharding(".".join(map(str, path)), shape, axes)
        return variable.replace(jax.ShapeDtypeStruct(shape, held.dtype, sharding=sharding))

    return nnx.merge(graph, nnx.map_state(of, state))


def abstract_state(layout: Layout, slots: int, pages: Paging, dtype: DTypeLike) -> DeviceState:
    """What an engine keeps on its devices between steps, as shapes, types and shardings."""
    empty = functools.partial(DeviceState.zeros, layout.config, slots, pages, dtype)
    return jax.tree.map(
        lambda held, sharding: jax.ShapeDtypeStruct(held.shape, held.dtype, sharding=sharding),
        jax.eval_shape(empty),
        DeviceState.shardings(layout, pages.attention),
    )
