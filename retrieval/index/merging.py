"""Several segments become one, of the kind that its size asks for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from retrieval.index import files, scann
from retrieval.index.policy import IndexPolicy
from retrieval.index.scann import ScannSearcher
from retrieval.index.segment import Segment
from retrieval.index.tuning import Tuned, tune
from retrieval.lexical import Postings
from retrieval.rows import Live

_COPIED = 65_536  # vectors copied at once

Part = tuple[Segment, Bool[np.ndarray, " rows"]]
"""A segment, and which of its rows live."""


def merge(parts: Sequence[Part], policy: IndexPolicy, folder: Path) -> Segment | None:
    """One segment of the rows that live in several, saved under `folder` when it is large; None when none lives."""
    count = sum(int(np.count_nonzero(alive)) for _, alive in parts)
    if not count:
        return None
    live = Live(
        *(
            np.concatenate([getattr(segment.live, name)[alive] for segment, alive in parts])
            for name in ("ids", "documents", "digests")
        )
    )
    postings = Postings.merged([(segment.postings, alive) for segment, alive in parts])
    if count < policy.saved_from:
        return Segment(live, np.concatenate(list(_vectors(parts))), postings)
    dimensions = parts[0][0].vectors.shape[1]
    with files.draft(folder) as draft:
        # No name holds the vectors: Windows moves no folder of which a file is mapped.
        searcher, tuned = approximate(files.write_vectors(draft, _vectors(parts), count, dimensions), policy)
        final = files.finish(draft, live, postings, searcher, tuned)
    return files.load(final, dimensions)


def approximate(
    vectors: Float32[np.ndarray, "rows dimensions"], policy: IndexPolicy
) -> tuple[ScannSearcher | None, Tuned | None]:
    """The approximate index that so many vectors ought to have, and how far it must look; none for few."""
    if len(vectors) < max(policy.hashed_from, scann.LEAST_ROWS) or not scann.available():
        return None, None
    searcher = ScannSearcher.build(vectors, partitioned=len(vectors) >= policy.partitioned_from)
    return searcher, tune(searcher, vectors, policy.recall)


def _vectors(parts: Sequence[Part]) -> Iterator[Float32[np.ndarray, "rows dimensions"]]:
    for segment, alive in parts:
        rows = np.flatnonzero(alive)
        for start in range(0, len(rows), _COPIED):
            yield segment.vectors[rows[start : start + _COPIED]]
