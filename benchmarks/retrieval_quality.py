"""Whether the right paragraph is among those found, by each way to search, on the product's own index."""

import gzip
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.index.segment import Segment
from retrieval.index.snapshot import Found, Snapshot
from retrieval.ranking import Mode, fuse, rank
from retrieval.rows import ChunkRows, Live

DEPTH = 100


@dataclass(frozen=True)
class Squad:
    """Paragraphs, questions, and for each question the place of the paragraph that answers it."""

    paragraphs: list[str]
    questions: list[str]
    answers: np.ndarray

    @classmethod
    def read(cls, path: Path, count: int) -> "Squad":
        """All paragraphs, and `count` of the questions that have an answer, drawn by chance but always the same."""
        paragraphs: dict[str, int] = {}
        asked: dict[tuple[str, int], None] = {}
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                place = paragraphs.setdefault(row["context"], len(paragraphs))
                if row["answerable"]:
                    asked[row["question"], place] = None
        drawn = random.Random(0).sample(list(asked), min(count, len(asked)))
        return cls(list(paragraphs), [question for question, _ in drawn], np.array([place for _, place in drawn]))


@dataclass(frozen=True)
class Quality:
    """How good a way to search is."""

    name: str
    ndcg_10: float
    recall_10: float
    recall_100: float
    milliseconds: float


def ndcg(ranks: np.ndarray, depth: int = 10) -> float:
    """Mean normalised discounted gain where each question has one right answer, found at a rank from 1, or 0."""
    found = (ranks > 0) & (ranks <= depth)
    return float(np.sum(1 / np.log2(1 + ranks[found])) / len(ranks))


def recall(ranks: np.ndarray, depth: int) -> float:
    """The share of questions whose answer is among the first `depth`."""
    return float(np.mean((ranks > 0) & (ranks <= depth)))


def measure_quality(squad: Squad, paragraphs: np.ndarray, questions: np.ndarray) -> list[Quality]:
    """By meaning, by words, both fused, and these in the order that the product gives them."""
    ids = np.arange(1, len(paragraphs) + 1)
    snapshot = Snapshot().with_segment(Segment.of(ChunkRows(Live(ids, ids, ids), paragraphs, squad.paragraphs)))

    def ranked(mode: Mode) -> Callable[[int], Found]:
        return lambda index: rank(snapshot, mode, squad.questions[index], questions[index], DEPTH)

    def fused(index: int) -> Found:
        return fuse(ranked("dense")(index), ranked("bm25")(index), DEPTH)

    ways = {"dense": ranked("dense"), "bm25": ranked("bm25"), "fused by rank": fused, "hybrid": ranked("hybrid")}
    return [measured(name, search, squad.answers + 1) for name, search in ways.items()]


def measured(name: str, search: Callable[[int], Found], answers: np.ndarray) -> Quality:
    """Asks every question, by its number."""
    began = time.perf_counter()
    ranks = np.array([rank_of(answer, search(index).ids.tolist()) for index, answer in enumerate(answers.tolist())])
    milliseconds = 1000 * (time.perf_counter() - began) / len(ranks)
    return Quality(name, ndcg(ranks), recall(ranks, 10), recall(ranks, 100), milliseconds)


def rank_of(answer: int, found: Sequence[int]) -> int:
    """From 1; 0 when it is not there."""
    return found.index(answer) + 1 if answer in found else 0
