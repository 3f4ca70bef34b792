"""Attention over pages: where keys and values are kept, and how queries read them.

A step's flat token axis holds `rows` decode tokens, one a sequence, then `blocks` of one page of prompt tokens each.
Both read the pages of their row of the page table span by span, from the first that a window shows to the end of the
longest context of the step, so one program serves every length and none pays for the longest possible one (online
softmax, arXiv 1805.02867).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from serving.models.attention import soft_capped
from serving.models.config import AttentionSpec, DecoderConfig
from serving.models.per_device import WHOLE, PerDevice, on_one_device

SPAN_TOKENS = 128
"""Context read at a time: short, for what lies beyond a sequence's end is wasted; not so short that loops dominate."""

MASKED = -1e30


def span_pages(page_size: int) -> int:
    """Pages of one span."""
    return max(1, SPAN_TOKENS // page_size)


class PagedKV(NamedTuple):
    """Keys and values of all layers in two arrays, few enough to donate cheaply.

    Layer l's page p is row `l * (pages + 1) + p`; every layer's last page is scratch, where padding writes.
    """

    keys: Float[Array, "layers_x_pages page kv_heads head_dim"]
    values: Float[Array, "layers_x_pages page kv_heads head_dim"]

    @classmethod
    def zeros(cls, config: DecoderConfig, pages: int, page_size: int, dtype: DTypeLike) -> "PagedKV":
        """An empty cache of `pages` pages and the scratch page."""
        shape = (config.layers * (pages + 1), page_size, config.kv_heads, config.head_dim)
        return cls(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    @staticmethod
    def page_bytes(config: DecoderConfig, page_size: int, dtype: DTypeLike) -> int:
        """Bytes that one page takes over all layers."""
        return 2 * config.layers * page_size * config.kv_heads * config.head_dim * jnp.dtype(dtype).itemsize


class PageView(NamedTuple):
    """Where a step's tokens are written and what their queries see.

    Tables hold the page numbers of the sequence that a row or a block belongs to, padded with the scratch page to whole
    spans.
    """

    row_table: Int[Array, "rows pages"]
    row_positions: Int[Array, " rows"]
    row_pages: Int[Array, " rows"]  # the page that a row's token is written to
    block_table: Int[Array, "blocks pages"]
    block_starts: Int[Array, " blocks"]  # position of each block's first token, the first of its page
    block_pages: Int[Array, " blocks"]  # the page that a block is

    def writing(self, live: Bool[Array, ""], scratch: int) -> "PageView":
        """This view where `live`; else one whose tokens are all written to the scratch page."""
        return self._replace(
            row_pages=jnp.where(live, self.row_pages, scratch), block_pages=jnp.where(live, self.block_pages, scratch)
        )


HEADS, KV_HEADS = PartitionSpec(None, "heads", None), PartitionSpec(None, "kv_heads", None)
PAGED = PartitionSpec(("layers", "pages"), None, "kv_heads", None)
"""Logical axes of queries, of new keys and values, and of those in pages."""


class ReferenceAttention:
    """Scatter-write, page gather, plain products: runs everywhere.

    Args:
        view: of the step.
        pages: of the cache, without the scratch page.
        per_device: how each device is given its heads to attend with.
    """

    def __init__(self, view: PageView, pages: int, per_device: PerDevice = on_one_device):
        self._view = view
        self._stride = pages + 1
        self._per_device = per_device

    def __call__(
        self,
        q: Float[Array, "tokens heads head_dim"],
        k: Float[Array, "tokens kv_heads head_dim"],
        v: Float[Array, "tokens kv_heads head_dim"],
        cache: PagedKV,
        layer: int,
        spec: AttentionSpec,
        sinks: Float[Array, " heads"] | None,
    ) -> tuple[Float[Array, "tokens heads head_dim"], PagedKV]:
        """The `attend` of a decoder."""
        attend = self._per_device(
            partial(_attend, base=layer * self._stride, spec=spec),
            inputs=(HEADS, KV_HEADS, KV_HEADS, PAGED, WHOLE, PartitionSpec("heads")),
            outputs=(HEADS, PAGED),
        )
        return attend(q, k, v, cache, self._view, sinks)


def _attend(
    q: Float[Array, "tokens heads head_dim"],
    k: Float[Array, "tokens kv_heads head_dim"],
    v: Float[Array, "tokens kv_heads head_dim"],
    cache: PagedKV,
    view: PageView,
    sinks: Float[Array, " heads"] | None,
    *,
    base: int,
    spec: AttentionSpec,
) -> tuple[Float[Array, "tokens heads head_dim"], PagedKV]:
    """Attention of one layer, whose pages begin at `base`.

    Everything is written before anything is read, so sequences that share pages written in this very step see them.
    """
    rows, blocks = len(view.row_positions), len(view.block_starts)
    page_size = cache.keys.shape[1]

    def write(stored: jax.Array, new: jax.Array) -> jax.Array:
        stored = stored.at[base + view.row_pages, view.row_positions % page_size].set(new[:rows])
        if blocks:
            stored = stored.at[base + view.block_pages].set(new[rows:].reshape(blocks, page_size, *new.shape[1:]))
        return stored

    cache = PagedKV(write(cache.keys, k), write(cache.values, v))
    scaled = q.astype(jnp.float32) * spec.scale
    out = _attend_rows(scaled[:rows], view.row_positions, base + view.row_table, cache, spec, sinks)
    if blocks:
        queries = scaled[rows:].reshape(blocks, page_size, *q.shape[1:])
        mixed = _attend_blocks(queries, view.block_starts, base + view.block_table, cache, spec, sinks)
        out = jnp.concatenate([out, mixed.reshape(-1, *q.shape[1:])])
    return out.astype(q.dtype), cache


def _attend_rows(
    q: Float[Array, "rows heads head_dim"],
    positions: Int[Array, " rows"],
    table: Int[Array, "rows pages"],
    cache: PagedKV,
    spec: AttentionSpec,
    sinks: Float[Array, " heads"] | None,
) -> Float[Array, "rows heads head_dim"]:
    """One query a row. All heads go into one product with the keys as they lie, each query in its own kv head's columns
    and zeros elsewhere: on a CPU a third faster than a small product for every kv head, for which keys are copied."""
    rows, heads, head_dim = q.shape
    kv_heads = cache.keys.shape[2]
    own = jnp.eye(kv_heads, dtype=q.dtype)[:, None, :, None]
    spread = q.reshape(rows, kv_heads, heads // kv_heads, 1, head_dim) * own
    queries = spread.reshape(rows, 1, heads, kv_heads * head_dim)
    sinks = None if sinks is None else sinks[None]
    out = _attend_pages(queries, jnp.broadcast_to(positions[:, None], (rows, heads)), table, cache, spec, sinks)
    return jnp.sum(out.reshape(spread.shape) * own, axis=3).reshape(q.shape)


def _attend_blocks(
    q: Float[Array, "blocks page heads head_dim"],
    starts: Int[Array, " blocks"],
    table: Int[Array, "blocks pages"],
    cache: PagedKV,
    spec: AttentionSpec,
    sinks: Float[Array, " heads"] | None,
) -> Float[Array, "blocks page heads head_dim"]:
    """A page of queries a block."""
    blocks, page_size, heads, head_dim = q.shape
    kv_heads = cache.keys.shape[2]
    group = heads // kv_heads
    grouped = q.reshape(blocks, page_size, kv_heads, group, head_dim).transpose(0, 2, 1, 3, 4)
    positions = jnp.repeat(starts[:, None] + jnp.arange(page_size), group, axis=1)
    queries = grouped.reshape(blocks, kv_heads, page_size * group, head_dim)
    sinks = None if sinks is None else jnp.tile(sinks.reshape(kv_heads, group), page_size)
    out = _attend_pages(queries, positions, table, cache, spec, sinks)
    return out.reshape(grouped.shape).transpose(0, 2, 1, 3, 4).reshape(q.shape)


def _attend_pages(
    q: Float[Array, "units kv_heads queries head_dim"],
    positions: Int[Array, "units queries"],
    table: Int[Array, "units pages"],
    cache: PagedKV,
    spec: AttentionSpec,
    sinks: Float[Array, "kv_heads queries"] | None,
) -> Float[Array, "units kv_heads queries head_dim"]:
    """Each unit's queries over the keys of its pages that `spec` lets each query see, computed in float32.

    The queries' own kv_heads x head_dim say how the cache's channels are read: as its kv heads, or all as one.
    """
    units, kv_heads, queries, head_dim = q.shape
    pages = span_pages(cache.keys.shape[1])
    span = pages * cache.keys.shape[1]

    # A unit's spans begin with the first that its earliest query sees.
    earliest = 0 if spec.window is None else jnp.min(positions, axis=1) - spec.window + 1
    first = jnp.broadcast_to(jnp.maximum(earliest, 0) // span, units)

    def add_span(index: Int[Array, ""], carry: tuple[jax.Array, jax.Array, jax.Array]):
        highest, total, mixed = carry
        spans = first + index
        numbers = jnp.take_along_axis(table, spans[:, None] * pages + jnp.arange(pages), axis=1, mode="clip")
        # XLA:CPU lacks some products of bfloat16 into float32.
        keys, values = (
            stored[numbers].reshape(units, span, kv_heads, head_dim).astype(jnp.float32) for stored in cache
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
