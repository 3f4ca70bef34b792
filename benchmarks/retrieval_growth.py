"""What an index of so many vectors costs to build and to ask, and what it loses against an exact search."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks.machine import quantile
from benchmarks.retrieval_quality import ndcg, rank_of
from retrieval.index.merging import approximate
from retrieval.index.policy import IndexPolicy
from retrieval.index.scann import Reach, ScannSearcher
from retrieval.index.vectors import best, inner_products

QUERIES = 1000
DEPTH = 100
SWEEP = (0.25, 0.5, 1, 2, 4)  # times the partitions that the index opens by itself


@dataclass(frozen=True)
class Growth:
    """Times in seconds. `made` counts vectors of no text; `sweep` has (median time, recall) of other settings."""

    vectors: int
    made: int
    kind: str
    build_seconds: float
    index_bytes: int
    partitions: int
    opened: int
    recall: float
    exact_ndcg: float
    ndcg: float
    exact_p50: float
    p50: float
    p99: float
    sweep: list[tuple[float, float]] = field(default_factory=list)


def measure_growth(file: Path, questions: np.ndarray, answers: np.ndarray, made: int) -> Growth:
    """Builds the index that the product would choose for the vectors in a file, and asks it the questions."""
    vectors = np.load(file, mmap_mode="r")
    asked, right = questions[:QUERIES], answers[:QUERIES].tolist()
    exact_times, truth = [], []
    for query in asked:
        began = time.perf_counter()
        scores = inner_products(vectors, query)
        truth.append(best(scores, DEPTH))
        exact_times.append(time.perf_counter() - began)
    exact = ndcg(np.array([rank_of(answer, found.tolist()) for answer, found in zip(right, truth, strict=True)]))
    if exact == 0:
        raise ValueError("no question finds its paragraph")

    before = psutil.Process().memory_full_info().uss
    began = time.perf_counter()
    searcher, tuned = approximate(vectors, IndexPolicy())
    build = time.perf_counter() - began
    used = psutil.Process().memory_full_info().uss - before
    p50_exact = quantile(exact_times, 0.5)
    if searcher is None or tuned is None:
        return Growth(
            vectors=len(vectors),
            made=made,
            kind="exact",
            build_seconds=build,
            index_bytes=vectors.nbytes,
            partitions=0,
            opened=0,
            recall=1,
            exact_ndcg=exact,
            ndcg=exact,
            exact_p50=p50_exact,
            p50=p50_exact,
            p99=quantile(exact_times, 0.99),
        )

    times, found = ask(searcher, vectors, asked, tuned.reach)
    sweep = []
    for factor in SWEEP if searcher.leaves else ():
        leaves = min(searcher.leaves, max(1, round(tuned.reach.leaves * factor)))
        swept, given = ask(searcher, vectors, asked, Reach(leaves, tuned.reach.rescored))
        sweep.append((quantile(swept, 0.5), share_found(given, truth)))
    return Growth(
        vectors=len(vectors),
        made=made,
        kind="partitioned" if searcher.leaves else "hashed",
        build_seconds=build,
        index_bytes=used,
        partitions=searcher.leaves,
        opened=tuned.reach.leaves,
        recall=share_found(found, truth),
        exact_ndcg=exact,
        ndcg=ndcg(np.array([rank_of(answer, rows.tolist()) for answer, rows in zip(right, found, strict=True)])),
        exact_p50=p50_exact,
        p50=quantile(times, 0.5),
        p99=quantile(times, 0.99),
        sweep=sweep,
    )


def ask(
    searcher: ScannSearcher, vectors: np.ndarray, asked: np.ndarray, reach: Reach
) -> tuple[list[float], list[np.ndarray]]:
    """Asks one question after the other as a segment does: an approximate search, then exact scores."""
    times, answers = [], []
    for query in asked:
        began = time.perf_counter()
        rows = searcher.search(query, DEPTH, reach)
        answers.append(rows[best(inner_products(vectors[rows], query), DEPTH)])
        times.append(time.perf_counter() - began)
    return times, answers


def share_found(found: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Of the ten nearest."""
    return float(
        np.mean([len(np.intersect1d(some[:10], wanted[:10])) / 10 for some, wanted in zip(found, truth, strict=True)])
    )
