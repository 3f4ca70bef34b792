"""Synthetic calls fit their tools and copy the request; whole families are kept for evaluation."""

import itertools
import random

import pytest

from serving.models.tool_calls import CALL, parse_calls, write_call
from training.conversation import Message, assistant, user
from training.corpus import Example
from training.synthetic.grammar import Voice
from training.synthetic.tools import tool_conversation
from training.synthetic.tools.families import FAMILIES, free_nouns
from training.synthetic.tools.schema import bare_noun, draw_family, draw_others

NOUNS = "anchor acorn ballad candle chimney dagger engine feather harbour island jewel kettle lantern".split()


def talk(voice: Voice) -> list[Message]:
    return [user("Hello!"), assistant("Hi there!")]


def written(seed: int, *, held_out: bool = False) -> list[Example]:
    voice = Voice(random.Random(seed), held_out)
    nouns = free_nouns(NOUNS, held_out=held_out)
    return [tool_conversation(voice, nouns, talk) for _ in range(1200)]


@pytest.mark.parametrize("held_out", [False, True])
def test_every_call_fits_an_offered_tool(held_out: bool) -> None:
    for example in written(1, held_out=held_out):
        for message in example.messages:
            for call in message.calls:
                assert parse_calls(CALL + write_call(call), example.tools) == (call,)


@pytest.mark.parametrize("held_out", [False, True])
def test_every_string_is_copied_from_the_request(held_out: bool) -> None:
    for example in written(2, held_out=held_out):
        said = " ".join(message.content for message in example.messages if message.role == "user")
        for message in example.messages:
            for call in message.calls:
                assert all(value in said for value in call.arguments.values() if isinstance(value, str))


def test_every_kind_is_written_and_ends_as_it_says() -> None:
    for held_out in (False, True):
        examples = written(3, held_out=held_out)
        kinds = {example.kind for example in examples}
        assert kinds == {"tool_family", "tool_result", "missing_argument", "no_tool_fits", "small_talk_with_tools"}
        for example in examples:
            if example.kind == "tool_family":
                assert example.messages[-1].calls
            elif held_out:
                assert not example.messages[-1].calls and example.messages[-1].content
            assert 1 <= len(example.tools) <= 5


def test_a_missing_argument_is_required_and_not_given() -> None:
    for example in written(4, held_out=True):
        if example.kind == "missing_argument":
            assert example.messages[-1].content.endswith("?")
            assert any(tool["function"]["parameters"]["required"] for tool in example.tools)


def test_a_result_is_told_in_its_own_values() -> None:
    for example in written(5, held_out=True):
        if example.kind == "tool_result":
            told, back = example.messages[-1].content, example.messages[-2].content
            copied = [word for word in told.replace(",", " ").rstrip(".").split() if word.strip('."') in back]
            assert copied or "is" in told.split() or "are" in told.split()


def test_families_are_many_and_whole_nouns_are_held_out() -> None:
    assert len({(family.verb.name, family.noun) for family in FAMILIES}) == len(FAMILIES) >= 200
    kept = {family.noun for family in FAMILIES if family.held_out}
    trained = {family.noun for family in FAMILIES if not family.held_out}
    assert not kept & trained and len(kept) >= 20


def test_training_is_never_offered_a_held_out_family() -> None:
    kept = {bare_noun(family).replace(" ", "") for family in FAMILIES if family.held_out}
    for example in written(6):
        for tool in example.tools:
            name = tool["function"]["name"].lower().replace("_", "").replace("-", "")
            assert not any(name.endswith(noun) and not _longer(name, noun) for noun in kept), tool["function"]["name"]


def _longer(name: str, noun: str) -> bool:
    """Whether the name ends in a trained noun that contains this one ("steam" holds "team")."""
    trained = {bare_noun(family).replace(" ", "") for family in FAMILIES if not family.held_out}
    return any(name.endswith(other) and other.endswith(noun) for other in trained)


def test_no_tool_of_an_offer_can_answer_what_another_is_asked() -> None:
    rng = random.Random(7)
    for _ in range(500):
        family = draw_family(rng, NOUNS, held_out=False)
        offered = [family, *draw_others(family, 4, rng, NOUNS, held_out=False)]
        for first, second in itertools.combinations(offered, 2):
            assert first.noun != second.noun or not set(first.verb.says) & set(second.verb.says)


def test_calls_refusals_and_questions_stand_side_by_side() -> None:
    """Or the first reply would always be a call, which is what a model that saw mostly calls learned."""
    examples = written(8)
    firsts = [next(message for message in example.messages if message.role == "assistant") for example in examples]
    calls = sum(bool(first.calls) for first in firsts)
    assert 0.3 * len(firsts) < calls < 0.55 * len(firsts)
    turns = [sum(message.role == "user" for message in example.messages) for example in examples]
    assert sum(turns) > 2 * len(turns)


def test_only_the_last_exchange_is_left_open() -> None:
    for example in written(9):
        for message, after in itertools.pairwise(example.messages):
            assert not message.calls or after.role == "tool"


def test_a_noun_of_a_family_is_not_drawn_beside_it() -> None:
    kept, trained = (set(free_nouns([*NOUNS, "table", "roses"], held_out=held_out)) for held_out in (True, False))
    assert kept | trained == set(NOUNS) and not kept & trained
