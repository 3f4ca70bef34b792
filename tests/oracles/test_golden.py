"""Our decoder and engine against what `transformers` said of the same weights (fixtures of regenerate.py)."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from serving.engine.request import GenerationRequest, SamplingParams
from serving.models import checkpoint
from serving.models.config import DecoderConfig
from tests.engine.offline import offline
from tests.oracles.paged import paged_logits

GOLDEN = Path(__file__).parent / "golden"
FAMILIES = sorted(path.name for path in GOLDEN.iterdir())


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_of_prefill_and_every_decode_step(family):
    folder = GOLDEN / family
    reference = np.load(folder / "reference.npz")
    decoder = checkpoint.load(folder, DecoderConfig.from_folder(folder), jnp.float32)
    ours = paged_logits(decoder, reference["prompt"], reference["reply"])
    np.testing.assert_allclose(ours, reference["logits"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_reply_through_the_engine(family):
    reference = np.load(GOLDEN / family / "reference.npz")
    request = GenerationRequest(
        "r", tuple(reference["prompt"].tolist()), SamplingParams(max_tokens=len(reference["reply"]), temperature=0)
    )
    with offline(GOLDEN / family, max_rows=1, max_context=256, step_tokens=32) as engine:
        (reply,) = engine.generate([request])
    assert reply.tokens == reference["reply"].tolist()
