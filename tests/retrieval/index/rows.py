"""Random chunks for index tests."""

import numpy as np

from retrieval.rows import ChunkRows, Live

DIMENSIONS = 16


def unit(rows: int, seed: int = 0, clusters: int = 12) -> np.ndarray:
    """Unit vectors around some centres, as texts of some subjects have them."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(clusters, DIMENSIONS))
    vectors = centres[random.integers(clusters, size=rows)] + 0.5 * random.normal(size=(rows, DIMENSIONS))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def chunk_rows(count: int, first: int = 1, seed: int = 0) -> ChunkRows:
    """Chunks `first`, `first + 1`, ...; three to a document; each with a word of its own and one that all have."""
    ids = np.arange(first, first + count)
    live = Live(ids, ids // 3, ids * 7)
    return ChunkRows(live, unit(count, seed), [f"word{number} common" for number in ids])
