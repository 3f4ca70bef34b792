import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.bench.errors import BenchError
from serving.bench.workload import Lengths, Plan, Segment, Session, Turn, Workload, fitted, limited


def take(count: int, workload: Workload, seed: int = 1) -> list[Session]:
    return list(itertools.islice(workload.sessions(seed), count))


def workload(**fields) -> Workload:
    return Workload(**{"input_tokens": Lengths.parse("100"), "output_tokens": Lengths.parse("10")} | fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("128", {128}), ("5-8", {5, 6, 7, 8}), ("1, 3,7-8", {1, 3, 7, 8})],
)
def test_lengths_are_drawn_from_all_that_was_named_and_nothing_else(text, expected):
    lengths, random = Lengths.parse(text), Random(0)
    assert {lengths.draw(random) for _ in range(500)} == expected


def test_each_of_mixed_lengths_is_as_likely():
    lengths, random = Lengths.parse("10,20-29,1000"), Random(0)
    drawn = [lengths.draw(random) for _ in range(6000)]
    assert drawn.count(10) == pytest.approx(2000, rel=0.1)
    assert drawn.count(1000) == pytest.approx(2000, rel=0.1)


@pytest.mark.parametrize("text", ["", "0", "-5", "8-5", "a", "1,,2", "1.5", "0-4"])
def test_what_is_no_length_is_refused_by_name(text):
    with pytest.raises(BenchError, match="is no length; accepted are"):
        Lengths.parse(text)


def test_arrivals_are_a_poisson_process_of_the_rate():
    arrivals = np.array([session.arrival for session in take(20_000, workload(rate=5.0))])
    gaps = np.diff(arrivals, prepend=0)
    assert (gaps > 0).all()
    assert gaps.mean() == pytest.approx(1 / 5, rel=0.03)
    assert gaps.std() == pytest.approx(1 / 5, rel=0.03)  # an exponential's deviation is its mean
    counts = np.histogram(arrivals, np.arange(0, 4000))[0]
    assert counts.var() == pytest.approx(counts.mean(), rel=0.1)  # and a Poisson count's variance likewise


def test_a_seed_gives_the_same_again_and_another_does_not():
    load = workload(input_tokens=Lengths.parse("1-1000"), rate=2.0, turns=Lengths.parse("1-4"), pause=1.0)
    assert take(50, load, seed=7) == take(50, load, seed=7) != take(50, load, seed=8)


def test_what_is_asked_does_not_depend_on_when():
    shapes = {"input_tokens": Lengths.parse("1-1000"), "turns": Lengths.parse("1-3"), "prefix_tokens": 9, "prefixes": 5}
    slow, fast, closed = (take(50, workload(**shapes, rate=rate)) for rate in (1.0, 100.0, None))
    asked = [[(session.turns, session.system) for session in sessions] for sessions in (slow, fast, closed)]
    assert asked[0] == asked[1] == asked[2]
    assert all(session.arrival is None for session in closed)
    assert [session.arrival / 100 for session in slow] == pytest.approx([session.arrival for session in fast])


def test_sessions_share_as_many_prefixes_as_were_asked_for():
    sessions = take(200, workload(prefix_tokens=64, prefixes=3))
    assert {session.system for session in sessions} == {Segment(f"prefix {i}", 64) for i in range(3)}
    assert {session.system for session in take(5, workload())} == {None}


def test_turns_say_something_new_each_and_pause_between():
    sessions = take(300, workload(turns=Lengths.parse("3"), pause=2.0))
    assert {len(session.turns) for session in sessions} == {3}
    keys = [turn.prompt[0].key for session in sessions for turn in session.turns]
    assert len(set(keys)) == len(keys) == 900
    assert {session.turns[0].pause for session in sessions} == {0.0}
    assert np.mean([turn.pause for session in sessions for turn in session.turns[1:]]) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("requests", [1, 2, 3, 4, 7])
def test_a_limit_counts_turns(requests):
    sessions = list(limited(workload(turns=Lengths.parse("3")).sessions(0), requests))
    assert sum(len(session.turns) for session in sessions) == requests
    assert all(len(session.turns) == 3 for session in sessions[:-1])


tokens = st.integers(1, 300)
turns = st.lists(
    st.builds(
        lambda lengths, output: Turn(tuple(Segment(str(i), n) for i, n in enumerate(lengths)), output),
        st.lists(tokens, min_size=1, max_size=4),
        tokens,
    ),
    min_size=1,
    max_size=5,
)


@given(turns=turns, system=st.integers(0, 50), context=st.integers(100, 2000), overhead=st.integers(0, 20))
def test_a_fitted_session_is_the_beginning_of_the_whole_within_the_context(turns, system, context, overhead):
    session = Session(tuple(turns), Segment("system", system) if system else None)
    kept = fitted(session, context, overhead)
    assert 1 <= len(kept.turns) <= len(turns)
    assert system + sum(turn.tokens + overhead for turn in kept.turns) <= context
    if kept.turns != session.turns[: len(kept.turns)]:
        (short,), first = kept.turns, session.turns[0]
        assert system + first.tokens + overhead > context
        assert [s.key for s in short.prompt] == [s.key for s in first.prompt[: len(short.prompt)]]
        assert short.prompt[:-1] == first.prompt[: len(short.prompt) - 1]
        assert system + short.tokens + overhead == context  # nothing is wasted
    elif len(kept.turns) < len(turns):
        one_more = session.turns[: len(kept.turns) + 1]
        assert system + sum(turn.tokens + overhead for turn in one_more) > context


def test_a_plan_says_how_many_sessions_were_cut():
    sessions = [Session((Turn((Segment("a", length),), 10),)) for length in (50, 500, 60, 5000)]
    plan = Plan.of(sessions[:3], context=200, overhead=5)
    assert (plan.requests, plan.cut) == (3, 1)
    assert [session.turns[0].prompt[0].tokens for session in plan.sessions] == [50, 190 - 5 - 10, 60]
    assert Plan.of(sessions).sessions == sessions
