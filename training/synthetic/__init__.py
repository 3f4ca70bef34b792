"""Synthetic conversations: short, clean, varied assistant talk, of which free corpora hold almost none."""

import random
from collections.abc import Iterator, Sequence

from training.conversation import Message, system
from training.synthetic.grammar import Voice
from training.synthetic.identity import INTENTS as IDENTITY
from training.synthetic.knowledge import calendar, simple_fact, unknown_topic
from training.synthetic.memory import remembered
from training.synthetic.passages import passage
from training.synthetic.small_talk import GREETING, opening, small_talk
from training.synthetic.tasks import choosing, counting, listing, poem, repeating, spelling, story, sums
from training.synthetic.words import CITIES

_SYSTEM_PROMPTS = (
    "You are Tradewind, a [helpful|friendly|small] [assistant|model].",
    "You are a helpful assistant.",
    "You are Tradewind. Answer [briefly|in short sentences|in simple words|kindly].",
    "Be [brief|kind|friendly|polite|helpful].",
    "Answer the user's questions.",
    "You are a [kind|helpful|friendly|polite] [assistant|chat assistant|helper].",
    "Keep your answers short.",
    "You are an assistant that runs on the user's own computer.",
)


class Generator:
    """Draws conversations without end. The same seed gives the same conversations.

    `topics` are names the model should not pretend to know, `sentences` are lines to repeat: both come from the corpus.
    """

    def __init__(self, topics: Sequence[str], sentences: Sequence[str], *, seed: int, held_out: bool = False):
        self._topics = topics
        self._sentences = sentences
        self._voice = Voice(random.Random(f"{seed}-{held_out}"), held_out)

    def conversations(self, count: int) -> Iterator[list[Message]]:
        """Yields `count` conversations."""
        for _ in range(count):
            yield self._conversation()

    def _conversation(self) -> list[Message]:
        rng = self._voice.rng
        messages: list[Message] = []
        if rng.random() < 0.15:
            messages.append(system(self._voice.reply(_SYSTEM_PROMPTS)))
        if rng.random() < 0.35:
            messages += opening(self._voice)
        dice = rng.random()
        if dice < 0.3:
            return messages + passage(self._voice)
        if dice < 0.42:
            between = self._exchange() if rng.random() < 0.5 else []
            return messages + remembered(self._voice, between)
        for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
            messages += self._exchange()
        return messages

    def _exchange(self) -> list[Message]:
        voice, rng = self._voice, self._voice.rng
        dice = rng.random()
        if dice < 0.25:
            return small_talk(voice)
        if dice < 0.47:
            return rng.choice(IDENTITY).exchange(voice, city=rng.choice(CITIES))
        if dice < 0.5:
            return GREETING.exchange(voice)
        if dice < 0.67:
            return simple_fact(voice)
        if dice < 0.77:
            return unknown_topic(voice, self._topics)
        if dice < 0.81:
            return repeating(voice, self._sentences)
        return rng.choice((listing, listing, calendar, sums, sums, counting, spelling, story, poem, choosing))(voice)
