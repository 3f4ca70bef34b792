"""The quality benchmark on a small sample of SQuAD (credits beside it), and what its measures mean."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.retrieval_growth import measure_growth
from benchmarks.retrieval_quality import Squad, measure_quality, ndcg, rank_of, recall
from benchmarks.retrieval_texts import mixed, other_texts
from retrieval.index.policy import IndexPolicy
from retrieval.index.vectors import unit_rows
from tests.retrieval.word_encoder import vector

SMALL = IndexPolicy(hashed_from=50, partitioned_from=50, recall=1)
SAMPLE = Path(__file__).with_name("squad_sample.jsonl")


def vectors_of(texts: list[str]) -> np.ndarray:
    """Of words only, with directions enough that they hardly disturb each other."""
    rows = np.array([vector(text, dimensions=256) for text in texts], np.float32)
    return unit_rows(rows, *rows.shape)[0]


def test_measures_are_those_of_the_books():
    ranks = np.array([1, 3, 0, 11])
    assert ndcg(ranks) == pytest.approx((1 + 1 / 2) / 4)
    assert recall(ranks, 10) == 0.5 and recall(ranks, 100) == 0.75
    assert rank_of(7, [9, 7]) == 2 and rank_of(7, []) == 0


def test_questions_find_their_paragraphs():
    squad = Squad.read(SAMPLE, 1000)
    assert len(squad.paragraphs) == 40 and len(squad.questions) > 70
    results = {
        result.name: result
        for result in measure_quality(squad, vectors_of(squad.paragraphs), vectors_of(squad.questions))
    }
    assert results["bm25"].ndcg_10 > 0.9 and results["bm25"].recall_100 > 0.97
    # Vectors that know nothing but words are worse than BM25, and bring in all that there is.
    assert 0.3 < results["dense"].ndcg_10 < results["bm25"].ndcg_10 and results["dense"].recall_100 == 1
    assert results["fused by rank"].ndcg_10 > results["dense"].ndcg_10 and results["fused by rank"].recall_100 == 1
    assert results["hybrid"].ndcg_10 > results["fused by rank"].ndcg_10


def test_the_same_questions_are_drawn_every_time():
    first, again = Squad.read(SAMPLE, 10), Squad.read(SAMPLE, 10)
    assert first.questions == again.questions and len(set(first.questions)) == 10


def test_growth_compares_with_an_exact_search(tmp_path, monkeypatch):
    squad = Squad.read(SAMPLE, 30)
    paragraphs = vectors_of(squad.paragraphs)
    whole = np.concatenate([paragraphs, mixed(paragraphs, 360)])
    np.save(tmp_path / "vectors.npy", whole)
    arguments = tmp_path / "vectors.npy", vectors_of(squad.questions), squad.answers, 360
    few = measure_growth(*arguments)
    assert (few.kind, few.ndcg, few.recall) == ("exact", few.exact_ndcg, 1)
    monkeypatch.setattr("benchmarks.retrieval_growth.IndexPolicy", lambda: SMALL)
    many = measure_growth(*arguments)
    assert (many.kind, many.partitions, many.made, len(many.sweep)) == ("partitioned", 20, 360, 5)
    assert many.exact_ndcg == few.exact_ndcg and many.ndcg > 0.8 * few.ndcg
    assert many.recall == pytest.approx(many.sweep[2][1], abs=0.02) and many.sweep[4][1] > 0.95


def test_made_vectors_lie_near_real_ones():
    real = vectors_of(Squad.read(SAMPLE, 1).paragraphs)
    made = mixed(real, 100)
    assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(100), abs=1e-5)
    assert (made @ real.T).max(axis=1).min() > 0.7


def test_other_texts_are_sentences_of_any_file(tmp_path):
    (tmp_path / "a.txt").write_text("One sentence of words. Two.\nAnother line with words.\n")
    (tmp_path / "b.jsonl").write_text('{"x": ["Deep inside there is text."], "n": 3}\n')
    (tmp_path / "c.jsonl").write_text('{"x": "This is left out, of course."}\n')
    (tmp_path / "d.png").write_bytes(b"\x00")
    texts = other_texts([tmp_path], 10, without=tmp_path / "c.jsonl")
    assert texts == ["One sentence of words.", "Another line with words.", "Deep inside there is text."]
