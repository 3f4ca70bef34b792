"""A conversation by its parts: what leads it, whole turns, the question that is open now."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages as chat templates take them. A turn begins with a user's message."""

    lead: tuple[Message, ...]  # the system prompt, and whatever else comes before the first turn
    turns: tuple[tuple[Message, ...], ...]  # before the question, oldest first
    question: Message  # the last of the user's messages
    rest: tuple[Message, ...] = ()  # what came after it, such as the beginning of a reply

    @classmethod
    def of(cls, messages: Sequence[Message]) -> "Conversation | None":
        """The parts of `messages`; None where no user has said anything."""
        starts = [index for index, message in enumerate(messages) if message["role"] == "user"]
        if not starts:
            return None
        *earlier, last = starts
        turns = tuple(tuple(messages[start:end]) for start, end in zip(earlier, starts[1:], strict=True))
        return cls(tuple(messages[: starts[0]]), turns, messages[last], tuple(messages[last + 1 :]))

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of them, in their order."""
        return (*self.lead, *chain.from_iterable(self.turns), self.question, *self.rest)

    def newest(self, turns: int) -> "Conversation":
        """The same with no more than the last `turns` turns before the question."""
        return replace(self, turns=self.turns[len(self.turns) - turns :])

    def marks(self) -> Iterator[bytes]:
        """What the conversation is known by: for each user's message a digest of all up to there, the newest first.

        A conversation that went on has the marks that it had before. The system prompt does not count.
        """
        digest = hashlib.blake2b(digest_size=16)
        marks = []
        for message in (*chain.from_iterable(self.turns), self.question):
            digest.update(json.dumps(message, sort_keys=True).encode() + b"\n")
            if message["role"] == "user":
                marks.append(digest.digest())
        return reversed(marks)
