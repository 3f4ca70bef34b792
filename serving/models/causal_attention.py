"""Attention of one whole sequence over itself, without a cache: a decoder's scores outside the engine."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from serving.models.attention import Cache, attention_weights, soft_capped
from serving.models.config import AttentionSpec

UNSEEN = -1e30


def attend(
    q: Float[Array, "tokens heads head_dim"],
    k: Float[Array, "tokens kv_heads head_dim"],
    v: Float[Array, "tokens kv_heads head_dim"],
    cache: Cache,
    layer: int,
    spec: AttentionSpec,
    sinks: Float[Array, " heads"] | None,
) -> tuple[Float[Array, "tokens heads head_dim"], Cache]:
    """The decoder's `attend` for tokens 0, 1, 2, ... of one sequence; the cache is passed through untouched."""
    tokens, heads, head_dim = q.shape
    kv_heads = k.shape[1]
    queries = (q * spec.scale).reshape(tokens, kv_heads, heads // kv_heads, head_dim)
    scores = jnp.einsum("qhgd,khd->hgqk", queries, k, preferred_element_type=jnp.float32)
    places = jnp.arange(tokens)
    visible = spec.sees(places[:, None], places[None, :])
    scores = jnp.where(visible, soft_capped(scores, spec.soft_cap), UNSEEN)
    weights = attention_weights(scores, sinks).astype(v.dtype)
    return jnp.einsum("hgqk,khd->qhgd", weights, v).reshape(q.shape), cache
