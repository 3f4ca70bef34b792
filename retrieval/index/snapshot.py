"""What serves: segments with the rows that live in each, as of one version. A change makes another snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from retrieval.index.merging import Part
from retrieval.index.segment import Segment
from retrieval.index.vectors import best, inner_products
from retrieval.lexical import query_weights


@dataclass(frozen=True, slots=True)
class Found:
    """Chunks that a search found, best first, each with its score."""

    ids: Int64[np.ndarray, " found"]
    scores: Float32[np.ndarray, " found"]


@dataclass(frozen=True)
class Snapshot:
    """An index of a collection that never changes, so searches in any thread need no lock."""

    parts: tuple[Part, ...] = ()

    @property
    def bytes(self) -> int:
        """Of memory at most."""
        return sum(segment.bytes + len(segment) for segment, _ in self.parts)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Of each segment: rows, and rows that live."""
        return [(len(segment), int(np.count_nonzero(alive))) for segment, alive in self.parts]

    def with_segment(self, segment: Segment) -> "Snapshot":
        """This and a new segment."""
        return Snapshot((*self.parts, (segment, np.ones(len(segment), np.bool_))))

    def without(self, ids: Int64[np.ndarray, " removed"]) -> "Snapshot":
        """This without some chunks."""
        if not len(ids):
            return self
        fewer = [(segment, alive & ~np.isin(segment.live.ids, ids)) for segment, alive in self.parts]
        return Snapshot(tuple((segment, alive) for segment, alive in fewer if alive.any()))

    def merged(self, sources: Sequence[Segment], into: Segment | None) -> "Snapshot":
        """This with one segment in the place of several. What was deleted while it was made is deleted in it too."""
        gone = {id(segment) for segment in sources}
        kept = tuple(part for part in self.parts if id(part[0]) not in gone)
        if into is None:
            return Snapshot(kept)
        alive = [segment.live.ids[rows] for segment, rows in self.parts if id(segment) in gone]
        rows = np.isin(into.live.ids, np.concatenate(alive)) if alive else np.zeros(len(into), np.bool_)
        return Snapshot((*kept, (into, rows)) if rows.any() else kept)

    def within(self, documents: Int64[np.ndarray, " documents"]) -> "Snapshot":
        """This with the chunks of some documents only."""
        fewer = [(segment, alive & np.isin(segment.live.documents, documents)) for segment, alive in self.parts]
        return Snapshot(tuple((segment, alive) for segment, alive in fewer if alive.any()))

    def dense(self, query: Float32[np.ndarray, " dimensions"], count: int) -> Found:
        """The chunks nearest to a unit vector, by cosine."""
        found = []
        for segment, alive in self.parts:
            rows, scores = segment.nearest(query, count, alive)
            found.append((segment.live.ids[rows], scores))
        return _best(found, count)

    def lexical(self, query: str, count: int) -> Found:
        """The chunks with the highest BM25 for a query; none that has no word of it."""
        weights = query_weights(query, [segment.postings for segment, _ in self.parts])
        found = []
        for segment, alive in self.parts:
            scores = segment.postings.search(weights)
            rows = np.flatnonzero(alive & (scores > 0))
            rows = rows[best(scores[rows], count)]
            found.append((segment.live.ids[rows], scores[rows]))
        return _best(found, count)

    def compare(
        self, ids: Int64[np.ndarray, " found"], vector: Float32[np.ndarray, " dimensions"], query: str
    ) -> tuple[Float32[np.ndarray, " found"], Float32[np.ndarray, " found"]]:
        """The cosine and the BM25 of chunks that were found, whichever search found them."""
        cosines, words = np.zeros((2, len(ids)), np.float32)
        order = np.argsort(ids)
        weights = query_weights(query, [segment.postings for segment, _ in self.parts])
        for segment, alive in self.parts:
            rows = np.flatnonzero(alive & np.isin(segment.live.ids, ids))
            places = order[np.searchsorted(ids, segment.live.ids[rows], sorter=order)]
            cosines[places] = inner_products(segment.vectors[rows], vector)
            words[places] = segment.postings.at(rows, weights)
        return cosines, words


def _best(found: Sequence[tuple[Int64[np.ndarray, " found"], Float32[np.ndarray, " found"]]], count: int) -> Found:
    ids = np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in found)])
    scores = np.concatenate([np.empty(0, np.float32), *(scores for _, scores in found)])
    order = best(scores, count)
    return Found(ids[order], scores[order])
