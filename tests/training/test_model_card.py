"""What the model card says, and that no reply can break its tables."""

from pathlib import Path

import pytest

from training.evaluation.estimate import Estimate
from training.evaluation.report import Bar, Reply, Report, Row
from training.generate import Sampling
from training.model_card import write_model_card


@pytest.fixture
def card(recipe, tmp_path: Path) -> str:
    rows = (
        Row("SNIPS: name", Estimate(0.9, 0.8, 0.95, 100), Bar(0.97, 0.98)),
        Row("synthetic passages: EM", None, Bar(0.45, 0.7)),
    )
    replies = (Reply("lists", "Name two.\n\nNow.", "1. a | b\n2. <b>*c*</b>"),)
    report = Report("embedded", 5_000_000, Sampling(0.4, 0.9, 1.05), rows, replies, {})
    write_model_card(tmp_path, recipe.model.decoder_config(), 6_200_000, report)
    return (tmp_path / "README.md").read_text()


def test_it_names_the_sizes_and_the_sampling(card: str) -> None:
    assert "6.2 million parameters" in card
    assert "5.0 million tokens" in card
    assert "temperature 0.4, top_p 0.9, repetition penalty 1.05" in card
    assert "{{" not in card


def test_it_says_what_is_short_of_a_bar_and_what_was_not_measured(card: str) -> None:
    assert "| SNIPS: name | 90.0% | 80.0% to 95.0% | 100 | >= 97.0% | >= 98.0% | 7.0 points off CPU |" in card
    assert "| synthetic passages: EM | - | - | 0 | >= 45.0% | >= 70.0% | no examples |" in card


def test_a_reply_is_shown_as_it_is(card: str) -> None:
    assert r"| Name two.<br>Now. | 1. a \| b<br>2. &lt;b>\*c\*&lt;/b> |" in card
