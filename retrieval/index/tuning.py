"""How far an approximate search must look: measured against an exact one on rows of the index itself."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from retrieval.index.scann import Reach, ScannSearcher
from retrieval.index.vectors import inner_products

QUERIES = 200
NEAREST = 10
RESCORED = (100, 200, 400)  # a search for more results scores as many as it returns
_AT_ONCE = 65_536  # rows scored at once
_ROUNDING = 1e-5  # of scores summed in another order


@dataclass(frozen=True, slots=True)
class Tuned:
    """How far to look, and the share of the ten nearest that this found."""

    reach: Reach
    recall: float


def tune(searcher: ScannSearcher, vectors: Float32[np.ndarray, "rows dimensions"], target: float) -> Tuned:
    """The reach of fewest partitions, and then fewest rows, whose recall is `target` or more; else the farthest.

    Rows are the queries, and a row's own does not count.
    """
    rows = np.random.default_rng(0).choice(len(vectors), min(QUERIES, len(vectors)), replace=False)
    queries = np.ascontiguousarray(vectors[rows])
    worst = _worst_of_nearest(vectors, queries, rows)
    for leaves in _openings(searcher.leaves):
        for rescored in RESCORED:
            reach = Reach(leaves, rescored)
            recall = _recall(searcher, vectors, queries, rows, worst, reach)
            if recall >= target:
                return Tuned(reach, recall)
    return Tuned(reach, recall)


def _openings(leaves: int) -> list[int]:
    """Numbers of partitions to try: from one in a hundred, by half more each time, to one in two."""
    tried, share = [], 0.01
    while leaves and share <= 0.5:
        tried.append(max(1, round(leaves * share)))
        share *= 1.5
    return list(dict.fromkeys(tried)) or [0]


def _recall(
    searcher: ScannSearcher,
    vectors: Float32[np.ndarray, "rows dimensions"],
    queries: Float32[np.ndarray, "queries dimensions"],
    rows: Int64[np.ndarray, " queries"],
    worst: Float32[np.ndarray, " queries"],
    reach: Reach,
) -> float:
    """The share of the nearest that is found. Of rows that are equally near, any will do."""
    wanted = min(NEAREST, len(vectors) - 1)
    found = 0
    for query, own, least in zip(queries, rows, worst, strict=True):
        given = searcher.search(query, wanted + 1, reach)
        scores = inner_products(vectors[given[given != own][:wanted]], query)
        found += np.count_nonzero(scores >= least - _ROUNDING)
    return found / max(wanted * len(rows), 1)


def _worst_of_nearest(
    vectors: Float32[np.ndarray, "rows dimensions"],
    queries: Float32[np.ndarray, "queries dimensions"],
    rows: Int64[np.ndarray, " queries"],
) -> Float32[np.ndarray, " queries"]:
    """By an exact search, the score of the last of each query's nearest rows, its own left out."""
    kept = np.full((len(rows), NEAREST), -np.inf, np.float32)
    for start in range(0, len(vectors), _AT_ONCE):
        scores = queries @ vectors[start : start + _AT_ONCE].T
        own = np.flatnonzero((rows >= start) & (rows < start + scores.shape[1]))
        scores[own, rows[own] - start] = -np.inf
        kept = np.partition(np.hstack([kept, scores]), -NEAREST, axis=1)[:, -NEAREST:]
    return kept.min(axis=1)
