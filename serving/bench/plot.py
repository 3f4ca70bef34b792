"""A run as a picture: how latencies are distributed, and what happened when."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serving.bench.errors import BenchError
from serving.bench.measurement import Measurement
from serving.bench.slo import Slo
from serving.bench.summary import QUANTILES

SIZE = (11.0, 7.5)  # inches
INTERVALS = 60  # of the timeline
BLUE, ORANGE, RED, GREY = "#2563eb", "#ea580c", "#dc2626", "#6b7280"


def check_plotting(file: Path) -> None:
    """Raise BenchError now rather than after the run when no picture can be drawn into `file`."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError:
        raise BenchError("--plot needs matplotlib: pip install 'tradewind[bench]'") from None
    known = FigureCanvasAgg.get_supported_filetypes()
    if file.suffix.lstrip(".").lower() not in known:
        raise BenchError(f"--plot {file}: the name's ending says the format; known are {', '.join(sorted(known))}")


def plot(file: Path, requests: Sequence[Measurement], seconds: float, slo: Slo, title: str) -> None:
    """Draw four panels: time to first token and inter-token latency as distributions and over the run's time."""
    from matplotlib.figure import Figure

    figure = Figure(SIZE, layout="constrained")
    figure.suptitle(title)
    (first, between), (waits, flow) = figure.subplots(2, 2)
    whole = [request for request in requests if request.succeeded]
    _distribution(first, "time to first token", [request.ttft for request in whole], slo.ttft)
    _distribution(between, "inter-token latency", [gap for request in whole for gap in request.gaps], None)
    _over_time(waits, requests, slo)
    _throughput(flow, requests, seconds)
    figure.savefig(file, dpi=120)


def _distribution(axes, name: str, values: Sequence[float], bound: float | None) -> None:
    axes.set(title=name, xlabel="ms", ylabel="share of them, at most", ylim=(0, 1.02))
    axes.grid(alpha=0.25)
    if not values:
        return
    axes.ecdf(np.array(values) * 1000, color=BLUE)
    for quantile in QUANTILES:
        point = np.percentile(values, quantile) * 1000
        axes.plot(point, quantile / 100, "o", color=BLUE, markersize=4)
        axes.annotate(f"p{quantile} {point:.1f}", (point, quantile / 100), (6, -12), textcoords="offset points")
    if bound is not None:
        axes.axvline(bound * 1000, color=ORANGE, linestyle="--", label="SLO")
        axes.legend(loc="lower right")


def _over_time(axes, requests: Sequence[Measurement], slo: Slo) -> None:
    axes.set(title="time to first token of each request", xlabel="sent, s after the start", ylabel="ms")
    axes.grid(alpha=0.25)
    whole = [request for request in requests if request.succeeded]
    kinds = [
        ("first turn", BLUE, [request for request in whole if request.turn == 0]),
        ("later turn", ORANGE, [request for request in whole if request.turn > 0]),
    ]
    for label, colour, chosen in kinds:
        if chosen:
            points = [(request.sent, request.ttft * 1000) for request in chosen]
            axes.scatter(*zip(*points, strict=True), s=9, color=colour, label=label)
    if failed := [request.sent for request in requests if request.error]:
        axes.plot(failed, np.zeros(len(failed)), "x", color=RED, label="failed")
    if slo.ttft is not None:
        axes.axhline(slo.ttft * 1000, color=ORANGE, linestyle="--", label="SLO")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right")


def _throughput(axes, requests: Sequence[Measurement], seconds: float) -> None:
    edges = np.linspace(0, seconds, INTERVALS + 1)
    width = seconds / INTERVALS
    tokens = np.zeros(INTERVALS)
    for request in requests:
        if request.text_at:
            share = request.tokens / len(request.text_at)
            tokens += np.histogram(request.text_at, edges)[0] * share
    axes.stairs(tokens / width, edges, color=BLUE, fill=True, alpha=0.35)
    axes.set(title="output", xlabel="s after the start", ylabel="tokens a second")
    axes.grid(alpha=0.25)
    in_flight = axes.twinx()
    sent = np.array([request.sent for request in requests])
    ended = np.array([seconds if request.finished is None else request.finished for request in requests])
    running = [int(((sent <= moment) & (ended > moment)).sum()) for moment in edges]
    in_flight.plot(edges, running, color=GREY)
    in_flight.set(ylabel="requests in flight", ylim=(0, max(running, default=0) * 1.1 + 1))
