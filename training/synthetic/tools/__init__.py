"""Conversations with tools on offer: calls, results told, missing arguments asked for, and talk that needs no tool."""

import random
from collections.abc import Callable, Sequence

from training.conversation import Message, assistant, calling, result, user
from training.corpus.example import Example
from training.corpus.tool_requests import DECLINES
from training.synthetic.grammar import Voice, expand
from training.synthetic.tools.families import Family
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


def tool_conversation(voice: Voice, talk: Talk) -> Example:
    """A conversation with one to five tools on offer; `talk` writes exchanges that need none."""
    dice = voice.rng.random()
    if dice < 0.4:
        return _request(voice, told=False)
    if dice < 0.52:
        return _request(voice, told=True)
    if dice < 0.7:
        return _missing(voice)
    if dice < 0.9:
        return _unfitting(voice)
    return _talking(voice, talk)


def _example(voice: Voice, kind: str, messages: Sequence[Message], tools: Sequence[SyntheticTool]) -> Example:
    offered = voice.rng.sample(tools, len(tools))
    schemas = tuple(tool.schema for tool in {tool.name: tool for tool in offered}.values())
    return Example(SOURCE, voice.held_out, messages=tuple(messages), tools=schemas, kind=kind)


def _offer(voice: Voice, family: Family, count: int, *, far: bool = False) -> list[SyntheticTool]:
    others = draw_others(family, count, voice.rng, held_out=voice.held_out, far=far)
    return [shape(other, voice.rng) for other in others]


def _others(rng: random.Random) -> int:
    return rng.choice((0, 1, 1, 2, 2, 3, 4))


def _request(voice: Voice, *, told: bool) -> Example:
    """A request that a tool answers, now and then two in one; with `told` the result and its sentence follow."""
    rng = voice.rng
    family = draw_family(rng, held_out=voice.held_out)
    tool = shape(family, rng)
    others = _offer(voice, family, _others(rng))
    text, arguments = _asked(voice, tool)
    messages = [user(text), calling(call(tool, arguments))]
    if told:
        back, sentence = tool_result(family, rng)
        messages += [result(back), assistant(sentence)]
        if others and not voice.held_out and rng.random() < 0.3:
            text, arguments = _asked(voice, others[0])
            messages += [user(text), calling(call(others[0], arguments))]
    return _example(voice, "tool_result" if told else "tool_family", messages, [tool, *others])


def _missing(voice: Voice) -> Example:
    """A request that lacks a required argument: the model asks, and calls when it is told."""
    rng = voice.rng
    while True:
        tool = shape(draw_family(rng, held_out=voice.held_out), rng)
        required = [parameter for parameter in tool.parameters if parameter.required and parameter.slot]
        if required:
            break
    others = _offer(voice, tool.family, _others(rng))
    lacking = rng.choice(required)
    arguments = draw_arguments(tool, rng)
    text = _said(voice, tool, [each for each in arguments if each.parameter is not lacking])
    slot = lacking.slot
    assert slot is not None
    messages = [user(text), assistant(rng.choice(slot.asks))]
    if not voice.held_out and rng.random() < 0.6:
        missing = next(each for each in arguments if each.parameter is lacking)
        phrase = rng.choice((missing.words, _phrase(missing, rng)))
        answer = voice.reply(_FOLLOW_UPS, phrase=phrase)
        # A value at the start keeps its case, since the call copies it.
        messages += [user(answer if answer.startswith(missing.words) else answer[0].upper() + answer[1:])]
        messages += [calling(call(tool, arguments))]
        return _example(voice, "tool_family", messages, [tool, *others])
    return _example(voice, "missing_argument", messages, [tool, *others])


def _unfitting(voice: Voice) -> Example:
    """A request that no offered tool answers."""
    rng = voice.rng
    tool = shape(draw_family(rng, held_out=voice.held_out), rng)
    others = _offer(voice, tool.family, rng.randint(1, 4), far=True)
    do = f"{tool.family.verb.says[0]} {tool.family.noun}"
    reply = voice.reply(_DECLINES, do=f"get the {bare_noun(tool.family)}" if tool.family.questions else do)
    return _example(voice, "no_tool_fits", [user(_asked(voice, tool)[0]), assistant(reply)], others)


def _talking(voice: Voice, talk: Talk) -> Example:
    """Small talk while tools are offered, sometimes before a request or after it."""
    rng = voice.rng
    family = draw_family(rng, held_out=voice.held_out)
    tools = [shape(family, rng), *_offer(voice, family, rng.randint(0, 4))]
    messages = talk(voice)
    if not voice.held_out and rng.random() < 0.25:
        text, arguments = _asked(voice, tools[0])
        back, sentence = tool_result(family, rng)
        asked = [user(text), calling(call(tools[0], arguments)), result(back), assistant(sentence)]
        messages = [*asked, *messages] if rng.random() < 0.5 else [*messages, *asked]
    return _example(voice, "small_talk_with_tools", messages, tools)


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
