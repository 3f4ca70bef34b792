"""Three ways to rank a snapshot's chunks for a query: by meaning, by words, and by both."""

from typing import Literal

import numpy as np
from jaxtyping import Float32

from retrieval.fusion import reciprocal_rank
from retrieval.index.snapshot import Found, Snapshot
from retrieval.index.vectors import best
from retrieval.rerank import lexical_semantic

Mode = Literal["dense", "bm25", "hybrid"]


def rank(
    snapshot: Snapshot, mode: Mode, query: str, vector: Float32[np.ndarray, " dimensions"] | None, count: int
) -> Found:
    """The best `count` chunks. `vector` is the query's, which `bm25` does without.

    `hybrid` takes the best of both by reciprocal rank, and orders these by cosine and BM25 together.
    """
    if mode == "bm25":
        return snapshot.lexical(query, count)
    dense = snapshot.dense(vector, count)
    if mode == "dense":
        return dense
    fused = fuse(dense, snapshot.lexical(query, count), count)
    scores = lexical_semantic(*snapshot.compare(fused.ids, vector, query))
    order = best(scores, count)
    return Found(fused.ids[order], scores[order])


def fuse(dense: Found, words: Found, count: int) -> Found:
    """The best of two rankings by reciprocal rank."""
    fused = reciprocal_rank([dense.ids.tolist(), words.ids.tolist()])[:count]
    return Found(np.array([chunk for chunk, _ in fused], np.int64), np.array([score for _, score in fused], np.float32))
