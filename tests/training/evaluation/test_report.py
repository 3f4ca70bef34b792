"""Rows against their bars, and the report's way to the disk and back."""

import pytest

from training.evaluation.estimate import Estimate
from training.evaluation.report import Bar, Reply, Report, Row
from training.generate import Sampling


def row(value: float | None, bar: Bar | None, **settings) -> Row:
    estimate = None if value is None else Estimate(value, value - 0.01, value + 0.01, 20)
    return Row("a row", estimate, bar, **settings)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (row(0.10, Bar(0.14, 0.22)), "4.0 points off CPU"),
        (row(0.14, Bar(0.14, 0.22)), "meets CPU, 8.0 points off GPU"),
        (row(0.30, Bar(0.14, 0.22)), "meets CPU, meets GPU"),
        (row(0.04, Bar(0.05, 0.02), lower_is_better=True), "meets CPU, 2.0 points off GPU"),
        (row(1.50, Bar(1.38, 1.25), lower_is_better=True, unit="bits"), "0.120 off CPU"),
        (row(0.60, Bar(None, 0.58)), "meets GPU"),
        (row(0.60, None), ""),
        (row(None, Bar(0.14, 0.22)), "no examples"),
    ],
)
def test_verdicts_name_the_bars_met_and_the_distance_to_the_next(found: Row, verdict: str) -> None:
    assert found.verdict() == verdict


def test_cells() -> None:
    cells = row(0.04, Bar(0.05, 0.02), lower_is_better=True).cells()
    assert cells[1:6] == ("4.0%", "3.0% to 5.0%", "20", "<= 5.0%", "<= 2.0%")
    assert row(None, None).cells()[1:4] == ("-", "-", "0")


@pytest.fixture
def report() -> Report:
    rows = (row(0.2, Bar(0.1, None)), row(None, None, unit="bits"))
    return Report("tiny", 4096, Sampling(0.3), rows, (Reply("greetings", "Hi", "Hö\n"),), {"reading: squad": 3})


def test_a_report_survives_the_disk(report: Report, tmp_path) -> None:
    report.save(tmp_path / "new" / "evaluation.json")
    assert Report.load(tmp_path / "new" / "evaluation.json", 4096, report.sampling) == report


def test_a_report_of_another_checkpoint_or_sampling_is_refused(report: Report, tmp_path) -> None:
    path = tmp_path / "evaluation.json"
    with pytest.raises(FileNotFoundError, match="python -m training evaluate"):
        Report.load(path, 8192, report.sampling)
    report.save(path)
    with pytest.raises(FileNotFoundError, match="after 4096 tokens .* asked for is 8192 tokens"):
        Report.load(path, 8192, report.sampling)
    with pytest.raises(FileNotFoundError, match="'temperature': 0.3, .*'temperature': 0.8, "):
        Report.load(path, 4096, Sampling(0.8))
