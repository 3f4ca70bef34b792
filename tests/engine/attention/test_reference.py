"""The reference attention: what lies before a window is not read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from serving.engine.attention.backend import attending
from serving.engine.attention.reference import PagedKV, ReferenceAttention
from serving.engine.attention.spans import SPAN_TOKENS, span_pages
from serving.engine.attention.view import PageView
from serving.models.config import AttentionSpec
from serving.models.per_device import on_one_device

PAGE, HEADS, KV_HEADS, HEAD_DIM = 16, 4, 2, 8
SPANS = 4
PAGES = SPANS * span_pages(PAGE)


@pytest.mark.parametrize("window", [1, PAGE, SPAN_TOKENS + 1])
@pytest.mark.parametrize("sinks", [None, jnp.arange(HEADS, dtype=jnp.float32)])
def test_a_long_row_a_short_one_and_a_block_see_their_windows_alone(window, sinks):
    """Values before the first span of each window are NaN: one of them read would show."""
    rng = np.random.default_rng(0)
    length, short = SPANS * SPAN_TOKENS - PAGE, 5
    keys, values = rng.normal(size=(2, 2 * PAGES + 1, PAGE, KV_HEADS, HEAD_DIM)).astype(np.float32)
    q, k, v = (rng.normal(size=(2 + PAGE, heads, HEAD_DIM)).astype(np.float32) for heads in (HEADS, KV_HEADS, KV_HEADS))
    first_read = max(length - 1 - window + 1, 0) // SPAN_TOKENS * span_pages(PAGE)
    values[:first_read] = np.nan
    table = np.stack([np.arange(PAGES), PAGES + np.arange(PAGES), np.full(PAGES, 2 * PAGES)]).astype(np.int32)
    last = length // PAGE - 1
    view = PageView(
        row_table=table[:2],
        row_positions=np.array([length - 1, short - 1], np.int32),
        row_pages=np.array([last, PAGES], np.int32),
        block_rows=np.zeros(1, np.int32),
        block_table=table[:1],
        block_starts=np.array([length], np.int32),
        block_pages=np.array([last + 1], np.int32),
    )
    spec = AttentionSpec(scale=0.3, window=window, soft_cap=2.0)
    attend = attending(ReferenceAttention(), view, 2 * PAGES, on_one_device)
    run = jax.jit(lambda q, k, v, cache: attend(q, k, v, cache, 0, spec, sinks))
    out, cache = run(q, k, v, PagedKV(jnp.asarray(keys), jnp.asarray(values)))
    keys, values = (np.asarray(part).reshape(-1, KV_HEADS, HEAD_DIM) for part in cache)

    def expected(query: np.ndarray, position: int, start: int) -> np.ndarray:
        seen = slice(start + max(position - window + 1, 0), start + position + 1)
        grouped = query.reshape(KV_HEADS, -1, HEAD_DIM)
        scores = np.einsum("kgd,skd->kgs", grouped, keys[seen]) * spec.scale
        weights = np.exp(spec.soft_cap * np.tanh(scores / spec.soft_cap))
        total = weights.sum(-1) + (0 if sinks is None else np.exp(sinks).reshape(KV_HEADS, -1))
        return (np.einsum("kgs,skd->kgd", weights, values[seen]) / total[..., None]).reshape(HEADS, HEAD_DIM)

    np.testing.assert_allclose(out[0], expected(q[0], length - 1, 0), atol=1e-5)
    np.testing.assert_allclose(out[1], expected(q[1], short - 1, PAGES * PAGE), atol=1e-5)
    for offset in range(PAGE):
        np.testing.assert_allclose(out[2 + offset], expected(q[2 + offset], length + offset, 0), atol=1e-5)
