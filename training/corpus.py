"""Reads the corpus' files into examples, and decides which are never trained on.

An example is a plain text or a conversation. What is held out hangs on a hash of the example's own key (dialogue,
article, word), so that the split stays the same whoever runs it and in whatever order.
"""

import csv
import gzip
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.conversation import Message, system

HELD_OUT_PERCENT = 2
_END_OF_STORY = "<|endofstory|>"


class CorpusError(ValueError):
    """The corpus folder lacks a file; the message names it."""


@dataclass(frozen=True, slots=True)
class Example:
    """One document: `text`, or `messages` where it is a conversation."""

    source: str
    held_out: bool
    text: str = ""
    messages: tuple[Message, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The line that `prepare` writes."""
        if not self.messages:
            return {"text": self.text}
        return {"messages": [{"role": message.role, "content": message.content} for message in self.messages]}

    @classmethod
    def from_json(cls, source: str, held_out: bool, row: dict[str, Any]) -> "Example":
        """Reads a line back."""
        messages = tuple(Message(message["role"], message["content"]) for message in row.get("messages", ()))
        return cls(source, held_out, row.get("text", ""), messages)


def is_held_out(key: str) -> bool:
    """Whether the example with this key is kept for evaluation: 2 in 100 keys, by their SHA-256."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 100 < HELD_OUT_PERCENT


def read_corpus(folder: Path) -> Iterator[Example]:
    """Yields every example of the corpus folder. Raises CorpusError naming the file that is missing."""
    missing = [name for name in _READERS if not (folder / name).exists()]
    if missing:
        raise CorpusError(f"{folder}: missing {', '.join(missing)}; docs/training.md says what the corpus holds")
    for name, read in _READERS.items():
        yield from read(folder / name)


def read_topics(folder: Path) -> list[str]:
    """Titles of encyclopedia articles: names that a small model should not pretend to know."""
    titles = [row["title"] for row in _rows(folder / "enwiki_core_leads.jsonl.gz")]
    return [title for title in titles if 4 < len(title) < 30 and "(" not in title and title.isascii()]


def read_sentences(folder: Path) -> list[str]:
    """Short plain sentences."""
    return [line for line in _lines(folder / "tatoeba_en_sentences_ccby.txt.gz") if 8 < len(line) < 50]


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in _lines(path):
        yield json.loads(line)


def _messages(row: dict[str, Any]) -> tuple[Message, ...]:
    """The row's messages, white space trimmed; empty where one has no words (a tool call)."""
    messages = tuple(Message(turn["role"], (turn["content"] or "").strip()) for turn in row["messages"])
    return messages if all(message.content for message in messages) else ()


def _paragraphs(source: str, lines: Iterable[str], size: int) -> Iterator[Example]:
    """Joins single sentences to texts of `size`, so that they pack without hundreds of boundaries."""
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == size:
            text = " ".join(chunk)
            yield Example(source, is_held_out(text), text)
            chunk = []


def _sentences(source: str) -> Callable[[Path], Iterator[Example]]:
    def read(path: Path) -> Iterator[Example]:
        yield from _paragraphs(source, (line for line in _lines(path) if line.strip()), 4)

    return read


def _stories(path: Path) -> Iterator[Example]:
    for story in "\n".join(_lines(path)).split(_END_OF_STORY):
        title, _, body = story.strip().partition("\n")
        # The books break lines to fit the page; only an empty line ends a paragraph.
        body = re.sub(r"(?<!\n)\n(?!\n)", " ", body.strip())
        if len(body) > 100:
            yield Example("stories", is_held_out(title), f"{title}\n\n{body}")


def _articles(path: Path) -> Iterator[Example]:
    for row in _rows(path):
        yield Example("encyclopedia", is_held_out(row["title"]), row["title"] + "\n\n" + "\n".join(row["paras"]))


def _glosses(path: Path) -> Iterator[Example]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for kind, word, gloss, examples in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            shown = " ".join(f'"{example.strip()}"' for example in examples.split("|") if example.strip())
            yield Example("dictionary", is_held_out(word), f"{word} ({kind}): {gloss}. {shown}".strip())


def _word_examples(path: Path) -> Iterator[Example]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for word, kind, gloss, example in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Example("dictionary", is_held_out(word), f"{word} ({kind}): {gloss}. {example}".strip())


def _chat(source: str, prompts: tuple[str, ...] = (), longest_reply: int = 2000) -> Callable[[Path], Iterator[Example]]:
    """Reads plain conversations. `prompts` open them with a system message, where a person speaks and not Tradewind."""

    def read(path: Path) -> Iterator[Example]:
        for row in _rows(path):
            messages = _messages(row)
            if not messages or any(len(message.content) > longest_reply for message in messages):
                continue
            key = " ".join(message.content for message in messages[:3])
            if prompts:
                prompt = random.Random(key).choice(prompts)
                messages = (system(prompt.replace("{topic}", row.get("topic", "").replace("_", " "))), *messages)
            yield Example(source, is_held_out(key), messages=messages)

    return read


def _personas(path: Path) -> Iterator[Example]:
    openings = ("You are a person in a friendly chat.", "Play this person.", "You are this character.", "About you:")
    for row in _rows(path):
        messages, persona = _messages(row), " ".join(row["persona"].split("\n"))
        opening = random.Random(persona).choice(openings)
        if messages:
            yield Example("persona_chat", is_held_out(persona), messages=(system(f"{opening} {persona}"), *messages))


_NO_ANSWER = ("The passage does not say.", "The text does not say that.", "That is not in the text.")


def _reading(path: Path) -> Iterator[Example]:
    """Passages with a question. Where nothing answers it, the reply says so."""
    for row in _rows(path):
        question, reply = _messages(row)
        if len(question.content) > 1600:
            continue
        if not row.get("answerable", True):
            reply = Message("assistant", random.Random(question.content).choice(_NO_ANSWER))
        elif row["src"] == "boolq_val":
            reply = Message("assistant", reply.content.capitalize().rstrip(".") + ".")
        key = row.get("title") or row["context"]
        yield Example("reading", is_held_out(key), messages=(question, reply))


def _greetings(path: Path) -> Iterator[Example]:
    """Small talk of other assistants, without their code samples and without who they say they are."""
    wanted = ("personality_chat_friendly", "personality_chat_professional", "chatterbot")
    unwanted = re.compile(r"Bot_|trivia|coding|history|movies|politics|money|literature|sports")
    for row in _rows(path):
        messages = _messages(row)
        talk = " ".join(message.content for message in messages)
        if messages and row["src"] in wanted and not unwanted.search(row["cat"]) and len(talk) < 400:
            yield Example("greetings", is_held_out(messages[0].content), messages=messages)


_FRIEND = (
    "You are a person chatting with a friend.",
    "You are a friend. Chat about {topic}.",
    "Talk about {topic} like a person.",
    "You are a person who likes {topic}.",
)
_CURIOUS = ("You are a person who likes interesting facts.", "You are a person in a chat about many topics.")
_READERS: dict[str, Callable[[Path], Iterator[Example]]] = {
    "tatoeba_en_sentences_ccby.txt.gz": _sentences("sentences"),
    "common_voice_sentences_cc0.txt.gz": _sentences("sentences"),
    "african_storybook_ccby.txt.gz": _stories,
    "enwiki_core_leads.jsonl.gz": _articles,
    "enwiki_core_leads_2015.jsonl.gz": _articles,
    "oewn_glosses.tsv.gz": _glosses,
    "wordset_examples.tsv.gz": _word_examples,
    "self_dialogue.jsonl.gz": _chat("self_dialogue", _FRIEND),
    "topical_chat.jsonl.gz": _chat("topical_chat", _CURIOUS),
    "synthetic_persona_chat.jsonl.gz": _personas,
    "dolly15k.jsonl.gz": _chat("instructions", longest_reply=500),
    "open_trivia_qa.jsonl.gz": _chat("trivia"),
    "greetings_and_seeds.jsonl.gz": _greetings,
    "squad_train.jsonl.gz": _reading,
    "reading_comp_misc.jsonl.gz": _reading,
}
# The tool-calling files (sgd, taskmaster4, intents_tool_calls) get their readers with tool calls themselves.
