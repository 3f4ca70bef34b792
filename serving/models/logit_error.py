"""How far one decoder's scores are from another's, on the same text."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from serving.models.causal_attention import attend
from serving.models.decoder import Decoder


@dataclass(frozen=True, slots=True)
class LogitError:
    """What separates two decoders' logits over the tokens of a text.

    Attributes:
        tokens: of the text.
        root_mean_square: of the differences.
        relative: that, as a share of how far the logits themselves lie from their mean.
        largest: difference.
        divergence: mean Kullback-Leibler divergence of the distributions of the next token, in nats.
        agreement: share of the tokens after which both decoders think the same token the likeliest.
    """

    tokens: int
    root_mean_square: float
    relative: float
    largest: float
    divergence: float
    agreement: float

    def __str__(self) -> str:
        return (
            f"logits over {self.tokens} tokens: root mean square error {self.root_mean_square:.3g} "
            f"({self.relative:.2%} of their spread), largest {self.largest:.3g}; "
            f"divergence {self.divergence:.2g} nats; same likeliest token after {self.agreement:.1%}"
        )


def logits(decoder: Decoder, tokens: Int[Array, " tokens"]) -> Float[Array, "tokens vocab"]:
    """Scores of the token after each, float32."""
    graph, state = nnx.split(decoder)

    @jax.jit
    def scores(state: nnx.State, tokens: Int[Array, " tokens"]) -> Float[Array, "tokens vocab"]:
        decoder = nnx.merge(graph, state)
        hidden, _ = decoder(tokens, jnp.arange(len(tokens)), attend, None)
        return decoder.logits(hidden)

    return scores(state, tokens)


@jax.jit
def _compared(reference: Float[Array, "tokens vocab"], other: Float[Array, "tokens vocab"]) -> tuple[Array, ...]:
    difference = other - reference
    error = jnp.sqrt(jnp.mean(jnp.square(difference)))
    spread = jnp.sqrt(jnp.mean(jnp.var(reference, axis=-1)))
    expected, found = jax.nn.log_softmax(reference), jax.nn.log_softmax(other)
    divergence = jnp.mean(jnp.sum(jnp.exp(expected) * (expected - found), axis=-1))
    same = jnp.mean(reference.argmax(-1) == other.argmax(-1))
    return error, error / spread, jnp.max(jnp.abs(difference)), divergence, same


def logit_error(reference: Decoder, other: Decoder, tokens: Int[Array, " tokens"]) -> LogitError:
    """How far `other`'s logits are from `reference`'s."""
    measured = _compared(logits(reference, tokens), logits(other, tokens))
    return LogitError(len(tokens), *map(float, measured))
