"""Packs token sequences into rows of a fixed length, whole sequences side by side.

A row carries the number of the sequence that each token belongs to, so that attention stays within a sequence and no
token is predicted from another's. Sequences that fit the short row go there, longer ones to the long row; what is
longer still is cut.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from training.conversation import Tokens


@dataclass(frozen=True, slots=True)
class Rows:
    """Packed rows of one length.

    `segments` counts a row's sequences from 1 and is 0 on padding; `weights` says how much each token's loss counts.
    """

    tokens: Int[np.ndarray, "rows length"]
    segments: Int[np.ndarray, "rows length"]
    weights: UInt8[np.ndarray, "rows length"]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def length(self) -> int:
        """Tokens in a row, padding included."""
        return self.tokens.shape[1]

    def save(self, path: Path) -> None:
        """Writes the rows as a compressed archive."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, tokens=self.tokens, segments=self.segments, weights=self.weights)

    @classmethod
    def load(cls, path: Path) -> "Rows":
        """Reads rows that `save` wrote."""
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; `python -m training pack` writes it")
        with np.load(path) as archive:
            return cls(archive["tokens"], archive["segments"], archive["weights"])


def cut(sequences: Iterable[Tokens], longest: int) -> Iterator[Tokens]:
    """Splits sequences that are longer than `longest`; the parts after the first keep the BOS in front."""
    for sequence in sequences:
        bos, ids, weights = sequence.ids[0], sequence.ids[1:], sequence.weights[1:]
        for start in range(0, len(ids), longest - 1):
            end = start + longest - 1
            yield Tokens([bos, *ids[start:end]], [0, *weights[start:end]])


def by_length(sequences: Iterable[Tokens], lengths: Sequence[int]) -> dict[int, list[Tokens]]:
    """Sorts sequences under the shortest of `lengths` that holds them.

    Short ones join a longer length's until these fill their rows: two long ones seldom fit into one row.
    """
    lengths = sorted(lengths)
    sorted_in: dict[int, list[Tokens]] = {length: [] for length in lengths}
    for sequence in sequences:
        sorted_in[next(length for length in lengths if len(sequence.ids) <= length)].append(sequence)
    for shorter, longer in pairwise(lengths):
        spare = sum(longer - len(sequence.ids) for sequence in sorted_in[longer])
        while sorted_in[shorter] and (size := len(sorted_in[shorter][-1].ids)) <= spare:
            sorted_in[longer].append(sorted_in[shorter].pop())
            spare -= size
    return sorted_in


def pack(sequences: Sequence[Tokens], length: int, pad: int, rng: np.random.Generator) -> Rows:
    """Packs sequences of at most `length` tokens, longest first into the fullest row that still has room (best fit).

    The rows come in random order; every token of every sequence is in exactly one row.
    """
    by_room: list[list[int]] = [[] for _ in range(length + 1)]  # rows that have so many free places
    rows: list[list[int]] = []
    for index in sorted(range(len(sequences)), key=lambda index: -len(sequences[index].ids)):
        size = len(sequences[index].ids)
        if size > length:
            raise ValueError(f"a sequence has {size} tokens; rows hold {length}: cut() it first")
        room = next((room for room in range(size, length + 1) if by_room[room]), None)
        if room is None:
            rows.append([])
            row, room = len(rows) - 1, length
        else:
            row = by_room[room].pop()
        rows[row].append(index)
        by_room[room - size].append(row)
    packed = Rows(
        np.full((len(rows), length), pad, np.uint16),
        np.zeros((len(rows), length), np.uint16),
        np.zeros((len(rows), length), np.uint8),
    )
    for target, source in enumerate(rng.permutation(len(rows))):
        start = 0
        for segment, index in enumerate(rows[source], 1):
            sequence = sequences[index]
            end = start + len(sequence.ids)
            packed.tokens[target, start:end] = sequence.ids
            packed.segments[target, start:end] = segment
            packed.weights[target, start:end] = sequence.weights
            start = end
    return packed
