"""Drawing the next token of every row: masks, penalties, temperature, cut-offs, a seeded draw.

Every parameter is an array with one value a row. Costly parts run only when some row asks for them (`lax.cond`), so one
compiled program serves every mix of requests. The order of the stages is vLLM's.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt32

from serving.engine.request import MAX_TOP_LOGPROBS

PROMPT_SEEN = 1 << 30
"""Added to a token's count in `History.counts` when the prompt holds it; the bits below count the reply's."""

MASKED = -1e30

SHORTLIST = 256
"""Largest scores of a row among which the cut-offs are looked for first: on a CPU a fifth of a whole search."""


class SamplingRows(NamedTuple):
    """The sampling parameters of a step's rows."""

    temperature: Float[Array, " rows"]
    top_k: Int[Array, " rows"]
    top_p: Float[Array, " rows"]
    min_p: Float[Array, " rows"]
    repetition_penalty: Float[Array, " rows"]
    presence_penalty: Float[Array, " rows"]
    frequency_penalty: Float[Array, " rows"]
    seed: UInt32[Array, "rows 2"]
    uses_counts: Bool[Array, " rows"]
    uses_bias: Bool[Array, " rows"]
    stop_from: Int[Array, " rows"]  # the first position at which a stop token may be drawn
    stop_ids: Int[Array, "rows stops"]  # padded with the vocabulary's size
    wants_logprobs: Bool[Array, " rows"]


class Drawn(NamedTuple):
    """The tokens drawn and, where wanted, log-probabilities of the model's own distribution (else zeros)."""

    tokens: Int[Array, " rows"]
    logprob: Float[Array, " rows"]
    top_tokens: Int[Array, "rows top"]
    top_logprobs: Float[Array, "rows top"]


def draw(
    logits: Float[Array, "rows vocab"],
    positions: Int[Array, " rows"],
    rows: SamplingRows,
    slots: Int[Array, " rows"],
    counts: Int[Array, "slots vocab"],
    bias: Float[Array, "slots vocab"],
) -> Drawn:
    """Draws the token of each row for its position.

    A row's randomness depends on its seed and position alone, so the same request gives the same tokens whatever else
    is in the batch. `counts` and `bias` hold a line for each slot and are read only when a row uses them.
    """
    adjusted = lax.cond(jnp.any(rows.uses_bias), _add_bias, lambda x, *_: x, logits, rows, slots, bias)
    adjusted = lax.cond(jnp.any(positions < rows.stop_from), _forbid_stops, lambda x, *_: x, adjusted, rows, positions)
    adjusted = lax.cond(jnp.any(rows.uses_counts), _penalise, lambda x, *_: x, adjusted, rows, slots, counts)
    tokens = lax.cond(
        jnp.any(rows.temperature > 0), _draw_seeded, lambda x, *_: _first_largest(x), adjusted, rows, positions
    )
    return lax.cond(jnp.any(rows.wants_logprobs), _with_logprobs, _without_logprobs, logits, tokens)


def top_logprobs(
    logits: Float[Array, "rows vocab"], tokens: Int[Array, " rows"]
) -> tuple[Float[Array, " rows"], Int[Array, "rows top"], Float[Array, "rows top"]]:
    """The log-probability of each row's token, and the most likely tokens with theirs, of the very same floats."""
    logprobs = jax.nn.log_softmax(logits, axis=-1)
    values, indices = lax.top_k(logprobs, min(MAX_TOP_LOGPROBS, logits.shape[-1]))
    chosen = jnp.take_along_axis(logprobs, tokens[:, None], axis=-1)[:, 0]
    return chosen, indices.astype(jnp.int32), values


def _with_logprobs(logits: Float[Array, "rows vocab"], tokens: Int[Array, " rows"]) -> Drawn:
    return Drawn(tokens, *top_logprobs(logits, tokens))


def _without_logprobs(logits: Float[Array, "rows vocab"], tokens: Int[Array, " rows"]) -> Drawn:
    shape = (logits.shape[0], min(MAX_TOP_LOGPROBS, logits.shape[-1]))
    return Drawn(tokens, jnp.zeros(shape[0]), jnp.zeros(shape, jnp.int32), jnp.zeros(shape))


def _add_bias(
    logits: Float[Array, "rows vocab"],
    rows: SamplingRows,
    slots: Int[Array, " rows"],
    bias: Float[Array, "slots vocab"],
) -> Float[Array, "rows vocab"]:
    return jnp.where(rows.uses_bias[:, None], logits + bias[slots], logits)


