"""The whole evaluation of an untrained model on a handful of held-out examples."""

import io

import pytest
from rich.console import Console

from training import prepared
from training.conversation import assistant, user
from training.corpus import Example
from training.evaluation.model import Model
from training.evaluation.report import Report
from training.evaluation.suite import evaluate
from training.generate import Sampling


@pytest.fixture
def report(model: Model, tmp_path) -> Report:
    squad = [
        Example(
            "reading",
            True,
            messages=(user(f"Tom is {n}.\n\nHow old?"), assistant(str(n))),
            answers=(str(n),),
            kind="squad",
        )
        for n in range(3)
    ]
    prepared.write(tmp_path, [*squad, Example("greetings", True, messages=(user("Hi"), assistant("Hello!")))])
    console = Console(file=io.StringIO())
    return evaluate(model, tmp_path, Sampling(max_new_tokens=8), name="tiny", examples=2, console=console)


def test_every_row_of_the_table_is_there_with_its_size(report: Report) -> None:
    sizes = {row.name: row.estimate and row.estimate.n for row in report.rows}
    assert sizes["bits per byte, chat replies"] == 2
    assert sizes["SQuAD, unseen articles, spans: EM"] == 2
    assert sizes["SQuAD, unseen articles, spans: F1"] == 2
    assert sizes["greetings, identity, thanks, goodbyes on topic"] == 60
    assert sizes["replies that loop, default sampling"] == 2
    for name in (
        "synthetic passages: EM",
        "answerable or not, SQuAD",
        "SNIPS: exact arguments",
        "tools never seen: name",
    ):
        assert sizes[name] is None
    assert len(report.replies) == 40
    assert report.split == {"greetings": 1, "reading: squad": 3}


def test_an_untrained_model_meets_no_bar(report: Report) -> None:
    measured = [
        row for row in report.rows if row.estimate and row.bar and "loop" not in row.name and "spans" not in row.name
    ]
    assert len(measured) == 2
    assert not [row.name for row in measured if "meets" in row.verdict()]
