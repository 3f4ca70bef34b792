"""ScaNN as we use it, and the behaviour of its native part that the design relies on."""

import numpy as np
import pytest

from retrieval.index.scann import LEAST_ROWS, Reach, ScannSearcher
from retrieval.index.tuning import tune
from tests.retrieval.index.rows import DIMENSIONS, unit

VECTORS = unit(900)


@pytest.fixture(scope="module", params=[False, True], ids=["hashed", "partitioned"])
def searcher(request) -> ScannSearcher:
    """Of 900 vectors."""
    return ScannSearcher.build(VECTORS, partitioned=request.param)


def test_all_rows_are_found_when_it_looks_everywhere(searcher):
    everywhere = Reach(searcher.leaves, len(VECTORS))
    for query in VECTORS[:20]:
        found = searcher.search(query, len(VECTORS) + 5, everywhere)
        assert sorted(found) == list(range(len(VECTORS)))
        exact = np.argsort(-(VECTORS @ query))[:10]
        assert len(np.intersect1d(found[:10], exact)) >= 9  # bfloat16 decides between neighbours


def test_a_search_never_returns_a_row_twice_or_more_than_it_is_asked_for(searcher):
    for count in (1, 7, 300):
        found = searcher.search(VECTORS[3], count, Reach(1 if searcher.leaves else 0, 10))
        assert 1 <= len(found) <= count and len(set(found)) == len(found)
        assert found.dtype == np.int64 and found.max() < len(VECTORS)


def test_what_is_saved_is_what_is_loaded_wherever_it_moved(searcher, tmp_path):
    searcher.save(tmp_path / "written")
    (tmp_path / "written").rename(tmp_path / "moved")
    assert not list((tmp_path / "moved").glob("*.pkl"))
    loaded = ScannSearcher.load(tmp_path / "moved", len(VECTORS), DIMENSIONS, searcher.leaves)
    reach = Reach(searcher.leaves, 100)
    for query in VECTORS[:5]:
        assert searcher.search(query, 20, reach).tolist() == loaded.search(query, 20, reach).tolist()


@pytest.mark.parametrize("rows", [LEAST_ROWS, LEAST_ROWS + 1, 40])
@pytest.mark.parametrize("partitioned", [False, True])
def test_few_or_equal_rows_make_no_trouble(rows, partitioned):
    for vectors in (VECTORS[:rows], np.repeat(VECTORS[:1], rows, axis=0)):
        searcher = ScannSearcher.build(vectors, partitioned)
        assert 0 in searcher.search(vectors[0], rows, Reach(searcher.leaves, rows))


def test_tuning_reaches_the_recall_that_is_asked_for(searcher):
    tuned = tune(searcher, VECTORS, 0.9)
    assert tuned.recall >= 0.9
    assert tuned.reach.leaves <= searcher.leaves
    farthest = tune(searcher, VECTORS, 1.1)  # nobody can
    assert farthest.recall >= tuned.recall and farthest.reach.rescored == 400


def test_tuning_holds_for_questions_which_are_no_rows():
    """Rows come in tight bunches, each in a partition of its own, so one partition would do for queries like rows."""
    bunches = np.repeat(unit(30), 30, axis=0) + 0.2 * unit(900, seed=7)
    bunches /= np.linalg.norm(bunches, axis=1, keepdims=True)
    searcher = ScannSearcher.build(bunches, partitioned=True)
    tuned = tune(searcher, bunches, 0.95)
    questions = bunches[:300] + bunches[300:600] + bunches[600:]
    found = [
        np.isin(np.argsort(-(bunches @ question))[:10], searcher.search(question, 10, tuned.reach)).mean()
        for question in questions / np.linalg.norm(questions, axis=1, keepdims=True)
    ]
    assert np.mean(found) > 0.9 and tuned.reach.leaves > 1


def test_equal_rows_count_as_found_whichever_is_given():
    vectors = np.repeat(VECTORS[:4], 50, axis=0)
    assert tune(ScannSearcher.build(vectors, False), vectors, 1.0).recall == 1.0
