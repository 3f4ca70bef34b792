"""Slots: the sequences that a caller placed side by side, their pages, and the steps that take them on. No JAX.

Where the scheduler decides who runs, here the caller does: a sequence has its slot until the caller takes it away, and
from the start all the pages that it may come to need.
"""

import itertools
from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence as Values
from typing import Any

from serving.engine.pages import PagePool, PoolExhausted
from serving.engine.request import GenerationRequest, SamplingParams
from serving.engine.scheduler import DecodeRow, PrefillChunk, StepPlan
from serving.engine.sequence import Sequence


class Slots:
    """Sequences by slot, and the pool that their pages are of.

    Args:
        pool: the pages; only this touches it.
        count: of slots. The one after the last is the device's scratch slot.
        chunk_size: tokens that one step reads, a multiple of the page size.
        max_context: tokens that a sequence may grow to.
        eos_ids: the model's end-of-sequence tokens.
    """

    def __init__(self, pool: PagePool, count: int, *, chunk_size: int, max_context: int, eos_ids: Values[int]):
        self.held: list[Sequence | None] = [None] * count
        self._pool = pool
        self._chunk_size = chunk_size
        self._max_context = max_context
        self._eos_ids = frozenset(eos_ids)
        self._numbers = itertools.count()
        self._dropped: deque[Values[int]] = deque()

    @property
    def available_pages(self) -> int:
        """Pages that nobody holds."""
        self._reclaim()
        return self._pool.available

    def stop_ids(self, sampling: SamplingParams) -> frozenset[int]:
        """The tokens that end a reply."""
        return frozenset(sampling.stop_token_ids) | (frozenset() if sampling.ignore_eos else self._eos_ids)

    def sequence(self, request_id: Any, text: tuple[int, ...], sampling: SamplingParams) -> Sequence:
        """A text and its reply to come, without pages yet. It is numbered where `request_id` is None."""
        number = next(self._numbers)
        return Sequence(
            request=GenerationRequest(str(number if request_id is None else request_id), text, sampling),
            order=number,
            arrived=0.0,
            limit=min(len(text) + sampling.max_tokens, self._max_context),
            stop_ids=self.stop_ids(sampling),
        )

    def take_pages(self, sequence: Sequence, shared: Values[int], tokens: int) -> None:
        """Gives a sequence pages for `tokens`: `shared`, which hold its text's beginning, and new ones.

        Raises PoolExhausted, taking no page.
        """
        self._reclaim()
        needed = self._pool.pages_for(tokens) - len(shared)
        if needed > self._pool.available:
            raise PoolExhausted(
                f"request {sequence.request.id} needs {needed} more pages of {self._pool.page_size} tokens, "
                f"{self._pool.available} of {self._pool.count} are available. free_resource(slot) gives back a slot's, "
                "dropping a Prefix its own; a smaller max_tokens needs fewer"
            )
        self._pool.hold(shared)
        sequence.pages = [*shared, *self._pool.allocate(needed, salt="")]
        sequence.computed = len(shared) * self._pool.page_size

    def read_text(self, sequence: Sequence) -> Iterator[StepPlan]:
        """The steps that read a text which has no slot yet, chunk by chunk. The last one draws, at the scratch slot."""
        end = len(sequence.tokens)
        while sequence.computed < end:
            start, sequence.computed = sequence.computed, min(sequence.computed + self._chunk_size, end)
            samples = sequence.computed == end
            sequence.pending = int(samples)
            yield StepPlan((), (PrefillChunk(sequence, len(self.held), start, sequence.computed, samples),), ())

    def keep_whole_pages(self, sequence: Sequence) -> tuple[int, ...]:
        """Gives back the page that a text ends in, and returns those that it fills.

        The device takes steps in order, so that page may be written on from now on.
        """
        whole = len(sequence.tokens) // self._pool.page_size
        self._pool.release(sequence.pages[whole:])
        return tuple(sequence.pages[:whole])

    def drop(self, pages: Values[int]) -> None:
        """Gives pages back before any are taken again. May be called at any time, in any thread, by a collector too."""
        self._dropped.append(pages)

    def free(self, slot: int) -> None:
        """Gives back what a slot holds, if anything."""
        sequence, self.held[slot] = self.held[slot], None
        if sequence is not None:
            self._pool.release(sequence.pages)

    def step(self, decode_steps: int) -> list[StepPlan]:
        """The next token of every sequence that may grow, or up to `decode_steps` of them when none of them is new.

        A new one first reads what of its text is on no page, less than a page, together with its first token.
        One step holds so many of those as it has blocks; for more there are further steps.
        """
        growing = [sequence for sequence in self.held if sequence is not None and sequence.length < sequence.limit]
        new = [sequence for sequence in growing if not sequence.decoding]
        most = 1 if new else decode_steps
        rows = tuple(_decode(sequence, most) for sequence in growing if sequence.decoding)
        chunks = tuple(_join(sequence) for sequence in new)
        blocks = self._chunk_size // self._pool.page_size
        plans = [StepPlan((), chunks[begin : begin + blocks], ()) for begin in range(blocks, len(chunks), blocks)]
        return [StepPlan(rows, chunks[:blocks], ()), *plans] if growing else []

    def _reclaim(self) -> None:
        while self._dropped:
            self._pool.release(self._dropped.popleft())


def _decode(sequence: Sequence, most: int) -> DecodeRow:
    steps = min(most, sequence.limit - sequence.length)
    row = DecodeRow(sequence, sequence.slot, sequence.length - 1, steps)
    sequence.pending += steps
    sequence.computed += steps
    return row


def _join(sequence: Sequence) -> PrefillChunk:
    chunk = PrefillChunk(sequence, sequence.slot, sequence.computed, len(sequence.tokens), samples=True)
    sequence.computed, sequence.pending, sequence.decoding = len(sequence.tokens), 1, True
    return chunk
