"""Frequencies: which of LongRoPE's two sets holds, and how far YaRN's ramp reaches; tests/oracles compares the rest."""

import numpy as np

from serving.models.rope_config import LongRopeScaling, RopeConfig, YarnScaling


def test_long_rope_is_chosen_by_the_longest_context_that_is_served():
    rope = RopeConfig(scaling=LongRopeScaling((1.0, 2.0), (4.0, 8.0), original_context=4096))
    plain = RopeConfig().frequencies(4, 4096)
    np.testing.assert_allclose(rope.frequencies(4, 4096), plain / [1, 2])
    np.testing.assert_allclose(rope.frequencies(4, 4097), plain / [4, 8])


def test_yarn_keeps_the_fast_frequencies_and_divides_the_slow_ones():
    plain = RopeConfig().frequencies(64, 32768)
    stretched = RopeConfig(scaling=YarnScaling(4.0, 8192)).frequencies(64, 32768)
    turns = 8192 * plain / (2 * np.pi)
    np.testing.assert_allclose(stretched[turns > 40], plain[turns > 40], rtol=1e-6)
    np.testing.assert_allclose(stretched[turns < 0.7], plain[turns < 0.7] / 4, rtol=1e-6)
    between = (turns < 20) & (turns > 2)
    assert np.all((stretched < plain)[between] & (stretched > plain / 4)[between])


def test_only_a_share_of_a_head_turns():
    assert len(RopeConfig(rotated_share=0.75).frequencies(128, 4096)) == 48
