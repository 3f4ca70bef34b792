"""Who had which page of a pool, step by step."""

import numpy as np
from pictures import NOBODY, page_table

from serving.engine.pages import PagePool
from serving.engine.sequence import Sequence


class PageDiary:
    """Looks at a pool from outside: who wrote each page, and how many hold it."""

    def __init__(self, pool: PagePool):
        self.holders: list[np.ndarray] = []  # of each step: how many hold each page, [pages]
        self._owners: list[np.ndarray] = []
        self._pool = pool
        self._sequences: list[Sequence] = []
        self._written: dict[int, tuple[int, tuple[int, ...]]] = {}  # by page: whose it is, and its text from the start

    def note(self, admitted: tuple[Sequence, ...] = ()) -> None:
        """Writes down the pages as they are, and those who came in."""
        self._sequences += [sequence for sequence in admitted if sequence not in self._sequences]
        owners, holders = np.full(self._pool.count, NOBODY), np.zeros(self._pool.count, int)
        for number, sequence in enumerate(self._sequences):
            for place, page in enumerate(sequence.pages):
                self._written[page] = self._writer(page, number, sequence, place), self._text(sequence, place)
            holders[sequence.pages] += 1
        for page, (owner, _) in self._written.items():
            owners[page] = owner if holders[page] or self._findable(page) else NOBODY
        self._owners.append(owners)
        self.holders.append(holders)

    def draw(self) -> None:
        """All steps, as far as pages were ever used."""
        owners, holders = np.stack(self._owners), np.stack(self.holders)
        used = 1 + np.flatnonzero((owners != NOBODY).any(axis=0)).max()
        page_table(owners[:, :used], holders[:, :used], [sequence.request.id for sequence in self._sequences])

    def _writer(self, page: int, number: int, sequence: Sequence, place: int) -> int:
        """Who wrote a page: whoever did before, as long as the same text goes on there."""
        owner, text = self._written.get(page, (number, ()))
        return owner if self._text(sequence, place)[: len(text)] == text else number

    def _text(self, sequence: Sequence, place: int) -> tuple[int, ...]:
        """A sequence up to the end of one of its pages."""
        return tuple(sequence.tokens[: (place + 1) * self._pool.page_size])

    def _findable(self, page: int) -> bool:
        try:
            return bool(self._pool.digest(page))
        except ValueError:
            return False
