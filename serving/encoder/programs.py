"""The encoder's programs: one for each shape of batch, with the weights on their device."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Int

from serving.encoder.batcher import BatchShape
from serving.encoder.request import TokenIds
from serving.models.encoder import Encoder, embed
from serving.models.encoder_recipe import EmbeddingRecipe
from serving.process.compiled_programs import Program


class Embed:
    """From texts to vectors, compiled for one shape at a time."""

    def __init__(self, encoder: Encoder, recipe: EmbeddingRecipe):
        graph, self._weights = nnx.split(encoder)

        @partial(jax.jit, static_argnames="longest")
        def program(weights: nnx.State, tokens: jax.Array, lengths: jax.Array, longest: int) -> jax.Array:
            return embed(nnx.merge(graph, weights), recipe, tokens, lengths, longest)

        self._program = program

    def compile(self, shape: BatchShape) -> Program:
        """A function from a batch's tokens and its texts' lengths to their vectors, as `packed` lays them out."""
        tokens = jax.ShapeDtypeStruct((shape.tokens,), jnp.int32)
        lengths = jax.ShapeDtypeStruct((shape.texts,), jnp.int32)
        with jax.default_matmul_precision("highest"):  # accelerators round float32 products otherwise
            compiled = self._program.lower(self._weights, tokens, lengths, shape.longest).compile()
        return partial(compiled, self._weights)


def packed(
    texts: Sequence[TokenIds], shape: BatchShape
) -> tuple[Int[np.ndarray, " tokens"], Int[np.ndarray, " texts"]]:
    """Texts end to end, and their lengths; behind them are texts of one token that nobody asked for."""
    tokens, lengths = np.zeros(shape.tokens, np.int32), np.ones(shape.texts, np.int32)
    ids = np.fromiter(chain.from_iterable(texts), np.int32)
    tokens[: len(ids)] = ids
    lengths[: len(texts)] = [len(text) for text in texts]
    return tokens, lengths
