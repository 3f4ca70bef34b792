"""A segment: some chunks of a collection with everything to find them by, made once and never changed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64

from retrieval.index.scann import Reach, ScannSearcher
from retrieval.index.tuning import Tuned
from retrieval.index.vectors import best, inner_products
from retrieval.lexical import Postings
from retrieval.rows import ChunkRows, Live

_EXACT = 4096  # rows: scoring so few is as quick as looking for a few among many
_MARGIN = 1.2  # more than the share of allowed rows asks for


@dataclass(frozen=True, eq=False)
class Segment:
    """Rows of chunks. `searcher` is None where an exact search is quick enough; `folder` is where it was saved."""

    live: Live
    vectors: Float32[np.ndarray, "rows dimensions"]
    postings: Postings
    searcher: ScannSearcher | None = None
    tuned: Tuned | None = None
    folder: Path | None = None

    @classmethod
    def of(cls, rows: ChunkRows) -> "Segment":
        """Indexes new chunks, one at least, in memory."""
        return cls(rows.live, rows.vectors, Postings.of(rows.texts))

    def __len__(self) -> int:
        return len(self.live.ids)

    @cached_property
    def bytes(self) -> int:
        """Of memory at most: what lies in files leaves memory when others need it."""
        own = self.vectors.nbytes + 3 * self.live.ids.nbytes + self.postings.bytes
        return own + (self.searcher.bytes if self.searcher else 0)

    def nearest(
        self, query: Float32[np.ndarray, " dimensions"], count: int, allowed: Bool[np.ndarray, " rows"]
    ) -> tuple[Int64[np.ndarray, " found"], Float32[np.ndarray, " found"]]:
        """The allowed rows nearest to a query, best first, with their exact inner products."""
        rows = self._approximately(query, count, allowed) if self.searcher else None
        if rows is None:
            rows = np.flatnonzero(allowed)
        scores = inner_products(self.vectors if len(rows) == len(self) else self.vectors[rows], query)
        order = best(scores, count)
        return rows[order], scores[order]

    def _approximately(
        self, query: Float32[np.ndarray, " dimensions"], count: int, allowed: Bool[np.ndarray, " rows"]
    ) -> Int64[np.ndarray, " found"] | None:
        """At least `count` allowed rows, by looking for the more the fewer are allowed; None if that does not pay."""
        alive = int(np.count_nonzero(allowed))
        fetch, leaves = count, self.tuned.reach.leaves
        if alive < len(self):
            fetch = int(_MARGIN * count * len(self) / max(alive, 1)) + 1
        while alive > max(_EXACT, fetch):
            found = self.searcher.search(query, fetch, Reach(leaves, self.tuned.reach.rescored))
            rows = found[allowed[found]]
            if len(rows) >= count:
                return rows
            fetch, leaves = fetch * 4, min(leaves * 2, self.searcher.leaves)
        return None
