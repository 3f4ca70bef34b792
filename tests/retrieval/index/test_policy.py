"""When segments are merged: few remain, and rows are seldom written."""

from hypothesis import given
from hypothesis import strategies as st

from retrieval.index.policy import IndexPolicy

POLICY = IndexPolicy()


def test_small_ones_are_merged_when_together_they_are_twice_a_larger_one():
    assert POLICY.to_merge([]) == POLICY.to_merge([(9, 9)]) == POLICY.to_merge([(5, 5), (5, 5)]) == []
    assert POLICY.to_merge([(5, 5), (5, 5), (5, 5)]) == [0, 1, 2]
    assert POLICY.to_merge([(2, 2), (900, 900), (2, 2), (2, 2)]) == [0, 2, 3]


def test_a_segment_with_many_deleted_rows_is_written_anew():
    assert POLICY.to_merge([(100, 80), (1000, 700)]) == [1]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=120))
def test_segments_stay_few_and_rewriting_cheap(batches):
    segments: list[int] = []
    written = 0
    for batch in batches:
        segments.append(batch)
        while chosen := POLICY.to_merge([(rows, rows) for rows in segments]):
            merged = sum(segments[index] for index in chosen)
            written += merged
            segments = [rows for index, rows in enumerate(segments) if index not in chosen] + [merged]
    total = sum(batches)
    assert len(segments) <= 2 * (1 + total.bit_length())
    assert written <= total * total.bit_length()
