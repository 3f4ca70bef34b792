"""Micro-batches through stages: everything comes through once, in order, and idle ticks leave no trace."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from sharding.collectives import collectives
from sharding.mesh import MeshSpec, build_mesh
from sharding.pipeline import WORTHWHILE_TOKENS, micro_batches, pipelined

WIDTH = 4


@pytest.mark.parametrize(("stages", "count"), [(2, 1), (2, 4), (4, 3)])
def test_every_micro_batch_passes_every_stage(stages, count):
    mesh = build_mesh(MeshSpec(pipeline=stages, tensor=2), jax.devices())
    along = NamedSharding(mesh, PartitionSpec("pipeline"))
    weights = jax.device_put(jnp.arange(2.0, 2 + stages), along)
    seen = jax.device_put(jnp.zeros((stages, count + 1)), along)
    x = np.random.default_rng(0).normal(size=(count, 3, WIDTH)).astype(np.float32)
    added = np.arange(count, dtype=np.float32)

    def stage(weight, batch, seen, live):
        x, number = batch
        place = jnp.where(live, number.astype(int), count)
        return x * weight + number, seen.at[0, place].add(1)

    run = jax.jit(lambda weights, seen, x: pipelined(stage, mesh, weights, added, seen, x))
    made, seen = run(weights, seen, x)

    expected = x
    for weight in range(2, 2 + stages):
        expected = expected * weight + added[:, None, None]
    np.testing.assert_allclose(made, expected, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(seen)[:, :count], 1)  # written by live ticks alone


def test_stages_talk_once_a_tick():
    stages, count = 4, 2
    mesh = build_mesh(MeshSpec(pipeline=stages), jax.devices())
    along = NamedSharding(mesh, PartitionSpec("pipeline"))
    weights, state = (jax.device_put(jnp.ones(stages), along) for _ in range(2))

    def run(weights, state, x):
        return pipelined(
            lambda weight, batch, state, live: (batch[0] * weight, state), mesh, weights, jnp.ones(count), state, x
        )

    compiled = jax.jit(run).lower(weights, state, jnp.ones((count, 3, WIDTH))).compile()
    permutes = [one for one in collectives(compiled.as_text()) if one.kind == "collective-permute"]
    assert (count + stages - 1, 3 * WIDTH * 4) in [(one.times, one.bytes) for one in permutes]


def test_how_a_step_is_divided():
    assert micro_batches(1, 16, 32, 16) == 1
    assert micro_batches(4, 16, 0, 16) == 1  # a stage reads its weights as long for four rows as for sixteen
    many = 64 * WORTHWHILE_TOKENS // 16
    assert micro_batches(4, 64, many, 16) == 64
    assert micro_batches(4, 64, many, 16, wanted=8) == 8
    assert micro_batches(4, 6, 0, 16, wanted=4) == 2  # what divides the rows too
