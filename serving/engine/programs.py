"""The step programs: a short list of shapes, compiled ahead side by side, the best one there chosen for each step."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from serving.engine.step import StepShape

Compile = Callable[[StepShape], Callable[..., Any]]


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


class StepPrograms:
    """Compiled programs by shape.

    Serving can begin as soon as the largest programs are there: `choose` takes the smallest that is compiled and fits,
    so steps only get faster while the rest of the list compiles in the background.
    """

    ESSENTIAL = 2
    """How many shapes at the head of the list `wait_essential` waits for."""

    def __init__(self, shapes: Iterable[StepShape], compile_shape: Compile, threads: int):
        self._shapes = list(shapes)
        self._programs: dict[StepShape, Callable[..., Any]] = {}
        self._compile = compile_shape
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="compile")
        self._futures: list[Future[None]] = []

    @property
    def compiled(self) -> int:
        """How many programs are ready to run."""
        return len(self._programs)

    @property
    def total(self) -> int:
        """How many programs there will be."""
        return len(self._shapes)

    @property
    def warm(self) -> bool:
        """Whether every program is compiled: from here on a compile is an error."""
        return self.compiled == self.total

    def start(self, progress: Callable[[int, int], None]) -> None:
        """Starts to compile everything; `progress(done, total)` is called from the compiling threads."""

        def build(shape: StepShape) -> None:
            program = self._compile(shape)
            with self._lock:
                self._programs[shape] = program
                done = len(self._programs)
            progress(done, self.total)

        self._futures = [self._pool.submit(build, shape) for shape in self._shapes]
        self._pool.shutdown(wait=False)

    def wait_essential(self) -> None:
        """Waits until any request can be served. Raises what compiling raised."""
        for future in self._futures[: self.ESSENTIAL]:
            future.result()

    def wait_all(self) -> None:
        """Waits until every program is compiled. Raises what compiling raised."""
        for future in self._futures:
            future.result()

    def cancel(self) -> None:
        """Gives up the programs whose compilation has not begun."""
        for future in self._futures:
            future.cancel()

    def choose(self, rows: int, blocks: int) -> tuple[StepShape, Callable[..., Any]]:
        """The compiled program of least work that fits so many rows and blocks."""
        with self._lock:
            fitting = [
                shape
                for shape in self._programs
                if shape.rows >= rows and (shape.blocks >= blocks if blocks else shape.blocks == 0)
            ]
            best = min(fitting, key=lambda shape: (shape.blocks, shape.rows))
            return best, self._programs[best]
