"""Reads the corpus' files into examples, and decides which are never trained on.

An example is a plain text or a conversation. What is held out hangs on a hash of the example's own key (dialogue,
article, word), so that the split stays the same whoever runs it and in whatever order.
"""

from collections.abc import Iterator
from pathlib import Path

from training.corpus.chats import curious, friends, greetings, instructions, personas, trivia
from training.corpus.example import HELD_OUT_PERCENT, Example, is_held_out
from training.corpus.files import Reader, lines, rows
from training.corpus.prose_questions import prose_questions
from training.corpus.reading import reading
from training.corpus.texts import articles, glosses, nouns, sentences, stories, word_examples
from training.corpus.tool_dialogues import orders, services
from training.corpus.tool_requests import requests

__all__ = [
    "HELD_OUT_PERCENT",
    "CorpusError",
    "Example",
    "is_held_out",
    "read_corpus",
    "read_nouns",
    "read_sentences",
    "read_topics",
]


class CorpusError(ValueError):
    """The corpus folder lacks a file; the message names it."""


_READERS: dict[str, Reader] = {
    "tatoeba_en_sentences_ccby.txt.gz": sentences,
    "common_voice_sentences_cc0.txt.gz": sentences,
    "african_storybook_ccby.txt.gz": stories,
    "enwiki_core_leads.jsonl.gz": articles,
    "enwiki_core_leads_2015.jsonl.gz": articles,
    "oewn_glosses.tsv.gz": glosses,
    "wordset_examples.tsv.gz": word_examples,
    "self_dialogue.jsonl.gz": friends,
    "topical_chat.jsonl.gz": curious,
    "synthetic_persona_chat.jsonl.gz": personas,
    "dolly15k.jsonl.gz": instructions,
    "open_trivia_qa.jsonl.gz": trivia,
    "greetings_and_seeds.jsonl.gz": greetings,
    "squad_train.jsonl.gz": reading,
    "reading_comp_misc.jsonl.gz": reading,
    "sgd.jsonl.gz": services,
    "taskmaster4.jsonl.gz": orders,
    "intents_tool_calls.jsonl.gz": requests,
}


def read_corpus(folder: Path) -> Iterator[Example]:
    """Yields every example of the corpus folder. Raises CorpusError naming the file that is missing."""
    missing = [name for name in _READERS if not (folder / name).exists()]
    if missing:
        raise CorpusError(f"{folder}: missing {', '.join(missing)}; docs/training.md says what the corpus holds")
    for name, read in _READERS.items():
        yield from read(folder / name)
    for name in ("enwiki_core_leads.jsonl.gz", "enwiki_core_leads_2015.jsonl.gz"):
        yield from prose_questions(folder / name, folder / "oewn_glosses.tsv.gz")


def read_topics(folder: Path) -> list[str]:
    """Titles of encyclopedia articles: names that a small model should not pretend to know."""
    titles = [row["title"] for row in rows(folder / "enwiki_core_leads.jsonl.gz")]
    return [title for title in titles if 4 < len(title) < 30 and "(" not in title and title.isascii()]


def read_sentences(folder: Path) -> list[str]:
    """Short plain sentences."""
    return [line for line in lines(folder / "tatoeba_en_sentences_ccby.txt.gz") if 8 < len(line) < 50]


def read_nouns(folder: Path) -> list[str]:
    """Everyday nouns, by which tools and requests are told apart."""
    return nouns(folder / "oewn_glosses.tsv.gz", folder / "common_voice_sentences_cc0.txt.gz")
