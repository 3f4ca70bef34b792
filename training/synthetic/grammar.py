"""Small generative grammar: "[Hi|Hello][ there|]!" stands for four sentences."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.conversation import Message, assistant, user

_INNERMOST = re.compile(r"\[([^\[\]]*)\]")
_ARTICLE_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeiou](?!ni|se|ne\b))")
HELD_OUT_EVERY = 8
"""Every eighth wording of a list is never trained on; evaluation alone uses it."""


def expand(template: str, rng: random.Random, slots: Mapping[str, str] | None = None) -> str:
    """Picks one alternative of every [a|b|c], nested ones too, fills {slot}s, and mends "a apple"."""
    while match := _INNERMOST.search(template):
        template = template[: match.start()] + rng.choice(match[1].split("|")) + template[match.end() :]
    for name, value in (slots or {}).items():
        template = template.replace("{" + name + "}", value)
    return _ARTICLE_BEFORE_VOWEL.sub(r"\1n ", template).strip()


@dataclass(frozen=True, slots=True)
class Voice:
    """The dice of one generated conversation, and which half of the wordings it may use."""

    rng: random.Random
    held_out: bool = False

    def wording(self, templates: Sequence[str]) -> str:
        """One template of this split. Lists shorter than HELD_OUT_EVERY serve both splits."""
        if len(templates) < HELD_OUT_EVERY:
            return self.rng.choice(templates)
        last = HELD_OUT_EVERY - 1
        mine = [text for index, text in enumerate(templates) if (index % HELD_OUT_EVERY == last) == self.held_out]
        return self.rng.choice(mine)

    def say(self, templates: Sequence[str], **slots: str) -> str:
        """One sentence of this split's wordings."""
        return expand(self.wording(templates), self.rng, slots)

    def reply(self, templates: Sequence[str], **slots: str) -> str:
        """One sentence for the assistant: every wording serves both splits, since it is the questions that are held out."""
        return expand(self.rng.choice(templates), self.rng, slots)

    def ask(self, templates: Sequence[str], **slots: str) -> str:
        """One sentence as people type it: sometimes without capitals or the closing mark."""
        return self.typed(self.say(templates, **slots))

    def typed(self, text: str) -> str:
        """Roughens a sentence as people do."""
        dice = self.rng.random()
        if dice < 0.12:
            return text.lower().rstrip(".?!")
        if dice < 0.2:
            return text.rstrip(".?!")
        if dice < 0.25:
            return text[:1].lower() + text[1:]
        return text


@dataclass(frozen=True, slots=True)
class Intent:
    """What people may want, in many wordings, and what may be answered."""

    name: str
    asks: Sequence[str]
    replies: Sequence[str]

    def exchange(self, voice: Voice, **slots: str) -> list[Message]:
        """One question with one answer."""
        return [user(voice.ask(self.asks, **slots)), assistant(voice.reply(self.replies, **slots))]
