"""Programs of a short list of shapes, compiled ahead side by side and kept for the next start."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import jax

Shape = TypeVar("Shape")
Program = Callable[..., Any]


def keep_compiled_in(folder: str) -> None:
    """Keeps what is compiled from now on in a folder, where the next start finds it; "" keeps nothing."""
    if folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


class CompiledPrograms(Generic[Shape]):
    """Compiled programs by shape. Serving can begin when the first `essential` of the shapes are there.

    `compiled` may be read at any time, from any thread.
    """

    def __init__(
        self, shapes: Iterable[Shape], compile_shape: Callable[[Shape], Program], threads: int, *, essential: int
    ):
        self._shapes = list(shapes)
        self._compile = compile_shape
        self._essential = essential
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="compile")
        self._futures: list[Future[None]] = []
        self.compiled: dict[Shape, Program] = {}  # replaced, never changed

    @property
    def total(self) -> int:
        """How many programs there will be."""
        return len(self._shapes)

    @property
    def warm(self) -> bool:
        """Whether every program is compiled: from here on a compile is an error."""
        return len(self.compiled) == self.total

    def start(self, progress: Callable[[int, int], None]) -> None:
        """Starts to compile everything; `progress(done, total)` is called from the compiling threads."""

        def build(shape: Shape) -> None:
            program = self._compile(shape)
            with self._lock:
                self.compiled = self.compiled | {shape: program}
                done = len(self.compiled)
            progress(done, self.total)

        self._futures = [self._pool.submit(build, shape) for shape in self._shapes]
        self._pool.shutdown(wait=False)

    def wait_essential(self) -> None:
        """Waits until any request can be served. Raises what compiling raised."""
        for future in self._futures[: self._essential]:
            future.result()

    def wait_all(self) -> None:
        """Waits until every program is compiled. Raises what compiling raised."""
        for future in self._futures:
            future.result()

    def cancel(self) -> None:
        """Gives up the programs whose compilation has not begun."""
        for future in self._futures:
            future.cancel()
