"""Carries a plan out: closed loop (so many conversations at once) or open loop (each at its time of arrival)."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from serving.bench.endpoint import Said
from serving.bench.measurement import Measurement
from serving.bench.target import Target
from serving.bench.text import Calibration, words
from serving.bench.workload import Segment, Session


@dataclass(frozen=True, slots=True)
class Driver:
    """Asks `target` what the sessions say, and puts a measurement into `measurements` for each request as it is sent.

    `changed` is called with a measurement when its request was sent and when it ended. Times count from `drive`'s
    start, by the event loop's clock.
    """

    target: Target
    calibration: Calibration
    seed: int
    measurements: list[Measurement]
    changed: Callable[[Measurement], None] = lambda _: None

    async def drive(self, sessions: Iterable[Session], *, concurrency: int | None, seconds: float) -> float:
        """Run until the sessions or the seconds are at an end; return how many seconds it took.

        With `concurrency` the next session begins when one of so many ends; without, at its arrival. What is unfinished
        when the time is over is hung up on.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        numbered = zip(count(), sessions, strict=False)
        try:
            async with asyncio.timeout_at(started + seconds), asyncio.TaskGroup() as tasks:
                if concurrency is None:
                    await self._dispatch(numbered, tasks, started)
                else:
                    for _ in range(concurrency):
                        tasks.create_task(self._take_turns(numbered, started))
        except TimeoutError:
            pass
        return loop.time() - started

    async def _take_turns(self, numbered: Iterator[tuple[int, Session]], started: float) -> None:
        for number, session in numbered:
            await self._converse(number, session, started)

    async def _dispatch(
        self, numbered: Iterator[tuple[int, Session]], tasks: asyncio.TaskGroup, started: float
    ) -> None:
        loop = asyncio.get_running_loop()
        for number, session in numbered:
            await asyncio.sleep(started + (session.arrival or 0.0) - loop.time())
            tasks.create_task(self._converse(number, session, started))

    async def _converse(self, number: int, session: Session, started: float) -> None:
        loop = asyncio.get_running_loop()
        history: list[Said] = [("system", self._text([session.system]))] if session.system else []
        due = None if session.arrival is None else started + session.arrival
        for index, turn in enumerate(session.turns):
            history.append(("user", self._text(turn.prompt)))
            if turn.pause:
                due = loop.time() + turn.pause
                await asyncio.sleep(turn.pause)
            now = loop.time()
            measurement = Measurement(number, index, now - started, late=0.0 if due is None else max(0.0, now - due))
            self.measurements.append(measurement)
            self.changed(measurement)
            reply = await self.target.ask(history, turn.output_tokens, measurement, started)
            self.changed(measurement)
            if measurement.error:
                return
            history.append(("assistant", reply))
            due = None

    def _text(self, segments: Iterable[Segment]) -> str:
        return " ".join(words(segment, self.seed, self.calibration) for segment in segments)
