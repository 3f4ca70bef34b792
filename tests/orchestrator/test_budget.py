"""The context's division: it always fits, keeps the newest turns and the best passages, and wastes little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.orchestrator.budget import ContextTooSmall, Division, Shares, divide


def test_everything_fits_in_a_large_context():
    assert divide(1000, 100, [50, 60], [200, 100], reply=64) == Division(2, (0, 1), 64)
    assert divide(1000, 100, [50, 60], [200, 100]).reply == 1000 - 100 - 110 - 300


def test_shares_hold_when_everybody_wants_more():
    # 1000 tokens: 250 for the reply, 300 for history, 450 for passages.
    division = divide(1100, 100, [100] * 9, [100] * 9)
    assert division == Division(turns=3, passages=(0, 1, 2, 3), reply=300)


def test_what_one_leaves_the_other_gets():
    assert divide(1100, 100, [], [100] * 9).passages == (0, 1, 2, 3, 4, 5, 6)
    assert divide(1100, 100, [100] * 9, []).turns == 7
    assert divide(1100, 100, [100] * 9, [100]).turns == 6


def test_a_short_reply_leaves_room():
    assert divide(1100, 100, [100] * 9, [100] * 9, reply=50) == Division(4, (0, 1, 2, 3, 4), 50)
    assert divide(1100, 100, [100] * 9, [100] * 9, reply=5000).reply == 300


def test_a_passage_that_does_not_fit_is_left_out_whole_and_the_next_best_goes_in():
    assert divide(1100, 100, [], [700, 900, 40]).passages == (0, 2)


def test_old_turns_go_first_and_without_gaps():
    assert divide(1100, 100, [10, 800, 100, 100], [450]).turns == 2


def test_a_prompt_that_cannot_fit_is_told_with_numbers():
    with pytest.raises(ContextTooSmall, match="takes 1,024 tokens .* the context has 1,000"):
        divide(1000, 1024, [], [])


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="accepted are shares that sum up to 1"):
        Shares(0.5, 0.5, 0.5)


@given(
    st.integers(1, 5000),
    st.integers(0, 5000),
    st.lists(st.integers(0, 900), max_size=12),
    st.lists(st.integers(1, 900), max_size=12),
    st.none() | st.integers(1, 5000),
)
def test_it_always_fits(context, fixed, history, passages, reply):
    if fixed >= context:
        with pytest.raises(ContextTooSmall):
            divide(context, fixed, history, passages, reply)
        return
    division = divide(context, fixed, history, passages, reply)
    kept = history[len(history) - division.turns :]
    chosen = [passages[index] for index in division.passages]
    assert fixed + sum(kept) + sum(chosen) + division.reply <= context
    assert division.reply >= 1 and (reply is None or division.reply <= reply)
    assert list(division.passages) == sorted(set(division.passages))
    left = context - fixed - sum(kept) - sum(chosen) - division.reply
    if reply is not None and left:  # then the reply has all that it wants
        assert division.reply == reply
