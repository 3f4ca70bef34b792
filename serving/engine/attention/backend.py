"""What an attention backend is: a layout of pages and the computation that reads them."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.engine.attention.view import PageView
from serving.models.attention import Attend
from serving.models.config import AttentionSpec, DecoderConfig
from serving.models.per_device import WHOLE, PerDevice


class PagedCache(Protocol):
    """Keys and values of all layers: a tree of few arrays, cheap to donate, whose first axis counts pages.

    Layer l's page p is entry `l * (pages + 1) + p`; every layer's last page is scratch, where padding writes.
    """

    @property
    def page_size(self) -> int:
        """Tokens of a page."""

    @property
    def kv_heads(self) -> int:
        """Key/value heads that are held here."""

    def write(
        self,
        view: PageView,
        k: Float[Array, "tokens kv_heads head_dim"],
        v: Float[Array, "tokens kv_heads head_dim"],
    ) -> Self:
        """The cache with a step's new keys and values, those of rows at their positions, of blocks as whole pages."""

    def read(
        self, pages: Int[Array, "*N"]
    ) -> tuple[Float[Array, "*N page kv_heads head_dim"], Float[Array, "*N page kv_heads head_dim"]]:
        """Keys and values of some pages."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What an engine asks of a backend.

    Attributes:
        config: the model as its devices run it.
        kv_heads: key/value heads of one device.
        page_size: tokens of a page.
        dtype: of queries, keys and values.
        sequences: entries of the page table that a step reads at most, rows and blocks.
        context: tokens of the longest sequence.
    """

    config: DecoderConfig
    kv_heads: int
    page_size: int
    dtype: DTypeLike
    sequences: int
    context: int


class AttentionBackend(Protocol):
    """How keys and values lie in pages, and how a step's queries read them. Immutable; knows no engine."""

    @property
    def axes(self) -> Any:
        """Logical axes of the cache's arrays, a tree like the cache's own of PartitionSpecs."""

    def problem(self, demand: Demand) -> str | None:
        """Why this backend cannot serve a demand and what it accepts; None where it can."""

    def remarks(self, config: DecoderConfig) -> list[str]:
        """Which layers take the reference's way over this backend's pages, and why."""

    def table_pages(self, page_size: int) -> int:
        """Of how many pages the length of a sequence's line in the page table has to be a multiple."""

    def zeros(self, config: DecoderConfig, pages: int, page_size: int, dtype: DTypeLike) -> PagedCache:
        """An empty cache of `pages` pages and the scratch page."""

    def mix(
        self,
        q: Float[Array, "tokens heads head_dim"],
        cache: PagedCache,
        view: PageView,
        spec: AttentionSpec,
        sinks: Float[Array, " heads"] | None,
    ) -> Float[Array, "tokens heads head_dim"]:
        """Each query's mixture of the values that it sees, on one device and in one layer, once all is written."""


HEADS, KV_HEADS = PartitionSpec(None, "heads", None), PartitionSpec(None, "kv_heads", None)
"""Logical axes of queries, and of new keys and values."""


def attending(backend: AttentionBackend, view: PageView, pages: int, per_device: PerDevice) -> Attend:
    """The `attend` of a decoder for one step.

    Everything is written before anything is read, so sequences that share pages written in this very step see them.

    Args:
        pages: of the cache, without the scratch page.
        per_device: how each device is given its heads to attend with.
    """

    def attend(
        q: jax.Array,
        k: jax.Array,
        v: jax.Array,
        cache: PagedCache,
        layer: int,
        spec: AttentionSpec,
        sinks: jax.Array | None,
    ) -> tuple[jax.Array, PagedCache]:
        def on_device(q, k, v, cache, view, sinks):
            of_layer = view.shifted(layer * (pages + 1))
            cache = cache.write(of_layer, k, v)
            return backend.mix(q, cache, of_layer, spec, sinks), cache

        inputs = (HEADS, KV_HEADS, KV_HEADS, backend.axes, WHOLE, PartitionSpec("heads"))
        return per_device(on_device, inputs, (HEADS, backend.axes))(q, k, v, cache, view, sinks)

    return attend


def page_bytes(backend: AttentionBackend, config: DecoderConfig, page_size: int, dtype: DTypeLike) -> int:
    """Bytes that one page takes over all layers: those of a cache that is nothing but its scratch page."""
    empty = jax.eval_shape(lambda: backend.zeros(config, 0, page_size, jnp.dtype(dtype)))
    return sum(array.size * array.dtype.itemsize for array in jax.tree.leaves(empty))
