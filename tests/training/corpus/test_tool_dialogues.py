"""Service dialogues: calls in the words of the dialogue, windows that stand on their own."""

import gzip
import json
from pathlib import Path

import pytest

from serving.models.tool_calls import CALL, Call, parse_calls, write_call
from training.corpus.tool_dialogues import orders, services


def test_a_calls_values_are_the_words_of_the_dialogue(corpus: Path) -> None:
    first = next(services(corpus / "sgd.jsonl.gz"))
    assert first.messages[3].calls == (
        Call("BookTable", {"city": "oslo", "date": "March 9th", "time": "2 in the afternoon"}),
    ), "the town as the user wrote it, date and time as they were said, and nothing for dontcare"


def test_a_window_ends_before_a_call_that_nobody_asked_for(corpus: Path) -> None:
    (window,) = services(corpus / "sgd.jsonl.gz")
    assert window.messages[-1].content == "It is booked for 20 dollars."
    assert window.messages[4].content == '{"city": "Oslo", "price": "20"}', "the first of the results is enough"


def test_the_schema_is_read_off_the_calls(corpus: Path) -> None:
    (window,) = services(corpus / "sgd.jsonl.gz")
    parameters = window.tools[0]["function"]["parameters"]
    assert parameters["required"] == ["city", "date", "time"]
    assert parameters["properties"]["seats"] == {"type": "integer"}
    (order,) = orders(corpus / "taskmaster4.jsonl.gz")
    by_name = {tool["function"]["name"]: tool["function"]["parameters"] for tool in order.tools}
    assert by_name["add_order_item"]["properties"]["attributes"] == {"type": "array"}


def test_every_call_fits_an_offered_tool(corpus: Path) -> None:
    examples = [*services(corpus / "sgd.jsonl.gz"), *orders(corpus / "taskmaster4.jsonl.gz")]
    calls = [(call, example.tools) for example in examples for message in example.messages for call in message.calls]
    assert len(calls) == 3
    for call, tools in calls:
        assert parse_calls(CALL + write_call(call), tools) == (call,)


@pytest.mark.parametrize("option", ["Oat Milk", "Almond Milk"])
def test_an_order_is_kept_if_someone_spoke_of_every_part(corpus: Path, tmp_path: Path, option: str) -> None:
    with gzip.open(corpus / "taskmaster4.jsonl.gz", "rt") as file:
        text = file.read().replace('"Oat Milk"', json.dumps(option))
    with gzip.open(tmp_path / "orders.gz", "wt") as file:
        file.write(text)
    assert bool(list(orders(tmp_path / "orders.gz"))) == (option == "Oat Milk")
