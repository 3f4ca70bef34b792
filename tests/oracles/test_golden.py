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
UNLIKE = ["gemma2", "gpt_oss_mxfp4", "phi3_longrope", "qwen3_moe"]
"""Between them they have all that the engine's program treats in ways of its own: windows, soft caps, sinks, experts,
stored weights that are taken apart or unpacked, rotary frequencies of long contexts."""


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_of_prefill_and_every_decode_step(family):
    """Over the reference's greedy reply: each of its tokens is our likeliest too, so ours would be the same."""
    folder = GOLDEN / family
    reference = np.load(folder / "reference.npz")
    decoder = checkpoint.load(folder, DecoderConfig.from_folder(folder), jnp.float32)
    ours = paged_logits(decoder, reference["prompt"], reference["reply"])
    np.testing.assert_allclose(ours, reference["logits"], atol=1e-4, rtol=0)
    np.testing.assert_array_equal(ours[len(reference["prompt"]) - 1 :].argmax(axis=-1), reference["reply"])


@pytest.mark.parametrize("family", UNLIKE)
def test_greedy_reply_through_the_engine(family):
    reference = np.load(GOLDEN / family / "reference.npz")
    request = GenerationRequest(
        "r", tuple(reference["prompt"].tolist()), SamplingParams(max_tokens=len(reference["reply"]), temperature=0)
    )
    with offline(GOLDEN / family, max_rows=1, max_context=256, step_tokens=32) as engine:
        (reply,) = engine.generate([request])
    assert reply.tokens == reference["reply"].tolist()
