"""Synthetic conversations: short, clean, varied assistant talk, of which free corpora hold almost none."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from training.conversation import Message, system
from training.corpus.example import Example
from training.synthetic.grammar import Voice
from training.synthetic.identity import INTENTS as IDENTITY
from training.synthetic.knowledge import calendar, simple_fact, unknown_topic
from training.synthetic.memory import remembered
from training.synthetic.passages import passage
from training.synthetic.small_talk import courtesy, greeting, opening, small_talk
from training.synthetic.tasks import choosing, counting, listing, poem, repeating, spelling, story, sums
from training.synthetic.tools import tool_conversation
from training.synthetic.tools.families import free_nouns
from training.synthetic.words import CITIES

TALK = "synthetic_talk"
PASSAGE_SHARE = 0.36
TOOL_SHARE = 0.34
"""Of the conversations; a passage has few learned tokens, and so has a call."""

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

    `topics` are names the model should not pretend to know, `sentences` are lines to repeat, `nouns` are what tools may be
    for beside the families: all come from the corpus.
    """

    def __init__(
        self,
        topics: Sequence[str],
        sentences: Sequence[str],
        nouns: Sequence[str],
        *,
        seed: int,
        held_out: bool = False,
    ):
        self._topics = topics
        self._nouns = free_nouns(nouns, held_out=held_out)
        self._sentences = sentences
        self._voice = Voice(random.Random(f"{seed}-{held_out}"), held_out)

    def examples(self, count: int) -> Iterator[Example]:
        """Yields `count` conversations: about passages, with tools, and plain talk."""
        for _ in range(count):
            dice = self._voice.rng.random()
            if dice < PASSAGE_SHARE:
                example = passage(self._voice)
            elif dice < PASSAGE_SHARE + TOOL_SHARE:
                example = tool_conversation(self._voice, self._nouns, lambda voice: self._exchange()[1])
            else:
                example = self._talk()
            if self._voice.rng.random() < 0.15:
                prompt = system(self._voice.reply(_SYSTEM_PROMPTS))
                example = replace(example, messages=(prompt, *example.messages))
            yield example

    def _talk(self) -> Example:
        voice, rng = self._voice, self._voice.rng
        greeted = rng.random() < 0.35
        if rng.random() < 0.15:
            messages = greeting(voice) if greeted else []  # no introduction: the person may tell a name
            between = self._exchange()[1] if rng.random() < 0.5 else []
            kind, exchange = "memory", remembered(voice, between)
            return Example(TALK, voice.held_out, messages=(*messages, *exchange), kind=kind)
        kind, messages = "", opening(voice) if greeted else []
        for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
            kind, exchange = self._exchange()
            messages += exchange
        return Example(TALK, voice.held_out, messages=tuple(messages), kind=kind)

    def _exchange(self) -> tuple[str, list[Message]]:
        """One question with its answer, and what kind it is."""
        voice, rng = self._voice, self._voice.rng
        dice = rng.random()
        if dice < 0.2:
            return "small_talk", small_talk(voice)
        if dice < 0.28:
            return "small_talk", courtesy(voice)
        if dice < 0.5:
            return "identity", rng.choice(IDENTITY).exchange(voice, city=rng.choice(CITIES))
        if dice < 0.57:
            return "greeting", greeting(voice)
        if dice < 0.68:
            return "fact", simple_fact(voice)
        if dice < 0.78:
            return "unknown", unknown_topic(voice, self._topics)
        if dice < 0.82:
            return "task", repeating(voice, self._sentences)
        return "task", rng.choice((listing, listing, calendar, sums, sums, counting, spelling, story, poem, choosing))(
            voice
        )
