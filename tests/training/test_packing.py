"""Packing keeps every token, in order, with its flag, in one row."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.conversation import Tokens
from training.packing import Rows, by_length, cut, pack

PAD = 1


@st.composite
def sequences(draw: st.DrawFn) -> list[Tokens]:
    lengths = draw(st.lists(st.integers(2, 16), min_size=1, max_size=40))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return [Tokens(rng.integers(2, 99, size).tolist(), rng.integers(0, 5, size).tolist()) for size in lengths]


def unpacked(rows: Rows) -> Counter:
    found: Counter = Counter()
    for tokens, segments, weights in zip(rows.tokens, rows.segments, rows.weights, strict=True):
        for segment in range(1, segments.max() + 1):
            places = np.flatnonzero(segments == segment)
            assert (np.diff(places) == 1).all()
            found[tuple(tokens[places]), tuple(weights[places])] += 1
    return found


@given(sequences())
def test_every_sequence_is_in_one_row_whole(given_sequences: list[Tokens]) -> None:
    rows = pack(given_sequences, 16, PAD, np.random.default_rng(0))
    assert unpacked(rows) == Counter((tuple(s.ids), tuple(s.weights)) for s in given_sequences)
    padding = rows.segments == 0
    assert (rows.tokens[padding] == PAD).all()
    assert not rows.weights[padding].any()


@given(sequences())
def test_sorting_by_length_keeps_every_sequence_and_fits(given_sequences: list[Tokens]) -> None:
    by = by_length(given_sequences, [8, 16])
    assert Counter(map(id, by[8] + by[16])) == Counter(map(id, given_sequences))
    assert all(len(sequence.ids) <= 8 for sequence in by[8])


def test_rows_are_filled_well() -> None:
    halves = [Tokens([5] * 8, [1] * 8) for _ in range(10)] + [Tokens([6] * 4, [1] * 4) for _ in range(20)]
    assert len(pack(halves, 16, PAD, np.random.default_rng(0))) == 10


def test_cutting_keeps_the_tokens_and_repeats_the_bos() -> None:
    parts = list(cut([Tokens([0, *range(2, 25)], [0] + [1] * 23)], 10))
    assert [part.ids[0] for part in parts] == [0, 0, 0]
    assert [token for part in parts for token in part.ids[1:]] == list(range(2, 25))
    assert max(len(part.ids) for part in parts) == 10


def test_a_sequence_that_fits_no_row_is_refused() -> None:
    with pytest.raises(ValueError, match="17 tokens; rows hold 16"):
        pack([Tokens([3] * 17, [1] * 17)], 16, PAD, np.random.default_rng(0))


def test_rows_survive_the_disk(tmp_path) -> None:
    rows = pack([Tokens([3, 4, 5], [0, 1, 4])], 8, PAD, np.random.default_rng(0))
    rows.save(tmp_path / "rows.npz")
    loaded = Rows.load(tmp_path / "rows.npz")
    for name in ("tokens", "segments", "weights"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(rows, name))
