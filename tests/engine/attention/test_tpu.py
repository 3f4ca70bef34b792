"""The TPU's backend against the reference, with what the library says that its kernel computes in the kernel's place.

The kernel itself is compiled in tests/tpu.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas.ops.tpu.ragged_paged_attention import ref_ragged_paged_attention

from serving.engine.attention.backend import page_bytes
from serving.engine.attention.reference import ReferenceAttention
from serving.engine.attention.tpu import TPUAttention
from serving.models.config import AttentionSpec
from tests.engine.attention.test_gpu import demand
from tests.engine.attention.two_steps import two_steps


def as_the_library_says(*arguments, num_kv_pages_per_block, num_queries_per_block, vmem_limit_bytes, **options):
    """The library's own reference of the kernel, which has no tiles."""
    assert 0 < num_kv_pages_per_block <= arguments[3].shape[1]
    assert 0 < num_queries_per_block <= len(arguments[0])
    return ref_ragged_paged_attention(*arguments, **options)


@pytest.mark.parametrize(
    ("spec", "sinks"),
    [
        (AttentionSpec(0.3), None),
        (AttentionSpec(0.3, window=6, soft_cap=2.0), None),
        (AttentionSpec(0.3), np.arange(6, dtype=np.float32)),  # as the reference does
    ],
)
def test_it_agrees_with_the_reference(spec, sinks):
    backend = TPUAttention(kernel=as_the_library_says)
    expected = two_steps(ReferenceAttention(), spec, sinks=sinks)
    np.testing.assert_allclose(two_steps(backend, spec, sinks=sinks, jit=False), expected, atol=1e-5, rtol=0)


def test_heads_are_held_in_whole_registers():
    config = demand(head_dim=64).config
    held = page_bytes(TPUAttention(), config, 16, jnp.bfloat16)
    assert held == 2 * page_bytes(ReferenceAttention(), config, 16, jnp.bfloat16) == 4 * 16 * 2 * 8 * 128 * 2


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"dtype": jnp.float16}, "dtype is float16; its kernel accepts bfloat16 and float32"),
        (
            {"kv_heads": 3},
            "a device holds 3 key/value heads; in bfloat16 its kernel accepts 1, 2, 4, 8, 16, 24, 32",
        ),
        (
            {"context": 131_072},
            "its kernel keeps the page table in 524288 bytes, and 96 rows and blocks of 131072 tokens in pages of 16 "
            "take 3145728; raise page_size, or lower max_context or max_rows",
        ),
        ({"kv_heads": 1}, None),
    ],
)
def test_what_its_kernel_cannot_do_is_said(changes, problem):
    assert TPUAttention().problem(demand(**changes)) == problem
