"""Plain texts: sentences, stories, encyclopedia articles, dictionary entries."""

import csv
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from training.corpus.example import Example, is_held_out
from training.corpus.files import lines, rows

_END_OF_STORY = "<|endofstory|>"
_SENTENCES_A_TEXT = 4
_WITH_ARTICLE = re.compile(r"\b(?:a|an|the|my|your) ([a-z]{3,12})\b")


def sentences(path: Path) -> Iterator[Example]:
    """Joins single sentences to short texts, so that they pack without hundreds of boundaries."""
    chunk: list[str] = []
    for line in lines(path):
        if line.strip():
            chunk.append(line)
        if len(chunk) == _SENTENCES_A_TEXT:
            text = " ".join(chunk)
            yield Example("sentences", is_held_out(text), text)
            chunk = []


def stories(path: Path) -> Iterator[Example]:
    """Whole picture books; the first line is the title."""
    for story in "\n".join(lines(path)).split(_END_OF_STORY):
        title, _, body = story.strip().partition("\n")
        # The books break lines to fit the page; only an empty line ends a paragraph.
        body = re.sub(r"(?<!\n)\n(?!\n)", " ", body.strip())
        if len(body) > 100:
            yield Example("stories", is_held_out(title), f"{title}\n\n{body}")


def articles(path: Path) -> Iterator[Example]:
    """An article's title and its first paragraphs."""
    for row in rows(path):
        yield Example("encyclopedia", is_held_out(row["title"]), row["title"] + "\n\n" + "\n".join(row["paras"]))


def glosses(path: Path) -> Iterator[Example]:
    """Kind, word, meaning and examples, tab-separated."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for kind, word, gloss, examples in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            shown = " ".join(f'"{example.strip()}"' for example in examples.split("|") if example.strip())
            yield Example("dictionary", is_held_out(word), f"{word} ({kind}): {gloss}. {shown}".strip())


def nouns(glossary: Path, sentences_: Path) -> list[str]:
    """Plain nouns of the dictionary that the sentences say with an article."""
    said = set(_WITH_ARTICLE.findall(" ".join(lines(sentences_)).lower()))
    return sorted(said & _words(glossary, "noun"))


def verbs(glossary: Path) -> set[str]:
    """The dictionary's verbs, in their plain form."""
    return _words(glossary, "verb")


def _words(glossary: Path, wanted: str) -> set[str]:
    with gzip.open(glossary, "rt", encoding="utf-8", newline="") as file:
        entries = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {word for kind, words, *_ in entries if kind == wanted for word in words.split(", ")}


def word_examples(path: Path) -> Iterator[Example]:
    """Word, kind, meaning and one example, tab-separated."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for word, kind, gloss, example in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield Example("dictionary", is_held_out(word), f"{word} ({kind}): {gloss}. {example}".strip())
