"""The engine: one thread that turns requests into tokens, step by step.

    commands in -> schedule -> dispatch step N+1 -> read step N -> commit -> publish

The device computes step N+1 while the host reads, commits and publishes step N.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax

from serving.engine.loading import Loaded, load
from serving.engine.options import EngineOptions
from serving.engine.pace import Pace
from serving.engine.pages import PagePool
from serving.engine.request import (
    Delta,
    EngineDescription,
    EngineStats,
    FinishReason,
    GenerationRequest,
    StartupProgress,
)
from serving.engine.runner import Dispatched, Runner
from serving.engine.scheduler import Scheduler

log = logging.getLogger(__name__)

Publish = Callable[[list[Delta], EngineStats], None]


@dataclass(frozen=True, slots=True)
class _Submit:
    request: GenerationRequest


@dataclass(frozen=True, slots=True)
class _Cancel:
    request_id: str


class _Stop:
    pass


class Engine:
    """Continuous batching around a scheduler and a runner, which only the loop's thread touches."""

    def __init__(self, loaded: Loaded, options: EngineOptions, clock: Callable[[], float] = time.monotonic):
        self.description: EngineDescription = loaded.description
        self.failed: BaseException | None = None
        self._runner: Runner = loaded.runner
        self._pool = PagePool(loaded.description.pages, options.page_size)
        self._scheduler = Scheduler(
            self._pool,
            rows=options.max_rows,
            step_tokens=loaded.step_tokens,
            max_context=loaded.description.max_context,
            eos_ids=loaded.description.eos_token_ids,
            clock=clock,
            prefix_cache=options.prefix_cache,
        )
        self._pace = Pace(options.decode_steps)
        self._clock = clock
        self._commands: queue.SimpleQueue[_Submit | _Cancel | _Stop] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._steps = 0
        self._open: set[str] = set()  # requests that were submitted and have not ended
        self._compiles = _CompileCounter()

    @classmethod
    def load(cls, folder: Path, options: EngineOptions, progress: Callable[[StartupProgress], None]) -> "Engine":
        """Loads a model and compiles what serving needs; blocks until any request can be served.

        Raises what reading the model raises, with a message for people.
        """
        return cls(load(folder, options, progress), options)

    def start(self, publish: Publish) -> None:
        """Starts the loop. `publish` is called on the loop's thread, once a step."""
        self._thread = threading.Thread(target=self._run, args=(publish,), name="engine", daemon=True)
        self._thread.start()

    def submit(self, request: GenerationRequest) -> None:
        """Queues a request; its deltas reach `publish`. Thread-safe."""
        self._commands.put(_Submit(request))

    def cancel(self, request_id: str) -> None:
        """Ends a request before the next step is planned; unknown ids are ignored. Thread-safe."""
        self._commands.put(_Cancel(request_id))

    def stop(self) -> None:
        """Ends the loop and waits for its thread."""
        self._commands.put(_Stop())
        if self._thread is not None:
            self._thread.join()
        self._runner.programs.cancel()

    def wait_warm(self) -> None:
        """Waits until every step program is compiled. Raises what compiling raised."""
        self._runner.programs.wait_all()

    def _run(self, publish: Publish) -> None:
        try:
            self._loop(publish)
        except Exception as error:  # whatever broke, callers must hear of it
            self.failed = error
            deltas = [
                Delta(request_id, finish_reason=FinishReason.ERROR, error="the engine failed")
                for request_id in sorted(self._open)
            ]
            publish(deltas, self._stats())

    def _loop(self, publish: Publish) -> None:
        in_flight: deque[Dispatched] = deque()
        read_at = self._clock()
        while True:
            idle = not in_flight and not self._scheduler.running and not self._scheduler.waiting
            deltas, stopping = self._take_commands(wait=idle)
            if stopping:
                return
            plan = self._scheduler.schedule(self._pace.steps)
            if plan is not None:
                in_flight.append(self._runner.dispatch(plan))
                self._steps += 1
            if in_flight and (plan is None or len(in_flight) > 1):
                queued = len(in_flight) > 1  # the device had the next step at hand and will not have idled
                oldest = in_flight.popleft()
                result = oldest.read()
                began, read_at = read_at, self._clock()
                if queued and not oldest.plan.chunks:
                    self._pace.observe(oldest.plan.steps, read_at - began)
                deltas += self._scheduler.commit(oldest.plan, result)
            if deltas or plan is not None:
                self._open.difference_update(delta.id for delta in deltas if delta.finish_reason)
                publish(deltas, self._stats())

    def _take_commands(self, *, wait: bool) -> tuple[list[Delta], bool]:
        """Obeys every queued command; with `wait`, waits for the first."""
        deltas: list[Delta] = []
        while wait or not self._commands.empty():
            command = self._commands.get()
            wait = False
            match command:
                case _Stop():
                    return deltas, True
                case _Submit(request):
                    refused = self._scheduler.submit(request)
                    if refused:
                        deltas.append(refused)
                    else:
                        self._open.add(request.id)
                case _Cancel(request_id):
                    cancelled = self._scheduler.cancel(request_id)
                    if cancelled:
                        deltas.append(cancelled)
        return deltas, False

    def _stats(self) -> EngineStats:
        counters = self._scheduler.counters
        if not self._compiles.counting and self._runner.programs.warm:
            self._compiles.start()
        return EngineStats(
            running=self._scheduler.running,
            waiting=self._scheduler.waiting,
            pages_used=self._pool.held,
            pages_total=self._pool.count,
            prefix_queries=counters.prefix_queries,
            prefix_hits=counters.prefix_hits,
            preemptions=counters.preemptions,
            steps=self._steps,
            compiles_after_warmup=self._compiles.count,
        )


class _CompileCounter:
    """Counts compilations in this process from `start` on; after warm-up there should be none."""

    def __init__(self) -> None:
        self.counting = False
        self.count = 0

    def start(self) -> None:
        self.counting = True
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            self.count += 1
