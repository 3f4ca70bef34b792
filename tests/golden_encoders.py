"""The golden encoders of tests/oracles: small ones with random weights, and what sentence-transformers said of them."""

import json
from pathlib import Path

import numpy as np

from serving.models.encoder_folder import DEFAULT_NAME, find_encoder

GOLDEN = Path(__file__).parent / "oracles" / "golden_encoders"
TEXTS: list[str] = json.loads((GOLDEN / "texts.json").read_text())
VECTORS: dict[str, np.ndarray] = dict(np.load(GOLDEN / "vectors.npz"))
"""By encoder, a vector for each of TEXTS."""


def encoder_folder(name: str) -> Path:
    """An encoder's folder."""
    return find_encoder("" if name == DEFAULT_NAME else str(GOLDEN / name))
