"""How a head's channels turn with the position, and how that is stretched beyond the trained context.

Plain numpy: what comes out are constants of the step programs.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float

Frequencies = Float[np.ndarray, " pairs"]
"""Radians per position of each channel pair, float32, falling from 1 towards 1 / theta."""


class Scaling(Protocol):
    """A way to reach positions beyond those that the model was first trained on."""

    def stretch(self, frequencies: Frequencies, theta: float, max_position: int) -> Frequencies:
        """The frequencies of a model that serves up to `max_position` tokens."""


@dataclass(frozen=True, slots=True)
class LinearScaling:
    """Divides every position by `factor` (arXiv 2306.15595)."""

    factor: float

    def stretch(self, frequencies: Frequencies, theta: float, max_position: int) -> Frequencies:
        return frequencies / self.factor


@dataclass(frozen=True, slots=True)
class Llama3Scaling:
    """Stretches the slow frequencies alone: Meta's reference code of Llama 3.1.

    A frequency that turns fewer than `low_turns` times within `original_context` tokens is divided by `factor`, one
    that turns more than `high_turns` times stays, and those between go from the one to the other.
    """

    factor: float
    low_turns: float
    high_turns: float
    original_context: int

    def stretch(self, frequencies: Frequencies, theta: float, max_position: int) -> Frequencies:
        turns = self.original_context * frequencies / (2 * math.pi)
        kept = np.clip((turns - self.low_turns) / (self.high_turns - self.low_turns), 0.0, 1.0)
        return frequencies * (kept + (1.0 - kept) / self.factor)


@dataclass(frozen=True, slots=True)
class YarnScaling:
    """Stretches slow frequencies, keeps fast ones, with a straight ramp over the pairs between (arXiv 2309.00071).

    The ramp runs from the pair that turns `fast_turns` times within `original_context` tokens to the one that turns
    `slow_turns` times; `whole_pairs` rounds both ends outwards.
    """

    factor: float
    original_context: int
    fast_turns: float = 32.0
    slow_turns: float = 1.0
    whole_pairs: bool = True

    def stretch(self, frequencies: Frequencies, theta: float, max_position: int) -> Frequencies:
        pairs = len(frequencies)

        def pair_of(turns: float) -> float:
            return pairs * math.log(self.original_context / (turns * 2 * math.pi)) / math.log(theta)

        first, last = pair_of(self.fast_turns), pair_of(self.slow_turns)
        if self.whole_pairs:
            first, last = math.floor(first), math.ceil(last)
        first, last = max(first, 0), min(last, 2 * pairs - 1)
        ramp = np.clip((np.arange(pairs, dtype=np.float32) - first) / max(last - first, 1e-3), 0.0, 1.0)
        return frequencies * (1.0 - ramp) + frequencies / self.factor * ramp


@dataclass(frozen=True, slots=True)
class LongRopeScaling:
    """A divisor of its own for every pair, found by search (arXiv 2402.13753).

    There are two sets, for contexts up to `original_context` and for longer ones. Keys are cached as they were turned,
    so the set is chosen once, by the longest context that is served, and not request by request.
    """

    short_factors: tuple[float, ...]
    long_factors: tuple[float, ...]
    original_context: int

    def stretch(self, frequencies: Frequencies, theta: float, max_position: int) -> Frequencies:
        factors = self.long_factors if max_position > self.original_context else self.short_factors
        return frequencies / np.asarray(factors, np.float32)


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary position embedding (RoFormer, arXiv 2104.09864).

    `rotated_share` of a head's channels turn, the rest stay; cosines and sines are multiplied by `magnitude`.
    """

    theta: float = 10_000.0
    scaling: Scaling | None = None
    rotated_share: float = 1.0
    magnitude: float = 1.0

    def frequencies(self, head_dim: int, max_position: int) -> Frequencies:
        """Radians per position of each pair of channels that turns."""
        channels = int(head_dim * self.rotated_share)
        frequencies = 1.0 / self.theta ** (np.arange(0, channels, 2, dtype=np.float32) / channels)
        if self.scaling:
            frequencies = self.scaling.stretch(frequencies, self.theta, max_position)
        return frequencies.astype(np.float32)
