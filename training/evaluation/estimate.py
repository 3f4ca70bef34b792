"""A measured value with its 95% confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z = 1.959964
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What `n` examples gave, and the bounds between which the true value lies 95 times in a hundred."""

    value: float
    low: float
    high: float
    n: int


def proportion(outcomes: Sequence[bool]) -> Estimate | None:
    """The part of outcomes that are true, with Wilson's score interval; None where there are none."""
    n = len(outcomes)
    if not n:
        return None
    rate = sum(outcomes) / n
    centre = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    return Estimate(rate, max(0.0, centre - half), min(1.0, centre + half), n)


def balanced(first: Sequence[bool], second: Sequence[bool]) -> Estimate | None:
    """The mean of two proportions, their intervals joined by Newcombe's square-and-add (Stat. Med. 1998, 17:873).

    None where one of them has no outcomes.
    """
    one, two = proportion(first), proportion(second)
    if one is None or two is None:
        return None
    value = (one.value + two.value) / 2
    below = math.hypot(one.value - one.low, two.value - two.low) / 2
    above = math.hypot(one.high - one.value, two.high - two.value) / 2
    return Estimate(value, value - below, value + above, one.n + two.n)


def ratio(tops: Sequence[float], bottoms: Sequence[float]) -> Estimate | None:
    """sum(tops) / sum(bottoms) over examples, with a percentile bootstrap over them; None where there are none."""
    if not len(tops):
        return None
    top, bottom = np.asarray(tops, float), np.asarray(bottoms, float)
    drawn = np.random.default_rng(0).integers(0, len(top), size=(_RESAMPLES, len(top)))
    low, high = np.percentile(top[drawn].sum(1) / bottom[drawn].sum(1), (2.5, 97.5))
    return Estimate(float(top.sum() / bottom.sum()), float(low), float(high), len(top))


def mean(values: Sequence[float]) -> Estimate | None:
    """The mean over examples, with a percentile bootstrap over them; None where there are none."""
    return ratio(values, np.ones(len(values)))
