"""`tradewind bench`: plan, drive, measure, report."""

import asyncio
import json
import time
from dataclasses import dataclass

from rich.console import Console

from serving.bench import report
from serving.bench.driver import Driver
from serving.bench.endpoint import ENDPOINTS
from serving.bench.http import HttpClient
from serving.bench.measurement import Measurement
from serving.bench.options import BenchOptions
from serving.bench.plot import check_plotting, plot
from serving.bench.progress import RunProgress
from serving.bench.summary import Summary
from serving.bench.target import Target
from serving.bench.text import Calibration
from serving.bench.trace import Replay
from serving.bench.workload import Plan, Session, limited


def bench(options: BenchOptions, console: Console, notes: Console) -> bool:
    """Carry a run out: progress to `notes`, tables to `console`. False when no request succeeded. Raises BenchError.

    Ctrl-C ends it early and reports what there is.
    """
    if options.plot:
        check_plotting(options.plot)
    sessions = list(limited(options.workload().sessions(options.seed), options.requests))
    measurements: list[Measurement] = []
    outcome = asyncio.run(_drive(options, sessions, measurements, notes))
    summary = Summary.of(measurements, outcome.seconds, options.slo())
    console.print(report.tables(summary, outcome.client_share))
    if options.output:
        results = report.as_json(summary, measurements, options.as_json(), outcome.client_share)
        options.output.write_text(json.dumps(results, indent=1) + "\n")
    if options.plot:
        plot(options.plot, measurements, outcome.seconds, options.slo(), _title(options))
    return summary.succeeded > 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    seconds: float
    client_share: float  # of one core


async def _drive(
    options: BenchOptions, sessions: list[Session], measurements: list[Measurement], notes: Console
) -> _Outcome:
    headers = {"authorization": f"Bearer {options.api_key}"} if options.api_key else {}
    http = HttpClient(options.url, headers)
    loop = asyncio.get_running_loop()
    try:
        target = await Target.at(
            http, ENDPOINTS[options.api], options.model, fields=options.fields(), timeout=options.timeout
        )
        calibration = await target.calibrate()
        plan = Plan.of(sessions, target.context, calibration.overhead)
        notes.print(_announcement(options, target, calibration, plan), style="dim", highlight=False, soft_wrap=True)
        began, used = loop.time(), time.process_time()
        with RunProgress(notes, plan.requests, options.seconds) as progress:
            driver = Driver(target, calibration, options.seed, measurements, progress.show)
            try:
                await driver.drive(plan.sessions, concurrency=options.loop(), seconds=options.seconds)
            except asyncio.CancelledError:  # Ctrl-C
                notes.print("stopped", style="dim")
        seconds = loop.time() - began
        return _Outcome(seconds, (time.process_time() - used) / seconds)
    finally:
        http.close()


def _announcement(options: BenchOptions, target: Target, calibration: Calibration, plan: Plan) -> str:
    parts = [
        f"{target.model} at {target.http.url}",
        _load(options),
        f"{plan.requests:,} requests in {len(plan.sessions):,} sessions",
        f"{calibration.tokens_per_word:.2f} tokens a word, {calibration.overhead} around a prompt",
    ]
    if plan.cut:
        parts.append(f"{plan.cut:,} sessions cut to the context of {target.context:,} tokens")
    return " · ".join(parts)


def _load(options: BenchOptions) -> str:
    if options.loop() is not None:
        return f"{options.loop()} at once"
    workload = options.workload()
    if isinstance(workload, Replay):
        return f"{workload.file.name}, times x {workload.time_scale:g}, lengths x {workload.length_scale:g}"
    return f"{workload.rate:g} a second"


def _title(options: BenchOptions) -> str:
    return f"{options.url} · {_load(options)} · {time.strftime('%Y-%m-%d')}"
