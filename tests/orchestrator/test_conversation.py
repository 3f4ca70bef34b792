from hypothesis import given
from hypothesis import strategies as st

from serving.orchestrator.conversation import Conversation


def says(role: str, content: str) -> dict:
    return {"role": role, "content": content}


TALK = [
    says("system", "Be kind."),
    says("user", "one"),
    says("assistant", "1"),
    says("user", "two"),
    says("assistant", "2"),
    says("user", "three"),
]


def test_the_parts_of_a_conversation():
    conversation = Conversation.of([*TALK, says("assistant", "Well,")])
    assert conversation.lead == (TALK[0],)
    assert conversation.turns == (tuple(TALK[1:3]), tuple(TALK[3:5]))
    assert conversation.question == TALK[5]
    assert conversation.rest == (says("assistant", "Well,"),)
    assert conversation.newest(1).messages == (TALK[0], *TALK[3:], says("assistant", "Well,"))
    assert conversation.newest(0).turns == ()


def test_nobody_asked():
    assert Conversation.of([says("system", "Be kind."), says("assistant", "Hello!")]) is None


@given(st.lists(st.sampled_from(["system", "user", "assistant", "tool"]), max_size=9))
def test_no_message_gets_lost(roles):
    messages = [says(role, str(place)) for place, role in enumerate(roles)]
    conversation = Conversation.of(messages)
    assert (conversation is None) == ("user" not in roles)
    assert conversation is None or list(conversation.messages) == messages
    assert conversation is None or all(turn[0]["role"] == "user" for turn in conversation.turns)


def test_a_conversation_that_goes_on_has_the_marks_that_it_had():
    before, now = (list(Conversation.of(messages).marks()) for messages in (TALK[:4], TALK))
    assert now[1:] == before and len(set(now)) == 3


def test_marks_tell_conversations_apart():
    other_start = [says("user", "won"), *TALK[2:]]
    other_reply = [*TALK[:4], says("assistant", "II"), TALK[5]]
    joined = [says("user", "on"), says("assistant", "e1"), *TALK[3:]]
    mine = next(Conversation.of(TALK).marks())
    for other in (other_start, other_reply, joined):
        assert next(Conversation.of(other).marks()) != mine
    another_system_prompt = [says("system", "It is noon."), *TALK[1:]]
    assert next(Conversation.of(another_system_prompt).marks()) == mine
