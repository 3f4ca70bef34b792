"""Comparing decoders: logits as transformers has them, and the figures of a difference that is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from serving.models import checkpoint
from serving.models.config import DecoderConfig
from serving.models.logit_error import logit_error, logits
from tests.oracles.test_golden import GOLDEN


@pytest.mark.parametrize("family", ["gemma2", "gpt_oss"])  # windows, soft caps, sinks, experts
def test_logits_are_those_of_the_reference(family):
    reference = np.load(GOLDEN / family / "reference.npz")
    decoder = checkpoint.load(GOLDEN / family, DecoderConfig.from_folder(GOLDEN / family), jnp.float32)
    tokens = np.concatenate([reference["prompt"], reference["reply"][:-1]])
    np.testing.assert_allclose(logits(decoder, tokens), reference["logits"], atol=1e-4, rtol=0)


def test_figures_of_a_known_difference():
    folder, tokens = GOLDEN / "multi_head", np.arange(40, dtype=np.int32)
    decoder, other = (checkpoint.load(folder, DecoderConfig.from_folder(folder), jnp.float32) for _ in range(2))
    other.head.kernel[...] = other.head.kernel[...].at[:, 3].set(0)
    error = logit_error(decoder, other, tokens)
    expected, found = (np.asarray(logits(of, tokens), np.float64) for of in (decoder, other))
    difference = np.zeros_like(expected)
    difference[:, 3] = -expected[:, 3]  # its logit became zero
    np.testing.assert_allclose(found - expected, difference, atol=1e-5)
    assert error.tokens == 40
    assert error.root_mean_square == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-4)
    assert error.relative == pytest.approx(error.root_mean_square / np.sqrt(expected.var(-1).mean()), rel=1e-4)
    assert error.largest == pytest.approx(np.abs(difference).max(), rel=1e-4)
    shares, changed = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (expected, found))
    divergence = np.mean(np.sum(shares * np.log(shares / changed), -1))
    assert error.divergence == pytest.approx(divergence, rel=1e-3)
    assert error.agreement == pytest.approx(np.mean(expected.argmax(-1) == found.argmax(-1)))
    assert "over 40 tokens" in str(error)
    same = logit_error(decoder, decoder, tokens)
    assert (same.root_mean_square, same.largest, same.agreement) == (0, 0, 1)
