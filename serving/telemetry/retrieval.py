"""What a gateway knows of its retriever, for Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from serving.retriever.request import RetrieverStats


class RetrieverCollector(Collector):
    """The retriever's own gauges and counters, read when Prometheus asks."""

    def __init__(self, stats: Callable[[], RetrieverStats]) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """The newest stats. Counters start again at 0 with a new retriever, which Prometheus' `rate` expects."""
        stats = self._stats()
        gauges = {
            "documents_waiting": ("Documents that are still to be read.", stats.waiting),
            "index_bytes": ("Memory that all loaded indexes take at most.", stats.index_bytes),
        }
        counters = {
            "documents": ("Documents that were handed in.", stats.documents),
            "searches": ("Searches that were answered.", stats.searches),
            "search_seconds": ("Seconds that these took.", stats.search_seconds),
        }
        for kind, families in ((GaugeMetricFamily, gauges), (CounterMetricFamily, counters)):
            for name, (documentation, value) in families.items():
                yield kind(f"tradewind:retriever_{name}", documentation, value=value)
