"""Prompts with passages: within the context to the token, whole passages, and nothing left out in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.orchestrator.failures import InvalidRequest
from serving.orchestrator.grounded_prompt import Grounded, GroundedPrompts
from serving.orchestrator.grounding import Context, Shelf
from serving.orchestrator.passages import NOTICE
from serving.orchestrator.prompt import ChatFormat
from tests.orchestrator.found import hit

SHELF = Shelf("mine", "docs", named=True)
QUESTION = {"role": "user", "content": "When?"}


def turns(*sizes: int) -> list[dict]:
    """Turns whose user says so many characters, the number of the turn over and over; the answer is short."""
    talk = [
        ({"role": "user", "content": str(number) * size}, {"role": "assistant", "content": "Yes."})
        for number, size in enumerate(sizes, start=1)
    ]
    return [message for turn in talk for message in turn]


async def write(model, hits, messages, *, room=2000, reply=100, **chat) -> Grounded:
    context = Context(SHELF, "When?", tuple(hits), "found")
    return await GroundedPrompts(model).write(context, messages, ChatFormat(**chat), room=room, reply=reply)


async def test_passages_in_a_prompt(model):
    hits = (hit("one"), hit("two"))
    grounded = await write(model, hits, [{"role": "system", "content": "Be kind."}, *turns(3), QUESTION])
    assert grounded.prompt.text == (
        f"<|begin|>[system]Be kind.\n\n{NOTICE}\n[user]111\n[assistant]Yes.\n"
        "[user]<passage 1>\none\n</passage>\n<passage 2>\ntwo\n</passage>\n\nWhen?\n[assistant]"
    )
    assert grounded.context.hits == hits and grounded.context.warning is None and grounded.turns_left_out == 0


async def test_without_passages_the_prompt_is_as_ever(model):
    grounded = await write(model, (), [QUESTION])
    assert grounded.prompt.text == "<|begin|>[user]When?\n[assistant]"
    assert grounded.context.warning is None


async def test_a_reply_that_has_begun_goes_on(model):
    begun = [QUESTION, {"role": "assistant", "content": "In"}]
    chat = {"add_generation_prompt": False, "continue_final_message": True}
    text = (await write(model, [hit("one")], begun, **chat)).prompt.text
    assert text.endswith("[user]<passage 1>\none\n</passage>\n\nWhen?\n[assistant]In")


async def test_what_does_not_fit_is_left_out_whole_the_best_first(model):
    hits = [hit("a" * 300), hit("b" * 900), hit("c" * 100), hit("d" * 700)]
    grounded = await write(model, hits, [QUESTION], room=900, reply=100)
    assert [found.text[0] for found in grounded.context.hits] == ["a", "c"]
    assert "<passage 2>\n" + "c" * 100 in grounded.prompt.text
    assert "b" not in grounded.prompt.text.rpartition("<passage 1>")[2]


async def test_old_turns_make_room_and_that_is_told(model):
    grounded = await write(model, [hit("a" * 600)], [*turns(300, 300, 300), QUESTION], room=1500, reply=100)
    assert grounded.turns_left_out == 2
    assert "3" * 300 in grounded.prompt.text and "2" * 300 not in grounded.prompt.text
    assert "a" * 600 in grounded.prompt.text
    assert len(grounded.prompt.tokens) + 100 <= 1500


@pytest.mark.parametrize(("room", "reply"), [(400, 100), (300, None)])
async def test_no_room_for_any_passage_is_told(model, room, reply):
    grounded = await write(model, [hit("a" * 600)], [QUESTION], room=room, reply=reply)
    assert grounded.prompt.text == "<|begin|>[user]When?\n[assistant]"
    assert grounded.context == Context(SHELF, "When?", (), "none", "no_room")


async def test_messages_that_do_not_fit_by_themselves_are_the_callers_to_refuse(model):
    grounded = await write(model, [hit("a")], [*turns(500), QUESTION], room=400, reply=100)
    assert len(grounded.prompt.tokens) > 400
    assert grounded.turns_left_out == 0 and grounded.context.warning == "no_room"


async def test_a_template_that_refuses_says_so(model):
    with pytest.raises(InvalidRequest, match="continue"):
        await write(model, [hit("a")], [QUESTION], continue_final_message=True)


@given(
    st.lists(st.integers(0, 200), max_size=4),
    st.lists(st.text(alphabet="aé hello<|end|>\n", max_size=300), max_size=4),
    st.integers(30, 1200),
    st.none() | st.integers(1, 300),
)
async def test_prompt_and_reply_always_fit(model, history, passages, room, reply):
    messages = [*turns(*history), QUESTION]
    grounded = await write(model, [hit(text) for text in passages], messages, room=room, reply=reply)
    plain = await write(model, (), messages, room=room)
    if len(plain.prompt.tokens) + (reply or 1) <= room:
        assert len(grounded.prompt.tokens) + (reply or 1) <= room
    given_text = grounded.prompt.text
    assert given_text.count("</passage>") == len(grounded.context.hits) + bool(grounded.context.hits)
    assert "When?" in given_text
