"""The reference backend: scatter-write, page gather, plain products. Runs everywhere and knows everything."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.engine.attention.backend import Demand
from serving.engine.attention.spans import mix_blocks, mix_rows, span_pages
from serving.engine.attention.view import PageView
from serving.models.config import AttentionSpec, DecoderConfig

AXES = PartitionSpec(("layers", "pages"), None, "kv_heads", None)


class PagedKV(NamedTuple):
    """Keys and values, token by token."""

    keys: Float[Array, "layers_x_pages page kv_heads head_dim"]
    values: Float[Array, "layers_x_pages page kv_heads head_dim"]

    @property
    def page_size(self) -> int:
        return self.keys.shape[1]

    @property
    def kv_heads(self) -> int:
        return self.keys.shape[2]

    def write(
        self,
        view: PageView,
        k: Float[Array, "tokens kv_heads head_dim"],
        v: Float[Array, "tokens kv_heads head_dim"],
    ) -> "PagedKV":
        rows, blocks = len(view.row_pages), len(view.block_pages)

        def written(stored: jax.Array, new: jax.Array) -> jax.Array:
            stored = stored.at[view.row_pages, view.row_positions % self.page_size].set(new[:rows])
            if blocks:
                stored = stored.at[view.block_pages].set(new[rows:].reshape(blocks, *stored.shape[1:]))
            return stored

        return PagedKV(written(self.keys, k), written(self.values, v))

    def read(
        self, pages: Int[Array, "*N"]
    ) -> tuple[Float[Array, "*N page kv_heads head_dim"], Float[Array, "*N page kv_heads head_dim"]]:
        return self.keys[pages], self.values[pages]


@dataclass(frozen=True)
class ReferenceAttention:
    """Any model, any type, any platform."""

    @property
    def axes(self) -> PagedKV:
        return PagedKV(AXES, AXES)

    def problem(self, demand: Demand) -> str | None:
        return None

    def remarks(self, config: DecoderConfig) -> list[str]:
        return []

    def table_pages(self, page_size: int) -> int:
        return span_pages(page_size)

    def zeros(self, config: DecoderConfig, pages: int, page_size: int, dtype: DTypeLike) -> PagedKV:
        shape = (config.layers * (pages + 1), page_size, config.kv_heads, config.head_dim)
        return PagedKV(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

    def mix(
        self,
        q: Float[Array, "tokens heads head_dim"],
        cache: PagedKV,
        view: PageView,
        spec: AttentionSpec,
        sinks: Float[Array, " heads"] | None,
    ) -> Float[Array, "tokens heads head_dim"]:
        rows = len(view.row_pages)
        out = mix_rows(q[:rows], cache, view, spec, sinks)
        if not len(view.block_pages):
            return out
        return jnp.concatenate([out, mix_blocks(q[rows:], cache, view, spec, sinks)])
