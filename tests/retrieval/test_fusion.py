"""Reciprocal ranks and near duplicates."""

import pytest

from retrieval.fusion import NearDuplicates, reciprocal_rank


def test_reciprocal_ranks_add_up():
    fused = reciprocal_rank([[7, 3, 5], [3, 9]])
    assert fused == [
        (3, pytest.approx(1 / 4 + 1 / 3)),
        (7, pytest.approx(1 / 3)),
        (9, pytest.approx(1 / 4)),
        (5, pytest.approx(1 / 5)),
    ]


def test_equal_ranks_are_in_the_order_of_ids():
    assert [chunk for chunk, _ in reciprocal_rank([[8], [2], [5]])] == [2, 5, 8]
    assert reciprocal_rank([[], []]) == []


LONG = (
    "The harbour was built in 1850 and rebuilt after the great storm of 1903, which took the whole eastern pier away."
)


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (LONG, False),
        (LONG.upper().replace(",", " --"), False),  # words decide
        (LONG.replace("whole ", "entire "), True),  # too few of the short runs remain
        (LONG + " Ships.", False),
        ("Another subject altogether, with words of its own.", True),
    ],
)
def test_a_passage_is_new_unless_most_of_it_was_there(text, new):
    seen = NearDuplicates()
    assert seen.add(LONG)
    assert seen.add(text) is new


def test_short_passages_are_compared_whole():
    seen = NearDuplicates()
    assert seen.add("yes sir")
    assert not seen.add("Yes, sir!")
    assert seen.add("no sir")
    assert seen.add("...") and not seen.add("!")
