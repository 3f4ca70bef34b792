"""`tradewind bench`: plan, drive, measure, report."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from serving.bench import report
from serving.bench.driver import Driver
from serving.bench.endpoint import EndpointName, endpoint
from serving.bench.http import HttpClient
from serving.bench.measurement import Measurement
from serving.bench.plot import check_plotting, plot
from serving.bench.progress import RunProgress
from serving.bench.summary import Slo, Summary
from serving.bench.target import Target
from serving.bench.text import Calibration
from serving.bench.trace import read_trace, trace_sessions
from serving.bench.errors import BenchError
from serving.bench.workload import Session, Workload, fitted, limited

CONTEXT_MARGIN = 0.95  # of the server's context is planned for, since words are only about so many tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A trace file as the workload, scaled."""

    file: Path
    time_scale: float = 1.0
    length_scale: float = 1.0

    def sessions(self, seed: int) -> Iterator[Session]:
        """The rows of the file. Nothing of it is drawn by chance."""
        return trace_sessions(read_trace(self.file), time_scale=self.time_scale, length_scale=self.length_scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that a run is told: whom to ask, what, how much of it, and where its results go.

    `concurrency` is that of a closed loop; None is an open one, which wants a workload with arrival times. `fields` are
    added to every request; null takes one out. `seconds` and `timeout` (of one request) are in seconds.
    """

    url: str
    workload: Workload | Replay
    concurrency: int | None
    api: EndpointName = "chat"
    model: str | None = None
    api_key: str = field(default="", repr=False)
    fields: Mapping[str, Any] = field(default_factory=dict)
    requests: int = 100
    seconds: float = 60.0
    timeout: float = 60.0
    slo: Slo = Slo()
    seed: int = 0
    output: Path | None = None
    plot: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The sessions of a run; `cut` of them were shortened to the server's context."""

    sessions: list[Session]
    cut: int

    @classmethod
    def of(cls, run: Run, context: int | None, calibration: Calibration) -> "Plan":
        """The same for the same run, server and tokenizer."""
        whole = list(limited(run.workload.sessions(run.seed), run.requests))
        if not context:
            return cls(whole, 0)
        room = int(context * CONTEXT_MARGIN)
        sessions = [fitted(session, room, calibration.overhead) for session in whole]
        return cls(sessions, sum(kept != given for kept, given in zip(sessions, whole, strict=True)))

    @property
    def requests(self) -> int:
        """Turns of them all."""
        return sum(len(session.turns) for session in self.sessions)


def bench(run: Run, console: Console, notes: Console) -> bool:
    """Carry `run` out: progress to `notes`, tables to `console`. False when no request succeeded. Raises BenchError.

    Ctrl-C ends it early and reports what there is.
    """
    if run.plot:
        check_plotting(run.plot)
    for file in filter(None, (run.output, run.plot)):
        if not file.parent.is_dir():
            raise BenchError(f"there is no folder {file.parent} to write {file.name} into")
    measurements: list[Measurement] = []
    outcome = asyncio.run(_drive(run, measurements, notes))
    summary = Summary.of(measurements, outcome.seconds, run.slo)
    console.print(report.tables(summary, outcome.client_share))
    if run.output:
        results = report.as_json(summary, measurements, _settings(run), outcome.client_share)
        run.output.write_text(json.dumps(results, indent=1) + "\n")
    if run.plot:
        plot(run.plot, measurements, outcome.seconds, run.slo, _title(run))
    return summary.succeeded > 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    seconds: float
    client_share: float  # of one core


async def _drive(run: Run, measurements: list[Measurement], notes: Console) -> _Outcome:
    headers = {"authorization": f"Bearer {run.api_key}"} if run.api_key else {}
    http = HttpClient(run.url, headers)
    loop = asyncio.get_running_loop()
    try:
        target = await Target.at(http, endpoint(run.api), run.model, fields=run.fields, timeout=run.timeout)
        calibration = await target.calibrate()
        plan = Plan.of(run, target.context, calibration)
        notes.print(_announcement(run, target, calibration, plan), style="dim", highlight=False, soft_wrap=True)
        began, used = loop.time(), time.process_time()
        with RunProgress(notes, plan.requests, run.seconds) as progress:
            driver = Driver(target, calibration, run.seed, measurements, progress.show)
            try:
                await driver.drive(plan.sessions, concurrency=run.concurrency, seconds=run.seconds)
            except asyncio.CancelledError:  # Ctrl-C
                notes.print("stopped", style="dim")
        seconds = loop.time() - began
        return _Outcome(seconds, (time.process_time() - used) / seconds)
    finally:
        http.close()


def _announcement(run: Run, target: Target, calibration: Calibration, plan: Plan) -> str:
    parts = [
        f"{target.model} at {target.http.url}",
        f"{plan.requests:,} requests in {len(plan.sessions):,} sessions",
        f"{calibration.tokens_per_word:.2f} tokens a word, {calibration.overhead} around a prompt",
    ]
    if isinstance(run.workload, Replay):
        parts.insert(
            1, f"{run.workload.file.name}, times x {run.workload.time_scale:g}, lengths x {run.workload.length_scale:g}"
        )
    if plan.cut:
        parts.append(f"{plan.cut:,} sessions cut to the context of {target.context:,} tokens")
    return " · ".join(parts)


def _settings(run: Run) -> dict[str, Any]:
    """Everything but the key, as JSON has it."""
    plain: Callable[[Any], Any] = lambda value: str(value) if isinstance(value, Path) else value  # noqa: E731
    settings = asdict(run, dict_factory=lambda pairs: {name: plain(value) for name, value in pairs})
    del settings["api_key"]
    return settings


def _title(run: Run) -> str:
    if run.concurrency is not None:
        return f"{run.url}, {run.concurrency} at once"
    if isinstance(run.workload, Replay):
        return f"{run.url}, {run.workload.file.name}"
    return f"{run.url}, {run.workload.rate:g} sessions a second"
