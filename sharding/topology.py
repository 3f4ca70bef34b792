"""A topology: so many chips of a kind, how they are joined, and what they may send."""

import math
from dataclasses import dataclass

from sharding.chips import CHIPS, Chip, Shape
from sharding.mesh import ShardingError

TORUS_EDGE = 16
"""Chips of a pod's edge on v5e and v6e: a slice that spans it is a ring along it."""

CUBE_EDGE = 4
"""Chips of a cube's edge on v5p and tpu7x: slices of whole cubes are rings along every axis."""


@dataclass(frozen=True, slots=True)
class Topology:
    """Chips that are let together: a slice of TPUs, or the cards of one machine."""

    chip: Chip
    shape: Shape

    @classmethod
    def parse(cls, text: str) -> "Topology":
        """Reads `v6e:2x4` or `h100:8`. Raises ShardingError with what is accepted."""
        name, colon, shape = (part.strip().lower() for part in text.partition(":"))
        if name not in CHIPS:
            raise ShardingError(
                f"topology {text!r}: {name or 'nothing'!r} is no chip that is known; accepted are {', '.join(CHIPS)}, "
                "each with a shape, as in v6e:2x4 or h100:8"
            )
        known = {"x".join(map(str, shape)): shape for shape in CHIPS[name].shapes}
        if not colon or shape not in known:
            what = f"there is no {name} of shape {shape}" if shape else "the shape is missing"
            raise ShardingError(f"topology {text!r}: {what}; accepted are {', '.join(f'{name}:{s}' for s in known)}")
        return cls(CHIPS[name], known[shape])

    @classmethod
    def all(cls) -> list["Topology"]:
        """Every topology that is known, those of a chip together, small ones first."""
        return [cls(chip, shape) for chip in CHIPS.values() for shape in chip.shapes]

    @property
    def name(self) -> str:
        """As `parse` reads it."""
        return f"{self.chip.name}:{'x'.join(map(str, self.shape))}"

    @property
    def chips(self) -> int:
        """Chips in all."""
        return math.prod(self.shape)

    @property
    def devices(self) -> int:
        """Devices that JAX shows."""
        return self.chips * self.chip.devices

    @property
    def machines(self) -> tuple[int, str] | None:
        """How many machines of which type; None where no type is known that holds so few of the chips.

        Slices that need several machines are made of those with four chips.
        """
        types = self.chip.machines
        if self.chips in types:
            return 1, types[self.chips]
        return (self.chips // 4, types[4]) if self.chips > 4 and 4 in types and self.chip.platform == "tpu" else None

    @property
    def memory(self) -> float:
        """Bytes of one device."""
        return self.chip.memory / self.chip.devices

    @property
    def memory_bandwidth(self) -> float:
        """Bytes a second of one device."""
        return self.chip.memory_bandwidth / self.chip.devices

    @property
    def bf16_flops(self) -> float:
        """Operations a second of one device."""
        return self.chip.bf16_flops / self.chip.devices

    @property
    def egress(self) -> float:
        """Bytes a second that a chip with the fewest links sends over all of them; 0 for one chip alone.

        A collective waits for that chip. Two devices that share a chip each count its links as their own, for what
        they send each other takes a faster way.
        """
        if self.chips == 1:
            return 0.0
        if self.chip.platform == "gpu":
            return self.chip.links * self.chip.link_bandwidth
        return sum(map(self._links_along, self.shape)) * self.chip.link_bandwidth

    def _links_along(self, edge: int) -> int:
        """Links of a chip at the end of an edge: two where the edge is closed to a ring."""
        if edge == 1:
            return 0
        if len(self.shape) == 2:
            return 2 if edge == TORUS_EDGE else 1
        return 2 if all(size % CUBE_EDGE == 0 for size in self.shape) else 1
