"""What lies in the memory of one device, and how many tokens of cache it leaves room for."""

import dataclasses
from dataclasses import dataclass

from serving.engine.programs import step_shapes
from serving.plan.compiled import Compiled
from serving.plan.demand import Demand
from sharding.footprint import FLOAT32_BYTES, Footprint

MEMORY_SHARE = 0.9
"""Of a device's memory that a plan fills; the rest is for the runtime and for what lies between arrays."""

LIVE_ACTIVATIONS, LIVE_SCORES = 8, 6
"""Arrays of a token's channels, and of a row's scores, that are taken to live at once where no compiler says."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What lies in the memory of one device, in bytes.

    Attributes:
        limit: of the device.
        weights: its part of them.
        tables: of every slot: tokens that were said, bias of each.
        temporaries: that a step needs at once.
        padding: that the device's tiles add to what is kept.
        programs: of all steps that an engine compiles, were each as large as the largest of its kind.
        measured: whether a compiler said the last three; else temporaries are estimated and the others left out.
        token: keys and values of one token.
        needed_tokens: of all streams at their longest, in whole pages.
        page_size: tokens in a page.
    """

    limit: float
    weights: int
    tables: int
    temporaries: int
    padding: int
    programs: int
    measured: bool
    token: int
    needed_tokens: int
    page_size: int

    @classmethod
    def estimated(cls, limit: float, footprint: Footprint, demand: Demand, streams: int) -> "Memory":
        """From shapes alone, for one replica's streams on a device of `limit` bytes."""
        return cls(
            limit=limit,
            weights=footprint.weight_bytes,
            tables=(streams + 1) * footprint.fitted.config.vocab_size * 2 * FLOAT32_BYTES,
            temporaries=_temporaries(footprint, streams, demand.step_tokens),
            padding=0,
            programs=0,
            measured=False,
            token=footprint.kv_bytes,
            needed_tokens=streams * demand.pages * demand.page_size,
            page_size=demand.page_size,
        )

    def as_compiled(self, compiled: Compiled, demand: Demand, streams: int) -> "Memory":
        """The same with the compiler's word on the programs of that demand."""
        shapes = step_shapes(max_rows=streams, max_blocks=demand.blocks)
        return dataclasses.replace(
            self,
            temporaries=compiled.temporaries,
            padding=max(0, compiled.arguments - self.kept),
            programs=sum(compiled.mixed_code if shape.blocks else compiled.decode_code for shape in shapes),
            measured=True,
        )

    @property
    def kept(self) -> int:
        """What stays from step to step, with the cache of all streams at their longest, but for padding."""
        return self.weights + self.tables + self.needed_tokens * self.token

    @property
    def usable(self) -> float:
        """What is filled."""
        return self.limit * MEMORY_SHARE

    @property
    def around(self) -> int:
        """Bytes of everything but weights and cache."""
        return self.tables + self.temporaries + self.padding + self.programs

    @property
    def pool_tokens(self) -> int:
        """Tokens that the page pool holds; 0 where the rest leaves no room."""
        left = self.usable - self.weights - self.around
        return max(0, int(left // (self.token * self.page_size))) * self.page_size

    @property
    def needed(self) -> int:
        """Bytes of everything, with the cache of all streams at their longest."""
        return self.weights + self.around + self.needed_tokens * self.token

    @property
    def fits(self) -> bool:
        """Whether all streams have room at their longest."""
        return self.pool_tokens >= self.needed_tokens


def _temporaries(footprint: Footprint, streams: int, step_tokens: int) -> int:
    """About what a step needs beside what it keeps, at its largest: activations of a layer, scores of the rows."""
    config, tokens = footprint.fitted.config, streams + step_tokens
    width = config.experts.mlp_size * config.experts.per_token if config.experts else config.mlp_size
    width //= footprint.fitted.rules.parts("mlp", footprint.mesh)
    activations = tokens * (LIVE_ACTIVATIONS * config.hidden_size + 2 * width) * FLOAT32_BYTES
    return activations + LIVE_SCORES * streams * config.vocab_size * FLOAT32_BYTES
