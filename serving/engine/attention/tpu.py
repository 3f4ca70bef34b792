"""The backend for TPUs: the library's ragged paged attention, one kernel for rows and prompts.

`jax.experimental.pallas.ops.tpu.ragged_paged_attention` (Mosaic) reads pages and does not write them, so new keys and
values are scattered first. It knows windows and soft caps; layers with sinks take the reference's way over the same
pages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.pallas.ops.tpu.ragged_paged_attention import ragged_paged_attention
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.engine.attention.backend import Demand
from serving.engine.attention.spans import mix_blocks, mix_rows, span_pages
from serving.engine.attention.view import Chunks, PageView
from serving.models.config import AttentionSpec, DecoderConfig

LANES = 128
"""Of a vector register, which a head fills: narrower ones are padded, as TPUs do with the last axis anyway."""

KEYS_AT_ONCE, QUERIES_AT_ONCE = 1024, 32
"""Tokens of a tile: as most entries of the library's table of tuned sizes have them for contexts of some thousands."""

VMEM_BYTES = 32 * 2**20
"""Of the 64 MiB and more that v5e, v5p, v6e and v7 have."""

SMEM_BYTES = 2**19
"""For the page table, which the kernel reads from the scalar memory of 1 MiB."""

TYPES = ("bfloat16", "float32")


class InterleavedKV(NamedTuple):
    """Keys and values as neighbours, head by head: key 0, value 0, key 1, value 1, and so on."""

    pages: Float[Array, "layers_x_pages page 2_x_kv_heads padded_head_dim"]

    @property
    def page_size(self) -> int:
        return self.pages.shape[1]

    @property
    def kv_heads(self) -> int:
        return self.pages.shape[2] // 2

    def write(
        self,
        view: PageView,
        k: Float[Array, "tokens kv_heads head_dim"],
        v: Float[Array, "tokens kv_heads head_dim"],
    ) -> "InterleavedKV":
        rows, blocks = len(view.row_pages), len(view.block_pages)
        new = _padded(jnp.stack([k, v], axis=2)).reshape(len(k), *self.pages.shape[2:])
        pages = self.pages.at[view.row_pages, view.row_positions % self.page_size].set(new[:rows])
        if blocks:
            made, places = new[rows:].reshape(blocks, *pages.shape[1:]), jnp.asarray(view.block_pages)

            def write_block(index: Int[Array, ""], pages: jax.Array) -> jax.Array:
                return lax.dynamic_update_index_in_dim(pages, made[index], places[index], axis=0)

            # Not scattered: for whole pages XLA:TPU would choose another layout, and copy the cache twice a layer.
            pages = lax.fori_loop(0, blocks, write_block, pages)
        return InterleavedKV(pages)

    def read(
        self, pages: Int[Array, "*N"]
    ) -> tuple[Float[Array, "*N page kv_heads head_dim"], Float[Array, "*N page kv_heads head_dim"]]:
        held = self.pages[pages]
        held = held.reshape(*held.shape[:-2], self.kv_heads, 2, held.shape[-1])
        return held[..., 0, :], held[..., 1, :]


@dataclass(frozen=True)
class TPUAttention:
    """The ragged kernel, the reference where a layer has sinks.

    Args:
        kernel: with the arguments of the library's.
    """

    kernel: Callable[..., Array] = ragged_paged_attention

    @property
    def axes(self) -> InterleavedKV:
        return InterleavedKV(PartitionSpec(("layers", "pages"), None, "kv_heads", None))

    def problem(self, demand: Demand) -> str | None:
        dtype = jnp.dtype(demand.dtype)
        if dtype.name not in TYPES:
            return f"dtype is {dtype.name}; its kernel accepts {' and '.join(TYPES)}"
        if demand.config.head_dim > LANES:
            return f"head_dim is {demand.config.head_dim}; its kernel accepts up to {LANES}"
        if not _tiles(demand.kv_heads, dtype.itemsize):
            accepted = ", ".join(str(heads) for heads in range(1, 33) if _tiles(heads, dtype.itemsize))
            return f"a device holds {demand.kv_heads} key/value heads; in {dtype.name} its kernel accepts {accepted}"
        table = 4 * demand.sequences * -(-demand.context // demand.page_size)
        if table > SMEM_BYTES:
            return (
                f"its kernel keeps the page table in {SMEM_BYTES} bytes, and {demand.sequences} rows and blocks of "
                f"{demand.context} tokens in pages of {demand.page_size} take {table}; raise page_size, or lower "
                "max_context or max_rows"
            )
        return None

    def remarks(self, config: DecoderConfig) -> list[str]:
        if config.attention_sinks:
            return ["attention sinks are unknown to the TPU's kernel: all layers take the reference's way"]
        return []

    def table_pages(self, page_size: int) -> int:
        return span_pages(page_size)

    def zeros(self, config: DecoderConfig, pages: int, page_size: int, dtype: DTypeLike) -> InterleavedKV:
        shape = (config.layers * (pages + 1), page_size, 2 * config.kv_heads, LANES)
        return InterleavedKV(jnp.zeros(shape, dtype))

    def mix(
        self,
        q: Float[Array, "tokens heads head_dim"],
        cache: InterleavedKV,
        view: PageView,
        spec: AttentionSpec,
        sinks: Float[Array, " heads"] | None,
    ) -> Float[Array, "tokens heads head_dim"]:
        padded, rows = _padded(q), len(view.row_pages)
        if sinks is None:
            out = self._ragged(padded, cache, view, spec)
        else:
            out = mix_rows(padded[:rows], cache, view, spec, sinks)
            if len(view.block_pages):
                out = jnp.concatenate([out, mix_blocks(padded[rows:], cache, view, spec, sinks)])
        return out[..., : q.shape[-1]]

    def _ragged(
        self,
        q: Float[Array, "tokens heads padded_head_dim"],
        cache: InterleavedKV,
        view: PageView,
        spec: AttentionSpec,
    ) -> Float[Array, "tokens heads padded_head_dim"]:
        """The kernel, to which rows are sequences of one query and chunks of prompts sequences of many."""
        rows, blocks, page_size = len(view.row_pages), len(view.block_pages), cache.page_size
        lengths, table = view.row_positions + 1, view.row_table
        begins, count = jnp.arange(rows + 1), jnp.int32(rows)
        if blocks:
            chunks = Chunks.of(view)
            lengths = jnp.append(lengths, view.block_starts[chunks.end - 1] + page_size)
            table = jnp.concatenate([table, view.block_table[jnp.minimum(chunks.first, blocks - 1)]])
            begins = jnp.append(begins, rows + page_size * chunks.end)
            count += chunks.count
        return self.kernel(
            q,
            cache.pages,
            lengths,
            table,
            begins.astype(jnp.int32),
            count.reshape(1).astype(jnp.int32),
            sm_scale=spec.scale,
            sliding_window=spec.window,
            soft_cap=spec.soft_cap,
            num_kv_pages_per_block=min(max(1, KEYS_AT_ONCE // page_size), table.shape[1]),
            num_queries_per_block=min(QUERIES_AT_ONCE, len(q)),
            vmem_limit_bytes=VMEM_BYTES,
        )


def _tiles(kv_heads: int, itemsize: int) -> bool:
    """Whether a token's keys and values fill the sublanes of registers, words of four bytes, without padding."""
    words = 2 * kv_heads * itemsize // 4
    return words in (1, 2, 4) or words % 8 == 0


def _padded(x: Float[Array, "*N head_dim"]) -> Float[Array, "*N padded_head_dim"]:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, LANES - x.shape[-1])])
