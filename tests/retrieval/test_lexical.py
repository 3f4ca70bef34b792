"""BM25 over several indexes: the same scores as from one, whatever was merged or deleted."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.lexical import K1, Postings, query_weights, rarity

TEXTS = [
    "apple banana apple",
    "banana cherry",
    "apple date elderberry fig",
    "grape",
    "the of and",
    "cherry cherry grape",
]


def scores(query: str, *indexes: Postings) -> np.ndarray:
    """Of all texts of all indexes."""
    weights = query_weights(query, indexes)
    return np.concatenate([index.search(weights) for index in indexes])


def test_a_score_is_bm25_by_its_formula():
    index = Postings.of(["apple banana", "cherry banana"])  # two terms each, so lengths do not matter
    weight = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    assert scores("Apple!", index) == pytest.approx([weight * 1 / (1 + K1), 0])
    assert scores("apple apple", index) == pytest.approx([2 * weight / (1 + K1), 0])


def test_texts_score_alike_in_one_index_or_in_several_of_like_lengths():
    texts = ["apple banana", "cherry banana", "apple date", "grape fig"]
    apart = scores("apple banana grape", Postings.of(texts[:1]), Postings.of(texts[1:3]), Postings.of(texts[3:]))
    assert apart == pytest.approx(scores("apple banana grape", Postings.of(texts)))


@pytest.mark.parametrize(
    ("text", "query", "match"),
    [
        ("The C language, part 5", "c 5", True),
        ("def load_searcher(path):", "searcher", True),
        ("\u6771\u4eac\u90fd\u306e\u4eba\u53e3", "\u4eac\u90fd", True),
        ("Gr\u00fcner Caf\u00e9", "GR\u00dcNER", True),
        ("The loader loads", "loading", True),
        ("loaded", "lead", False),
    ],
)
def test_what_counts_as_a_word(text, query, match):
    assert bool(scores(query, Postings.of([text, "something else"]))[0]) is match


def test_words_that_nobody_wrote_and_stop_words_find_nothing():
    index = Postings.of(TEXTS)
    assert not scores("the and zebra", index).any()
    assert not scores("", index).any()
    assert not scores("apple", Postings.of(["the of", "..."])).any()


@given(st.lists(st.booleans(), min_size=6, max_size=6).filter(any), st.integers(1, 5))
def test_a_merged_index_is_that_of_the_texts_kept(kept, cut):
    parts = [(Postings.of(TEXTS[:cut]), np.array(kept[:cut])), (Postings.of(TEXTS[cut:]), np.array(kept[cut:]))]
    merged = Postings.merged(parts)
    fresh = Postings.of([text for text, keep in zip(TEXTS, kept, strict=True) if keep])
    assert merged.vocabulary.keys() == fresh.vocabulary.keys()
    for query in ("apple cherry", "banana date grape", "fig"):
        assert scores(query, merged) == pytest.approx(scores(query, fresh))


def test_what_is_saved_is_what_is_loaded(tmp_path):
    index = Postings.of(TEXTS)
    index.save(tmp_path)
    assert not [file for file in tmp_path.iterdir() if file.suffix not in (".npy", ".json")]
    assert scores("apple cherry", Postings.load(tmp_path)) == pytest.approx(scores("apple cherry", index))


def test_a_rarer_term_weighs_more_and_none_weighs_nothing():
    assert rarity(1, 100) > rarity(50, 100) > rarity(100, 100) > 0


def test_jax_is_not_loaded_though_bm25s_looks_for_it():
    program = "import sys, retrieval.library; print({'jax', 'jaxlib', 'fastapi', 'grpc', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_its_steps_are_not_logged(caplog):
    with caplog.at_level("DEBUG"):
        Postings.of(TEXTS)
    assert not caplog.records
