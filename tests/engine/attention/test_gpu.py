"""The GPU's backend, its decode kernel interpreted, against the reference."""

import jax.numpy as jnp
import numpy as np
import pytest

from serving.engine.attention.backend import Demand
from serving.engine.attention.gpu import GPUAttention
from serving.engine.attention.reference import ReferenceAttention
from serving.models.config import AttentionSpec, DecoderConfig
from tests.engine.attention.two_steps import two_steps

INTERPRETED = GPUAttention(interpret=True, fused="xla")
SINKS = np.arange(6, dtype=np.float32)


@pytest.mark.parametrize(
    ("spec", "sinks"),
    [
        (AttentionSpec(0.3), None),  # both kernels
        (AttentionSpec(0.3, soft_cap=2.0), None),  # the decode kernel, prompts as the reference does
        (AttentionSpec(0.3, window=6), None),  # cuDNN's part, rows as the reference does
        (AttentionSpec(0.3), SINKS),  # neither
    ],
)
def test_it_agrees_with_the_reference(spec, sinks):
    expected = two_steps(ReferenceAttention(), spec, sinks=sinks)
    np.testing.assert_allclose(two_steps(INTERPRETED, spec, sinks=sinks), expected, atol=1e-5, rtol=0)


def demand(**changes) -> Demand:
    config = DecoderConfig(
        vocab_size=8, hidden_size=8, layers=4, heads=8, kv_heads=8, head_dim=changes.pop("head_dim", 128), mlp_size=8,
        max_position=64,
    )  # fmt: skip
    usual = {"config": config, "kv_heads": 8, "page_size": 16, "dtype": jnp.bfloat16, "sequences": 96, "context": 8192}
    return Demand(**usual | changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"dtype": jnp.float32}, "dtype is float32; its kernels accept bfloat16 and float16"),
        ({"head_dim": 96}, "head_dim is 96; its kernels accept 16, 32, 64, 128"),
        ({"page_size": 24}, "page_size is 24; its kernels accept 8, 16, 32, 64, 128"),
        ({}, None),
    ],
)
def test_what_its_kernels_cannot_do_is_said(changes, problem):
    assert GPUAttention().problem(demand(**changes)) == problem
