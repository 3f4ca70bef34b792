"""Questions about a given passage. The reply is the passage's own words, or says that it does not say."""

import random
from collections.abc import Iterator
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
_KINDS = {"squad_dev": "squad", "boolq_val": "boolq", "qed_dev": "qed"}


def reading(path: Path) -> Iterator[Example]:
    """Passages with a question, short enough for a small model's context."""
    for row in rows(path):
        answers = tuple(dict.fromkeys(answer.strip() for answer in row.get("answers", ()) if answer.strip()))
        answerable = row.get("answerable", True)
        question = row["messages"][0]["content"].strip()
        if len(question) > _LONGEST or answerable != bool(answers):
            continue
        reply = answers[0] if answerable else random.Random(question).choice(NO_ANSWER)
        yield Example(
            "reading",
            is_held_out(row.get("title") or row["context"], HELD_OUT_PERCENT),
            messages=(user(question), assistant(reply)),
            answers=answers,
            answerable=answerable,
            kind=_KINDS[row["src"]],
        )
