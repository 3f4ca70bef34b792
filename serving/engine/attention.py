"""Attention over pages: where keys and values are kept, and how queries read them.

A step's flat token axis holds `rows` decode tokens, one a sequence, then `blocks` of one page of prompt tokens each.
A decode row is a block of one token: both see keys through a row of the page table and a mask of positions.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from serving.models.config import DecoderConfig

MASKED = -1e30


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

    Tables hold page numbers, padded with the scratch page. `row_page` and `block_page` are the pages written to.
    """

    row_positions: Int[Array, " rows"]
    row_page: Int[Array, " rows"]
    row_table: Int[Array, "rows pages"]
    block_starts: Int[Array, " blocks"]  # position of each block's first token, the first of its page
    block_page: Int[Array, " blocks"]
    block_table: Int[Array, "blocks pages"]


class ReferenceAttention:
    """Scatter-write, page gather, grouped einsum without repeating keys and values: runs everywhere."""

    def __init__(self, view: PageView, pages: int):
        self._view = view
        self._stride = pages + 1

    def __call__(
        self,
        q: Float[Array, "tokens heads head_dim"],
        k: Float[Array, "tokens kv_heads head_dim"],
        v: Float[Array, "tokens kv_heads head_dim"],
        cache: PagedKV,
        layer: int,
    ) -> tuple[Float[Array, "tokens heads head_dim"], PagedKV]:
        """The `attend` of a decoder. Everything is written before anything is read, so sequences that share pages
        written in this very step see them."""
        view, base = self._view, layer * self._stride
        rows, blocks = len(view.row_positions), len(view.block_starts)
        page_size = cache.keys.shape[1]
        scaled = q * jnp.asarray(q.shape[-1] ** -0.5, q.dtype)

        def write(stored: jax.Array, new: jax.Array) -> jax.Array:
            stored = stored.at[base + view.row_page, view.row_positions % page_size].set(new[:rows])
            if blocks:
                stored = stored.at[base + view.block_page].set(new[rows:].reshape(blocks, page_size, *new.shape[1:]))
            return stored

        cache = PagedKV(write(cache.keys, k), write(cache.values, v))
        out = _attend_pages(scaled[:rows, None], view.row_positions[:, None], base + view.row_table, cache)[:, 0]
        if blocks:
            positions = view.block_starts[:, None] + jnp.arange(page_size)
            queries = scaled[rows:].reshape(blocks, page_size, *q.shape[1:])
            mixed = _attend_pages(queries, positions, base + view.block_table, cache)
            out = jnp.concatenate([out, mixed.reshape(-1, *q.shape[1:])])
        return out, cache


def _attend_pages(
    q: Float[Array, "rows queries heads head_dim"],
    positions: Int[Array, "rows queries"],
    table: Int[Array, "rows pages"],
    cache: PagedKV,
) -> Float[Array, "rows queries heads head_dim"]:
    """Each row's queries over the keys of its pages, at and before each query's position."""
    rows, queries, heads, head_dim = q.shape
    kv_heads = cache.keys.shape[2]
    keys = cache.keys[table].reshape(rows, -1, kv_heads, head_dim)
    values = cache.values[table].reshape(rows, -1, kv_heads, head_dim)
    grouped = q.reshape(rows, queries, kv_heads, heads // kv_heads, head_dim)
    scores = jnp.einsum("rqhgd,rkhd->rhgqk", grouped, keys, preferred_element_type=jnp.float32)
    visible: Bool[Array, "rows queries keys"] = jnp.arange(keys.shape[1]) <= positions[:, :, None]
    scores = jnp.where(visible[:, None, None], scores, MASKED)
    weights = jax.nn.softmax(scores, axis=-1).astype(values.dtype)
    return jnp.einsum("rhgqk,rkhd->rqhgd", weights, values).reshape(q.shape)
