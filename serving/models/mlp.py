"""A layer's MLP: one for all tokens, or a mixture of experts among which a router chooses for each token."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.models.config import Activation, DecoderConfig
from serving.models.linear import ExpertLinear, ExpertWeights, linear
from serving.models.per_device import WHOLE, PerDevice, on_one_device

SWIGLU_LIMIT = 7.0
SWIGLU_ALPHA = 1.702

OPENING = ExpertWeights(
    kernel=PartitionSpec("experts", None, "mlp"),
    scale=PartitionSpec("experts", None, "mlp"),
    bias=PartitionSpec("experts", "mlp"),
)
CLOSING = ExpertWeights(
    kernel=PartitionSpec("experts", "mlp", None),
    scale=PartitionSpec("experts", None, None),
    bias=PartitionSpec("experts", None),
)
"""Logical axes along which the experts' projections are divided."""


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
        make = partial(linear, bias=config.mlp_bias, dtype=dtype, rngs=rngs, quantised=config.quantised)
        self.gate = make(config.hidden_size, config.mlp_size, ("embed", "mlp"))
        self.up = make(config.hidden_size, config.mlp_size, ("embed", "mlp"))
        self.down = make(config.mlp_size, config.hidden_size, ("mlp", "embed"))
        self.activation = config.activation

    def __call__(self, x: Float[Array, "*N embed"]) -> Float[Array, "*N embed"]:
        return self.down(gated(self.gate(x), self.up(x), self.activation))


class ExpertsMLP(nnx.Module):
    """Each token's MLP is a weighted sum of the few experts that its router scores highest (arXiv 2401.04088).

    Every choice of a token becomes a row; rows are sorted by expert, so that each projection is one ragged product of
    rows with the stacked weights and no expert computes for tokens that did not choose it. Where experts lie on several
    devices, each computes the rows of its own, and the devices' sums are added up.
    """

    def __init__(
        self, config: DecoderConfig, *, dtype: DTypeLike, rngs: nnx.Rngs, per_device: PerDevice = on_one_device
    ):
        experts = config.experts
        self.router = linear(
            config.hidden_size, experts.count, ("embed", None), bias=experts.biased, dtype=dtype, rngs=rngs
        )
        make = partial(
            ExpertLinear, experts.count, bias=experts.biased, dtype=dtype, rngs=rngs, quantised=config.quantised
        )
        self.gate = make(config.hidden_size, experts.mlp_size, ("embed", "mlp"))
        self.up = make(config.hidden_size, experts.mlp_size, ("embed", "mlp"))
        self.down = make(experts.mlp_size, config.hidden_size, ("mlp", "embed"))
        self.config, self.activation, self.per_device = experts, config.activation, per_device

    def __call__(self, x: Float[Array, "*N embed"]) -> Float[Array, "*N embed"]:
        tokens = x.reshape(-1, x.shape[-1])
        weights, chosen = self.route(tokens)
        mix = self.per_device(
            self._mix,
            inputs=(WHOLE, WHOLE, WHOLE, PartitionSpec("experts"), OPENING, OPENING, CLOSING),
            outputs=WHOLE,
            summed=("experts", "mlp"),
        )
        numbers = jnp.arange(self.config.count)
        down = self.down.weights._replace(bias=None)  # added once, not by every device
        mixed = mix(tokens, weights, chosen, numbers, self.gate.weights, self.up.weights, down)
        if self.down.bias is not None:
            mixed += jnp.einsum("tk,tke->te", weights, self.down.bias[...][chosen].astype(jnp.float32))
        return mixed.astype(x.dtype).reshape(x.shape)

    def _mix(
        self,
        tokens: Float[Array, "tokens embed"],
        weights: Float[Array, "tokens per_token"],
        chosen: Int[Array, "tokens per_token"],
        numbers: Int[Array, " held"],
        gate: ExpertWeights,
        up: ExpertWeights,
        down: ExpertWeights,
    ) -> Float[Array, "tokens embed"]:
        """What the experts `numbers`, which follow each other, bring to each token, float32, without the last bias."""
        held = len(numbers)
        of_row = (chosen - numbers[0]).reshape(-1)
        of_row = jnp.where((of_row >= 0) & (of_row < held), of_row, held)  # others' rows come last
        order = jnp.argsort(of_row, stable=True)
        expert_of = of_row[order]
        sizes = jnp.bincount(expert_of, length=held).astype(jnp.int32)
        rows = tokens[order // self.config.per_token]
        opened = gated(gate(rows, sizes, expert_of), up(rows, sizes, expert_of), self.activation)
        out = jnp.where((expert_of < held)[:, None], down(opened, sizes, expert_of), 0)
        choices = out[jnp.argsort(order)].reshape(*chosen.shape, -1).astype(jnp.float32)
        return jnp.einsum("tk,tke->te", weights, choices)

    def route(
        self, tokens: Float[Array, "tokens embed"]
    ) -> tuple[Float[Array, "tokens per_token"], Int[Array, "tokens per_token"]]:
        """Each token's experts and their float32 weights, highest first."""
        shares = jax.nn.softmax(self.router(tokens).astype(jnp.float32), axis=-1)
        weights, chosen = jax.lax.top_k(shares, self.config.per_token)
        if self.config.normalised:
            weights = weights / jnp.sum(weights, axis=-1, keepdims=True)
        return weights, chosen
