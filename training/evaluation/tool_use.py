"""Whether a reply calls the right tool with the right arguments, or rightly calls none."""

import re
from collections.abc import Callable, Sequence

from serving.models.tool_calls import CALL, Call, ToolCallError, parse_calls
from training.conversation import Tool
from training.corpus import Example
from training.evaluation.bench import Bench, HeldOut, before_reply
from training.evaluation.estimate import Estimate, proportion
from training.evaluation.model import Prompt
from training.evaluation.report import Bar, Row

_CALL_TOKENS = 128
_WORD = re.compile(r"\w+")

_DECLINES = re.compile(
    r"""cannot|can\ not|can't|could\ not|couldn't|unable|not\ able|(do\ not|don't)\ (have|know)|have\ no|there\ is\ no
    |no\ tool|none\ of|nothing\ (here|i\ have|that)|not\ (something|possible|one\ of|among)|sorry|afraid|beyond
    |only\ (have|help)""",
    re.VERBOSE | re.IGNORECASE,
)


def right_names(reply: str, wanted: Sequence[Call]) -> bool:
    """Whether the reply calls the wanted tools in order, whatever the arguments."""
    named = [part.split("\n")[0].strip() for part in reply.split(CALL)[1:]]
    return named == [call.name for call in wanted]


def right_calls(reply: str, tools: Sequence[Tool], wanted: Sequence[Call]) -> bool:
    """Whether the reply's calls fit the tools and are the wanted ones, argument for argument."""
    try:
        return parse_calls(reply, tools) == tuple(wanted)
    except ToolCallError:
        return False


def talks(reply: str) -> bool:
    """Whether the reply is words and no call."""
    return bool(reply.strip()) and CALL not in reply


def asks(reply: str) -> bool:
    """Whether the reply is a question and no call."""
    return talks(reply) and "?" in reply


def declines(reply: str) -> bool:
    """Whether the reply says in plain words that it cannot do what is asked, and calls nothing."""
    return talks(reply) and bool(_DECLINES.search(reply))


def rows(bench: Bench, held_out: HeldOut) -> list[Row]:
    """Calls of known tools and of families never seen, talk where no call is due, and results put in words."""
    snips = _calls(bench, "SNIPS", held_out.of_kind("snips"), Bar(0.97, 0.98), Bar(0.52, 0.70))
    families = _calls(bench, "tools never seen", held_out.of_kind("tool_family"), Bar(0.50, 0.75), Bar(0.30, 0.55))
    kept = _judged(bench, held_out, "small_talk_with_tools", talks)
    declined = _judged(bench, held_out, "no_tool_fits", declines)
    return [
        *snips,
        *families,
        Row("small talk stays talk, no fitting tool declined", proportion(kept + declined), Bar(0.85, 0.95)),
        Row("- small talk with tools stays talk", proportion(kept)),
        Row("- no fitting tool is declined", proportion(declined)),
        Row("a missing argument is asked for", proportion(_judged(bench, held_out, "missing_argument", asks))),
        Row("a tool's result is put in words", _results(bench, held_out)),
    ]


def _calls(bench: Bench, name: str, examples: Sequence[Example], names: Bar, arguments: Bar) -> list[Row]:
    """The first call of every example."""
    chosen = bench.pick(examples)
    first = [next(index for index, message in enumerate(example.messages) if message.calls) for example in chosen]
    prompts = [Prompt(example.messages[:index], example.tools) for index, example in zip(first, chosen, strict=True)]
    replies = bench.ask(name, prompts, greedy=_CALL_TOKENS)
    wanted = [example.messages[index].calls for index, example in zip(first, chosen, strict=True)]
    named = list(map(right_names, replies, wanted))
    exact = [right_calls(reply, *rest) for reply, *rest in zip(replies, (e.tools for e in chosen), wanted, strict=True)]
    return [
        Row(f"{name}: name", proportion(named), names),
        Row(f"{name}: exact arguments", proportion(exact), arguments),
    ]


def _judged(bench: Bench, held_out: HeldOut, kind: str, judge: Callable[[str], bool]) -> list[bool]:
    """Whether the last reply of each example of a kind is as it should be, at the default sampling."""
    examples = bench.pick(held_out.of_kind(kind))
    return list(map(judge, bench.ask(kind.replace("_", " "), [before_reply(example) for example in examples])))


def tells(reply: str, result: str, reference: str) -> bool:
    """Whether the reply is talk that holds all the words which the reference took from the tool's result."""
    return talks(reply) and _words(reference) & _words(result) <= _words(reply)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _results(bench: Bench, held_out: HeldOut) -> Estimate | None:
    """How often what a tool gave back last is told."""
    examples = bench.pick(held_out.of_kind("tool_result"))
    replies = bench.ask("tool results", [before_reply(example) for example in examples])
    last = [(example.messages[-2].content, example.messages[-1].content) for example in examples]
    return proportion([tells(reply, *told) for reply, told in zip(replies, last, strict=True)])
