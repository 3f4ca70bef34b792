"""Vectors are checked before they go anywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from retrieval.errors import EncoderFault
from retrieval.index.vectors import best, unit_rows


def test_rows_get_length_one_and_bad_ones_are_named():
    given = np.array([[3, 4], [0, 0], [np.nan, 1], [np.inf, 1], [1e30, 0], [1e-30, 0]], np.float32)
    unit, usable = unit_rows(given, 6, 2)
    assert usable.tolist() == [True, False, False, False, True, True]
    assert unit[usable] == pytest.approx(np.array([[0.6, 0.8], [1, 0], [1, 0]]))
    assert not unit[~usable].any()


@pytest.mark.parametrize("vectors", [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros(2), np.zeros((2, 2), np.int32), None])
def test_other_shapes_are_the_encoders_fault(vectors):
    with pytest.raises(EncoderFault, match=r"for 2 texts; expected are floats of shape \[2, 2\]"):
        unit_rows(vectors, 2, 2)


@given(arrays.arrays(np.float32, st.integers(0, 40), elements=st.integers(-3, 3)), st.integers(1, 50))
def test_the_best_are_those_of_a_stable_sort(scores, count):
    assert best(scores, count).tolist() == np.argsort(-scores, kind="stable")[:count].tolist()
