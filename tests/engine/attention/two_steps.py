"""Two steps of a few sequences, for backends to agree on."""

import jax
import jax.numpy as jnp
import numpy as np

from serving.engine.attention.backend import AttentionBackend, attending
from serving.engine.attention.view import PageView
from serving.models.config import AttentionSpec, DecoderConfig
from serving.models.per_device import PerDevice, on_one_device

PAGE, PAGES, LAYERS, LAYER = 8, 12, 2, 1
LONG, SHORT, FORK, FRESH = [7, 2, 9], [4], [7, 2, 11, 0], [5]  # pages; the fork shares the long one's first two
NOBODY = []


def two_steps(
    backend: AttentionBackend,
    spec: AttentionSpec,
    *,
    heads: int = 6,
    kv_heads: int = 2,
    head_dim: int = 16,
    sinks: np.ndarray | None = None,
    per_device: PerDevice = on_one_device,
    jit: bool = True,
) -> np.ndarray:
    """[tokens, heads, head_dim] of every token with work.

    First the long and the short sequence's prompts are read. Then both decode, while a prompt goes on for two pages
    behind pages that it shares, and another begins; a third row and a last block have no work.
    """
    config = DecoderConfig(
        vocab_size=8, hidden_size=8, layers=LAYERS, heads=heads, kv_heads=kv_heads, head_dim=head_dim, mlp_size=8,
        max_position=64,
    )  # fmt: skip
    rng, cache, mixed = np.random.default_rng(0), backend.zeros(config, PAGES, PAGE, jnp.float32), []
    steps = [
        ([NOBODY] * 3, [0] * 3, [(0, LONG, 0), (0, LONG, 8), (0, LONG, 16), (1, SHORT, 0)]),
        ([LONG, SHORT, NOBODY], [20, 5, 0], [(2, FORK, 16), (2, FORK, 24), (3, FRESH, 0), (-1, NOBODY, 0)]),
    ]
    for rows, positions, blocks in steps:
        view = _view(rows, positions, blocks, backend.table_pages(PAGE))
        tokens = len(rows) + len(blocks) * PAGE
        q, k, v = (
            rng.normal(size=(tokens, count, head_dim)).astype(np.float32) for count in (heads, kv_heads, kv_heads)
        )

        def run(q, k, v, cache, view):
            return attending(backend, view, PAGES, per_device)(q, k, v, cache, LAYER, spec, sinks)

        out, cache = (jax.jit(run) if jit else run)(q, k, v, cache, view)
        assert np.isfinite(out).all(), "a token without work would spoil the scratch page"
        works = [bool(row) for row in rows] + [row >= 0 for row, _, _ in blocks for _ in range(PAGE)]
        mixed.append(np.asarray(out)[works])
    return np.concatenate(mixed)


def _view(rows: list, positions: list, blocks: list, multiple: int) -> PageView:
    width = -(-5 // multiple) * multiple
    lines = np.full((len(rows) + len(blocks), width), PAGES, np.int32)
    for line, pages in zip(lines, [*rows, *(pages for _, pages, _ in blocks)], strict=True):
        line[: len(pages)] = pages

    def page(line: np.ndarray, position: int) -> int:
        return line[position // PAGE]

    row_table, block_table = np.split(lines, [len(rows)])
    starts = [start for _, _, start in blocks]
    return PageView(
        row_table,
        np.array(positions, np.int32),
        np.array(list(map(page, row_table, positions)), np.int32),
        np.array([row for row, _, _ in blocks], np.int32),
        block_table,
        np.array(starts, np.int32),
        np.array(list(map(page, block_table, starts)), np.int32),
    )
