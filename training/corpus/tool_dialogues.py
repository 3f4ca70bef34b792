"""Dialogues with a service that calls tools and tells what they gave back: Schema-Guided Dialogue and Taskmaster-4.

A dialogue is cut into windows that a small model's context holds. A window ends before a call whose arguments cannot be
read in the words before it; dates and times become the words that stand there. Every call fits its tool's schema.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from serving.models.tool_calls import CALL, Call, ToolCallError, parse_calls, write_call, write_tools
from training.conversation import Message, Tool, calling, result
from training.corpus.example import Example, is_held_out
from training.corpus.files import rows
from training.corpus.spoken_values import spoken

WINDOW = 1250
"""Characters of tools and messages; about 430 tokens."""
ORDER_WINDOW = 1800
"""Coffee orders take four calls before the first answer."""
_LONGEST_RESULT = 300
_MOST_CHOICES = 6
_MANY_CALLS = 30

_Uses = dict[tuple[str, str], Counter[str]]
"""How often each value of each tool's argument occurs, values as JSON."""


def services(path: Path) -> Iterator[Example]:
    """Schema-Guided Dialogue. Held out by dialogue."""
    uses = _uses(rows(path))
    for row in rows(path):
        tools = tuple(_service_tool(tool, uses) for tool in row["tools"])
        for messages in _windows(row, tools, WINDOW):
            yield Example("services", is_held_out(row["id"]), messages=messages, tools=tools, kind="service")


def orders(path: Path) -> Iterator[Example]:
    """Taskmaster-4, coffee orders, which come without schemas. Held out by dialogue."""
    whole = [row for row in rows(path) if all(isinstance(call["arguments"], dict) for call in _calls(row))]
    uses = _uses(whole)
    counts = Counter(call["name"] for row in whole for call in _calls(row))
    every = {name: _order_tool(name, count, uses) for name, count in counts.items()}
    for row in whole:
        rng = random.Random(row["id"])
        names = sorted({call["name"] for call in _calls(row)} | {rng.choice(sorted(every))})
        tools = tuple(every[name] for name in rng.sample(names, len(names)))
        for messages in _windows(row, tools, ORDER_WINDOW):
            yield Example("orders", is_held_out(row["id"]), messages=messages, tools=tools, kind="order")


