"""Saved segments are believed row by row, where SQL bears them out."""

import numpy as np
import pytest

from retrieval.index.files import saved
from retrieval.index.merging import merge
from retrieval.index.policy import IndexPolicy
from retrieval.index.recovery import open_saved
from retrieval.index.segment import Segment
from retrieval.index.snapshot import Snapshot
from retrieval.rows import Live
from tests.retrieval.index.rows import DIMENSIONS, chunk_rows

POLICY = IndexPolicy(saved_from=4)


@pytest.fixture
def folder(tmp_path):
    """With two segments: chunks 1 to 40, and 30 to 49 once more."""
    for count, first in ((40, 1), (20, 30)):
        merge(Snapshot().with_segment(Segment.of(chunk_rows(count, first))).parts, POLICY, tmp_path)
    return tmp_path


def recovered(folder, live: Live):
    """Ids that live in each segment, and those that are missing."""
    parts, missing = open_saved(folder, DIMENSIONS, live)
    return [segment.live.ids[alive].tolist() for segment, alive in parts], missing.tolist()


def test_a_chunk_counts_once_and_what_is_not_there_is_missing(folder):
    assert recovered(folder, chunk_rows(55).live) == (
        [list(range(1, 41)), list(range(41, 50))],
        list(range(50, 56)),
    )


def test_what_sql_does_not_have_is_dead(folder):
    live = chunk_rows(40).live
    some = Live(*(getattr(live, name)[5:20] for name in ("ids", "documents", "digests")))
    assert recovered(folder, some) == ([list(range(6, 21))], [])
    assert len(saved(folder)) == 1  # the other one has nothing to give
    empty = Live(*(np.empty(0, np.int64) for _ in range(3)))
    assert recovered(folder, empty) == ([], []) and saved(folder) == []


@pytest.mark.parametrize("name", ["documents", "digests"])
def test_a_chunk_of_another_document_or_text_is_another_chunk(folder, name):
    live = chunk_rows(10).live
    getattr(live, name)[4] += 1
    parts, missing = recovered(folder, live)
    assert parts == [[1, 2, 3, 4, 6, 7, 8, 9, 10]] and missing == [5]


def test_a_damaged_segment_is_as_none_and_goes(folder):
    first, second = saved(folder)
    (first / "ids.npy").write_bytes(b"")
    (second / "manifest.json").write_text("{}")
    assert recovered(folder, chunk_rows(3).live) == ([], [1, 2, 3])
    assert saved(folder) == []
