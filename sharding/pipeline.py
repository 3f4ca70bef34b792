"""Pipeline parallelism: stages of layers on different devices, through which micro-batches pass one behind another.

In every tick each stage takes what the one before it made in the last tick. With m micro-batches and s stages that are
m + s - 1 ticks, of which each stage works in m (arXiv 1811.06965).
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, PartitionSpec

AXIS = "pipeline"

WORTHWHILE_TOKENS = 256
"""Tokens of a micro-batch below which a stage takes no less time for fewer, because its weights have to be read anyway:
about the operations per byte at which the matrix units of accelerators are busy, with weights of two bytes."""

Stage = Callable[[Any, Any, Any, jax.Array | bool], tuple[jax.Array, Any]]
"""stage(weights, micro-batch, state, live) -> (x, state): one stage's layers over one micro-batch.

`live` is false in ticks in which the stage has nothing to do; it then must leave the state as good as it was.
"""


def micro_batches(stages: int, rows: int, blocks: int, block_tokens: int, wanted: int = 0) -> int:
    """Into how many micro-batches a step of `rows` tokens and `blocks` blocks of them is divided.

    The number of least time, ticks times a tick's length, that divides rows and blocks; or the largest that divides
    them and `wanted`, where that is given.
    """
    if stages == 1:
        return 1
    if wanted:
        return math.gcd(wanted, rows, blocks)
    tokens = rows + blocks * block_tokens

    def time(parts: int) -> tuple[float, int]:
        return (parts + stages - 1) * max(tokens / parts, WORTHWHILE_TOKENS), parts

    most = math.gcd(rows, blocks)
    return min((parts for parts in range(1, most + 1) if most % parts == 0), key=time)


def pipelined(stage: Stage, mesh: Mesh, weights: Any, batches: Any, state: Any, x: jax.Array) -> tuple[jax.Array, Any]:
    """All micro-batches through all stages.

    Args:
        stage: see Stage; its micro-batch is (x, one of `batches`).
        mesh: with an axis named AXIS; what its other axes cut, the stage's own program says.
        weights: a tree of arrays with a first axis of one entry a stage.
        batches: a tree of arrays with a first axis of micro-batches.
        state: a tree of arrays whose first axis is cut into one part a stage.
        x: [micro-batches, tokens, embed], what the first stage reads.

    Returns: the last stage's x, [micro-batches, tokens, embed], and the state.
    """
    stages, count = mesh.shape[AXIS], len(x)
    ahead = [(number, number + 1) for number in range(stages - 1)]

    def on_stage(weights: Any, batches: Any, state: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        number = lax.axis_index(AXIS)
        own = jax.tree.map(lambda held: held[0], weights)

        def tick(time: jax.Array, carry: tuple[jax.Array, jax.Array, Any]) -> tuple[jax.Array, jax.Array, Any]:
            received, made, state = carry
            live = (time >= number) & (time - number < count)
            index = jnp.clip(time - number, 0, count - 1)
            batch = jax.tree.map(lambda held: held[index], batches)
            entering = jnp.where(number == 0, x[index], received)
            leaving, state = stage(own, (entering, batch), state, live)
            made = jnp.where(live, made.at[index].set(leaving), made)
            return lax.ppermute(leaving, AXIS, ahead), made, state

        start = (jnp.zeros_like(x[0]), jnp.zeros_like(x), state)
        _, made, state = lax.fori_loop(0, count + stages - 1, tick, start)
        return made[None], state

    by_stage, whole = PartitionSpec(AXIS), PartitionSpec()
    made, state = jax.shard_map(
        on_stage,
        mesh=mesh,
        in_specs=(by_stage, whole, by_stage, whole),
        out_specs=(by_stage, by_stage),
        axis_names={AXIS},
        check_vma=False,
    )(weights, batches, state, x)
    return made[-1], state
