"""What an engine makes of a model's configuration."""

import numpy as np

from serving.engine.loading import served_config
from serving.engine.options import EngineOptions
from serving.models.config import DecoderConfig
from serving.models.rope_config import LongRopeScaling, RopeConfig

SCALING = LongRopeScaling(short_factors=(1.0, 1.0, 1.0, 1.0), long_factors=(1.0, 2.0, 4.0, 8.0), original_context=4096)
LONG = DecoderConfig(
    vocab_size=8, hidden_size=16, layers=1, heads=2, kv_heads=2, head_dim=8, mlp_size=8, max_position=131_072,
    rope=RopeConfig(scaling=SCALING),
)  # fmt: skip


def frequencies(max_context: int) -> np.ndarray:
    served = served_config(LONG, EngineOptions(max_context=max_context))
    return served.rope.frequencies(served.head_dim, served.max_position)


def test_longrope_turns_by_the_longest_context_that_is_served():
    short, long = frequencies(4096), frequencies(0)
    np.testing.assert_allclose(short / long, SCALING.long_factors, rtol=1e-6)
    np.testing.assert_array_equal(frequencies(1 << 20), long)  # the model's own limit is the highest


def test_stored_types_stay_unless_another_is_asked_for():
    assert served_config(LONG, EngineOptions()).quantised is None
    assert served_config(LONG, EngineOptions(quantise="int8")).quantised == "int8"
