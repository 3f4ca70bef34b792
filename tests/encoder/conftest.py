"""A small encoder with few programs."""

import pytest

from serving.encoder.embedder import Embedder
from serving.encoder.loading import load
from serving.encoder.options import EncoderOptions
from tests.golden_encoders import GOLDEN

OPTIONS = EncoderOptions(model="tiny", max_tokens=40, batch_tokens=64, compile_threads=2)


@pytest.fixture(scope="session")
def loaded() -> Embedder:
    """The golden BERT, for tests that do not start it."""
    return load(GOLDEN / "bert", OPTIONS, lambda progress: None)
