"""The same comparison against `transformers` itself, where it is installed: fresh weights, not the fixtures."""

import jax.numpy as jnp
import numpy as np
import pytest

from serving.models import checkpoint
from serving.models.config import DecoderConfig
from tests.oracles.paged import paged_logits
from tests.oracles.test_golden import FAMILIES

pytest.importorskip("torch", reason="the live oracle needs torch and transformers")
pytest.importorskip("transformers", reason="the live oracle needs torch and transformers")


@pytest.mark.parametrize("family", FAMILIES)
def test_logits(family, tmp_path):
    from tests.oracles.families import write_model

    reference = write_model(family, tmp_path)
    decoder = checkpoint.load(tmp_path, DecoderConfig.from_folder(tmp_path), jnp.float32)
    ours = paged_logits(decoder, reference.prompt, reference.reply)
    np.testing.assert_allclose(ours, reference.logits, atol=1e-4, rtol=0)
