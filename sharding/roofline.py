"""The roofline: how long a step takes at least, because of what it reads, computes and sends.

A step can be no faster than the slowest of three: the memory that brings weights, keys and values; the units that
multiply; the links. Each is taken at the peak that its maker publishes, overlapped with the others and without latency,
so no engine reaches these times (Williams et al. 2009, "Roofline: an insightful visual performance model").
"""

from dataclasses import dataclass

from sharding.footprint import Footprint
from sharding.pipeline import micro_batches
from sharding.topology import Topology


@dataclass(frozen=True, slots=True)
class Work:
    """What one device has to do in a step. Ticks in which a pipeline's stage waits count as if it worked."""

    weight_bytes: float
    kv_bytes: float
    flops: float
    sent_bytes: float

    @classmethod
    def of(
        cls, footprint: Footprint, *, rows: int, context: int, start: int = 0, end: int = 0, page_size: int = 16
    ) -> "Work":
        """Of a step in which `rows` streams decode behind `context` tokens each, beside a chunk of a prompt.

        Args:
            start, end: the chunk is the prompt's tokens [start, end); none where they are equal.
            page_size: tokens of the blocks that chunks consist of, as micro-batches count them.
        """
        chunk = end - start
        tokens, drawing = rows + chunk, rows + bool(chunk)
        parts = micro_batches(footprint.stages, drawing, -(-chunk // page_size), page_size)
        passes = footprint.passes(parts)
        read = rows * footprint.keys_read(context - 1, context) + (footprint.keys_read(start, end) if chunk else 0)
        met = rows * footprint.keys_met(context - 1, context) + footprint.keys_met(start, end)
        products = footprint.token_elements * tokens + footprint.score_elements * drawing
        attention = 2 * footprint.heads * footprint.fitted.config.head_dim * met  # scores, then values
        return cls(
            weight_bytes=passes * footprint.read_bytes(tokens // parts),
            kv_bytes=passes / parts * footprint.kv_layer_bytes * read,
            flops=passes / parts * 2 * (products + attention),
            sent_bytes=sum(one.times * one.sent_bytes for one in footprint.collectives(tokens, drawing, parts)),
        )


@dataclass(frozen=True, slots=True)
class Bound:
    """Least seconds of a step, by what it waits for.

    Attributes:
        weights: to read the weights.
        cache: to read keys and values, after the weights through the same memory.
        compute: to multiply.
        links: to send what collectives send.
    """

    weights: float
    cache: float
    compute: float
    links: float

    @classmethod
    def of(cls, work: Work, topology: Topology) -> "Bound":
        """The bound of a device's work on a topology."""
        return cls(
            weights=work.weight_bytes / topology.memory_bandwidth,
            cache=work.kv_bytes / topology.memory_bandwidth,
            compute=work.flops / topology.bf16_flops,
            links=work.sent_bytes / topology.egress if work.sent_bytes else 0.0,
        )

    @property
    def seconds(self) -> float:
        """Of the step."""
        return max(self._waits.values())

    @property
    def by(self) -> str:
        """What the step waits for: memory, compute or links."""
        return max(self._waits, key=self._waits.__getitem__)

    @property
    def _waits(self) -> dict[str, float]:
        return {"memory": self.weights + self.cache, "compute": self.compute, "links": self.links}


def first_token_seconds(
    footprint: Footprint, topology: Topology, *, prompt: int, chunk: int, rows: int, context: int, page_size: int = 16
) -> float:
    """Least time to first token of a prompt that is read in chunks beside `rows` streams that decode.

    Nobody waits before it, and nothing of it is found in the cache.
    """
    return sum(
        Bound.of(
            Work.of(
                footprint, rows=rows, context=context, start=start, end=min(start + chunk, prompt), page_size=page_size
            ),
            topology,
        ).seconds
        for start in range(0, prompt, chunk)
    )
