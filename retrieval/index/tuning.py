"""How far an approximate search must look: measured against an exact one on questions that the index itself yields."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from retrieval.index.scann import Reach, ScannSearcher
from retrieval.index.vectors import inner_products

QUERIES = 200
NEAREST = 10
RESCORED = (100, 200, 400)  # a search for more results scores as many as it returns
_BLENDED = 4  # rows in a query, to each of which its cosine is about 1/2
_AT_ONCE = 65_536  # rows scored at once
_ROUNDING = 1e-5  # of scores summed in another order


@dataclass(frozen=True, slots=True)
class Tuned:
    """How far to look, and the share of the ten nearest that this found."""

    reach: Reach
    recall: float


def tune(searcher: ScannSearcher, vectors: Float32[np.ndarray, "rows dimensions"], target: float) -> Tuned:
    """The reach of fewest partitions, and then fewest rows, whose recall is `target` or more; else the farthest."""
    queries = _queries(vectors)
    worst = _worst_of_nearest(vectors, queries)
    for leaves in _openings(searcher.leaves):
        for rescored in RESCORED:
            reach = Reach(leaves, rescored)
            recall = _recall(searcher, vectors, queries, worst, reach)
            if recall >= target:
                return Tuned(reach, recall)
    return Tuned(reach, recall)


def _queries(vectors: Float32[np.ndarray, "rows dimensions"]) -> Float32[np.ndarray, "queries dimensions"]:
    """Each the direction between a few rows, as far from each as a question is from its passage.

    A row itself would be far too easy: its nearest lie in its own partition. An index that finds 0.98 of what is
    nearest to rows finds 0.81 of what is nearest to SQuAD's questions; one that finds 0.99 for these, 0.989 or more.
    """
    rows = np.random.default_rng(0).integers(len(vectors), size=(QUERIES, _BLENDED))
    blends = vectors[rows].sum(axis=1)
    return blends / np.maximum(np.linalg.norm(blends, axis=1, keepdims=True), _ROUNDING)


def _openings(leaves: int) -> list[int]:
    """Numbers of partitions to try: one in a hundred, a quarter more each time, and in the end all."""
    tried, share = [], 0.01
    while share < 1:
        tried.append(round(leaves * share))
        share *= 1.25
    return sorted({max(number, min(leaves, 1)) for number in (*tried, leaves)})


def _recall(
    searcher: ScannSearcher,
    vectors: Float32[np.ndarray, "rows dimensions"],
    queries: Float32[np.ndarray, "queries dimensions"],
    worst: Float32[np.ndarray, " queries"],
    reach: Reach,
) -> float:
    """The share of the nearest that is found. Of rows that are equally near, any will do."""
    wanted = min(NEAREST, len(vectors))
    found = 0
    for query, least in zip(queries, worst, strict=True):
        given = searcher.search(query, wanted, reach)
        found += np.count_nonzero(inner_products(vectors[given], query) >= least - _ROUNDING)
    return found / (wanted * len(queries))


def _worst_of_nearest(
    vectors: Float32[np.ndarray, "rows dimensions"], queries: Float32[np.ndarray, "queries dimensions"]
) -> Float32[np.ndarray, " queries"]:
    """By an exact search, the score of the last of each query's nearest rows."""
    kept = np.full((len(queries), NEAREST), -np.inf, np.float32)
    for start in range(0, len(vectors), _AT_ONCE):
        scores = queries @ vectors[start : start + _AT_ONCE].T
        kept = np.partition(np.hstack([kept, scores]), -NEAREST, axis=1)[:, -NEAREST:]
    return kept.min(axis=1)