def _forbid_stops(
    logits: Float[Array, "rows vocab"], rows: SamplingRows, positions: Int[Array, " rows"]
) -> Float[Array, "rows vocab"]:
    def forbid(row: Float[Array, " vocab"], ids: Int[Array, " stops"]) -> Float[Array, " vocab"]:
        return row.at[ids].set(MASKED, mode="drop")

    return jnp.where((positions < rows.stop_from)[:, None], jax.vmap(forbid)(logits, rows.stop_ids), logits)


def _penalise(
    logits: Float[Array, "rows vocab"],
    rows: SamplingRows,
    slots: Int[Array, " rows"],
    counts: Int[Array, "slots vocab"],
) -> Float[Array, "rows vocab"]:
    """Repetition (arXiv 1909.05858, over prompt and reply), frequency and presence (OpenAI's, over the reply)."""
    repetition = rows.repetition_penalty[:, None]
    seen = counts[slots]
    replied = seen & (PROMPT_SEEN - 1)
    penalised = jnp.where(seen > 0, jnp.where(logits > 0, logits / repetition, logits * repetition), logits)
    penalised -= rows.frequency_penalty[:, None] * replied
    penalised -= rows.presence_penalty[:, None] * (replied > 0)
    return jnp.where(rows.uses_counts[:, None], penalised, logits)


def _draw_seeded(
    logits: Float[Array, "rows vocab"], rows: SamplingRows, positions: Int[Array, " rows"]
) -> Int[Array, " rows"]:
    """The Gumbel-max trick: the largest of logit / temperature plus seeded noise is a draw from the softmax."""
    greedy = rows.temperature <= 0
    scaled = logits / jnp.where(greedy, 1.0, rows.temperature)[:, None]
    some_cut = jnp.any((rows.top_k > 0) | (rows.top_p < 1) | (rows.min_p > 0))
    kept = lax.cond(some_cut, _cut, lambda x, _: x, scaled, rows)
    drawn = _first_largest(kept + _gumbel(rows.seed, positions, logits.shape[-1]))
    return jnp.where(greedy, _first_largest(logits), drawn)


def _gumbel(seed: UInt32[Array, "rows 2"], positions: Int[Array, " rows"], vocab: int) -> Float[Array, "rows vocab"]:
    """Gumbel noise from a hash of seed, position and token: the same on every platform and version of JAX.

    `jax.random` promises neither, and takes twice as long over a large vocabulary on a CPU, to run and to compile.
    """
    row_key = _mix(_mix(_mix(seed[:, 0]) ^ seed[:, 1]) ^ positions.astype(jnp.uint32))
    bits = _mix(_mix(row_key)[:, None] ^ _mix(row_key[:, None] + jnp.arange(vocab, dtype=jnp.uint32)))
    return -jnp.log(-jnp.log(open_uniform(bits)))


def open_uniform(bits: UInt32[Array, "*N"]) -> Float[Array, "*N"]:
    """Numbers between 0 and 1, neither of them included, from the upper 23 bits.

    With one bit more the largest would be rounded up to 1, whose noise is infinite: it would draw any token, even a
    masked one, once in 2**24 tokens of vocabulary.
    """
    return ((bits >> 9).astype(jnp.float32) + 0.5) * jnp.float32(2**-23)


