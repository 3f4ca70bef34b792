"""Requests with the one call that answers them, or with tools that cannot."""

import gzip
import json
from pathlib import Path

import pytest

from serving.models.tool_calls import CALL, Call, parse_calls, write_call
from training.corpus import Example
from training.corpus.tool_requests import DECLINES, requests

NAMES = ("PlayMusic", "GetWeather", "RateBook", "BookRestaurant")


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    rows = []
    for number in range(400):
        name, place = NAMES[number % 4], f"place {number}"
        arguments = {"where": place} | ({"slip": "the"} if number == 0 else {})
        messages = [
            {"role": "user", "content": f"go to the {place}"},
            {"role": "assistant", "content": None, "tool_calls": [{"name": name, "arguments": arguments}]},
        ]
        rows.append({"src": "snips", "messages": messages})
    rows.append({"src": "nlu_eval", "messages": [rows[0]["messages"][0], praise()]})
    path = tmp_path / "requests.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return list(requests(path))


def praise() -> dict:
    return {"role": "assistant", "content": None, "tool_calls": [{"name": "general_praise", "arguments": {}}]}


def test_each_request_has_its_call_and_other_tools(examples: list[Example]) -> None:
    called = [example for example in examples if example.kind == "snips"]
    for example in called:
        (call,) = example.messages[-1].calls
        assert parse_calls(CALL + write_call(call), example.tools) == (call,)
        assert 2 <= len(example.tools) <= 4
    assert called[0].messages[-1].calls == (Call("GetWeather", {"where": "place 1"}),), (
        "a parameter of one call is a slip"
    )
    assert {example.tools.index(_right(example)) for example in called} == {0, 1, 2, 3}


def test_some_requests_find_no_fitting_tool(examples: list[Example]) -> None:
    declined = [example for example in examples if example.kind == "no_tool_fits"]
    assert 10 < len(declined) < 70
    for example in declined:
        number = int(example.messages[0].content.split()[-1])
        assert NAMES[number % 4] not in {tool["function"]["name"] for tool in example.tools}
        assert example.messages[-1].content in DECLINES


def test_talk_among_the_requests_is_left_out(examples: list[Example]) -> None:
    assert {example.kind for example in examples} == {"snips", "no_tool_fits"}


def _right(example: Example) -> dict:
    name = example.messages[-1].calls[0].name
    return next(tool for tool in example.tools if tool["function"]["name"] == name)
