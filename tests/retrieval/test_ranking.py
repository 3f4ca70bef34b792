"""Ranking by both: what words or meaning alone would miss, and how far ahead it is, count."""

import numpy as np
import pytest

from retrieval.index.segment import Segment
from retrieval.index.snapshot import Snapshot
from retrieval.ranking import rank
from retrieval.rerank import lexical_semantic
from retrieval.rows import ChunkRows, Live

IDS = np.array([1, 2, 3, 4])
VECTORS = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], np.float32)
SNAPSHOT = Snapshot().with_segment(
    Segment.of(ChunkRows(Live(IDS, IDS, IDS), VECTORS, ["alpha", "beta", "gamma rare", "delta rare"]))
)
QUERY = np.array([1, 0], np.float32)


def test_hybrid_ranks_by_both():
    assert rank(SNAPSHOT, "dense", "rare", QUERY, 4).ids.tolist() == [1, 2, 3, 4]
    assert rank(SNAPSHOT, "bm25", "rare", None, 4).ids.tolist() == [3, 4]
    found = rank(SNAPSHOT, "hybrid", "rare", QUERY, 4)
    assert found.ids.tolist() == [3, 1, 2, 4]
    assert found.scores == pytest.approx([0.6 * 0.6 + 0.4, 0.6, 0.6 * 0.8, 0.4])


def test_without_words_in_common_meaning_decides():
    assert rank(SNAPSHOT, "hybrid", "nothing", QUERY, 3).ids.tolist() == [1, 2, 3]


def test_scores_are_relative_to_the_best_passage():
    assert lexical_semantic(np.array([0.5, 0.5]), np.array([8.0, 2.0])) == pytest.approx([0.7, 0.4])
    assert lexical_semantic(np.array([0.5]), np.array([0.0])) == pytest.approx([0.3])
    assert not lexical_semantic(np.empty(0), np.empty(0)).size
