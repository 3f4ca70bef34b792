"""The backend for NVIDIA GPUs: the library's paged decode kernel for rows, cuDNN's fused attention for prompts.

The decode kernel (`jax.experimental.pallas.ops.gpu.paged_attention`, Triton) knows soft caps, but neither windows nor
sinks; cuDNN (`jax.nn.dot_product_attention`) takes any mask, but knows neither soft caps nor sinks. What one of them
lacks takes the reference's way over the same pages.
"""

import warnings
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.engine.attention.backend import Demand
from serving.engine.attention.spans import mix_blocks, mix_rows, span_pages
from serving.engine.attention.view import Chunks, PageView
from serving.models.config import AttentionSpec, DecoderConfig

with warnings.catch_warnings():  # deprecated from 0.12 on, without a successor in a library that we need
    warnings.simplefilter("ignore", DeprecationWarning)
    from jax.experimental.pallas.ops.gpu.paged_attention import paged_attention

SPLITS = 16
"""Parts of a context that the decode kernel reads side by side, so that few rows keep a whole card busy."""

HEAD_DIMS = (16, 32, 64, 128)
PAGE_SIZES = (8, 16, 32, 64, 128)
"""Powers of two, which Triton's tensors have to be, up to what a tile's keys and values may take of shared memory."""

TYPES = ("bfloat16", "float16")

AXES = PartitionSpec(("layers", "pages"), "kv_heads", None, None)


class HeadMajorKV(NamedTuple):
    """Keys and values, in each page head by head: one head's part of a page is one of the pages that kernels read."""

    keys: Float[Array, "layers_x_pages kv_heads page head_dim"]
    values: Float[Array, "layers_x_pages kv_heads page head_dim"]

    @property
    def page_size(self) -> int:
        return self.keys.shape[2]

    @property
    def kv_heads(self) -> int:
        return self.keys.shape[1]

    def write(
        self,
        view: PageView,
        k: Float[Array, "tokens kv_heads head_dim"],
        v: Float[Array, "tokens kv_heads head_dim"],
    ) -> "HeadMajorKV":
        rows, blocks = len(view.row_pages), len(view.block_pages)

        def written(stored: jax.Array, new: jax.Array) -> jax.Array:
            stored = stored.at[view.row_pages, :, view.row_positions % self.page_size].set(new[:rows])
            if blocks:
                pages = new[rows:].reshape(blocks, self.page_size, *new.shape[1:])
                stored = stored.at[view.block_pages].set(pages.swapaxes(1, 2))
            return stored

        return HeadMajorKV(written(self.keys, k), written(self.values, v))

    def read(
        self, pages: Int[Array, "*N"]
    ) -> tuple[Float[Array, "*N page kv_heads head_dim"], Float[Array, "*N page kv_heads head_dim"]]:
        return self.keys[pages].swapaxes(-3, -2), self.values[pages].swapaxes(-3, -2)


