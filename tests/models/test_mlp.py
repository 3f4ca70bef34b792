"""A mixture of experts against the sum written out, for few tokens and many, and for experts that nobody chose."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from serving.models.config import DecoderConfig, ExpertsConfig
from serving.models.mlp import ExpertsMLP, gated

CONFIG = DecoderConfig(
    vocab_size=8,
    hidden_size=16,
    layers=1,
    heads=1,
    kv_heads=1,
    head_dim=16,
    mlp_size=16,
    max_position=8,
    experts=ExpertsConfig(count=8, per_token=3, mlp_size=12, normalised=False),
)


def written_out(mlp: ExpertsMLP, x: jax.Array) -> np.ndarray:
    """Every expert for every token, weighted by what the router gives it."""
    shares = np.asarray(jax.nn.softmax(mlp.router(x)))
    out = np.zeros(x.shape, np.float32)
    for token, share in enumerate(shares):
        chosen = np.argsort(-share)[: mlp.config.per_token]
        total = share[chosen].sum() if mlp.config.normalised else 1.0
        for expert in chosen:
            gate, up = (x[token] @ part.kernel[...][expert] for part in (mlp.gate, mlp.up))
            out[token] += share[expert] / total * (gated(gate, up, mlp.activation) @ mlp.down.kernel[...][expert])
    return out


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("tokens", [1, 2, 40])
def test_it_equals_the_sum_written_out(tokens, normalised):
    experts = dataclasses.replace(CONFIG.experts, normalised=normalised)
    mlp = ExpertsMLP(dataclasses.replace(CONFIG, experts=experts), dtype=jnp.float32, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(tokens), (tokens, CONFIG.hidden_size))
    np.testing.assert_allclose(mlp(x), written_out(mlp, x), atol=1e-5)


def test_tokens_may_lie_in_any_shape():
    mlp = ExpertsMLP(CONFIG, dtype=jnp.float32, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (2, 3, CONFIG.hidden_size))
    np.testing.assert_allclose(mlp(x).reshape(6, -1), mlp(x.reshape(6, -1)), atol=1e-6)


def test_bfloat16_stays_near_float32():
    mlp = ExpertsMLP(CONFIG, dtype=jnp.float32, rngs=nnx.Rngs(0))
    narrow = ExpertsMLP(CONFIG, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    nnx.update(narrow, jax.tree.map(lambda x: x.astype(jnp.bfloat16), nnx.state(mlp)))
    x = jax.random.normal(jax.random.key(2), (16, CONFIG.hidden_size))
    out = narrow(x.astype(jnp.bfloat16))
    assert out.dtype == jnp.bfloat16
    np.testing.assert_allclose(out.astype(jnp.float32), mlp(x), atol=0.05)
