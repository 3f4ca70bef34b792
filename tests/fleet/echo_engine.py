"""A stand-in for the JAX engine, for tests and benchmarks of everything around it: it repeats the prompt's tokens.

The server around it is the product's own (serving.engine.server). As a program it takes the flags that the fleet
gives every engine:

    python tests/fleet/echo_engine.py --listen unix:/tmp/echo.sock --step-seconds 0.01
"""

import argparse
import itertools
import threading
import time
from collections.abc import Callable, Iterator

from serving.engine.request import Delta, EngineDescription, EngineStats, FinishReason, GenerationRequest, Timings
from serving.engine.server import serve_process
from serving.engine.turns import Turn
from serving.process.progress import StartupProgress

PAGE_SIZE = 16


class EchoEngine:
    """Gives each running request one token a step: its prompt, again and again, up to max_tokens.

    `step_seconds` is how long a step takes; a prompt that holds the token `poison` makes the loop fail.
    """

    def __init__(self, *, step_seconds: float = 0.0, max_rows: int = 64, poison: int | None = None):
        self.description = EngineDescription(
            model="echo",
            max_context=8192,
            vocab_size=32000,
            max_rows=max_rows,
            page_size=PAGE_SIZE,
            pages=max_rows * 8192 // PAGE_SIZE,
            dtype="float32",
            platform="cpu",
            fingerprint="echo",
            eos_token_ids=(2,),
        )
        self.failed: BaseException | None = None
        self._step_seconds = step_seconds
        self._poison = poison
        self._waiting: dict[str, _Row] = {}
        self._running: dict[str, _Row] = {}
        self._cancelled: set[str] = set()
        self._steps = 0
        self._stopped = False
        self._changed = threading.Condition()

    def start(self, publish: Callable[[list[Delta], EngineStats], None], announce: Callable[[Turn], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(publish,), daemon=True)
        self._thread.start()

    def submit(self, request: GenerationRequest) -> None:
        with self._changed:
            self._waiting[request.id] = _Row(request)
            self._changed.notify()

    def cancel(self, request_id: str) -> None:
        with self._changed:
            self._cancelled.add(request_id)
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self, publish: Callable[[list[Delta], EngineStats], None]) -> None:
        try:
            while self._admit():
                deltas = self._step()
                publish(deltas, self._stats())
                time.sleep(self._step_seconds)
        except Exception as error:
            self.failed = error
            rows = self._running | self._waiting
            publish(
                [Delta(name, finish_reason=FinishReason.ERROR, error="the engine failed") for name in rows],
                self._stats(),
            )

    def _admit(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._running or self._cancelled or self._stopped)
            for name in list(self._waiting)[: self.description.max_rows - len(self._running)]:
                row = self._running[name] = self._waiting.pop(name)
                row.scheduled = time.monotonic()
            return not self._stopped

    def _step(self) -> list[Delta]:
        with self._changed:
            cancelled, self._cancelled = self._cancelled, set()
        deltas = []
        for name in cancelled:
            if self._running.pop(name, None) or self._waiting.pop(name, None):
                deltas.append(Delta(name, finish_reason=FinishReason.CANCELLED))
        for name, row in list(self._running.items()):
            if self._poison in row.request.prompt:
                raise RuntimeError("a poisoned prompt")
            delta = row.next_delta()
            deltas.append(delta)
            if delta.finish_reason:
                del self._running[name]
        self._steps += 1
        return deltas

    def _stats(self) -> EngineStats:
        return EngineStats(
            running=len(self._running),
            waiting=len(self._waiting),
            pages_used=sum(-(-row.length // PAGE_SIZE) for row in self._running.values()),
            pages_total=self.description.pages,
            steps=self._steps,
        )


class _Row:
    def __init__(self, request: GenerationRequest):
        self.request = request
        self.arrived = self.scheduled = self.first_token = time.monotonic()
        self._generated = 0
        self._tokens: Iterator[int] = itertools.cycle(request.prompt)

    @property
    def length(self) -> int:
        return len(self.request.prompt) + self._generated

    def next_delta(self) -> Delta:
        if not self._generated:
            self.first_token = time.monotonic()
        self._generated += 1
        last = self._generated >= self.request.sampling.max_tokens
        return Delta(
            self.request.id,
            tokens=(next(self._tokens),),
            finish_reason=FinishReason.LENGTH if last else None,
            timings=Timings(self.arrived, self.scheduled, self.first_token, time.monotonic()) if last else None,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--exit-with-parent", action="store_true")
    parser.add_argument("--step-seconds", type=float, default=0.0)
    parser.add_argument("--max-rows", type=int, default=64)
    parser.add_argument("--poison", type=int, help="a prompt with this token makes the engine's loop fail")
    parser.add_argument("--broken", action="store_true", help="fail to load")
    parser.add_argument("--stuck", action="store_true", help="load for ever")
    arguments = parser.parse_args()

    def load(report: Callable[[StartupProgress], None]) -> EchoEngine:
        for done in range(3):
            report(StartupProgress("loading", done, 2, "weights"))
        if arguments.broken:
            raise ValueError("the weights are broken")
        if arguments.stuck:
            threading.Event().wait()
        return EchoEngine(step_seconds=arguments.step_seconds, max_rows=arguments.max_rows, poison=arguments.poison)

    serve_process(arguments.listen, load, exit_with_parent=arguments.exit_with_parent)


if __name__ == "__main__":
    main()
