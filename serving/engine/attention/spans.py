"""Attention in plain products over the pages of any cache: the reference, and what kernels leave to it.

Rows and blocks read the pages of their line of the table span by span, from the first that a window shows to the end of
the longest context of the step, so one program serves every length and none pays for the longest possible one (online
softmax, arXiv 1805.02867).
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from serving.engine.attention.backend import PagedCache
from serving.engine.attention.view import PageView
from serving.models.attention import soft_capped
from serving.models.config import AttentionSpec

SPAN_TOKENS = 128
"""Context read at a time: short, for what lies beyond a sequence's end is wasted; not so short that loops dominate."""

MASKED = -1e30


def span_pages(page_size: int) -> int:
    """Pages of one span."""
    return max(1, SPAN_TOKENS // page_size)


def mix_rows(
    q: Float[Array, "rows heads head_dim"],
    cache: PagedCache,
    view: PageView,
    spec: AttentionSpec,
    sinks: Float[Array, " heads"] | None,
) -> Float[Array, "rows heads head_dim"]:
    """One query a row. All heads go into one product with the keys as they lie, each query in its own kv head's columns
    and zeros elsewhere: on a CPU a third faster than a small product for every kv head, for which keys are copied."""
    rows, heads, head_dim = q.shape
    own = jnp.eye(cache.kv_heads, dtype=jnp.float32)[:, None, :, None]
    spread = _scaled(q, spec).reshape(rows, cache.kv_heads, heads // cache.kv_heads, 1, head_dim) * own
    queries = spread.reshape(rows, 1, heads, cache.kv_heads * head_dim)
    positions = jnp.broadcast_to(view.row_positions[:, None], (rows, heads))
    sinks = None if sinks is None else sinks[None]
    out = _mix_pages(queries, positions, view.row_table, cache, spec, sinks)
    return jnp.sum(out.reshape(spread.shape) * own, axis=3).reshape(q.shape).astype(q.dtype)


def mix_blocks(
    q: Float[Array, "block_tokens heads head_dim"],
    cache: PagedCache,
    view: PageView,
    spec: AttentionSpec,
    sinks: Float[Array, " heads"] | None,
) -> Float[Array, "block_tokens heads head_dim"]:
    """A page of queries a block."""
    heads, head_dim = q.shape[1:]
    blocks, page_size, kv_heads = len(view.block_starts), cache.page_size, cache.kv_heads
    group = heads // kv_heads
    grouped = _scaled(q, spec).reshape(blocks, page_size, kv_heads, group, head_dim).transpose(0, 2, 1, 3, 4)
    positions = jnp.repeat(view.block_starts[:, None] + jnp.arange(page_size), group, axis=1)
    queries = grouped.reshape(blocks, kv_heads, page_size * group, head_dim)
    sinks = None if sinks is None else jnp.tile(sinks.reshape(kv_heads, group), page_size)
    out = _mix_pages(queries, positions, view.block_table, cache, spec, sinks)
    return out.reshape(grouped.shape).transpose(0, 2, 1, 3, 4).reshape(q.shape).astype(q.dtype)


def _scaled(q: Float[Array, "*N"], spec: AttentionSpec) -> Float[Array, "*N"]:
    return q.astype(jnp.float32) * spec.scale


def _mix_pages(
    q: Float[Array, "units kv_heads queries head_dim"],
    positions: Int[Array, "units queries"],
    table: Int[Array, "units pages"],
    cache: PagedCache,
    spec: AttentionSpec,
    sinks: Float[Array, "kv_heads queries"] | None,
) -> Float[Array, "units kv_heads queries head_dim"]:
    """Each unit's queries over the keys of its pages that `spec` lets each query see, computed in float32.

    The queries' own kv_heads x head_dim say how the cache's channels are read: as its kv heads, or all as one.
    """
    units, kv_heads, queries, head_dim = q.shape
    pages = span_pages(cache.page_size)
    span = pages * cache.page_size

    # A unit's spans begin with the first that its earliest query sees.
    earliest = 0 if spec.window is None else jnp.min(positions, axis=1) - spec.window + 1
    first = jnp.broadcast_to(jnp.maximum(earliest, 0) // span, units)

    def add_span(index: Int[Array, ""], carry: tuple[jax.Array, jax.Array, jax.Array]):
        highest, total, mixed = carry
        spans = first + index
        numbers = jnp.take_along_axis(table, spans[:, None] * pages + jnp.arange(pages), axis=1, mode="clip")
        # XLA:CPU lacks some products of bfloat16 into float32.
        keys, values = (
            stored.reshape(units, span, kv_heads, head_dim).astype(jnp.float32) for stored in cache.read(numbers)
        )
        scores = jnp.einsum("ukhd,uhqd->uhkq", keys, q)
        places = spans[:, None, None] * span + jnp.arange(span)[:, None]
        visible = spec.sees(positions[:, None, :], places)
        scores = jnp.where(visible[:, None], soft_capped(scores, spec.soft_cap), MASKED)
        new_highest = jnp.maximum(highest, jnp.max(scores, axis=2, keepdims=True))
        weights, fade = jnp.exp(scores - new_highest), jnp.exp(highest - new_highest)
        total = total * fade + jnp.sum(weights, axis=2, keepdims=True)
        added = jnp.einsum("uhkq,ukhd->uhqd", weights, values)
        return new_highest, total, mixed * fade.swapaxes(2, 3) + added

    shape = (units, kv_heads, 1, queries)
    if sinks is None:
        highest, total = jnp.full(shape, MASKED), jnp.zeros(shape)
    else:  # a sink is the softmax's first element, of no value
        highest, total = jnp.broadcast_to(sinks.astype(jnp.float32)[:, None], shape), jnp.ones(shape)
    spans = jnp.max(jnp.max(positions, axis=1) // span - first) + 1
    _, total, mixed = lax.fori_loop(0, spans, add_span, (highest, total, jnp.zeros_like(q)))
    return mixed / total.swapaxes(2, 3)
