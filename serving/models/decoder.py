"""The decoder-only transformer: embed, layers of attention and MLP, logits.

The decoder does not know how keys and values are kept. It hands each layer's queries, keys and values to an `attend`
function and threads that function's cache through: the engine attends over pages, training over the packed batch.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.models.config import DecoderConfig
from serving.models.rope import Rotation, inverse_frequencies, rotate, rotations

Cache = Any
Attend = Callable[
    [
        Float[Array, "*N heads head_dim"],
        Float[Array, "*N kv_heads head_dim"],
        Float[Array, "*N kv_heads head_dim"],
        Cache,
        int,
    ],
    tuple[Float[Array, "*N heads head_dim"], Cache],
]
"""attend(q, k, v, cache, layer) -> (out, cache): stores the layer's k and v and mixes values for every query.

q is not yet scaled; a query sees its own position and those before it in its sequence.
"""


class Attention(nnx.Module):
    """Grouped-query attention: several query heads share one key/value head (arXiv 2305.13245)."""

    def __init__(self, config: DecoderConfig, *, dtype: DTypeLike, rngs: nnx.Rngs):
        def linear(inputs: int, outputs: int) -> nnx.Linear:
            return nnx.Linear(
                inputs, outputs, use_bias=config.attention_bias, dtype=dtype, param_dtype=dtype, rngs=rngs
            )

        self.query = linear(config.hidden_size, config.heads * config.head_dim)
        self.key = linear(config.hidden_size, config.kv_heads * config.head_dim)
        self.value = linear(config.hidden_size, config.kv_heads * config.head_dim)
        self.out = linear(config.heads * config.head_dim, config.hidden_size)
        self.head_dim = config.head_dim

    def __call__(
        self,
        x: Float[Array, "*N embed"],
        rotation: Rotation,
        attend: Attend,
        cache: Cache,
        layer: int,
    ) -> tuple[Float[Array, "*N embed"], Cache]:
        def heads(projected: Float[Array, "*N channels"]) -> Float[Array, "*N heads head_dim"]:
            return projected.reshape(*x.shape[:-1], -1, self.head_dim)

        q = rotate(heads(self.query(x)), rotation)
        k = rotate(heads(self.key(x)), rotation)
        with jax.named_scope("attention"):
            mixed, cache = attend(q, k, heads(self.value(x)), cache, layer)
        return self.out(mixed.reshape(*x.shape[:-1], -1)), cache


class MLP(nnx.Module):
    """SwiGLU: down(silu(gate(x)) * up(x)) (arXiv 2002.05202)."""

    def __init__(self, config: DecoderConfig, *, dtype: DTypeLike, rngs: nnx.Rngs):
        def linear(inputs: int, outputs: int) -> nnx.Linear:
            return nnx.Linear(inputs, outputs, use_bias=config.mlp_bias, dtype=dtype, param_dtype=dtype, rngs=rngs)

        self.gate = linear(config.hidden_size, config.mlp_size)
        self.up = linear(config.hidden_size, config.mlp_size)
        self.down = linear(config.mlp_size, config.hidden_size)

    def __call__(self, x: Float[Array, "*N embed"]) -> Float[Array, "*N embed"]:
        return self.down(jax.nn.silu(self.gate(x)) * self.up(x))


class Layer(nnx.Module):
    """One pre-norm transformer layer."""

    def __init__(self, config: DecoderConfig, *, dtype: DTypeLike, rngs: nnx.Rngs):
        def norm() -> nnx.RMSNorm:
            return nnx.RMSNorm(config.hidden_size, epsilon=config.norm_eps, dtype=dtype, param_dtype=dtype, rngs=rngs)

        self.attention_norm = norm()
        self.attention = Attention(config, dtype=dtype, rngs=rngs)
        self.mlp_norm = norm()
        self.mlp = MLP(config, dtype=dtype, rngs=rngs)

    def __call__(
        self,
        x: Float[Array, "*N embed"],
        rotation: Rotation,
        attend: Attend,
        cache: Cache,
        layer: int,
    ) -> tuple[Float[Array, "*N embed"], Cache]:
        mixed, cache = self.attention(self.attention_norm(x), rotation, attend, cache, layer)
        x = x + mixed
        return x + self.mlp(self.mlp_norm(x)), cache


class Decoder(nnx.Module):
    """A Llama-family decoder. Computes in `dtype`; norms, rotations and logits accumulate in float32."""

    def __init__(self, config: DecoderConfig, *, dtype: DTypeLike = jnp.float32, rngs: nnx.Rngs):
        self.config = config
        self.embed = nnx.Embed(config.vocab_size, config.hidden_size, dtype=dtype, param_dtype=dtype, rngs=rngs)
        self.layers = nnx.List([Layer(config, dtype=dtype, rngs=rngs) for _ in range(config.layers)])
        self.norm = nnx.RMSNorm(config.hidden_size, epsilon=config.norm_eps, dtype=dtype, param_dtype=dtype, rngs=rngs)
        if not config.tied_embeddings:
            self.head = nnx.Linear(
                config.hidden_size, config.vocab_size, use_bias=False, dtype=dtype, param_dtype=dtype, rngs=rngs
            )

    def __call__(
        self, tokens: Int[Array, "*N"], positions: Int[Array, "*N"], attend: Attend, cache: Cache
    ) -> tuple[Float[Array, "*N embed"], Cache]:
        """Runs every layer over tokens at their positions; returns the normalised hidden states and the cache."""
        x = self.embed(tokens)
        # Computed once for all layers, not once a layer.
        rotation = rotations(positions, inverse_frequencies(self.config.head_dim, self.config.rope))
        with jax.named_scope("layers"):
            for index, layer in enumerate(self.layers):
                x, cache = layer(x, rotation, attend, cache, index)
        return self.norm(x), cache

    def logits(self, hidden: Float[Array, "*N embed"]) -> Float[Array, "*N vocab"]:
        """Scores of the next token, float32."""
        with jax.named_scope("head"):
            scores = self.embed.attend(hidden) if self.config.tied_embeddings else self.head(hidden)
            return scores.astype(jnp.float32)
