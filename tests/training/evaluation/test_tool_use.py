"""What counts as the right call, as talk, and as declining."""

import pytest

from serving.models.tool_calls import Call
from training.conversation import assistant, calling, result, user
from training.corpus import Example
from training.evaluation.bench import HeldOut
from training.evaluation.tool_use import asks, declines, right_calls, right_names, rows, talks, tells

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}
WANTED = (Call("get_weather", {"city": "Paris", "days": 3}),)
RIGHT = "<|call|>get_weather\ncity: Paris\ndays: 3"


@pytest.mark.parametrize(
    ("reply", "name", "exact"),
    [
        (RIGHT, True, True),
        ("<|call|>get_weather\ndays: 3\ncity: Paris", True, True),
        ("<|call|>get_weather\ncity: Rome\ndays: 3", True, False),
        ("<|call|>get_weather\ncity: Paris", True, False),
        ("<|call|>get_weather\ncity: Paris\ndays: many", True, False),
        ("<|call|>get_time\ncity: Paris\ndays: 3", False, False),
        (RIGHT + RIGHT, False, False),
        ("It is sunny in Paris.", False, False),
        ("", False, False),
    ],
)
def test_calls(reply: str, name: bool, exact: bool) -> None:
    assert right_names(reply, WANTED) == name
    assert right_calls(reply, [TOOL], WANTED) == exact


def test_talk_calls_nothing_and_says_something() -> None:
    assert talks("Hello!")
    assert not talks("Sure. " + RIGHT)
    assert not talks(" ")


def test_declining_is_said_in_words() -> None:
    assert declines("Sorry, none of my tools can do that.")
    assert declines("I can't book flights with the tools I have.")
    assert not declines("Don't worry, your flight is booked.")
    assert not declines("Sorry! " + RIGHT)
    assert asks("For which city?")
    assert not asks("<|call|>get_weather\ncity: ?")


def test_a_result_is_told_with_the_words_that_the_reference_took_from_it() -> None:
    given, reference = '{"city": "New York", "sky": "clear", "wind": 12}', "It is clear in New York."
    assert tells("New York has a clear sky.", given, reference)
    assert not tells("York has a clear sky.", given, reference)
    assert not tells("It is clear in New York." + RIGHT, given, reference)


def example(kind: str, words: str, *replies) -> Example:
    return Example("tools", True, messages=(user(words), *replies), tools=(TOOL,), kind=kind)


def test_every_row_counts_its_own_examples(scripted) -> None:
    held_out = HeldOut(
        {
            "tools": [
                example("snips", "a", calling(*WANTED)),
                example("snips", "b", calling(*WANTED), result("{}"), assistant("Sunny.")),
                example("tool_family", "c", calling(*WANTED)),
                example("small_talk_with_tools", "d", assistant("Hi!")),
                example("small_talk_with_tools", "e", assistant("Hi!")),
                example("no_tool_fits", "f", assistant("I have no tool for that.")),
                example("tool_result", "g", calling(*WANTED), result('{"t": 21}'), assistant("21 degrees.")),
            ]
        }
    )
    replies = {
        "a": RIGHT,
        "b": "<|call|>get_weather\ncity: Rome",
        "c": "<|call|>get_time",
        "d": "Hello!",
        "e": RIGHT,
        "f": "None of my tools does that.",
        "g": "It is 21 degrees.",
    }
    bench = scripted(lambda prompt: replies[prompt.messages[0].content])
    found = {row.name: row.estimate for row in rows(bench, held_out)}
    values = {name: (estimate.value, estimate.n) for name, estimate in found.items() if estimate}
    assert values == {
        "SNIPS: name": (1.0, 2),
        "SNIPS: exact arguments": (0.5, 2),
        "tools never seen: name": (0.0, 1),
        "tools never seen: exact arguments": (0.0, 1),
        "small talk stays talk, no fitting tool declined": (2 / 3, 3),
        "- small talk with tools stays talk": (0.5, 2),
        "- no fitting tool is declined": (1.0, 1),
        "a tool's result is put in words": (1.0, 1),
    }
    assert found["a missing argument is asked for"] is None
