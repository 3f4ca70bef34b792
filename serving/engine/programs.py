"""The step programs: a short list of shapes, compiled ahead side by side, the best one there chosen for each step."""

from collections.abc import Callable, Iterable

from serving.engine.step import StepShape
from serving.process.compiled_programs import CompiledPrograms, Program


def doubling(first: int, last: int, factor: int = 2) -> list[int]:
    """first, first * factor, ... up to `last`, which is always the end."""
    sizes = []
    while first < last:
        sizes.append(first)
        first *= factor
    return [*sizes, last]


def step_shapes(*, max_rows: int, max_blocks: int) -> list[StepShape]:
    """Every shape that is compiled, those that can serve any request first.

    Decode programs come in rows of 1, 2, 4 and so on, mixed ones in steps of four, because a prompt's tokens outweigh
    the padding of rows.
    """
    shapes = [StepShape(row, 0) for row in doubling(1, max_rows)]
    mixed_rows = doubling(1, max_rows, factor=4)
    shapes += [
        StepShape(row, block) for row in mixed_rows for block in doubling(min(2, max_blocks), max_blocks, factor=4)
    ]
    essential = [StepShape(max_rows, max_blocks), StepShape(max_rows, 0)]
    return list(dict.fromkeys(essential + shapes))


class StepPrograms(CompiledPrograms[StepShape]):
    """Compiled step programs.

    Serving can begin as soon as the largest programs are there: `choose` takes the smallest that is compiled and fits,
    so steps only get faster while the rest of the list compiles in the background.
    """

    ESSENTIAL = 2
    """How many shapes at the head of the list `wait_essential` waits for."""

    def __init__(self, shapes: Iterable[StepShape], compile_shape: Callable[[StepShape], Program], threads: int):
        super().__init__(shapes, compile_shape, threads, essential=self.ESSENTIAL)

    def choose(self, rows: int, blocks: int) -> tuple[StepShape, Program]:
        """The compiled program of least work that fits so many rows and blocks."""
        compiled = self.compiled
        fitting = [
            shape
            for shape in compiled
            if shape.rows >= rows and (shape.blocks >= blocks if blocks else shape.blocks == 0)
        ]
        best = min(fitting, key=lambda shape: (shape.blocks, shape.rows))
        return best, compiled[best]
