"""A run's summary as tables for people and as JSON for programs."""

from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from serving.bench.measurement import Measurement
from serving.bench.summary import QUANTILES, Distribution, Summary

LATE = 0.010  # seconds behind the plan at p99 from which the client itself is in doubt
BUSY = 0.8  # share of a core, likewise
SEVERAL = 1.1  # tokens an event from which a gap between events is no gap between tokens


def tables(summary: Summary, client_share: float) -> Group:
    """Totals, percentiles, and doubts. `client_share` is the part of one core that the client itself used."""
    percentiles = [Text(), _percentiles(summary)] if summary.latencies else []
    return Group(_totals(summary), *percentiles, *_notes(summary, client_share))


def as_json(summary: Summary, requests: list[Measurement], settings: dict[str, Any], client_share: float) -> dict:
    """Settings, summary, and every request without the times of its events. Times are in seconds."""
    return {
        "settings": settings,
        "summary": {
            **asdict(summary),
            "requests_per_second": summary.succeeded / summary.seconds,
            "output_tokens_per_second": summary.output_tokens / summary.seconds,
            "client_cpu_share": client_share,
        },
        "requests": [_record(request) for request in requests],
    }


def _record(request: Measurement) -> dict[str, Any]:
    record = asdict(request)
    del record["text_at"]
    longest = max(request.gaps, default=None)
    return {**record, "ttft": request.ttft, "token_time": request.token_time, "longest_gap": longest}


def _totals(summary: Summary) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")

    def rate(value: float) -> str:
        return f"{value / summary.seconds:,.1f} a second"

    unfinished = f", {summary.unfinished:,} cut off at the end" if summary.unfinished else ""
    table.add_row("requests", f"{summary.succeeded:,}", f"of {summary.sent:,} sent{unfinished}")
    table.add_row("", rate(summary.succeeded), f"in {summary.seconds:.1f} s, up to {summary.most_in_flight:,} at once")
    table.add_row("output tokens", f"{summary.output_tokens:,}", rate(summary.output_tokens))
    table.add_row("prompt tokens", f"{summary.input_tokens:,}", rate(summary.input_tokens))
    if summary.cached_tokens is not None and summary.input_tokens:
        table.add_row("  cached", f"{summary.cached_tokens:,}", f"{summary.cached_tokens / summary.input_tokens:.1%}")
    if summary.good is not None:
        share = summary.good / summary.sent if summary.sent else 0.0
        table.add_row("goodput", rate(summary.good), f"{share:.1%} of what was sent met the SLO")
    for kind, number in summary.errors.items():
        table.add_row(Text(f"error: {kind}", "red"), f"{number:,}", f"{number / summary.sent:.1%}")
    return table


def _percentiles(summary: Summary) -> Table:
    table = Table("", box=None, pad_edge=False, header_style="bold")
    for heading in ("mean", *(f"p{quantile}" for quantile in QUANTILES), "max"):
        table.add_column(heading, justify="right")
    for name, distribution in summary.latencies.items():
        table.add_row(f"{name} [dim](ms)[/]", *(f"{value * 1000:,.1f}" for value in _values(distribution)))
    for name, distribution in summary.lengths.items():
        table.add_row(f"{name} [dim](tokens)[/]", *(f"{value:,.0f}" for value in _values(distribution)))
    return table


def _values(distribution: Distribution) -> tuple[float, ...]:
    return (distribution.mean, *distribution.percentiles.values(), distribution.largest)


def _notes(summary: Summary, client_share: float) -> list[Text]:
    notes = []
    if summary.tokens_per_event and summary.tokens_per_event > SEVERAL:
        notes.append(
            f"An event of the stream carries {summary.tokens_per_event:.1f} tokens in the mean: inter-token latency is "
            "the time between events, time per output token that between tokens."
        )
    late = summary.late.percentiles[99] if summary.late else 0.0
    if late > LATE or client_share > BUSY:
        notes.append(
            f"The client was not always in time: p99 of sending was {late * 1000:.0f} ms behind the plan, and it used "
            f"{client_share:.0%} of a core. Measure from a machine with more to spare, or ask for less."
        )
    return [Text(f"\n{note}", style="yellow") for note in notes]
