"""Values and intervals against published and hand-made ones."""

import numpy as np
import pytest

from training.evaluation.estimate import balanced, mean, proportion, ratio


def test_wilsons_interval_as_published() -> None:
    # Newcombe, Stat. Med. 1998, 17:857, table I: 81 of 263 and 0 of 20, method 3.
    found = proportion([True] * 81 + [False] * 182)
    assert (found.value, found.n) == (81 / 263, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    none = proportion([False] * 20)
    assert (none.low, none.high) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_a_balanced_accuracy_weighs_both_sides_alike() -> None:
    found = balanced([True] * 10, [True] * 200 + [False] * 200)
    assert (found.value, found.n) == (0.75, 410)
    assert found.low == pytest.approx(0.75 - np.hypot(1 - 0.72246, 0.5 - 0.45130) / 2, abs=1e-4)
    assert found.high == pytest.approx(0.75 + (0.54870 - 0.5) / 2, abs=1e-4)


def test_a_ratio_pools_and_its_interval_is_that_of_the_means_spread() -> None:
    assert ratio([1.0, 9.0], [1.0, 3.0]).value == 2.5
    values = np.random.default_rng(1).normal(5.0, 2.0, size=400)
    found = mean(values)
    assert found.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_nothing_measured_is_no_estimate() -> None:
    assert proportion([]) is None
    assert mean([]) is None
    assert balanced([], [True]) is None
