"""Conversations of people with each other and with assistants.

Where a person speaks and not Tradewind, a system message opens the conversation and says so.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from training.conversation import Message, system
from training.corpus.example import Example, is_held_out
from training.corpus.files import rows

_LONGEST_MESSAGE = 2000
_LONGEST_INSTRUCTION = 500
_LONGEST_CONTEXT = 1500

_FRIEND = (
    "You are a person chatting with a friend.",
    "You are a friend. Chat about {topic}.",
    "Talk about {topic} like a person.",
    "You are a person who likes {topic}.",
)
_CURIOUS = ("You are a person who likes interesting facts.", "You are a person in a chat about many topics.")
_PERSONA = ("You are a person in a friendly chat.", "Play this person.", "You are this character.", "About you:")


def friends(path: Path) -> Iterator[Example]:
    """Everyday chat about a topic."""
    return _chats(path, "self_dialogue", _FRIEND)


def curious(path: Path) -> Iterator[Example]:
    """Chat about facts."""
    return _chats(path, "topical_chat", _CURIOUS)


def trivia(path: Path) -> Iterator[Example]:
    """Quiz questions with short answers."""
    return _chats(path, "trivia")


def personas(path: Path) -> Iterator[Example]:
    """Two invented people get to know each other."""
    for row in rows(path):
        messages, persona = _messages(row), " ".join(row["persona"].split("\n"))
        opening = random.Random(persona).choice(_PERSONA)
        if messages:
            yield Example("persona_chat", is_held_out(persona), messages=(system(f"{opening} {persona}"), *messages))


def instructions(path: Path) -> Iterator[Example]:
    """Questions and tasks with one short answer, from a given text where the row has one."""
    for row in rows(path):
        messages = _messages(row)
        if not messages or len(messages[-1].content) > _LONGEST_INSTRUCTION:
            continue
        if len(messages[0].content) <= _LONGEST_CONTEXT:
            kind = "instruction_with_context" if row.get("has_context") else "instruction"
            yield Example("instructions", is_held_out(_key(messages)), messages=messages, kind=kind)


def greetings(path: Path) -> Iterator[Example]:
    """Small talk of other assistants, without their code samples and without who they say they are."""
    wanted = ("personality_chat_friendly", "personality_chat_professional", "chatterbot")
    unwanted = re.compile(r"Bot_|trivia|coding|history|movies|politics|money|literature|sports")
    for row in rows(path):
        messages = _messages(row)
        talk = " ".join(message.content for message in messages)
        if messages and row["src"] in wanted and not unwanted.search(row["cat"]) and len(talk) < 400:
            yield Example("greetings", is_held_out(messages[0].content), messages=messages)


def _chats(path: Path, source: str, prompts: Sequence[str] = ()) -> Iterator[Example]:
    for row in rows(path):
        messages = _messages(row)
        if not messages or any(len(message.content) > _LONGEST_MESSAGE for message in messages):
            continue
        key = _key(messages)
        if prompts:
            prompt = random.Random(key).choice(prompts)
            messages = (system(prompt.replace("{topic}", row.get("topic", "").replace("_", " "))), *messages)
        yield Example(source, is_held_out(key), messages=messages)


def _key(messages: Sequence[Message]) -> str:
    return " ".join(message.content for message in messages[:3])


def _messages(row: dict[str, Any]) -> tuple[Message, ...]:
    """The row's messages, white space trimmed; empty where one has no words."""
    messages = tuple(Message(turn["role"], (turn["content"] or "").strip()) for turn in row["messages"])
    return messages if all(message.content for message in messages) else ()
