"""Attention backends on devices that each hold some of the heads, and some of the layers."""

import jax
import numpy as np
import pytest

from serving.engine.attention.reference import ReferenceAttention
from serving.models.config import AttentionSpec, DecoderConfig
from sharding.layout import Layout
from sharding.mesh import MeshSpec
from sharding.rules import Rules
from tests.engine.attention.test_gpu import INTERPRETED
from tests.engine.attention.two_steps import two_steps
from tests.sharding.test_engine import DENSE, decoder_of, of_one_device, replies

CONFIG = DecoderConfig(
    vocab_size=8, hidden_size=8, layers=2, heads=8, kv_heads=4, head_dim=16, mlp_size=8, max_position=64
)


@pytest.mark.parametrize("backend", [ReferenceAttention(), INTERPRETED])
@pytest.mark.parametrize("window", [None, 20])
def test_each_device_attends_with_its_heads(backend, window):
    layout = Layout.plan(CONFIG, MeshSpec(tensor=4), Rules(), jax.devices())
    shape = {"heads": CONFIG.heads, "kv_heads": CONFIG.kv_heads, "head_dim": CONFIG.head_dim}
    spec = AttentionSpec(0.3, window=window)
    whole = two_steps(ReferenceAttention(), spec, **shape)
    np.testing.assert_allclose(two_steps(backend, spec, **shape, per_device=layout.per_device), whole, atol=1e-5)


@pytest.mark.usefixtures("quick_compiler")
def test_the_gpu_s_backend_inside_pipeline_stages():
    """Interpreted; the tokens are those of one device with the reference."""
    got = replies(decoder_of(DENSE), "pipeline=2,tensor=2", jax.devices(), INTERPRETED, micro_batches=2)
    assert got == of_one_device(DENSE)
