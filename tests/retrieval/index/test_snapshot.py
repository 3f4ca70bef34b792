"""Snapshots: what they find is what an exhaustive search finds, through inserts, deletes, filters and merges."""

import numpy as np
import pytest

from retrieval.index import scann
from retrieval.index.files import saved
from retrieval.index.merging import merge
from retrieval.index.policy import IndexPolicy
from retrieval.index.segment import Segment
from retrieval.index.snapshot import Snapshot
from tests.retrieval.index.rows import chunk_rows, unit

EXACT = IndexPolicy(saved_from=50)
HASHED = IndexPolicy(saved_from=50, hashed_from=50, recall=1.0)
PARTITIONED = IndexPolicy(saved_from=50, hashed_from=50, partitioned_from=50, recall=1.0)
QUERIES = unit(8, seed=5)


def exhaustive(rows, alive, query, count):
    """Ids of the nearest rows that live."""
    scores = np.where(alive, rows.vectors @ query, -np.inf)
    return rows.live.ids[np.argsort(-scores, kind="stable")[: min(count, alive.sum())]].tolist()


def test_several_segments_answer_as_one():
    rows = chunk_rows(90)
    parts = [chunk_rows(90)]
    whole = Snapshot().with_segment(Segment.of(rows))
    snapshot = Snapshot()
    for start in range(0, 90, 30):
        part = parts[0]
        live = type(part.live)(
            *(getattr(part.live, name)[start : start + 30] for name in ("ids", "documents", "digests"))
        )
        piece = type(part)(live, part.vectors[start : start + 30], part.texts[start : start + 30])
        snapshot = snapshot.with_segment(Segment.of(piece))
    for query in QUERIES:
        assert snapshot.dense(query, 12).ids.tolist() == whole.dense(query, 12).ids.tolist()
        assert snapshot.dense(query, 12).scores == pytest.approx(whole.dense(query, 12).scores)
    assert snapshot.lexical("word77 common", 3).ids[0] == 77
    assert len(snapshot.lexical("common", 200).ids) == 90
    assert not len(snapshot.lexical("unheard", 5).ids)


def test_an_empty_snapshot_finds_nothing():
    assert not len(Snapshot().dense(QUERIES[0], 5).ids) and not len(Snapshot().lexical("word", 5).ids)


def test_deleted_chunks_are_gone_from_the_new_snapshot_only():
    before = Snapshot().with_segment(Segment.of(chunk_rows(30)))
    after = before.without(np.array([4, 5, 99]))
    assert 4 in before.dense(QUERIES[0], 30).ids and 4 not in after.dense(QUERIES[0], 30).ids
    assert len(after.dense(QUERIES[0], 30).ids) == 28
    assert not len(after.lexical("word5", 3).ids)
    assert after.without(np.arange(1, 31)).parts == ()


@pytest.mark.parametrize("policy", [EXACT, HASHED, PARTITIONED], ids=["exact", "hashed", "partitioned"])
def test_merged_segments_find_what_an_exhaustive_search_finds(policy, tmp_path):
    rows = chunk_rows(600)
    snapshot = Snapshot().with_segment(Segment.of(rows)).without(np.arange(1, 600, 7))
    alive = ~np.isin(rows.live.ids, np.arange(1, 600, 7))
    merged = merge(snapshot.parts, policy, tmp_path)
    assert len(merged) == alive.sum() and merged.folder in saved(tmp_path)
    assert (merged.searcher is None) is (policy is EXACT) and merged.bytes > merged.vectors.nbytes
    after = snapshot.merged([snapshot.parts[0][0]], merged)
    for query in QUERIES:
        found = after.dense(query, 10)
        assert len(np.intersect1d(found.ids, exhaustive(rows, alive, query, 10))) >= 9
        assert found.scores == pytest.approx(rows.vectors[found.ids - 1] @ query)
    assert after.lexical("word500 common", 1).ids.tolist() == [500]


