"""What a gateway measures of its embedding requests and of its encoder, for Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from serving.encoder.request import EncoderStats
from serving.telemetry.metrics import LABEL

REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
OUTCOMES = ("success", "invalid", "unavailable", "abort")


class EmbeddingMetrics:
    """Counters and a histogram over this gateway's requests for embeddings."""

    def __init__(self, registry: CollectorRegistry, model: str) -> None:
        def counter(name: str, documentation: str) -> Counter:
            return Counter(f"tradewind:{name}", documentation, (LABEL,), registry=registry).labels(model)

        self._seconds = Histogram(
            "tradewind:embedding_request_seconds",
            "Seconds from arrival to the last vector.",
            (LABEL,),
            buckets=REQUEST_BUCKETS,
            registry=registry,
        ).labels(model)
        self._texts = counter("embedding_texts", "Texts turned into vectors.")
        self._tokens = counter("embedding_tokens", "Tokens of these texts.")
        requests = Counter(
            "tradewind:embedding_requests",
            "Requests that ended, by how: success, invalid, unavailable or abort (the client left).",
            (LABEL, "outcome"),
            registry=registry,
        )
        self._requests = {outcome: requests.labels(model, outcome) for outcome in OUTCOMES}

    def served(self, texts: int, tokens: int, seconds: float) -> None:
        """A request has all its vectors."""
        self._requests["success"].inc()
        self._texts.inc(texts)
        self._tokens.inc(tokens)
        self._seconds.observe(seconds)

    def failed(self, outcome: str) -> None:
        """A request ended without them; `outcome` is another one of OUTCOMES."""
        self._requests[outcome].inc()


class EncoderCollector(Collector):
    """The encoder's own gauge and counters, read when Prometheus asks."""

    def __init__(self, model: str, stats: Callable[[], EncoderStats]) -> None:
        self._model = model
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """The newest stats. Counters start again at 0 with a new encoder, which Prometheus' `rate` expects."""
        stats = self._stats()
        families = (
            GaugeMetricFamily("tradewind:encoder_texts_waiting", "Texts that wait for the encoder.", labels=(LABEL,)),
            CounterMetricFamily("tradewind:encoder_batches", "Batches that the encoder computed.", labels=(LABEL,)),
            CounterMetricFamily("tradewind:encoder_tokens", "Tokens in these batches.", labels=(LABEL,)),
            CounterMetricFamily("tradewind:encoder_padding", "Places in them that held no token.", labels=(LABEL,)),
        )
        values = (stats.waiting, stats.batches, stats.tokens, stats.padding)
        for family, value in zip(families, values, strict=True):
            family.add_metric((self._model,), value)
            yield family
