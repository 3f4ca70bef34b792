"""What a gateway measures of its requests and of its engine, for Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from serving.engine.request import EngineStats, Timings

# Bucket bounds in seconds. Dashboards read quantiles from them, so they follow vLLM's where those exist.
FIRST_TOKEN_BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
    *(160.0, 640.0, 2560.0),
)
TOKEN_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0),
)
REQUEST_BUCKETS = (
    *(0.005, 0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
LABEL = "model_name"


class RequestMetrics:
    """Counters and histograms over every sequence that this gateway has the engine generate."""

    def __init__(self, registry: CollectorRegistry, model: str) -> None:
        def histogram(name: str, documentation: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"vllm:{name}", documentation, (LABEL,), buckets=buckets, registry=registry).labels(model)

        def counter(name: str, documentation: str) -> Counter:
            return Counter(f"vllm:{name}", documentation, (LABEL,), registry=registry).labels(model)

        self.first_token = histogram(
            "time_to_first_token_seconds", "Seconds from arrival to the first token.", FIRST_TOKEN_BUCKETS
        )
        self.between_tokens = histogram(
            "inter_token_latency_seconds", "Seconds from one token to the next.", TOKEN_BUCKETS
        )
        self.per_token = histogram(
            "request_time_per_output_token_seconds",
            "Seconds per token after the first, averaged over a request.",
            TOKEN_BUCKETS,
        )
        self.whole = histogram(
            "e2e_request_latency_seconds", "Seconds from arrival to the last token.", REQUEST_BUCKETS
        )
        self.queue = histogram("request_queue_time_seconds", "Seconds that a request waited to run.", REQUEST_BUCKETS)
        self.prefill = histogram(
            "request_prefill_time_seconds", "Seconds from running to the first token.", REQUEST_BUCKETS
        )
        self.decode = histogram(
            "request_decode_time_seconds", "Seconds from the first token to the last.", REQUEST_BUCKETS
        )
        self.inference = histogram(
            "request_inference_time_seconds", "Seconds from running to the last token.", REQUEST_BUCKETS
        )
        self.prompt_tokens = counter("prompt_tokens", "Prompt tokens taken in.")
        self.generation_tokens = counter("generation_tokens", "Tokens generated.")
        success = Counter(
            "vllm:request_success",
            "Requests that ended, by how: stop, length, abort (the client left) or error.",
            (LABEL, "finished_reason"),
            registry=registry,
        )
        self._ended = {reason: success.labels(model, reason) for reason in ("stop", "length", "abort", "error")}

    def begin(self, prompt_tokens: int, now: float) -> "RequestRecord":
        """Start the record of one sequence that arrived `now`, in seconds of a monotonic clock."""
        self.prompt_tokens.inc(prompt_tokens)
        return RequestRecord(self, now)

    def count(self, reason: str) -> None:
        """One more sequence ended for `reason`."""
        self._ended[reason].inc()


class RequestRecord:
    """One sequence on its way; times in seconds of the clock that its `begin` was read from."""

    __slots__ = ("_arrived", "_first", "_last", "_metrics", "_tokens")

    def __init__(self, metrics: RequestMetrics, now: float) -> None:
        self._metrics = metrics
        self._arrived = now
        self._first = self._last = 0.0
        self._tokens = 0

    def tokens(self, count: int, now: float) -> None:
        """`count` more tokens came `now`; those of one step share its time between them."""
        if not count:
            return
        later = count
        if not self._tokens:
            self._metrics.first_token.observe(now - self._arrived)
            self._first = self._last = now
            later -= 1
        for _ in range(later):
            self._metrics.between_tokens.observe((now - self._last) / count)
        self._last = now
        self._tokens += count
        self._metrics.generation_tokens.inc(count)

    def end(self, reason: str, now: float, timings: Timings | None = None) -> None:
        """The sequence ended `now`; `timings` are the engine's own, where it reported them."""
        metrics = self._metrics
        metrics.count(reason)
        if self._tokens:
            metrics.whole.observe(now - self._arrived)
        if self._tokens > 1:
            metrics.per_token.observe((self._last - self._first) / (self._tokens - 1))
        if timings is not None and self._tokens:
            metrics.queue.observe(timings.scheduled - timings.arrived)
            metrics.prefill.observe(timings.first_token - timings.scheduled)
            metrics.decode.observe(timings.finished - timings.first_token)
            metrics.inference.observe(timings.finished - timings.scheduled)


class EngineCollector(Collector):
    """The engine's own gauges and counters, read when Prometheus asks."""

    def __init__(self, model: str, stats: Callable[[], EngineStats]) -> None:
        self._model = model
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        """The newest stats. Counters start again at 0 with a new engine, which Prometheus' `rate` expects."""
        stats = self._stats()
        used = stats.pages_used / stats.pages_total if stats.pages_total else 0.0
        gauges = {
            "num_requests_running": ("Sequences that the engine computes.", stats.running),
            "num_requests_waiting": ("Sequences that wait for a row or for pages.", stats.waiting),
            "kv_cache_usage_perc": ("Share of the KV cache's pages in use, from 0 to 1.", used),
        }
        counters = {
            "prefix_cache_queries": ("Prompt tokens looked up in the prefix cache.", stats.prefix_queries),
            "prefix_cache_hits": ("Prompt tokens found in the prefix cache.", stats.prefix_hits),
            "num_preemptions": ("Sequences put back in the queue because pages ran out.", stats.preemptions),
        }
        for name, (documentation, value) in gauges.items():
            yield self._family(GaugeMetricFamily, name, documentation, value)
        for name, (documentation, value) in counters.items():
            yield self._family(CounterMetricFamily, name, documentation, value)

    def _family(
        self, kind: type[GaugeMetricFamily] | type[CounterMetricFamily], name: str, documentation: str, value: float
    ) -> Metric:
        family = kind(f"vllm:{name}", documentation, labels=(LABEL,))
        family.add_metric((self._model,), value)
        return family