@dataclass(frozen=True)
class GPUAttention:
    """Kernels where they know a layer's attention, the reference elsewhere.

    Args:
        interpret: whether the decode kernel is interpreted, which any platform can.
        fused: what computes prompts; `xla` runs on any platform and holds all scores at once.
    """

    interpret: bool = False
    fused: Literal["cudnn", "xla"] = "cudnn"

    @property
    def axes(self) -> HeadMajorKV:
        return HeadMajorKV(AXES, AXES)

    def problem(self, demand: Demand) -> str | None:
        dtype = jnp.dtype(demand.dtype).name
        if dtype not in TYPES:
            return f"dtype is {dtype}; its kernels accept {' and '.join(TYPES)}"
        if demand.config.head_dim not in HEAD_DIMS:
            return f"head_dim is {demand.config.head_dim}; its kernels accept {', '.join(map(str, HEAD_DIMS))}"
        if demand.page_size not in PAGE_SIZES:
            return f"page_size is {demand.page_size}; its kernels accept {', '.join(map(str, PAGE_SIZES))}"
        return None

    def remarks(self, config: DecoderConfig) -> list[str]:
        if config.attention_sinks:
            return ["attention sinks are unknown to the GPU's kernels: all layers take the reference's way"]
        found = []
        if windows := sum(window is not None for window in config.windows):
            found.append(
                f"windows are unknown to the GPU's decode kernel: the rows of {windows} of {config.layers} layers take "
                "the reference's way"
            )
        if config.attention_soft_cap:
            found.append("soft caps are unknown to cuDNN: prompts take the reference's way")
        return found

    def table_pages(self, page_size: int) -> int:
        return SPLITS * span_pages(page_size)

    def zeros(self, config: DecoderConfig, pages: int, page_size: int, dtype: DTypeLike) -> HeadMajorKV:
        shape = (config.layers * (pages + 1), config.kv_heads, page_size, config.head_dim)
        return HeadMajorKV(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def mix(
        self,
        q: Float[Array, "tokens heads head_dim"],
        cache: HeadMajorKV,
        view: PageView,
        spec: AttentionSpec,
        sinks: Float[Array, " heads"] | None,
    ) -> Float[Array, "tokens heads head_dim"]:
        rows = len(view.row_pages)
        if spec.window is None and sinks is None:
            out = self._rows(q[:rows], cache, view, spec)
        else:
            out = mix_rows(q[:rows], cache, view, spec, sinks)
        if not len(view.block_pages):
            return out
        if spec.soft_cap is None and sinks is None:
            mixed = self._blocks(q[rows:], cache, view, spec)
        else:
            mixed = mix_blocks(q[rows:], cache, view, spec, sinks)
        return jnp.concatenate([out, mixed])

    def _rows(
        self, q: Float[Array, "rows heads head_dim"], cache: HeadMajorKV, view: PageView, spec: AttentionSpec
    ) -> Float[Array, "rows heads head_dim"]:
        """The decode kernel, to which every head of a row is a sequence of its own. It wants queries scaled."""
        rows, _, head_dim = q.shape
        kv_heads, page_size = cache.kv_heads, cache.page_size
        table = view.row_table[:, None] * kv_heads + jnp.arange(kv_heads)[:, None]
        keys, values = (stored.reshape(1, -1, page_size, head_dim) for stored in cache)
        out = paged_attention(
            (q.astype(jnp.float32) * spec.scale).astype(q.dtype).reshape(rows * kv_heads, -1, head_dim),
            keys,
            values,
            table.reshape(rows * kv_heads, -1),
            jnp.repeat(view.row_positions + 1, kv_heads),
            pages_per_compute_block=span_pages(page_size),
            k_splits=SPLITS,
            attn_logits_soft_cap=spec.soft_cap,
            interpret=self.interpret,
        )
        return out.reshape(q.shape)

    def _blocks(
        self, q: Float[Array, "tokens heads head_dim"], cache: HeadMajorKV, view: PageView, spec: AttentionSpec
    ) -> Float[Array, "tokens heads head_dim"]:
        """Chunk by chunk: its queries over all pages of its row, gathered, under a mask.

        A mask, because the library's causal one counts queries from the first key, and a chunk begins where cached
        pages or earlier chunks end. The lengths let the kernel leave out what lies beyond them.
        """
        tokens, page_size = len(q), cache.page_size
        chunks = Chunks.of(view)
        length = view.block_table.shape[1] * page_size
        padded = jnp.concatenate([q, jnp.zeros_like(q)])

        def mix_chunk(index: Int[Array, ""], out: jax.Array) -> jax.Array:
            first, blocks = chunks.first[index], chunks.end[index] - chunks.first[index]
            start, count = view.block_starts[first], blocks * page_size
            keys, values = (part.reshape(1, length, *part.shape[2:]) for part in cache.read(view.block_table[first]))
            visible = spec.sees(start + jnp.arange(tokens)[:, None], jnp.arange(length))
            mixed = jax.nn.dot_product_attention(
                lax.dynamic_slice_in_dim(padded, first * page_size, tokens)[None],
                keys,
                values,
                mask=visible[None, None],
                scale=spec.scale,
                query_seq_lengths=count[None],
                key_value_seq_lengths=(start + count)[None],
                implementation=self.fused,
            )[0]
            before = lax.dynamic_slice_in_dim(out, first * page_size, tokens)
            own = jnp.arange(tokens)[:, None, None] < count
            return lax.dynamic_update_slice_in_dim(out, jnp.where(own, mixed, before), first * page_size, axis=0)

        return lax.fori_loop(0, chunks.working, mix_chunk, jnp.zeros_like(padded))[:tokens]
