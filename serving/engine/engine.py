"""The engine: one thread that turns requests into tokens, step by step.

    turn -> obey -> schedule -> dispatch step N+1 -> read step N -> commit -> publish

The device computes step N+1 while the host reads, commits and publishes step N. Where a replica spans several hosts,
each runs this loop: one of them leads and announces its turns, the others follow them.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import jax

from serving.engine.loading import Loaded, load
from serving.engine.options import EngineOptions
from serving.engine.pace import Pace
from serving.engine.pages import PagePool
from serving.engine.request import Delta, EngineDescription, EngineStats, FinishReason, GenerationRequest
from serving.engine.runner import Dispatched, Runner
from serving.engine.scheduler import Scheduler
from serving.engine.turns import Cancel, Command, CommandQueue, Turn
from serving.process.progress import StartupProgress

log = logging.getLogger(__name__)

Publish = Callable[[list[Delta], EngineStats], None]
Announce = Callable[[Turn], None]
NextTurn = Callable[[bool], Turn | None]
"""next_turn(idle) -> what the loop obeys next, or None to end; idle says that only a command could bring work."""


def _to_nobody(_: Turn) -> None:
    """The announcement of an engine on one host."""


class Engine:
    """Continuous batching around a scheduler and a runner, which only the loop's thread touches."""

    def __init__(self, loaded: Loaded, options: EngineOptions, clock: Callable[[], float] = time.monotonic):
        self.description: EngineDescription = loaded.description
        self.failed: BaseException | None = None
        self._runner: Runner = loaded.runner
        self._pool = PagePool(loaded.description.pages, loaded.description.page_size)
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
        self._commands = CommandQueue()
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

    def start(self, publish: Publish, announce: Announce = _to_nobody) -> None:
        """Starts the loop on what `submit` and `cancel` ask for.

        `publish` is called on the loop's thread, once a step; `announce` too, with each turn before it is obeyed.
        """

        def next_turn(idle: bool) -> Turn | None:
            commands = self._commands.take(wait=idle)
            if commands is None:
                return None
            turn = Turn(commands, self._pace.steps)
            announce(turn)
            return turn

        self._start(publish, next_turn)

    def follow(self, publish: Publish, turns: Callable[[], Turn | None]) -> None:
        """Starts the loop on the turns that another engine announces; `turns` waits for the next, None ends the loop.

        `publish` is called as by `start`.
        """
        self._start(publish, lambda _: turns())

    def submit(self, request: GenerationRequest) -> None:
        """Queues a request; its deltas reach `publish`. Thread-safe."""
        self._commands.put(request)

    def cancel(self, request_id: str) -> None:
        """Ends a request before the next step is planned; unknown ids are ignored. Thread-safe."""
        self._commands.put(Cancel(request_id))

    def stop(self) -> None:
        """Ends the loop that `start` began, or lets one that follows come to its end, and waits for its thread."""
        self._commands.close()
        if self._thread is not None:
            self._thread.join()
        self._runner.programs.cancel()

    def wait_warm(self) -> None:
        """Waits until every step program is compiled. Raises what compiling raised."""
        self._runner.programs.wait_all()

    def _start(self, publish: Publish, next_turn: NextTurn) -> None:
        self._thread = threading.Thread(target=self._run, args=(publish, next_turn), name="engine", daemon=True)
        self._thread.start()

    def _run(self, publish: Publish, next_turn: NextTurn) -> None:
        try:
            self._loop(publish, next_turn)
        except Exception as error:  # whatever broke, callers must hear of it
            self.failed = error
            deltas = [
                Delta(request_id, finish_reason=FinishReason.ERROR, error="the engine failed")
                for request_id in sorted(self._open)
            ]
            publish(deltas, self._stats())

    def _loop(self, publish: Publish, next_turn: NextTurn) -> None:
        in_flight: deque[Dispatched] = deque()
        read_at = self._clock()
        while True:
            idle = not in_flight and not self._scheduler.running and not self._scheduler.waiting
            turn = next_turn(idle)
            if turn is None:
                return
            deltas = self._obey(turn.commands)
            plan = self._scheduler.schedule(turn.decode_steps)
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

    def _obey(self, commands: Iterable[Command]) -> list[Delta]:
        """What commands bring by themselves: refusals and ends."""
        deltas: list[Delta] = []
        for command in commands:
            if isinstance(command, Cancel):
                news = self._scheduler.cancel(command.id)
            else:
                news = self._scheduler.submit(command)
                if news is None:
                    self._open.add(command.id)
            if news is not None:
                deltas.append(news)
        return deltas

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
