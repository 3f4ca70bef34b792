"""A synthetic tool with random names, and a request that it answers."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.models.tool_calls import Call
from training.conversation import Tool
from training.synthetic import invented
from training.synthetic.tools.families import ANY_VERBS, FAMILIES, Family, Verb
from training.synthetic.tools.slots import FLAGS, SLOTS, Slot

_INVENTED_SHARE = 0.15
_NOUN_SHARE = 0.4
_OPPOSITES = {"start": "stop", "create": "delete", "book": "cancel", "send": "read", "order": "return"}
_OPPOSITES |= {second: first for first, second in _OPPOSITES.items()}
_HELD_OUT = tuple(family for family in FAMILIES if family.held_out)
_TRAINED = tuple(family for family in FAMILIES if not family.held_out)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter under the name that this tool gives it. Without a slot it is a flag, said by `phrase`."""

    name: str
    required: bool
    slot: Slot | None = None
    phrase: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class SyntheticTool:
    """A family's tool in one of the many shapes that it may have."""

    family: Family
    name: str
    parameters: tuple[Parameter, ...]
    schema: Tool


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter's value: as words of a request, and as JSON."""

    parameter: Parameter
    words: str
    value: Any


def draw_family(rng: random.Random, nouns: Sequence[str], *, held_out: bool) -> Family:
    """A family of this split; some are for one of `nouns`, which are of this split too, and some of invented words, which
    no other conversation holds.
    """
    dice = rng.random()
    if nouns and dice < _NOUN_SHARE:
        noun = rng.choice(nouns)
        said = f"{rng.choice(('the', 'my', 'an' if noun[0] in 'aeiou' else 'a'))} {noun}"
        return Family(noun, rng.choice(ANY_VERBS), said, tuple(rng.sample(sorted(SLOTS), rng.randint(1, 4))))
    if dice > 1 - _INVENTED_SHARE:
        verb = invented.syllables(rng, 2)
        noun = f"{rng.choice(('a', 'the', 'my'))} {invented.syllables(rng, 2)}"
        slots = tuple(rng.sample(sorted(SLOTS), rng.randint(2, 5)))
        return Family("invented", Verb(verb, (verb,), f"{verb}ed"), noun, slots)
    return rng.choice(_HELD_OUT if held_out else _TRAINED)


def draw_others(
    family: Family, count: int, rng: random.Random, nouns: Sequence[str], *, held_out: bool
) -> list[Family]:
    """Families to stand beside `family` in an offer, none of which could answer another's requests. Training is never shown
    a held-out one.
    """
    others: list[Family] = []
    opposite = _OPPOSITES.get(family.verb.name)
    if opposite and count and rng.random() < 0.35:
        others += [each for each in FAMILIES if each.noun == family.noun and each.verb.name == opposite]
    taken = {family.noun}
    while len(others) < count:
        other = draw_family(rng, nouns, held_out=held_out and rng.random() < 0.5)
        if other.noun not in taken:
            taken.add(other.noun)
            others.append(other)
    return others[:count]


def shape(family: Family, rng: random.Random) -> SyntheticTool:
    """A tool of the family: random subset of parameters, names in a random style, with or without descriptions."""
    style = rng.choice((_snake, _snake, _camel, _pascal, _kebab))
    noun = bare_noun(family).split()
    words = [*noun, family.verb.name] if rng.random() < 0.15 else [family.verb.name, *noun]
    count = rng.randint(min(1, len(family.slots)), min(4, len(family.slots)))
    parameters = [_parameter(SLOTS[key], rng) for key in rng.sample(family.slots, count)]
    if rng.random() < 0.15:
        names, phrase, description = rng.choice(FLAGS)
        parameters.append(Parameter(rng.choice(names), False, None, phrase, description))
    unique = tuple({parameter.name: parameter for parameter in parameters}.values())
    name = style(words)
    return SyntheticTool(family, name, unique, _schema(name, _description(family, rng), unique, rng))


def draw_arguments(tool: SyntheticTool, rng: random.Random) -> list[Argument]:
    """Values for every required parameter and for some of the others."""
    arguments = []
    for parameter in tool.parameters:
        if parameter.required or rng.random() < 0.5:
            words, value = parameter.slot.draw(rng) if parameter.slot else (parameter.phrase, True)
            arguments.append(Argument(parameter, words, value))
    return arguments


def call(tool: SyntheticTool, arguments: Sequence[Argument]) -> Call:
    """The call with these arguments, in the schema's order."""
    values = {argument.parameter.name: argument.value for argument in arguments}
    return Call(tool.name, {each.name: values[each.name] for each in tool.parameters if each.name in values})


def bare_noun(family: Family) -> str:
    """The noun without its article."""
    first, _, rest = family.noun.partition(" ")
    return rest if first in ("a", "an", "the", "my") else family.noun


def _parameter(slot: Slot, rng: random.Random) -> Parameter:
    return Parameter(rng.choice(slot.names), rng.random() < 0.6, slot, description=slot.description)


def _description(family: Family, rng: random.Random) -> str:
    dice = rng.random()
    if dice < 0.25:
        return ""
    verb = family.verb.name if dice < 0.6 else rng.choice(family.verb.says)
    return f"{verb} {family.noun}".capitalize()


def _schema(name: str, description: str, parameters: Sequence[Parameter], rng: random.Random) -> Tool:
    described = rng.random() < 0.3
    properties: dict[str, Mapping[str, Any]] = {}
    for parameter in parameters:
        slot = parameter.slot
        kind: dict[str, Any] = {"type": slot.type if slot else "boolean"}
        if slot and slot.choices:
            kind["enum"] = list(slot.choices)
        if slot and slot.type == "array":
            kind["items"] = {"type": "string"}
        if described:
            kind["description"] = parameter.description
        properties[parameter.name] = kind
    required = [parameter.name for parameter in parameters if parameter.required]
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _snake(words: Sequence[str]) -> str:
    return "_".join(words)


def _kebab(words: Sequence[str]) -> str:
    return "-".join(words)


def _pascal(words: Sequence[str]) -> str:
    return "".join(word.capitalize() for word in words)


def _camel(words: Sequence[str]) -> str:
    return words[0] + _pascal(words[1:])
