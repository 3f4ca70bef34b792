"""Which texts are computed together: pure host code, deterministic, no clock.

Texts of one batch lie end to end, so that next to nothing of it is padding. A request gives its texts to one batch at a
time and then goes to the end of the queue, so that a question does not wait for the whole of somebody's library.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

SHORTEST = 16

OVERHEAD = 32
"""Tokens that could be computed in the time that a batch takes for itself: its dispatch, and reading all weights."""

Member = tuple[int, int]
"""A text: its request, and its place there."""

Waiting = tuple[int, Member]
"""A text that waits, and its length in tokens first."""


@dataclass(frozen=True, slots=True)
class BatchShape:
    """What a program computes: so many tokens in all, of so many texts, none of them beyond the longest."""

    tokens: int
    texts: int
    longest: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts to be computed together, in a shape that they fit."""

    shape: BatchShape
    members: tuple[Member, ...]


def batch_shapes(max_tokens: int, batch_tokens: int) -> list[BatchShape]:
    """Every shape that is compiled, the one that serves any text first.

    The longest texts' lengths double from shape to shape, and so do all tokens. Attention lays texts out as rows: half
    as many again as texts of the full length would need, which suffices for texts of two thirds of it.
    """
    shapes = [BatchShape(max_tokens, 1, max_tokens)]
    for longest in _doubled(SHORTEST, max_tokens):
        for tokens in (longest * 3 // 4, *_doubled(longest, max(batch_tokens, longest))):
            shapes.append(BatchShape(tokens, max(tokens * 3 // (2 * longest), 1), longest))
    return sorted(dict.fromkeys(shapes), key=lambda shape: (shape != shapes[0], shape.tokens, shape.longest))


class Batcher:
    """Texts that wait, request by request."""

    def __init__(self) -> None:
        self._requests: dict[int, list[Waiting]] = {}  # in the order of their turns; each one's texts, longest first

    @property
    def waiting(self) -> int:
        """How many texts wait."""
        return sum(map(len, self._requests.values()))

    def add(self, request: int, lengths: Sequence[int]) -> None:
        """Puts a request of one text or more at the end of the queue; `lengths` are its texts' in tokens."""
        self._requests[request] = sorted(((n, (request, place)) for place, n in enumerate(lengths)), reverse=True)

    def drop(self, request: int) -> None:
        """Forgets what still waits of a request."""
        self._requests.pop(request, None)

    def next(self, shapes: Collection[BatchShape]) -> Batch | None:
        """The next batch in one of `shapes`, one of which must fit any text; None when nothing waits.

        It has rows for the longest text of the request whose turn it is, which is the first in it. Further ones follow,
        that request's before the others', as many as fit; of the shapes with such rows it has the one that costs least
        for each token of a text.
        """
        if not self._requests:
            return None
        turn, texts = next(iter(self._requests.items()))
        longest, _ = texts[0]
        fitting = [shape for shape in shapes if min(shape.longest, shape.tokens) >= longest]
        row = min(shape.longest for shape in fitting)
        queue = [text for texts in self._requests.values() for text in texts if text[0] <= row]
        filled = {shape: _filled(shape, queue) for shape in fitting if shape.longest == row}
        shape, taken = max(filled.items(), key=lambda item: _tokens(item[1]) / (item[0].tokens + OVERHEAD))
        self._remove(taken)
        if turn in self._requests:
            self._requests[turn] = self._requests.pop(turn)
        return Batch(shape, tuple(member for _, member in taken))

    def _remove(self, taken: list[Waiting]) -> None:
        members = {member for _, member in taken}
        for request in {request for request, _ in members}:
            self._requests[request] = [text for text in self._requests[request] if text[1] not in members]
            if not self._requests[request]:
                del self._requests[request]


def _filled(shape: BatchShape, queue: list[Waiting]) -> list[Waiting]:
    """The texts of a queue, in its order, that fit a shape together."""
    taken, room = [], shape.tokens
    for text in queue:
        if text[0] <= room:
            taken.append(text)
            room -= text[0]
            if len(taken) == shape.texts:
                break
    return taken


def _tokens(texts: list[Waiting]) -> int:
    return sum(length for length, _ in texts)


def _doubled(first: int, last: int) -> Iterator[int]:
    """`first`, twice that and so on up to `last`, which is always the end."""
    while first < last:
        yield first
        first *= 2
    yield last
