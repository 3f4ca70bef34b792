"""Whether greetings, questions about the model itself, thanks and goodbyes are met in kind."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training.conversation import user
from training.evaluation.bench import Bench, training_messages
from training.evaluation.estimate import proportion
from training.evaluation.loops import loops
from training.evaluation.model import Prompt
from training.evaluation.report import Bar, Row

_FILE = Path(__file__).with_name("wordings.toml")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Wording:
    """Something that a person says, and the patterns of which a reply must hold one."""

    topic: str
    text: str
    accepted: tuple[re.Pattern[str], ...]

    def met_by(self, reply: str) -> bool:
        """Whether the reply is on topic and does not go round in circles."""
        return not loops(reply) and any(pattern.search(reply) for pattern in self.accepted)


def read_wordings() -> tuple[Wording, ...]:
    """The sixty wordings of wordings.toml."""
    topics = tomllib.loads(_FILE.read_text(encoding="utf-8"))["topic"]
    return tuple(
        Wording(topic["name"], text, tuple(re.compile(pattern, re.IGNORECASE) for pattern in topic["accepted"]))
        for topic in topics
        for text in topic["wordings"]
    )


def unseen(wordings: Iterable[Wording], messages: Iterable[str]) -> list[Wording]:
    """The wordings that none of the messages equals; case, spaces and punctuation do not count."""
    by_words = {_words(wording.text): wording for wording in wordings}
    for message in messages:
        by_words.pop(_words(message), None)
    return list(by_words.values())


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))


def rows(bench: Bench) -> list[Row]:
    """How many replies are on topic, at the default sampling, over all and by topic.

    A wording that the chat stage's messages hold after all is left out.
    """
    wordings = unseen(read_wordings(), training_messages(bench.data))
    replies = bench.ask("greetings, identity, thanks, goodbyes", [Prompt([user(one.text)]) for one in wordings])
    met: dict[str, list[bool]] = {wording.topic: [] for wording in wordings}
    for wording, reply in zip(wordings, replies, strict=True):
        met[wording.topic].append(wording.met_by(reply))
    everything = [outcome for outcomes in met.values() for outcome in outcomes]
    return [
        Row(
            "greetings, identity, thanks, goodbyes on topic",
            proportion(everything),
            Bar(0.9, 0.95),
        ),
        *(Row(f"- {topic}", proportion(outcomes)) for topic, outcomes in met.items()),
    ]
