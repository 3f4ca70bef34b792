"""The encoder as this room sees it: somebody's function from texts to vectors."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float32

from retrieval.chunking import Spans
from retrieval.errors import EncoderFault
from retrieval.index.vectors import unit_rows
from retrieval.recent import Recent

QUERIES = 4096  # whose vectors are kept

Embed = Callable[[Sequence[str]], Awaitable[Float[np.ndarray, "texts dimensions"]]]


@dataclass(frozen=True, slots=True)
class Encoder:
    """`name` tells vectors of one encoder from another's; `max_tokens` is the longest text that it reads whole, counted
    by `spans` without special tokens."""

    name: str
    dimensions: int
    max_tokens: int
    embed: Embed
    spans: Spans
    _queries: Recent[Float32[np.ndarray, " dimensions"]] = field(
        default_factory=lambda: Recent(QUERIES), init=False, repr=False, compare=False
    )

    async def vectors(
        self, texts: Sequence[str]
    ) -> tuple[Float32[np.ndarray, "texts dimensions"], Bool[np.ndarray, " texts"]]:
        """A vector of length 1 for each text, and which are usable. Raises EncoderFault for anything else."""
        return unit_rows(await self.embed(texts), len(texts), self.dimensions)

    async def query_vector(self, query: str) -> Float32[np.ndarray, " dimensions"]:
        """The vector of one text. Raises EncoderFault when there is none."""
        return await self._queries.get(query, lambda: self._query_vector(query))

    async def _query_vector(self, query: str) -> Float32[np.ndarray, " dimensions"]:
        vectors, usable = await self.vectors([query])
        if not usable[0]:
            raise EncoderFault("the encoder gave a vector without a direction for the query")
        return vectors[0]
