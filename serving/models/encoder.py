"""A text encoder of the BERT family, and its text vectors.

    tokens -> embeddings -> layers (attention, norm, MLP, norm) -> hidden states -> pooling -> vectors

Texts lie end to end on one axis of tokens, so that nothing is computed for padding; attention alone lays them out as
rows. Everything is float32: the vectors are small, and XLA:CPU is quick at nothing else.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from serving.models.encoder_config import EncoderActivation, EncoderConfig
from serving.models.encoder_recipe import EmbeddingRecipe

FARTHEST = 128
"""Distance from which on all tokens share a bias, as MPNet was trained."""


class TextLayout(NamedTuple):
    """Where texts lie on the axis of all tokens, and where tokens lie in rows of texts.

    Tokens behind the last text belong to nobody; what is computed for them means nothing.
    """

    tokens: Int[Array, "texts longest"]  # the place on the axis; beyond a text's end, of some other token
    within: Bool[Array, "texts longest"]  # whether that is the text's own
    positions: Int[Array, " tokens"]  # in the token's own text
    rows: Int[Array, " tokens"]  # the place among all rows' places, one row after another

    @classmethod
    def of(cls, lengths: Int[Array, " texts"], count: int, longest: int) -> "TextLayout":
        """Texts of `lengths` tokens, up to `longest`, on an axis of `count`."""
        places = jnp.arange(longest)
        starts = jnp.cumsum(lengths) - lengths
        text = jnp.repeat(jnp.arange(len(lengths)), lengths, total_repeat_length=count)
        positions = jnp.minimum(jnp.arange(count) - starts[text], longest - 1)
        return cls(
            jnp.minimum(starts[:, None] + places, count - 1),
            places < lengths[:, None],
            positions,
            text * longest + positions,
        )


class Embeddings(nnx.Module):
    """Token, position and segment, added and normalised."""

    def __init__(self, config: EncoderConfig, rngs: nnx.Rngs):
        self.words = nnx.Embed(config.vocab_size, config.hidden_size, rngs=rngs)
        self.positions = nnx.Embed(config.positions, config.hidden_size, rngs=rngs)
        self.types = nnx.Embed(config.token_types, config.hidden_size, rngs=rngs) if config.token_types else None
        self.norm = nnx.LayerNorm(config.hidden_size, epsilon=config.norm_eps, rngs=rngs)
        self._first_position = config.first_position

    def __call__(self, tokens: Int[Array, " N"], positions: Int[Array, " N"]) -> Float[Array, "N embed"]:
        x = self.words(tokens) + self.positions(positions + self._first_position)
        return self.norm(x if self.types is None else x + self.types.embedding[0])


class SelfAttention(nnx.Module):
    """Every token attends to all of its text. Query, key and value are one projection."""

    def __init__(self, config: EncoderConfig, rngs: nnx.Rngs):
        self.query_key_value = nnx.Linear(config.hidden_size, 3 * config.hidden_size, rngs=rngs)
        self.out = nnx.Linear(config.hidden_size, config.hidden_size, rngs=rngs)
        self._heads = config.heads

    def __call__(
        self, x: Float[Array, "N embed"], layout: TextLayout, bias: Float[Array, "texts _ _ longest"]
    ) -> Float[Array, "N embed"]:
        """`bias`, broadcast over heads and queries, is added to the scores of keys; minus infinity hides one."""
        rows = _taken(self.query_key_value(x), layout.tokens)
        query, key, value = rows.reshape(*rows.shape[:2], 3, self._heads, -1).transpose(2, 0, 3, 1, 4)
        scores = (query * query.shape[-1] ** -0.5) @ key.swapaxes(-1, -2) + bias
        weights = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (weights @ value) / weights.sum(axis=-1, keepdims=True)
        return self.out(_taken(mixed.swapaxes(1, 2).reshape(-1, x.shape[-1]), layout.rows))


class EncoderLayer(nnx.Module):
    """Attention and MLP, each added to what came in and then normalised."""

    def __init__(self, config: EncoderConfig, rngs: nnx.Rngs):
        self.attention = SelfAttention(config, rngs)
        self.attention_norm = nnx.LayerNorm(config.hidden_size, epsilon=config.norm_eps, rngs=rngs)
        self.up = nnx.Linear(config.hidden_size, config.mlp_size, rngs=rngs)
        self.down = nnx.Linear(config.mlp_size, config.hidden_size, rngs=rngs)
        self.norm = nnx.LayerNorm(config.hidden_size, epsilon=config.norm_eps, rngs=rngs)
        self._activation: EncoderActivation = config.activation

    def __call__(
        self, x: Float[Array, "N embed"], layout: TextLayout, bias: Float[Array, "texts _ _ longest"]
    ) -> Float[Array, "N embed"]:
        x = self.attention_norm(x + self.attention(x, layout, bias))
        return self.norm(x + self.down(activated(self.up(x), self._activation)))


class Encoder(nnx.Module):
    """An encoder of any supported family."""

    def __init__(self, config: EncoderConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.embeddings = Embeddings(config, rngs)
        self.layers = nnx.List(EncoderLayer(config, rngs) for _ in range(config.layers))
        self.distances = (
            nnx.Embed(config.relative_buckets, config.heads, rngs=rngs) if config.relative_buckets else None
        )

    def __call__(self, tokens: Int[Array, " N"], layout: TextLayout) -> Float[Array, "N embed"]:
        """Hidden states after the last layer."""
        bias = jnp.where(layout.within, 0.0, -jnp.inf)[:, None, None]
        if self.distances is not None:
            buckets = distance_buckets(layout.within.shape[1], self.config.relative_buckets)
            bias = bias + self.distances(buckets).transpose(2, 0, 1)
        x = self.embeddings(tokens, layout.positions)
        for layer in self.layers:
            x = layer(x, layout, bias)
        return x


def embed(
    encoder: Encoder, recipe: EmbeddingRecipe, tokens: Int[Array, " N"], lengths: Int[Array, " texts"], longest: int
) -> Float[Array, "texts embed"]:
    """A vector for each text.

    Args:
        tokens: texts, one after another from the start.
        lengths: of each text, from 1 to `longest`.
    """
    layout = TextLayout.of(lengths, len(tokens), longest)
    hidden = encoder(tokens, layout)
    if recipe.pooling == "cls":
        vectors = _taken(hidden, layout.tokens[:, 0])
    else:
        rows = _taken(hidden, layout.tokens)
        vectors = jnp.where(layout.within[..., None], rows, 0).sum(axis=1) / lengths[:, None]
    if recipe.normalised:
        norm = jnp.linalg.norm(vectors, axis=-1, keepdims=True)
        vectors = vectors / jnp.maximum(norm, 1e-12)  # as torch.nn.functional.normalize
    return vectors


def activated(x: Float[Array, "*N"], activation: EncoderActivation) -> Float[Array, "*N"]:
    """The MLP's activation."""
    match activation:
        case "gelu":  # jax.nn.gelu takes erfc, which costs XLA:CPU twice what erf does
            return 0.5 * x * (1 + jax.lax.erf(x * math.sqrt(0.5)))
        case "gelu_tanh":
            return jax.nn.gelu(x, approximate=True)
        case "relu":
            return jax.nn.relu(x)


def distance_buckets(length: int, buckets: int) -> Int[np.ndarray, "L L"]:
    """The bucket of every query's distance to every key: half of them for keys that come later.

    Of a half, one part is for single distances and one for ranges that grow by the logarithm (arXiv 1910.10683).
    """
    distance = np.arange(length)[None, :] - np.arange(length)[:, None]
    half, single = buckets // 2, buckets // 4
    apart = np.abs(distance).astype(np.float32)
    growing = np.log(np.maximum(apart, 1) / single) / np.log(np.float32(FARTHEST / single)) * (half - single)
    ranged = np.minimum(single + growing.astype(np.int32), half - 1)
    return np.where(apart < single, apart, ranged).astype(np.int32) + np.where(distance > 0, half, 0)


def _taken(x: Float[Array, "N channels"], places: Int[Array, "*M"]) -> Float[Array, "*M channels"]:
    """What lies at these places, all of which are there."""
    return x.at[places].get(mode="promise_in_bounds")
