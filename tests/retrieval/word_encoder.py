"""A test double of an encoder: a text's vector is the sum of its words' random directions. Clearly not for use."""

import re
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np

from retrieval.encoder import Encoder

DIMENSIONS = 32
_WORD = re.compile(r"\w+|[^\w\s]")


@cache
def direction(word: str, dimensions: int = DIMENSIONS) -> np.ndarray:
    """A word's direction, the same in every process."""
    return np.random.default_rng(zlib.crc32(word.encode())).normal(size=dimensions)


def vector(text: str, dimensions: int = DIMENSIONS) -> np.ndarray:
    """The sum over a text's words; zero without any."""
    words = re.findall(r"\w+", text.casefold())
    return np.sum([direction(word, dimensions) for word in words] or [np.zeros(dimensions)], axis=0)


async def embed(texts: Sequence[str]) -> np.ndarray:
    """A row for each text."""
    return np.array([vector(text) for text in texts], np.float32).reshape(len(texts), DIMENSIONS)


def spans(text: str) -> list[tuple[int, int]]:
    """Words and punctuation marks are the tokens."""
    return [match.span() for match in _WORD.finditer(text)]


def word_encoder(embed=embed, name: str = "words", max_tokens: int = 256) -> Encoder:
    """The encoder, or one that embeds in another way."""
    return Encoder(name, DIMENSIONS, max_tokens, embed, spans)
