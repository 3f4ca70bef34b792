"""Attention over packed rows sees the past of the same sequence and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from serving.models.config import AttentionSpec
from training.attention import packed_attention
from training.step import initial_params, token_losses


@pytest.mark.parametrize("length", [16, 15])  # in query blocks, and where four blocks do not fit
def test_it_equals_masked_attention_written_out(length: int) -> None:
    rng = np.random.default_rng(0)
    q, k, v = (jnp.asarray(rng.normal(size=(2, length, heads, 8)), jnp.float32) for heads in (4, 2, 2))
    segments = jnp.asarray(np.sort(rng.integers(1, 4, size=(2, length))))
    spec = AttentionSpec(scale=8**-0.5)
    out, cache = jax.jit(lambda q, k, v: packed_attention(segments)(q, k, v, None, 0, spec, None))(q, k, v)
    scores = jnp.einsum("bqhd,bshd->bhqs", q, jnp.repeat(k, 2, axis=2)) / jnp.sqrt(8)
    visible = jnp.tril(jnp.ones((length, length), bool)) & (segments[:, :, None] == segments[:, None])
    weights = jax.nn.softmax(jnp.where(visible[:, None], scores, -jnp.inf))
    np.testing.assert_allclose(out, jnp.einsum("bhqs,bshd->bqhd", weights, jnp.repeat(v, 2, axis=2)), atol=1e-5)
    assert cache is None


def test_a_packed_sequences_losses_are_those_it_has_alone(recipe) -> None:
    config = recipe.model.decoder_config()
    params = initial_params(config, 0)
    tokens = jnp.asarray(np.random.default_rng(1).integers(0, 400, size=(1, 64)))
    losses = jax.jit(token_losses, static_argnames="config")  # one compilation, not one an operation
    packed = losses(params, config, tokens, jnp.asarray([[1] * 24 + [2] * 40]))
    alone = losses(params, config, tokens[:, 24:], jnp.ones((1, 40), int))
    np.testing.assert_allclose(packed[0, 25:], alone[0, 1:], atol=1e-4)