def _calls(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in row["messages"]:
        yield from message.get("tool_calls") or ()


def _uses(dialogues: Iterable[dict[str, Any]]) -> _Uses:
    uses: _Uses = defaultdict(Counter)
    for row in dialogues:
        for call in _calls(row):
            for key, value in call["arguments"].items():
                uses[call["name"], key][value if isinstance(value, str) else json.dumps(value)] += value != "dontcare"
    return uses


def _service_tool(tool: dict[str, Any], uses: _Uses) -> Tool:
    keys = [*tool["required"], *tool["optional"]]
    return _tool(tool["name"], tool["description"], {key: uses[tool["name"], key] for key in keys}, tool["required"])


def _order_tool(name: str, count: int, uses: _Uses) -> Tool:
    used = {key: values for (tool, key), values in uses.items() if tool == name}
    return _tool(name, "", used, [key for key, values in used.items() if values.total() == count])


def _tool(name: str, description: str, uses: dict[str, Counter[str]], required: list[str]) -> Tool:
    schema = {
        "type": "object",
        "properties": {key: _parameter(+values) for key, values in uses.items()},
        "required": required,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _parameter(values: Counter[str]) -> dict[str, Any]:
    """The narrowest schema that fits every value."""
    if not values:
        return {"type": "string"}
    if values.keys() <= {"True", "False"}:
        return {"type": "boolean"}
    if any(value.startswith("[") for value in values):
        return {"type": "array"}
    if all(value.isdecimal() and len(value) <= 4 for value in values):
        return {"type": "integer"}
    if len(values) <= _MOST_CHOICES and values.total() >= _MANY_CALLS:
        return {"type": "string", "enum": sorted(values)}
    return {"type": "string"}


def _windows(row: dict[str, Any], tools: tuple[Tool, ...], size: int) -> Iterator[tuple[Message, ...]]:
    """Runs of whole turns: a person speaks, the assistant calls and answers.

    Each opens the dialogue or holds a call.
    """
    room = size - len(write_tools(tools))
    windows: list[list[Message]] = [[]]
    for turn in _turns(row):
        # A turn that does not go on from those before it may open the next window.
        for before in (windows[-1], []):
            messages = _read_turn(before, turn, tools)
            if messages is not None and sum(map(_length, messages)) <= room:
                windows[-1:] = [messages] if before is windows[-1] else [windows[-1], messages]
                break
        else:
            windows.append([])
    for number, window in enumerate(windows):
        if window and (number == 0 or any(message.calls for message in window)):
            yield tuple(window)


def _turns(row: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    turn: list[dict[str, Any]] = []
    for message in row["messages"]:
        if message["role"] == "user" and turn:
            yield turn
            turn = []
        turn.append(message)
    yield turn


def _length(message: Message) -> int:
    return len(message.content) + sum(len(write_call(call)) for call in message.calls) + 10


def _read_turn(before: Sequence[Message], turn: list[dict[str, Any]], tools: Sequence[Tool]) -> list[Message] | None:
    """The messages before with the turn's; None if the turn does not stand on them or ends without an answer."""
    if turn[-1]["role"] != "assistant":
        return None
    messages = list(before)
    for message in turn:
        if message.get("tool_calls"):
            calls = [_grounded(call, messages, tools) for call in message["tool_calls"]]
            if not all(calls):
                return None
            messages.append(calling(*(call for call in calls if call)))
        elif message["role"] == "tool":
            messages.append(result(_shortened(message["content"], turn[-1]["content"] or "")))
        elif message["content"]:
            messages.append(Message(message["role"], message["content"].strip()))
        else:
            return None
    return messages


def _grounded(call: dict[str, Any], before: Sequence[Message], tools: Sequence[Tool]) -> Call | None:
    """The call in the words of the messages before it; None if they do not hold an argument or it fits no schema."""
    said = [message.content for message in before if message.role == "tool"]
    said += [message.content for message in before if message.role != "tool"]  # the last ones are looked at first
    schema = next((tool["function"]["parameters"] for tool in tools if tool["function"]["name"] == call["name"]), None)
    if schema is None or not call["arguments"].keys() <= schema["properties"].keys():
        return None
    arguments = {}
    for key, value in call["arguments"].items():
        if value == "dontcare":
            continue
        words = _words(value, schema["properties"][key], said)
        if words is None:
            return None
        arguments[key] = words
    grounded = Call(call["name"], arguments)
    try:
        return grounded if parse_calls(CALL + write_call(grounded), tools) == (grounded,) else None
    except ToolCallError:
        return None


def _words(value: Any, parameter: dict[str, Any], said: Sequence[str]) -> Any:
    """The value as it is to be written; None where nothing says it."""
    if parameter["type"] == "boolean":
        return value == "True"
    if parameter["type"] == "array":
        return value if all(spoken(leaf, said) for leaf in _leaves(value)) else None
    found = spoken(value, said)
    if found is None:
        return None
    if parameter["type"] == "integer":
        return int(value)
    return value if "enum" in parameter else found


def _leaves(value: Any) -> list[str]:
    """The strings that a list of objects holds; "ADD" is the coffee shop's own word."""
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [] if value == "ADD" else [str(value)]


def _shortened(content: str, reply: str) -> str:
    """A result's first entry; of a long one, what the reply speaks of."""
    try:
        entries = json.loads(content)
    except ValueError:
        return content
    entry = entries[0] if isinstance(entries, list) and entries else entries
    text = json.dumps(entry, ensure_ascii=False)
    if len(text) > _LONGEST_RESULT and isinstance(entry, dict):
        spoken_of = {key: value for key, value in entry.items() if spoken(str(value), [reply])}
        text = json.dumps(spoken_of or entry, ensure_ascii=False)
    return text
