"""What a gateway measures of looking things up for chats, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from serving.telemetry.metrics import LABEL

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class GroundingMetrics:
    """A counter and a histogram over the questions that were looked up."""

    def __init__(self, registry: CollectorRegistry, model: str) -> None:
        self._model = model
        self._questions = Counter(
            "tradewind:grounding_questions",
            "Questions looked up for chats, by where their passages are from (found, last_known, none) and by warning.",
            (LABEL, "origin", "warning"),
            registry=registry,
        )
        self._seconds = Histogram(
            "tradewind:grounding_seconds",
            "Seconds that a question waited for its passages.",
            (LABEL,),
            buckets=SECONDS,
            registry=registry,
        ).labels(model)

    def looked_up(self, origin: str, warning: str | None, seconds: float) -> None:
        """A question has what it gets; `warning` is None where all went well."""
        self._questions.labels(self._model, origin, warning or "").inc()
        self._seconds.observe(seconds)
