"""Chunks as rows of arrays, which is how they go from SQL to indexes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64


@dataclass(frozen=True, slots=True)
class Live:
    """Which chunks a collection has: ascending ids, each with its document and the digest of what was embedded."""

    ids: Int64[np.ndarray, " chunks"]
    documents: Int64[np.ndarray, " chunks"]
    digests: Int64[np.ndarray, " chunks"]


@dataclass(frozen=True, slots=True)
class ChunkRows:
    """Chunks with all that an index needs of them, by ascending id. Vectors have length 1."""

    live: Live
    vectors: Float32[np.ndarray, "chunks dimensions"]
    texts: Sequence[str]  # as embedded


def joined(parts: Sequence[ChunkRows]) -> ChunkRows | None:
    """Several as one, in their order; None when there are no rows."""
    parts = [rows for rows in parts if len(rows.live.ids)]
    if not parts:
        return None
    names = ("ids", "documents", "digests")
    live = Live(*(np.concatenate([getattr(rows.live, name) for rows in parts]) for name in names))
    return ChunkRows(
        live, np.concatenate([rows.vectors for rows in parts]), [text for rows in parts for text in rows.texts]
    )
