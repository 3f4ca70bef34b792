"""The metrics that a gateway exports, from its own collectors: names, kinds and labels of every series."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from serving.engine.request import EngineStats
from serving.telemetry.metrics import EngineCollector, RequestMetrics


@dataclass(frozen=True, slots=True)
class Series:
    """A series as PromQL names it.

    Attributes:
        kind: of its metric: counter, gauge or histogram.
        labels: those that it has before it is scraped.
        engine: it is the engine's own, and every gateway of a cell exports it.
    """

    kind: str
    labels: frozenset[str]
    engine: bool


@functools.cache
def exported() -> Mapping[str, Series]:
    """Every series by its name."""
    registry = CollectorRegistry()
    RequestMetrics(registry, "model")
    collectors = {True: EngineCollector("model", EngineStats), False: registry}
    return {
        sample.name: Series(metric.type, frozenset(sample.labels), engine)
        for engine, collector in collectors.items()
        for metric in collector.collect()
        for sample in metric.samples
    }
