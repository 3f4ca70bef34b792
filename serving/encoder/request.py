"""What an encoder is asked, and what it answers: plain values, no JAX, no HTTP."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

TokenIds = tuple[int, ...]
Vectors = Float[np.ndarray, "texts dimensions"]
"""Float32, a row a text."""


class InputTooLong(ValueError):
    """A text has more tokens than the encoder reads."""


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts, each as characters or as the ids that the encoder reads, special ones included.

    Texts beyond the encoder's limit are cut off where `truncate` is set, and refused where it is not.
    """

    inputs: tuple[str | TokenIds, ...]
    truncate: bool = False


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A vector for each input, and how many tokens were read of it."""

    vectors: Vectors
    token_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EncoderDescription:
    """What a gateway must know of an encoder before it sends work there."""

    model: str
    dimensions: int
    max_tokens: int  # of one text
    vocab_size: int
    normalised: bool  # whether vectors have the length 1
    platform: str
    fingerprint: str  # of weights and configuration: vectors of two encoders compare only where it is the same


@dataclass(frozen=True, slots=True)
class EncoderStats:
    """The encoder's gauge and counters after a batch (counters since it started)."""

    waiting: int = 0  # texts
    batches: int = 0
    texts: int = 0
    tokens: int = 0
    padding: int = 0  # places computed that hold no token

    def after(self, *, waiting: int, places: int, texts: int, tokens: int) -> "EncoderStats":
        """These and one more batch, of so many places, texts and tokens; `waiting` is the gauge's new value."""
        return EncoderStats(
            waiting, self.batches + 1, self.texts + texts, self.tokens + tokens, self.padding + places - tokens
        )