def test_what_is_deleted_during_a_merge_stays_deleted(tmp_path):
    first = Snapshot().with_segment(Segment.of(chunk_rows(60)))
    merged = merge(first.parts, EXACT, tmp_path)
    meanwhile = first.without(np.array([9])).with_segment(Segment.of(chunk_rows(5, first=100)))
    after = meanwhile.merged([first.parts[0][0]], merged)
    assert sorted(after.dense(QUERIES[0], 99).ids) == [*range(1, 9), *range(10, 61), *range(100, 105)]


def test_nothing_left_makes_no_segment(tmp_path):
    snapshot = Snapshot().with_segment(Segment.of(chunk_rows(3)))
    gone = [(snapshot.parts[0][0], np.zeros(3, np.bool_))]
    assert merge(gone, EXACT, tmp_path) is None
    assert snapshot.merged([snapshot.parts[0][0]], None).parts == ()


@pytest.mark.parametrize("share", [0.5, 0.05, 0.002, 0])
def test_a_filter_leaves_the_best_of_what_it_lets_through(share, tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval.index.segment._EXACT", 20)
    rows = chunk_rows(3000)
    snapshot = Snapshot().with_segment(Segment.of(rows))
    policy = IndexPolicy(saved_from=50, hashed_from=50, partitioned_from=50, recall=0.99)
    snapshot = snapshot.merged([snapshot.parts[0][0]], merge(snapshot.parts, policy, tmp_path))
    documents = np.unique(rows.live.documents)
    wanted = np.random.default_rng(1).choice(documents, int(len(documents) * share), replace=False)
    alive = np.isin(rows.live.documents, wanted)
    for query in QUERIES:
        found = snapshot.within(wanted).dense(query, 10).ids
        truth = exhaustive(rows, alive, query, 10)
        assert len(found) == len(truth) and np.isin(rows.live.documents[found - 1], wanted).all()
        assert len(np.intersect1d(found, truth)) >= 0.8 * len(truth)


def test_a_filter_far_from_the_query_still_fills_the_answer(tmp_path, monkeypatch):
    """The allowed rows lie where the query does not look, so looking for more must end in an exact search."""
    monkeypatch.setattr("retrieval.index.segment._EXACT", 20)
    rows = chunk_rows(2000)
    snapshot = Snapshot().with_segment(Segment.of(rows))
    policy = IndexPolicy(saved_from=50, hashed_from=50, partitioned_from=50, recall=0.99)
    snapshot = snapshot.merged([snapshot.parts[0][0]], merge(snapshot.parts, policy, tmp_path))
    query = QUERIES[0]
    farthest = np.unique(rows.live.documents[np.argsort(rows.vectors @ query)[:150]])
    alive = np.isin(rows.live.documents, farthest)
    found = snapshot.within(farthest).dense(query, 40).ids
    assert len(np.intersect1d(found, exhaustive(rows, alive, query, 40))) >= 38


def test_without_scann_every_search_is_exact(tmp_path, monkeypatch):
    rows = chunk_rows(200)
    parts = Snapshot().with_segment(Segment.of(rows)).parts
    approximate = merge(parts, HASHED, tmp_path)
    monkeypatch.setattr(scann, "available", lambda: False)
    assert merge(parts, HASHED, tmp_path).searcher is None
    # An index that was saved where there was ScaNN is read where there is none.
    from retrieval.index.files import load

    assert load(approximate.folder, rows.vectors.shape[1]).searcher is None


def test_found_chunks_are_compared_whichever_search_found_them():
    rows = chunk_rows(40)
    snapshot = Snapshot().with_segment(Segment.of(rows)).with_segment(Segment.of(chunk_rows(10, first=100, seed=3)))
    ids = np.array([105, 7, 31, 2])
    cosines, words = snapshot.compare(ids, QUERIES[0], "word7 word105 common")
    found = snapshot.dense(QUERIES[0], 50)
    assert cosines == pytest.approx([found.scores[found.ids == chunk][0] for chunk in ids])
    lexical = snapshot.lexical("word7 word105 common", 50)
    assert words == pytest.approx([lexical.scores[lexical.ids == chunk][0] for chunk in ids])
    assert not snapshot.compare(ids[:0], QUERIES[0], "word")[0].size
