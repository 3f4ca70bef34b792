"""A layer's attention, apart from how keys and values are kept.

It hands queries, keys and values to an `attend` function and threads that function's cache through: the engine attends
over pages, training over the packed batch.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from serving.models.config import AttentionSpec, DecoderConfig
from serving.models.linear import RMSNorm, linear, logical
from serving.models.rope import Rotation, rotate

Cache = Any
Attend = Callable[
    [
        Float[Array, "*N heads head_dim"],
        Float[Array, "*N kv_heads head_dim"],
        Float[Array, "*N kv_heads head_dim"],
        Cache,
        int,
        AttentionSpec,
        Float[Array, " heads"] | None,
    ],
    tuple[Float[Array, "*N heads head_dim"], Cache],
]
"""attend(q, k, v, cache, layer, spec, sinks) -> (out, cache): stores the layer's k and v, mixes values for every query.

q is not yet scaled; `spec` says how scores are made and what a query sees of its own sequence. `sinks`, where there are
any, are logits that stand in each head's softmax beside the keys and bring no value (arXiv 2309.17453, learned).
"""


def unchanged(x: jax.Array) -> jax.Array:
    """The norm where there is none."""
    return x


def soft_capped(scores: Float[Array, "*N"], cap: float | None) -> Float[Array, "*N"]:
    """Scores bent to lie between -cap and cap, as they are without one (Gemma 2, arXiv 2408.00118)."""
    return scores if cap is None else cap * jnp.tanh(scores / cap)


def attention_weights(
    scores: Float[Array, "*N kv_heads group queries keys"], sinks: Float[Array, " heads"] | None
) -> Float[Array, "*N kv_heads group queries keys"]:
    """Softmax over keys whose scores are all there at once; a sink takes its share of the sum."""
    if sinks is None:
        return jax.nn.softmax(scores, axis=-1)
    sink = sinks.astype(scores.dtype).reshape(*scores.shape[-4:-2], 1, 1)
    with_sink = jnp.concatenate([scores, jnp.broadcast_to(sink, (*scores.shape[:-1], 1))], axis=-1)
    return jax.nn.softmax(with_sink, axis=-1)[..., :-1]


class Attention(nnx.Module):
    """Grouped-query attention: several query heads share one key/value head (arXiv 2305.13245)."""

    def __init__(self, config: DecoderConfig, layer: int, *, dtype: DTypeLike, rngs: nnx.Rngs):
        embed, wide, narrow = (
            config.hidden_size,
            config.heads * config.head_dim,
            config.kv_heads * config.head_dim,
        )
        make = partial(linear, dtype=dtype, rngs=rngs, quantised=config.quantised)
        self.query = make(embed, wide, ("embed", "heads"), bias=config.attention_bias)
        self.key = make(embed, narrow, ("embed", "kv_heads"), bias=config.attention_bias)
        self.value = make(embed, narrow, ("embed", "kv_heads"), bias=config.attention_bias)
        self.out = make(wide, embed, ("heads", "embed"), bias=config.attention_out_bias)
        norm = partial(RMSNorm, epsilon=config.norm_eps, offset=config.norm_offset, dtype=dtype, rngs=rngs)
        match config.query_key_norm:
            case "per_head":
                self.query_norm, self.key_norm = norm(config.head_dim, None), norm(config.head_dim, None)
            case "all_heads":
                self.query_norm, self.key_norm = norm(wide, "heads"), norm(narrow, "kv_heads")
            case None:
                self.query_norm, self.key_norm = unchanged, unchanged
        self.sinks = nnx.Param(jnp.zeros(config.heads, dtype), **logical("heads")) if config.attention_sinks else None
        self.head_dim = config.head_dim
        self.spec = config.attention_spec(layer)

    def __call__(
        self, x: Float[Array, "*N embed"], rotation: Rotation | None, attend: Attend, cache: Cache, layer: int
    ) -> tuple[Float[Array, "*N embed"], Cache]:
        def heads(projected: Float[Array, "*N channels"]) -> Float[Array, "*N heads head_dim"]:
            return projected.reshape(*x.shape[:-1], -1, self.head_dim)

        q = rotate(heads(self.query_norm(self.query(x))), rotation)
        k = rotate(heads(self.key_norm(self.key(x))), rotation)
        sinks = None if self.sinks is None else self.sinks[...]
        with jax.named_scope("attention"):
            mixed, cache = attend(q, k, heads(self.value(x)), cache, layer, self.spec, sinks)
        return self.out(mixed.reshape(*x.shape[:-1], -1)), cache
