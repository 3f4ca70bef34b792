"""Questions about a given passage. The reply is the passage's own words, or says that it does not say."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.conversation import assistant, user
from training.corpus.example import Example, is_held_out
from training.corpus.files import rows

HELD_OUT_PERCENT = 10
"""Of the articles; there are few of them, with hundreds of questions each."""
NO_ANSWER = (
    "The passage does not say.",
    "The text does not say that.",
    "That is not in the text.",
    "The passage does not say that.",
    "The text does not say.",
)
"""What the model says where the passage does not hold the answer."""
_LONGEST = 1500
_QUESTIONS_TOGETHER = 6
_KINDS = {"squad_dev": "squad", "boolq_val": "boolq", "qed_dev": "qed"}


def reading(path: Path) -> Iterator[Example]:
    """Passages with a question, short enough for a small model's context.

    Where they are trained on, questions about the same passage follow each other in one conversation: most of its
    tokens are the passage's, which is then read once.
    """
    by_passage: dict[str, dict[str, Example]] = defaultdict(dict)  # a question may stand in two versions of a set
    for row in rows(path):
        answers = tuple(dict.fromkeys(answer.strip() for answer in row.get("answers", ()) if answer.strip()))
        answerable = row.get("answerable", True)
        text = row["messages"][0]["content"].strip()
        if len(text) > _LONGEST or answerable != bool(answers):
            continue
        reply = answers[0] if answerable else random.Random(text).choice(NO_ANSWER)
        example = Example(
            "reading",
            is_held_out(row.get("title") or row["context"], HELD_OUT_PERCENT),
            messages=(user(text), assistant(reply)),
            answers=answers,
            answerable=answerable,
            kind=_KINDS[row["src"]],
        )
        if example.held_out:
            yield example
        else:
            by_passage[passage_of(text)].setdefault(text, example)
    for passage, by_text in by_passage.items():
        examples = list(by_text.values())
        random.Random(passage).shuffle(examples)
        for start in range(0, len(examples), _QUESTIONS_TOGETHER):
            yield _together(passage, examples[start : start + _QUESTIONS_TOGETHER])


def passage_of(message: str) -> str:
    """A user's message without its last paragraph, the question; all of it where there is one paragraph."""
    passage, _, last = message.rpartition("\n\n")
    return passage or last


def _together(passage: str, examples: Sequence[Example]) -> Example:
    """The questions of one passage as one conversation; the passage stands in the first alone."""
    first, *others = examples
    later = [
        message
        for example in others
        for message in (user(example.messages[0].content.removeprefix(passage).strip()), example.messages[1])
    ]
    return Example(first.source, False, messages=(*first.messages, *later), kind=first.kind)
