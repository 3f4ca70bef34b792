"""When an index is of which kind, and when segments are merged: the sizes that decide, in one place."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IndexPolicy:
    """Sizes are in chunks.

    `hashed_from`: asymmetric hashing from here on, an exact search below. `partitioned_from`: partitions as well.
    `recall`: the share of the ten nearest that an approximate search must find. `saved_from`: smaller segments come
    from SQL as fast as from files, so they are not written.
    """

    hashed_from: int = 8192
    partitioned_from: int = 50_000
    recall: float = 0.99
    saved_from: int = 1024
    growth: int = 3
    dead_share: float = 0.25

    def to_merge(self, segments: Sequence[tuple[int, int]]) -> list[int]:
        """Which segments, given as (rows, rows that live), ought to become one now; empty when all is well.

        A segment goes together with all smaller ones as soon as these hold `growth - 1` times what it holds. So a row
        is written anew log(rows) times at most, and there are as many segments as that. A segment of which more than
        `dead_share` was deleted is written anew alone.
        """
        falling = sorted(range(len(segments)), key=lambda index: segments[index][1], reverse=True)
        smaller = sum(alive for _, alive in segments)
        for place, index in enumerate(falling):
            alive = segments[index][1]
            smaller -= alive
            if smaller and smaller >= (self.growth - 1) * alive:
                return sorted(falling[place:])
        return [index for index, (rows, alive) in enumerate(segments) if rows - alive > self.dead_share * rows][:1]
