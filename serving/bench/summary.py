"""What the measurements of a run come to."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from serving.bench.measurement import Measurement
from serving.bench.slo import Slo

QUANTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A quantity over many requests: mean, percentiles and largest, in the unit of its values."""

    count: int
    mean: float
    percentiles: dict[int, float]
    largest: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Distribution | None":
        """Percentiles by linear interpolation, as numpy does; None where there is no value."""
        known = np.array([value for value in values if value is not None], float)
        if not known.size:
            return None
        points = np.percentile(known, QUANTILES).tolist()
        return cls(known.size, float(known.mean()), dict(zip(QUANTILES, points, strict=True)), float(known.max()))


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in figures. Latencies are in seconds and of requests that succeeded."""

    seconds: float
    sent: int
    succeeded: int
    unfinished: int
    errors: dict[str, int]
    good: int | None  # requests within the SLO; None without one
    input_tokens: int
    cached_tokens: int | None  # None when the server does not report them
    output_tokens: int
    tokens_per_event: float | None
    most_in_flight: int
    latencies: dict[str, Distribution]
    lengths: dict[str, Distribution]
    late: Distribution | None

    @classmethod
    def of(cls, requests: Sequence[Measurement], seconds: float, slo: Slo) -> "Summary":
        """Of a run that took `seconds`. Tokens of answers that were cut off count in `output_tokens`."""
        whole = [request for request in requests if request.succeeded]
        cached = [request.cached_tokens for request in whole if request.cached_tokens is not None]
        events = sum(len(request.text_at) for request in whole)
        return cls(
            seconds=seconds,
            sent=len(requests),
            succeeded=len(whole),
            unfinished=sum(request.finished is None for request in requests),
            errors=dict(Counter(request.error for request in requests if request.error).most_common()),
            good=sum(map(slo.met, whole)) if slo else None,
            input_tokens=sum(request.prompt_tokens or 0 for request in whole),
            cached_tokens=sum(cached) if cached else None,
            output_tokens=sum(request.tokens for request in requests),
            tokens_per_event=sum(request.tokens for request in whole) / events if events else None,
            most_in_flight=_most_at_once(requests),
            latencies=_known(_latencies(whole)),
            lengths=_known(_lengths(whole)),
            late=Distribution.of(request.late for request in requests),
        )


def _latencies(whole: Sequence[Measurement]) -> dict[str, Distribution | None]:
    turns = {request.turn for request in whole}
    by_turn: dict[str, Callable[[Measurement], bool]] = {"time to first token": lambda _: True}
    if len(turns) > 1:
        by_turn["  first turns"] = lambda request: request.turn == 0
        by_turn["  later turns"] = lambda request: request.turn > 0
    return {
        **{name: Distribution.of(r.ttft for r in whole if chosen(r)) for name, chosen in by_turn.items()},
        "inter-token latency": Distribution.of(gap for request in whole for gap in request.gaps),
        "time per output token": Distribution.of(request.token_time for request in whole),
        "longest gap": Distribution.of(max(request.gaps, default=None) for request in whole),
        "whole answer": Distribution.of(request.finished - request.sent for request in whole),
    }


def _lengths(whole: Sequence[Measurement]) -> dict[str, Distribution | None]:
    return {
        "prompt": Distribution.of(request.prompt_tokens for request in whole),
        "cached": Distribution.of(request.cached_tokens for request in whole),
        "answer": Distribution.of(request.tokens for request in whole),
    }


def _known(named: dict[str, Distribution | None]) -> dict[str, Distribution]:
    return {name: distribution for name, distribution in named.items() if distribution}


def _most_at_once(requests: Sequence[Measurement]) -> int:
    changes = [(request.sent, 1) for request in requests]
    changes += [(request.finished, -1) for request in requests if request.finished is not None]
    return int(np.cumsum([change for _, change in sorted(changes)]).max(initial=0))
