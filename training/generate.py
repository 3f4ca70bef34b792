"""Replies from a decoder in training: a batch of prompts, a contiguous cache, one sampled token a row and step.

Evaluation needs replies of many checkpoints, not a server; serving/engine is the place for serving.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from serving.models.attention import Attend, attention_weights, soft_capped
from serving.models.config import AttentionSpec, DecoderConfig
from training.step import Params, decoder_from

_Cached = Float[Array, "rows kv_heads places head_dim"]
Cache = tuple[tuple[_Cached, _Cached], ...]
"""Keys and values of each layer. Arrays of their own are written in place; heads before places make plain matmuls."""
Allowed = Callable[[int, Sequence[int]], Collection[int]]
"""allowed(prompt, reply) -> the tokens that may follow: the prompt's index, and what it was answered so far."""

PLACES = 64
"""Prompts and caches are as long as a multiple of this, so that few shapes are compiled."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn; the names are those of generation_config.json. Temperature 0 takes the likeliest token."""

    temperature: float = 0.4
    top_p: float = 0.9
    repetition_penalty: float = 1.05
    max_new_tokens: int = 256


def _cached_attention(positions: Int[Array, "rows queries"]) -> Attend:
    """Writes keys and values at their positions and attends over all that lie at or before the query's."""

    def attend(
        q: jax.Array,
        k: jax.Array,
        v: jax.Array,
        cache: Cache,
        layer: int,
        spec: AttentionSpec,
        sinks: jax.Array | None,
    ) -> tuple[jax.Array, Cache]:
        rows = jnp.arange(q.shape[0])[:, None]
        keys, values = (
            cached.at[rows, :, positions].set(fresh) for cached, fresh in zip(cache[layer], (k, v), strict=True)
        )
        grouped = (q * spec.scale).reshape(*q.shape[:2], k.shape[2], -1, q.shape[-1])
        scores = soft_capped(jnp.einsum("bqkgd,bksd->bkgqs", grouped, keys), spec.soft_cap)
        visible = spec.sees(positions[..., None], jnp.arange(keys.shape[2]))
        weights = attention_weights(jnp.where(visible[:, None, None], scores, -1e30), sinks)
        mixed = jnp.einsum("bkgqs,bksd->bqkgd", weights, values).reshape(q.shape)
        return mixed, (*cache[:layer], (keys, values), *cache[layer + 1 :])

    return attend


@partial(jax.jit, static_argnames="config", donate_argnames="cache")
def _forward(
    params: Params, config: DecoderConfig, tokens: jax.Array, positions: jax.Array, last: jax.Array, cache: Cache
) -> tuple[Float[Array, "rows vocab"], Cache]:
    """Logits after the token at index `last` of each row."""
    decoder = decoder_from(params, config)
    hidden, cache = decoder(tokens, positions, _cached_attention(positions), cache)
    return decoder.logits(hidden[jnp.arange(len(last)), last]), cache


def _sample(
    logits: Float[np.ndarray, "rows vocab"],
    seen: Bool[np.ndarray, "rows vocab"],
    sampling: Sampling,
    uniform: Float[np.ndarray, " rows"],
) -> Int[np.ndarray, " rows"]:
    """One token a row. `seen` marks the tokens of prompt and reply, which the repetition penalty weakens."""
    penalised = np.where(logits > 0, logits / sampling.repetition_penalty, logits * sampling.repetition_penalty)
    logits = np.where(seen, penalised, logits)
    if sampling.temperature == 0:
        return logits.argmax(axis=-1)
    scaled = logits / sampling.temperature
    order = np.argsort(-scaled, axis=-1)
    probabilities = np.exp(np.take_along_axis(scaled, order, -1) - scaled.max(axis=-1, keepdims=True))
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    cumulative = np.cumsum(probabilities, axis=-1)
    probabilities[cumulative - probabilities >= sampling.top_p] = 0.0
    cumulative = np.cumsum(probabilities, axis=-1)
    drawn = (cumulative > uniform[:, None] * cumulative[:, -1:]).argmax(axis=-1)
    return order[np.arange(len(logits)), drawn]


def generate(
    params: Params,
    config: DecoderConfig,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    end_token: int,
    *,
    seeds: Sequence[int] | None = None,
    allowed: Allowed | None = None,
) -> list[list[int]]:
    """Continues every prompt until `end_token` (left out of the reply) or `max_new_tokens`.

    A prompt's reply hangs on its own seed (0, 1, 2 ... where none are given), not on its neighbours. `allowed` limits
    each next token. A prompt that leaves no room in the model's context for the reply is an error of the caller:
    ValueError.
    """
    rows, longest = len(prompts), max(map(len, prompts))
    places = longest + sampling.max_new_tokens
    if places > config.max_position:
        raise ValueError(f"prompt and reply take {places} tokens; the model's context holds {config.max_position}")
    longest, places = (min(-(-size // PLACES) * PLACES, config.max_position) for size in (longest, places))
    lengths = np.array([len(prompt) for prompt in prompts])
    tokens = np.zeros((rows, longest), np.int32)
    seen = np.zeros((rows, config.vocab_size), bool)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = prompt
        seen[row, list(prompt)] = True
    shape = (rows, config.kv_heads, places, config.head_dim)
    cache = tuple((jnp.zeros(shape), jnp.zeros(shape)) for _ in range(config.layers))
    # What a short row writes behind its end is overwritten by its reply before anything attends to it.
    positions = np.broadcast_to(np.arange(longest, dtype=np.int32), tokens.shape)
    logits, cache = _forward(params, config, tokens, positions, lengths - 1, cache)
    seeds = range(rows) if seeds is None else seeds
    uniform = np.stack([np.random.default_rng(seed).random(sampling.max_new_tokens) for seed in seeds])
    replies: list[list[int]] = [[] for _ in prompts]
    running = np.ones(rows, bool)
    for step in range(sampling.max_new_tokens):
        scores = np.asarray(logits)
        if allowed:
            scores = _limited(scores, {row: allowed(row, replies[row]) for row in np.flatnonzero(running)})
        chosen = _sample(scores, seen, sampling, uniform[:, step])
        seen[np.arange(rows), chosen] = True
        running &= chosen != end_token
        if not running.any():
            break
        for row in np.flatnonzero(running):
            replies[row].append(int(chosen[row]))
        next_positions = (lengths + step)[:, None].astype(np.int32)
        logits, cache = _forward(
            params, config, chosen[:, None].astype(np.int32), next_positions, np.zeros(rows, np.int32), cache
        )
    return replies


def _limited(logits: Float[np.ndarray, "rows vocab"], allowed: dict[int, Collection[int]]) -> np.ndarray:
    """The logits with minus infinity for every token that a row may not take."""
    limited = logits.copy()
    for row, tokens in allowed.items():
        limited[row] = -np.inf
        limited[row, list(tokens)] = logits[row, list(tokens)]
    return limited
