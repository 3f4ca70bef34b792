"""Conversations with tools on offer: calls, results told, missing arguments asked for, and talk that needs no tool."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from training.conversation import Message, assistant, calling, result, user
from training.corpus.example import Example
from training.corpus.tool_requests import DECLINES
from training.synthetic.grammar import Voice, expand
from training.synthetic.tools.families import ANY_VERBS
from training.synthetic.tools.results import tool_result
from training.synthetic.tools.schema import (
    Argument,
    SyntheticTool,
    bare_noun,
    call,
    draw_arguments,
    draw_family,
    draw_others,
    shape,
)

SOURCE = "synthetic_tools"
Talk = Callable[[Voice], list[Message]]

_ORDERS = (
    "{Do}.",
    "Please {do}.",
    "Can you {do}?",
    "{Do}, please.",
    "Could you {do}[, please|]?",
    "I want to {do}.",
    "I need to {do}.",
    "I would like you to {do}.",
    "Would you {do} for me?",
    "I'd like to {do}.",
    "Can you please {do}?",
    "[Hi|Hello|Hey], {do}.",
    "[Hi|Hello|Hey], can you {do}?",
    "{Do} [right away|now|for me].",
    "[Now|Next|Then|Okay,] {do}.",
    "It is time to {do}.",
    "Help me {do}.",
    "I have to {do}.",
    "Go ahead and {do}.",
    "We need to {do}.",
    "My boss wants me to {do}.",
    "Is it possible to {do}?",
    "{Do}!",
    "Let's {do}.",
)
_QUESTIONS = (
    "{Do}?",
    "[Please tell me|Tell me|Say]: {do}?",
    "[Hi|Hello|Hey], {do}?",
    "{Do}, please?",
    "I want to know: {do}?",
    "Quick question: {do}?",
    "{Do}[, do you know|]?",
    "[Can you tell me|Could you check]: {do}?",
)
_DECLINES = (
    *DECLINES,
    "I have no tool for that[, sorry|].",
    "Sorry, I cannot {do} with my tools.",
    "None of my tools can {do}.",
    "I am afraid none of the tools that I have can do that.",
    "[That is not something|Nothing that] I can do with the tools I have[, sorry|].",
)
_FOLLOW_UPS = ("{phrase}.", "{phrase}, please.", "{phrase}", "[Make it|Let's say|I think] {phrase}.")


def tool_conversation(voice: Voice, nouns: Sequence[str], talk: Talk) -> Example:
    """One to six exchanges with the same one to five tools on offer, so that calling, asking back and declining stand side
    by side; a held-out conversation has one. `nouns` are what tools may be for beside the families, `talk` writes exchanges
    that need no tool.
    """
    tools = _offer(voice, nouns)
    exchanges = 1 if voice.held_out else voice.rng.choice((1, 2, 3, 4, 5, 6))
    messages: list[Message] = []
    kind = ""
    for left in reversed(range(exchanges)):
        kind, exchange = _exchange(voice, tools, nouns, talk, last=not left)
        messages += exchange
    schemas = tuple(tool.schema for tool in voice.rng.sample(tools, len(tools)))
    return Example(SOURCE, voice.held_out, messages=tuple(messages), tools=schemas, kind=kind)


def _offer(voice: Voice, nouns: Sequence[str]) -> list[SyntheticTool]:
    """Tools of different names, first the one that a held-out request is about."""
    family = draw_family(voice.rng, nouns, held_out=voice.held_out)
    others = draw_others(family, voice.rng.choice((0, 1, 1, 2, 2, 3, 4)), voice.rng, nouns, held_out=voice.held_out)
    tools = [shape(each, voice.rng) for each in (family, *others)]
    return list({tool.name: tool for tool in tools}.values())


def _exchange(
    voice: Voice, tools: Sequence[SyntheticTool], nouns: Sequence[str], talk: Talk, *, last: bool
) -> tuple[str, list[Message]]:
    """What a person says, what follows from it, and the kind of the last reply. Only the last exchange may end with a call
    or a question, where the tool or the person has yet to answer.
    """
    rng = voice.rng
    tool = tools[0] if voice.held_out else rng.choice(tools)
    dice = rng.random()
    if dice < 0.36:
        return _request(voice, tool, told=not last or rng.random() < 0.3)
    if dice < 0.52:
        return _missing(voice, tool, open_ended=last and rng.random() < 0.5)
    if dice < 0.86:
        return "no_tool_fits", _unfitting(voice, tools, nouns)
    return "small_talk_with_tools", talk(voice)


def _request(voice: Voice, tool: SyntheticTool, *, told: bool) -> tuple[str, list[Message]]:
    """A request that the tool answers; with `told` its result and a sentence about it follow."""
    text, arguments = _asked(voice, tool)
    messages = [user(text), calling(call(tool, arguments))]
    if not told:
        return "tool_family", messages
    back, sentence = tool_result(tool.family, voice.rng)
    return "tool_result", [*messages, result(back), assistant(sentence)]


def _missing(voice: Voice, tool: SyntheticTool, *, open_ended: bool) -> tuple[str, list[Message]]:
    """A request that lacks a required argument: the model asks and, unless `open_ended`, is told and calls."""
    rng = voice.rng
    required = [parameter for parameter in tool.parameters if parameter.required and parameter.slot]
    if not required:
        return _request(voice, tool, told=not open_ended)
    lacking = rng.choice(required)
    arguments = draw_arguments(tool, rng)
    text = _said(voice, tool, [each for each in arguments if each.parameter is not lacking])
    slot = lacking.slot
    assert slot is not None
    messages = [user(text), assistant(rng.choice(slot.asks))]
    if open_ended or voice.held_out:
        return "missing_argument", messages
    missing = next(each for each in arguments if each.parameter is lacking)
    answer = voice.reply(_FOLLOW_UPS, phrase=rng.choice((missing.words, _phrase(missing, rng))))
    # A value at the start keeps its case, since the call copies it.
    answer = answer if answer.startswith(missing.words) else answer[0].upper() + answer[1:]
    back, sentence = tool_result(tool.family, rng)
    return "tool_result", [*messages, user(answer), calling(call(tool, arguments)), result(back), assistant(sentence)]


def _unfitting(voice: Voice, tools: Sequence[SyntheticTool], nouns: Sequence[str]) -> list[Message]:
    """A request that no offered tool answers, often with the verb of one that does the same to something else."""
    rng = voice.rng
    groups = {tool.family.group for tool in tools}
    while (family := draw_family(rng, nouns, held_out=voice.held_out)).group in groups:
        pass
    verbs = [tool.family.verb for tool in tools if tool.family.verb in ANY_VERBS]
    if verbs and family.verb in ANY_VERBS and rng.random() < 0.5:
        family = replace(family, verb=rng.choice(verbs))
    tool = shape(family, rng)
    do = f"get the {bare_noun(family)}" if family.questions else f"{family.verb.says[0]} {family.noun}"
    return [user(_asked(voice, tool)[0]), assistant(voice.reply(_DECLINES, do=do))]


def _asked(voice: Voice, tool: SyntheticTool) -> tuple[str, list[Argument]]:
    """A request with its arguments; some people type without capitals, and so are their words copied."""
    arguments = draw_arguments(tool, voice.rng)
    text = _said(voice, tool, arguments)
    if voice.rng.random() < 0.12:
        arguments = [Argument(each.parameter, each.words.lower(), _lower(each.value)) for each in arguments]
        return text.lower().rstrip(".?!"), arguments
    return text, arguments


def _lower(value: object) -> object:
    if isinstance(value, list):
        return [_lower(item) for item in value]
    return value.lower() if isinstance(value, str) else value


def _said(voice: Voice, tool: SyntheticTool, arguments: Sequence[Argument]) -> str:
    rng = voice.rng
    phrases = [_phrase(argument, rng) for argument in rng.sample(arguments, len(arguments))]
    # What has no clear end stands last, or nothing would tell where it ends.
    phrases.sort(key=lambda phrase: phrase.startswith(_OPEN_ENDED))
    family = tool.family
    if family.questions:
        do = expand(rng.choice(family.questions), rng)
        orders = _QUESTIONS
    else:
        do = f"{rng.choice(family.verb.says)} {family.noun}"
        orders = _ORDERS
    # A phrase that begins with a value stays behind: a capital there would change it.
    in_front = len(phrases) > 1 and phrases[0].startswith(_PREPOSITIONS) and rng.random() < 0.15
    front = phrases.pop(0) if in_front else ""
    do = " ".join([do, *phrases])
    text = (
        voice.say(orders, do="{do}", Do="{Do}")
        .replace("{do}", do[0].lower() + do[1:])
        .replace("{Do}", do[0].upper() + do[1:])
    )
    if front:
        text = f"{front[0].upper()}{front[1:]}, {text[0].lower()}{text[1:]}"
    return text


_PREPOSITIONS = ("in ", "at ", "on ", "for ", "to ", "from ", "with ")
_OPEN_ENDED = ("saying", "that says", "with the note", "with the words", "with these items", "containing")


def _phrase(argument: Argument, rng: random.Random) -> str:
    slot = argument.parameter.slot
    if slot is None:
        return argument.words
    words = argument.words
    if slot.description in ("What it says", "What it is called") and rng.random() < 0.5:
        words = f'"{words}"'
    return rng.choice(slot.phrases).replace("{v}", words)
