"""Which batch each step reads: a function of the step alone, so that a resumed run reads what it would have read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from training.mixture import STAGES
from training.packing import Rows
from training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Batch:
    """One optimiser step's rows, split into the micro-batches that are passed forward and backward one by one."""

    tokens: Int[np.ndarray, "micro rows length"]
    segments: Int[np.ndarray, "micro rows length"]
    weights: UInt8[np.ndarray, "micro rows length"]


class Feed:
    """The stages' packed rows in the order of training. `steps` may be cut short of what was packed."""

    def __init__(self, stages: list[list[Rows]], recipe: Recipe, steps: int | None = None):
        self._stages = stages
        self._recipe = recipe
        self._orders = [self._order(rows, recipe.seed + index) for index, rows in enumerate(stages)]
        packed = sum(len(order) for order in self._orders)
        self.steps = min(steps, packed) if steps else packed
        # A shortened run shortens every stage alike.
        ends = np.cumsum([len(order) for order in self._orders])
        self._ends = [round(int(end) * self.steps / packed) for end in ends]

    @classmethod
    def from_folder(cls, folder: Path, recipe: Recipe, steps: int | None = None) -> "Feed":
        """Reads what `pack` wrote. Raises FileNotFoundError that says how to make it."""
        stages = [[Rows.load(packed_path(folder, stage.name, n)) for n in recipe.row_lengths] for stage in STAGES]
        return cls(stages, recipe, steps)

    def _order(self, buckets: list[Rows], seed: int) -> list[tuple[int, int]]:
        """(bucket, first row) of every full batch, shuffled so that long and short rows alternate."""
        starts = [
            (bucket, start)
            for bucket, rows in enumerate(buckets)
            for start in range(0, len(rows) - self._rows(rows) + 1, self._rows(rows))
        ]
        np.random.default_rng(seed).shuffle(starts)
        return [(int(bucket), int(start)) for bucket, start in starts]

    def _rows(self, rows: Rows) -> int:
        return self._recipe.batch_tokens // rows.length

    def stage_name(self, step: int) -> str:
        """The name of the stage that `step` belongs to."""
        return STAGES[self._stage(step)].name

    def _stage(self, step: int) -> int:
        return next(index for index, end in enumerate(self._ends) if step < end)

    def batch(self, step: int) -> Batch:
        """The rows of step 0, 1, ... `steps` - 1."""
        stage = self._stage(step)
        bucket, start = self._orders[stage][step - (self._ends[stage - 1] if stage else 0)]
        rows = self._stages[stage][bucket]
        chosen = slice(start, start + self._rows(rows))
        shape = (self._recipe.batch_tokens // self._recipe.micro_batch_tokens, -1, rows.length)
        return Batch(
            rows.tokens[chosen].astype(np.int32).reshape(shape),
            rows.segments[chosen].astype(np.int32).reshape(shape),
            rows.weights[chosen].reshape(shape),
        )


def packed_path(folder: Path, stage: str, length: int) -> Path:
    """Where a stage's rows of one length lie."""
    return folder / f"{stage}-{length}.npz"