def _mix(x: UInt32[Array, "*N"]) -> UInt32[Array, "*N"]:
    """A bijection of 32 bits in which every input bit reaches every output bit (the `lowbias32` constants of
    Wellons' hash prospector)."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _first_largest(scores: Float[Array, "rows vocab"]) -> Int[Array, " rows"]:
    """What argmax gives, as a maximum and a minimum: XLA:CPU vectorises those, and argmax with its producers not."""
    vocab = scores.shape[-1]
    index = jnp.where(scores == jnp.max(scores, axis=-1, keepdims=True), jnp.arange(vocab, dtype=jnp.int32), vocab - 1)
    return jnp.min(index, axis=-1)


def _cut(scaled: Float[Array, "rows vocab"], rows: SamplingRows) -> Float[Array, "rows vocab"]:
    """Masks what min_p (arXiv 2407.01082), top_k and top_p (arXiv 1904.09751) leave out, one after the other.

    Both thresholds nearly always lie among a row's SHORTLIST largest scores, which are quickly found; for a row where
    they do not the whole vocabulary is searched. How one row is cut never hangs on the others.
    """
    vocab = scaled.shape[-1]
    best = jnp.max(scaled, axis=-1, keepdims=True)
    kept = jnp.where(scaled < best + jnp.log(rows.min_p)[:, None], MASKED, scaled)
    k = jnp.where(rows.top_k > 0, jnp.minimum(rows.top_k, vocab), vocab)[:, None]
    shortlist = lax.top_k(kept, min(SHORTLIST, vocab))[0]
    reached = _thresholds(shortlist, kept, best, k, rows.top_p[:, None])
    nucleus_found = (rows.top_p[:, None] >= 1) | (reached.mass >= reached.wanted)
    top_k_found = (k == vocab) | (k <= shortlist.shape[-1])
    found = nucleus_found & top_k_found
    cut = jnp.where(kept >= reached.threshold, kept, MASKED)
    return lax.cond(
        jnp.all(found), lambda: cut, lambda: jnp.where(found, cut, _search(kept, best, k, rows.top_p[:, None]))
    )


class _Reached(NamedTuple):
    """How far a shortlist goes: the threshold in it, its weight, and the weight that the nucleus wants."""

    threshold: Float[Array, "rows 1"]
    mass: Float[Array, "rows 1"]
    wanted: Float[Array, "rows 1"]


def _thresholds(
    shortlist: Float[Array, "rows short"],
    kept: Float[Array, "rows vocab"],
    best: Float[Array, "rows 1"],
    k: Int[Array, "rows 1"],
    top_p: Float[Array, "rows 1"],
) -> _Reached:
    """The lowest score that top_k and top_p keep, from scores in falling order."""
    vocab, last = kept.shape[-1], shortlist.shape[-1] - 1
    kth = jnp.take_along_axis(shortlist, jnp.minimum(k - 1, last), axis=-1)
    after_k = jnp.where(k < vocab, kth, MASKED)
    wanted = top_p * jnp.sum(jnp.where(kept >= after_k, jnp.exp(kept - best), 0), axis=-1, keepdims=True)
    mass = jnp.cumsum(jnp.where(shortlist >= after_k, jnp.exp(shortlist - best), 0), axis=-1)
    first = jnp.sum(mass < wanted, axis=-1, keepdims=True)
    in_nucleus = jnp.take_along_axis(shortlist, jnp.minimum(first, last), axis=-1)
    threshold = jnp.where(top_p < 1, jnp.maximum(after_k, in_nucleus), after_k)
    return _Reached(threshold, mass[:, -1:], wanted)


def _search(
    kept: Float[Array, "rows vocab"],
    best: Float[Array, "rows 1"],
    k: Int[Array, "rows 1"],
    top_p: Float[Array, "rows 1"],
) -> Float[Array, "rows vocab"]:
    """What top_k and top_p keep of a whole vocabulary."""
    kept = _keep_from(kept, lambda above: jnp.sum(above, axis=-1, keepdims=True) >= k)
    weights = jnp.exp(kept - best)
    wanted = top_p * jnp.sum(weights, axis=-1, keepdims=True)
    nucleus = _keep_from(kept, lambda above: jnp.sum(jnp.where(above, weights, 0), axis=-1, keepdims=True) >= wanted)
    return jnp.where(top_p < 1, nucleus, kept)


def _keep_from(scores: Float[Array, "rows vocab"], enough) -> Float[Array, "rows vocab"]:
    """Masks every score below the largest threshold whose scores at or above it are `enough`.

    The threshold is found by bisection on the order-preserving integer image of a float32: 32 halvings end at the
    exact value, without the sort that is the slowest thing a CPU can do to a vocabulary.
    """
    ordered = _ordered(scores)

    def halve(_: int, bounds: tuple[Int[Array, "rows 1"], Int[Array, "rows 1"]]):
        low, high = bounds  # `low` is always enough, `high` + 1 never
        middle = low + (high - low) // 2 + ((high - low) % 2 != 0)
        fits = enough(ordered >= middle)
        return jnp.where(fits, middle, low), jnp.where(fits, high, middle - 1)

    low = jnp.min(ordered, axis=-1, keepdims=True)
    high = jnp.max(ordered, axis=-1, keepdims=True)
    threshold, _ = lax.fori_loop(0, 32, halve, (low, high))
    return jnp.where(ordered >= threshold, scores, MASKED)


def _ordered(x: Float[Array, "rows vocab"]) -> UInt32[Array, "rows vocab"]:
    """Unsigned integers in the order of the floats: the sign bit flipped, negatives complemented."""
    bits = lax.bitcast_convert_type(x, jnp.uint32)
    return jnp.where(bits >> 31 == 1, ~bits, bits | jnp.uint32(1 << 31))
