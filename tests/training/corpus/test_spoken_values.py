"""Dates, times and numbers in the many ways of saying them."""

import pytest

from training.corpus.spoken_values import spoken


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("2019-03-11", "On March 11th, please", "March 11th"),
        ("2019-03-11", "the 11th of March", "the 11th of March"),
        ("2019-03-11", "the 11th of this month", "the 11th of this month"),
        ("2019-03-11", "on the 11th", "the 11th"),
        ("2019-03-11", '{"date": "2019-03-11"}', "2019-03-11"),
        ("2019-03-01", "March 11th", None),
        ("14:00", "at 2 pm", "2 pm"),
        ("14:00", "at 2:00 p.m. sharp", "2:00 p.m."),
        ("14:00", "at 2 in the afternoon", "2 in the afternoon"),
        ("14:00", "afternoon 2.", "afternoon 2"),
        ("02:00", "at 2 pm", None),
        ("14:30", "at 2 pm", None),
        ("3", "three of us", "three"),
        ("3", "13 of us", None),
        ("1", "just me", "just me"),
        ("1730", "send $1,730", "1,730"),
        ("New York", "in new  york", "new  york"),
        ("Rome", "Romeo", None),
    ],
)
def test_a_value_is_found_as_it_was_said(value: str, text: str, found: str | None) -> None:
    assert spoken(value, [text]) == found


def test_the_last_text_that_says_it_wins() -> None:
    assert spoken("Oslo", ["OSLO", "oslo", "Rome"]) == "oslo"
