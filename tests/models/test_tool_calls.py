"""The text of a call: what is written is read back, and what fits no offered tool is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.models.tool_calls import CALL, Call, ToolCallError, parse_calls, write_call, write_tools

SCALARS = {
    "string": st.text(),
    "integer": st.integers(),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    "boolean": st.booleans(),
    "array": st.lists(st.text() | st.integers()),
    "object": st.dictionaries(st.text(), st.text() | st.none()),
}


def tool(name: str, parameters: dict, required: list[str] | None = None, description: str = "") -> dict:
    required = list(parameters) if required is None else required
    schema = {"type": "object", "properties": parameters, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


WEATHER = tool(
    "get_weather",
    {
        "city": {"type": "string", "description": "The  city\nto ask about"},
        "days": {"type": "integer"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
    },
    ["city"],
    "Look up the weather.",
)
TOOLS = [WEATHER, tool("stop", {})]


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    types = data.draw(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.sampled_from(sorted(SCALARS))))
    call = Call("do", {name: data.draw(SCALARS[kind]) for name, kind in types.items()})
    offered = [tool("do", {name: {"type": kind} for name, kind in types.items()})]
    assert parse_calls(CALL + write_call(call), offered) == (call,)


def test_a_string_is_written_as_the_user_wrote_it() -> None:
    call = Call("get_weather", {"city": "New York", "days": 3})
    assert write_call(call) == "get_weather\ncity: New York\ndays: 3"
    assert write_call(Call("stop")) == "stop"


def test_tools_are_listed_a_line_a_parameter() -> None:
    assert write_tools(TOOLS) == (
        "get_weather: Look up the weather.\n"
        "city (string): The city to ask about\n"
        "days (integer, optional)\n"
        "unit (celsius|fahrenheit, optional)\n"
        "\n"
        "stop"
    )


def test_plain_talk_holds_no_call() -> None:
    assert parse_calls("Hello! get_weather\ncity: Paris", TOOLS) == ()


def test_several_calls_and_the_schemas_types() -> None:
    text = f"Let me look.{CALL}get_weather\ncity: 5\ndays: 2.0{CALL}stop"
    first, second = parse_calls(text, TOOLS)
    assert first == Call("get_weather", {"city": "5", "days": 2})
    assert isinstance(first.arguments["days"], int)
    assert second == Call("stop")


def test_a_parameter_without_a_type_takes_json_or_text() -> None:
    offered = [tool("do", {"what": {}})]
    assert parse_calls(f"{CALL}do\nwhat: [1]", offered)[0].arguments == {"what": [1]}
    assert parse_calls(f"{CALL}do\nwhat: a walk", offered)[0].arguments == {"what": "a walk"}


def test_a_type_may_be_one_of_several() -> None:
    offered = [tool("do", {"what": {"type": ["string", "null"]}})]
    assert parse_calls(f"{CALL}do\nwhat: null", offered)[0].arguments == {"what": None}
    assert parse_calls(f"{CALL}do\nwhat: 12", offered)[0].arguments == {"what": "12"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("get_wether\ncity: Paris", "names 'get_wether'; offered are get_weather, stop"),
        ("get_weather\ndays: 3", "get_weather: missing city; given are days"),
        ("get_weather\ncity: Paris\nplace: x", "unknown argument 'place'; accepted are city, days, unit"),
        ("get_weather\ncity: Paris\ncity: Rome", "argument 'city' is given twice"),
        ("get_weather\nParis", "line 'Paris' is no argument"),
        ("get_weather\ncity: Paris\ndays: three", "days is 'three'; accepted is integer"),
        ("get_weather\ncity: Paris\ndays: 2.5", "days is '2.5'; accepted is integer"),
        ("get_weather\ncity: Paris\ndays: 1e999", "days is '1e999'; accepted is integer"),
        ("get_weather\ncity: Paris\ndays: NaN", "days is 'NaN'; accepted is integer"),
        ("get_weather\ncity: Paris\ndays: true", "days is 'true'; accepted is integer"),
        ("get_weather\ncity: Paris\nunit: kelvin", "unit is 'kelvin'; accepted is celsius|fahrenheit"),
        ("", "the call names ''"),
    ],
)
def test_a_call_that_does_not_fit_says_what_was_given_and_what_is_accepted(text: str, message: str) -> None:
    with pytest.raises(ToolCallError) as raised:
        parse_calls(CALL + text, TOOLS)
    assert message in str(raised.value)


def test_an_error_lists_what_may_be_written_as_it_must_be_written() -> None:
    offered = [tool("do", {"level": {"enum": [1, "high", None]}})]
    with pytest.raises(ToolCallError, match=r"1\|high\|null"):
        parse_calls(f"{CALL}do\nlevel: 2", offered)
    assert parse_calls(f"{CALL}do\nlevel: null", offered)[0].arguments == json.loads('{"level": null}')
