"""What is to be asked, and when: sessions of turns, drawn from a seed. Nothing here knows of servers or clocks."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from serving.bench.errors import BenchError


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt. Segments of one key have one text; a shorter one is the beginning of a longer one."""

    key: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What a user says, how long the reply is to be, and for how many seconds the user thinks before."""

    prompt: tuple[Segment, ...]
    output_tokens: int
    pause: float = 0.0

    @property
    def tokens(self) -> int:
        """Of text and reply together, without what a chat template adds."""
        return sum(segment.tokens for segment in self.prompt) + self.output_tokens


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation. `arrival` is in seconds after the start; None begins as soon as a place is free."""

    turns: tuple[Turn, ...]
    system: Segment | None = None
    arrival: float | None = None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Token counts to draw from: any of `choices`, each as likely, each a range with both ends."""

    choices: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> "Lengths":
        """Read `128`, `64-512` (anything between) or `32,128,1024-2048` (any of these). Raises BenchError."""
        choices = []
        for part in text.split(","):
            match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
            low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
            if not 1 <= low <= high:
                raise BenchError(f"{text!r} is no length; accepted are 128, 64-512 or 32,128,1024-2048, from 1 up")
            choices.append((low, high))
        return cls(tuple(choices))

    def draw(self, random: Random) -> int:
        """One of them."""
        return random.randint(*random.choice(self.choices))


ONE = Lengths(((1, 1),))


@dataclass(frozen=True, slots=True)
class Workload:
    """Synthetic sessions.

    `input_tokens` is the new text of every turn, `prefix_tokens` the length of a system prompt that every session
    takes from `prefixes` different ones, `pause` the mean of the exponential time before a further turn, in seconds,
    `rate` the sessions a second of a Poisson process; None for no arrival times.
    """

    input_tokens: Lengths
    output_tokens: Lengths
    turns: Lengths = ONE
    prefix_tokens: int = 0
    prefixes: int = 1
    pause: float = 0.0
    rate: float | None = None

    def sessions(self, seed: int) -> Iterator[Session]:
        """Without end. What is asked does not depend on the rate."""
        shapes, times = Random(f"{seed}:shapes"), Random(f"{seed}:arrivals")
        arrival = None
        number = 0
        while True:
            if self.rate is not None:
                arrival = (arrival or 0.0) + times.expovariate(self.rate)
            yield self._session(number, shapes, arrival)
            number += 1

    def _session(self, number: int, random: Random, arrival: float | None) -> Session:
        system = None
        if self.prefix_tokens:
            system = Segment(f"prefix {random.randrange(self.prefixes)}", self.prefix_tokens)
        turns = []
        for turn in range(self.turns.draw(random)):
            prompt = Segment(f"session {number}, turn {turn}", self.input_tokens.draw(random))
            pause = random.expovariate(1 / self.pause) if turn and self.pause else 0.0
            turns.append(Turn((prompt,), self.output_tokens.draw(random), pause))
        return Session(tuple(turns), system, arrival)


CONTEXT_MARGIN = 0.95  # of a server's context is planned for, since words are only about so many tokens


@dataclass(frozen=True, slots=True)
class Plan:
    """The sessions of a run; `cut` of them were shortened to the server's context."""

    sessions: list[Session]
    cut: int = 0

    @classmethod
    def of(cls, sessions: Iterable[Session], context: int | None = None, overhead: int = 0) -> "Plan":
        """The sessions, each within `context` tokens where that is known; a turn costs `overhead` beside its own."""
        whole = list(sessions)
        if not context:
            return cls(whole)
        kept = [fitted(session, int(context * CONTEXT_MARGIN), overhead) for session in whole]
        return cls(kept, sum(after != before for after, before in zip(kept, whole, strict=True)))

    @property
    def requests(self) -> int:
        """Turns of them all."""
        return sum(len(session.turns) for session in self.sessions)


def limited(sessions: Iterable[Session], requests: int) -> Iterator[Session]:
    """The sessions up to `requests` turns of them all; the last may lose turns."""
    for session in sessions:
        if requests < 1:
            return
        yield replace(session, turns=session.turns[:requests])
        requests -= len(session.turns)


def fitted(session: Session, context: int, overhead: int) -> Session:
    """The session cut to what `context` tokens hold, where every turn costs `overhead` tokens beside its own.

    Turns that no longer fit are left out. The first always stays, and loses the end of its prompt if it must, then of
    its reply.
    """
    used = session.system.tokens if session.system else 0
    room = context - used - overhead
    ends = list(accumulate(turn.tokens + overhead for turn in session.turns))
    if ends[0] + used <= context:
        kept = [turn for turn, end in zip(session.turns, ends, strict=True) if end + used <= context]
        return replace(session, turns=tuple(kept))
    first = session.turns[0]
    output = max(1, min(first.output_tokens, room - 1))
    prompt, room = [], max(1, room - output)
    for segment in first.prompt:
        if room:
            prompt.append(replace(segment, tokens=min(segment.tokens, room)))
            room -= prompt[-1].tokens
    return replace(session, turns=(replace(first, prompt=tuple(prompt), output_tokens=output),))
