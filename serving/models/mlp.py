"""A layer's MLP: one for all tokens, or a mixture of experts among which a router chooses for each token."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.models.config import Activation, DecoderConfig
from serving.models.linear import ExpertLinear, linear

SWIGLU_LIMIT = 7.0
SWIGLU_ALPHA = 1.702


def gated(gate: Float[Array, "*N mlp"], up: Float[Array, "*N mlp"], activation: Activation) -> Float[Array, "*N mlp"]:
    """What goes on to the last projection: `up` as far as the gate opens (arXiv 2002.05202).

    `clamped_swiglu` is gpt-oss's: both are kept within a limit, the sigmoid is steeper, and up is counted from one.
    """
    match activation:
        case "silu":
            return jax.nn.silu(gate) * up
        case "gelu_tanh":
            return jax.nn.gelu(gate, approximate=True) * up
        case "clamped_swiglu":
            gate, up = jnp.minimum(gate, SWIGLU_LIMIT), jnp.clip(up, -SWIGLU_LIMIT, SWIGLU_LIMIT)
            return gate * jax.nn.sigmoid(SWIGLU_ALPHA * gate) * (up + 1)


class MLP(nnx.Module):
    """down(activation(gate(x)) * up(x))."""

    def __init__(self, config: DecoderConfig, *, dtype: DTypeLike, rngs: nnx.Rngs):
        make = partial(linear, bias=config.mlp_bias, dtype=dtype, rngs=rngs)
        self.gate = make(config.hidden_size, config.mlp_size, ("embed", "mlp"))
        self.up = make(config.hidden_size, config.mlp_size, ("embed", "mlp"))
        self.down = make(config.mlp_size, config.hidden_size, ("mlp", "embed"))
        self.activation = config.activation

    def __call__(self, x: Float[Array, "*N embed"]) -> Float[Array, "*N embed"]:
        return self.down(gated(self.gate(x), self.up(x), self.activation))


class ExpertsMLP(nnx.Module):
    """Each token's MLP is a weighted sum of the few experts that its router scores highest (arXiv 2401.04088).

    Every choice of a token becomes a row; rows are sorted by expert, so that each projection is one ragged product of
    rows with the stacked weights and no expert computes for tokens that did not choose it.
    """

    def __init__(self, config: DecoderConfig, *, dtype: DTypeLike, rngs: nnx.Rngs):
        experts = config.experts
        self.router = linear(
            config.hidden_size, experts.count, ("embed", None), bias=experts.biased, dtype=dtype, rngs=rngs
        )
        make = partial(ExpertLinear, experts.count, bias=experts.biased, dtype=dtype, rngs=rngs)
        self.gate = make(config.hidden_size, experts.mlp_size, ("embed", "mlp"))
        self.up = make(config.hidden_size, experts.mlp_size, ("embed", "mlp"))
        self.down = make(experts.mlp_size, config.hidden_size, ("mlp", "embed"))
        self.config, self.activation = experts, config.activation

    def __call__(self, x: Float[Array, "*N embed"]) -> Float[Array, "*N embed"]:
        tokens = x.reshape(-1, x.shape[-1])
        weights, chosen = self.route(tokens)
        order = jnp.argsort(chosen.reshape(-1), stable=True)
        expert_of = chosen.reshape(-1)[order]
        sizes = jnp.bincount(expert_of, length=self.config.count).astype(jnp.int32)
        rows = tokens[order // self.config.per_token]
        opened = gated(self.gate(rows, sizes, expert_of), self.up(rows, sizes, expert_of), self.activation)
        out = self.down(opened, sizes, expert_of)
        choices = out[jnp.argsort(order)].reshape(*chosen.shape, -1).astype(jnp.float32)
        return jnp.einsum("tk,tke->te", weights, choices).astype(x.dtype).reshape(x.shape)

    def route(
        self, tokens: Float[Array, "tokens embed"]
    ) -> tuple[Float[Array, "tokens per_token"], Int[Array, "tokens per_token"]]:
        """Each token's experts and their float32 weights, highest first."""
        shares = jax.nn.softmax(self.router(tokens).astype(jnp.float32), axis=-1)
        weights, chosen = jax.lax.top_k(shares, self.config.per_token)
        if self.config.normalised:
            weights = weights / jnp.sum(weights, axis=-1, keepdims=True)
        return weights, chosen
