"""Service level objectives: what makes a request good."""

from dataclasses import dataclass

from serving.bench.measurement import Measurement


@dataclass(frozen=True, slots=True)
class Slo:
    """Most seconds to the first token, and most mean seconds for each further one; None is no bound."""

    ttft: float | None = None
    itl: float | None = None

    def __bool__(self) -> bool:
        return self.ttft is not None or self.itl is not None

    def met(self, request: Measurement) -> bool:
        """It succeeded, and within both bounds where they are given."""
        if not request.succeeded:
            return False
        ttft, itl = request.ttft, request.token_time
        return (self.ttft is None or ttft <= self.ttft) and (self.itl is None or itl is None or itl <= self.itl)
