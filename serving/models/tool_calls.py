"""The text of a tool call, both ways, and the list of tools that a model reads: the embedded model's own format.

    <|call|>get_weather
    city: Paris
    days: 3

A string is written as it is, so that the model copies the user's own tokens, or as JSON where a line could not hold it;
every other value is a JSON literal. Which of the two a line holds is the schema's to say. Tools are offered as OpenAI
function tools: {"type": "function", "function": {"name", "description", "parameters": JSON schema of an object}}.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

CALL = "<|call|>"


class ToolCallError(ValueError):
    """A call that fits no offered tool. The message says what was given and what is accepted."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool's name with its arguments, JSON values by parameter."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


def write_call(call: Call) -> str:
    """The call's text, without the token that opens it."""
    return "\n".join([call.name, *(f"{key}: {_written(value)}" for key, value in call.arguments.items())])


def write_tools(tools: Sequence[Mapping[str, Any]]) -> str:
    """The tools that a conversation offers: a line a tool, a line a parameter, an empty line between tools."""
    return "\n\n".join(_written_tool(tool["function"]) for tool in tools)


def parse_calls(text: str, tools: Sequence[Mapping[str, Any]]) -> tuple[Call, ...]:
    """The calls in a reply that was decoded with its special tokens; none where it only talks.

    Values get the types of the offered tool's schema. Raises ToolCallError where a call names no offered tool, lacks a
    required argument or holds an unknown one, and where a value does not fit its schema.
    """
    offered = {tool["function"]["name"]: tool["function"] for tool in tools}
    return tuple(_parsed(part, offered) for part in text.split(CALL)[1:])


def _written(value: Any) -> str:
    if isinstance(value, str) and value == value.strip() and value and "\n" not in value and value[0] != '"':
        return value
    return json.dumps(value, ensure_ascii=False)


def _written_tool(function: Mapping[str, Any]) -> str:
    schema = function.get("parameters") or {}
    required = schema.get("required") or ()
    lines = [function["name"] + _described(function)]
    for name, parameter in (schema.get("properties") or {}).items():
        optional = "" if name in required else ", optional"
        lines.append(f"{name} ({_accepted(parameter)}{optional}){_described(parameter)}")
    return "\n".join(lines)


def _described(thing: Mapping[str, Any]) -> str:
    words = (thing.get("description") or "").split()
    return ": " + " ".join(words) if words else ""


def _accepted(parameter: Mapping[str, Any]) -> str:
    """A parameter's values, if they are listed, or else its types."""
    if parameter.get("enum"):
        return "|".join(map(_written, parameter["enum"]))
    return "|".join(_types(parameter)) or "any"


def _types(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    kind = parameter.get("type") or ()
    return (kind,) if isinstance(kind, str) else tuple(kind)


def _parsed(part: str, offered: Mapping[str, Mapping[str, Any]]) -> Call:
    name, *lines = part.strip("\n").split("\n")
    if name not in offered:
        raise ToolCallError(f"the call names {name!r}; offered are {_listed(offered)}")
    schema = offered[name].get("parameters") or {}
    parameters = schema.get("properties") or {}
    arguments: dict[str, Any] = {}
    for line in lines:
        key, colon, text = line.partition(":")
        if not colon:
            raise ToolCallError(f"{name}: the line {line!r} is no argument; accepted is `name: value`")
        if key not in parameters:
            raise ToolCallError(f"{name}: unknown argument {key!r}; accepted are {_listed(parameters)}")
        if key in arguments:
            raise ToolCallError(f"{name}: the argument {key!r} is given twice; accepted is once")
        arguments[key] = _value(text.removeprefix(" "), parameters[key], f"{name}: {key}")
    if missing := [key for key in schema.get("required") or () if key not in arguments]:
        raise ToolCallError(f"{name}: missing {', '.join(missing)}; given are {_listed(arguments)}")
    return Call(name, arguments)


def _value(text: str, parameter: Mapping[str, Any], where: str) -> Any:
    """The text as a value of the parameter's schema, of which `type` and `enum` are read."""
    types = _types(parameter)
    value = _literal(text)
    if value is _NO_JSON or (types and not any(_IS.get(kind, _anything)(value) for kind in types)):
        value = text if not types or "string" in types else _NO_JSON
    if value is _NO_JSON or (parameter.get("enum") and value not in parameter["enum"]):
        raise ToolCallError(f"{where} is {text!r}; accepted is {_accepted(parameter)}")
    return int(value) if isinstance(value, float) and "integer" in types and "number" not in types else value


_NO_JSON = object()


def _literal(text: str) -> Any:
    """The JSON value that the text is, or _NO_JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _NO_JSON


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _anything(value: Any) -> bool:
    return True


_IS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (isinstance(value, int) and not isinstance(value, bool)) or _is_whole(value),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
