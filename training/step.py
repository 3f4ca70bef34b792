"""The training step: loss, gradients over micro-batches, update. Pure functions of arrays."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, UInt8

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from training.attention import packed_attention

Params = dict[str, Any]


class TrainState(NamedTuple):
    """All that a checkpoint must hold."""

    params: Params
    optimiser: optax.OptState
    step: Int[Array, ""]


def initial_params(config: DecoderConfig, seed: int) -> Params:
    """Random float32 parameters as a plain nested dict."""
    return nnx.to_pure_dict(nnx.state(Decoder(config, dtype=jnp.float32, rngs=nnx.Rngs(seed)), nnx.Param))


def decoder_from(params: Params, config: DecoderConfig) -> Decoder:
    """Serving's decoder around these parameters."""
    abstract = nnx.eval_shape(lambda: Decoder(config, dtype=jnp.float32, rngs=nnx.Rngs(0)))
    graph, state = nnx.split(abstract)
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graph, state)


def token_losses(
    params: Params,
    config: DecoderConfig,
    tokens: Int[Array, "rows length"],
    segments: Int[Array, "rows length"],
) -> Float[Array, "rows length"]:
    """Minus the log-probability, in nats, of every token given those before it in its sequence.

    The first token of a row has none before it and gets 0; that of any other sequence means nothing (none is learned).
    """
    decoder = decoder_from(params, config)
    places = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    hidden, _ = decoder(tokens, places, packed_attention(segments), None)
    losses = optax.softmax_cross_entropy_with_integer_labels(decoder.logits(hidden[:, :-1]), tokens[:, 1:])
    return jnp.pad(losses, ((0, 0), (1, 0)))


def make_train_step(
    config: DecoderConfig, optimiser: optax.GradientTransformation
) -> Callable[..., tuple[TrainState, Float[Array, ""]]]:
    """Builds the jitted `step(state, tokens, segments, weights) -> (state, weighted mean of the losses)`.

    The arrays are [micro, rows, length]; the state is donated.
    """

    def summed_loss(params: Params, tokens: jax.Array, segments: jax.Array, weights: jax.Array) -> jax.Array:
        return jnp.sum(token_losses(params, config, tokens, segments) * weights)

    def train_step(
        state: TrainState,
        tokens: Int[Array, "micro rows length"],
        segments: Int[Array, "micro rows length"],
        weights: UInt8[Array, "micro rows length"],
    ) -> tuple[TrainState, Float[Array, ""]]:
        def accumulate(carry: tuple[jax.Array, Params], micro: tuple[jax.Array, ...]) -> tuple[Any, None]:
            loss, gradients = jax.value_and_grad(summed_loss)(state.params, *micro)
            return jax.tree.map(jnp.add, carry, (loss, gradients)), None

        zero = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, state.params))
        (loss, gradients), _ = jax.lax.scan(accumulate, zero, (tokens, segments, weights))
        count = jnp.maximum(jnp.sum(weights, dtype=jnp.int32), 1)
        gradients = jax.tree.map(lambda gradient: gradient / count, gradients)
        updates, optimiser_state = optimiser.update(gradients, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(params, optimiser_state, state.step + 1), loss / count

    return jax.jit(train_step, donate_argnums=0)
