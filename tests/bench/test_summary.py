import pytest

from serving.bench.measurement import Measurement
from serving.bench.slo import Slo
from serving.bench.summary import Distribution, Summary


def request(sent: float, *text_at: float, finished: float | None, **fields) -> Measurement:
    defaults = {"session": 0, "turn": 0, "prompt_tokens": 10, "output_tokens": len(text_at)}
    return Measurement(**{**defaults, **fields}, sent=sent, text_at=list(text_at), finished=finished)


def test_percentiles_are_interpolated():
    shuffled = [value * 37 % 101 for value in range(1, 101)]  # 1 to 100
    distribution = Distribution.of(shuffled)
    assert (distribution.count, distribution.mean, distribution.largest) == (100, 50.5, 100)
    assert distribution.percentiles == pytest.approx({50: 50.5, 90: 90.1, 99: 99.01})


def test_percentiles_of_few_values():
    assert Distribution.of([3.0]).percentiles == {50: 3.0, 90: 3.0, 99: 3.0}
    assert Distribution.of([1.0, None, 3.0]).percentiles == pytest.approx({50: 2.0, 90: 2.8, 99: 2.98})
    assert Distribution.of([None]) is None


def test_the_times_of_one_request():
    measured = request(1.0, 1.5, 1.6, 2.0, finished=2.1, output_tokens=6)
    assert measured.ttft == pytest.approx(0.5)
    assert measured.gaps == pytest.approx([0.1, 0.4])
    assert measured.token_time == pytest.approx(0.5 / 5)
    assert measured.succeeded


def test_an_answer_without_text_has_its_first_token_at_its_end():
    assert request(1.0, finished=1.75).ttft == pytest.approx(0.75)
    assert request(1.0, finished=1.75, error="timeout").ttft is None


def test_a_request_is_good_within_both_bounds():
    measured = request(0.0, 0.2, 0.3, 0.4, finished=0.5)  # 200 ms, then 100 ms a token
    verdicts = {(0.2, 0.1): True, (0.19, 0.1): False, (0.2, 0.09): False, (None, 0.1): True, (0.2, None): True}
    for (ttft, itl), good in verdicts.items():
        assert Slo(ttft and ttft + 1e-9, itl and itl + 1e-9).met(measured) is good
    assert not Slo(1.0, 1.0).met(request(0.0, 0.2, finished=0.3, error="cut short"))
    assert not Slo(1.0, 1.0).met(request(0.0, 0.2, finished=None))


RUN = [
    request(0.0, 0.1, 0.2, 0.3, finished=0.4, cached_tokens=4),
    request(0.1, 0.9, 1.0, finished=1.1, turn=1, cached_tokens=8, prompt_tokens=20),
    request(0.2, finished=0.3, error="429 rate_limit_exceeded", output_tokens=None),
    request(0.3, finished=0.5, error="429 rate_limit_exceeded", output_tokens=None),
    request(1.2, 1.3, finished=1.4, error="cut short", output_tokens=None),
    request(1.5, 1.9, 2.0, finished=None, output_tokens=None, late=0.02),
]


def test_a_run_adds_up():
    summary = Summary.of(RUN, 2.0, Slo(ttft=0.5))
    assert (summary.sent, summary.succeeded, summary.unfinished, summary.good) == (6, 2, 1, 1)
    assert summary.errors == {"429 rate_limit_exceeded": 2, "cut short": 1}
    assert summary.succeeded + summary.unfinished + sum(summary.errors.values()) == summary.sent
    assert (summary.input_tokens, summary.cached_tokens) == (30, 12)
    assert summary.output_tokens == 3 + 2 + 0 + 0 + 1 + 2  # what arrived, of whole answers and of others
    assert summary.tokens_per_event == 1.0
    assert summary.most_in_flight == 3  # what ends as another begins is not in flight beside it
    assert summary.late.largest == 0.02


def test_latencies_are_of_whole_answers_and_by_turn():
    latencies = Summary.of(RUN, 2.0, Slo()).latencies
    assert latencies["time to first token"].count == 2
    assert latencies["  first turns"].mean == pytest.approx(0.1)
    assert latencies["  later turns"].mean == pytest.approx(0.8)
    assert latencies["inter-token latency"].count == 3
    assert latencies["inter-token latency"].mean == pytest.approx(0.1)
    assert latencies["whole answer"].largest == pytest.approx(1.0)


def test_nothing_known_is_nothing_claimed():
    summary = Summary.of([request(0.0, finished=0.1, error="no connection")], 1.0, Slo())
    assert summary.latencies == {} and summary.lengths == {}
    assert (summary.good, summary.cached_tokens, summary.tokens_per_event) == (None, None, None)
    first_turns = Summary.of(RUN[:1], 1.0, Slo()).latencies
    assert "  first turns" not in first_turns
