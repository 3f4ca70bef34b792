"""Linear projections and norms whose parameters name the logical axes of their arrays.

The names are those of the sharding rules (embed, heads, kv_heads, mlp, vocab, experts). They lie in flax's own metadata
and are read back by `nnx.get_partition_spec`; without a mesh they change nothing.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.models.config import Quantisation


def logical(*axes: str | None) -> dict[str, Any]:
    """Metadata of a parameter whose dimensions go by these names; None for one that is never split.

    What a name means is for whoever places the weights to say, so nothing is placed while a parameter is made.
    """
    return {"out_sharding": axes, "eager_sharding": False}


def linear(
    inputs: int,
    outputs: int,
    axes: tuple[str | None, str | None],
    *,
    bias: bool,
    dtype: DTypeLike,
    rngs: nnx.Rngs,
    quantised: Quantisation | None = None,
) -> nnx.Linear:
    """A projection from an axis of `inputs` channels to one of `outputs`, named in `axes`."""
    if quantised is None:
        make = nnx.Linear
    else:
        from serving.models.quantised import QuantisedLinear  # which needs qwix

        make = partial(QuantisedLinear, quantised=quantised)
    return make(
        inputs,
        outputs,
        use_bias=bias,
        dtype=dtype,
        param_dtype=dtype,
        rngs=rngs,
        kernel_metadata=logical(*axes),
        bias_metadata=logical(axes[1]),
    )


class ExpertWeights(NamedTuple):
    """The projections of some experts, stacked, over rows that are sorted by expert."""

    kernel: Float[Array, "experts inputs outputs"]
    scale: Float[Array, "experts 1 outputs"] | None  # of a quantised kernel
    bias: Float[Array, "experts outputs"] | None

    def __call__(
        self, x: Float[Array, "rows inputs"], sizes: Int[Array, " experts"], expert_of: Int[Array, " rows"]
    ) -> Float[Array, "rows outputs"]:
        """The first sizes[0] rows go through expert 0, the next sizes[1] through expert 1, and so on."""
        if self.scale is None:
            y = jax.lax.ragged_dot(x, self.kernel, sizes)
        else:
            from serving.models.quantised import ragged_dot

            y = ragged_dot(x, self.kernel, self.scale, sizes)
        return y if self.bias is None else y + jnp.take(self.bias, expert_of, axis=0, mode="clip")


class ExpertLinear(nnx.Module):
    """The parameters of a projection for each expert."""

    def __init__(
        self,
        experts: int,
        inputs: int,
        outputs: int,
        axes: tuple[str, str],
        *,
        bias: bool,
        dtype: DTypeLike,
        rngs: nnx.Rngs,
        quantised: Quantisation | None = None,
    ):
        init = nnx.initializers.lecun_normal(in_axis=-2, out_axis=-1, batch_axis=(0,))
        kernel = nnx.Param(init(rngs.params(), (experts, inputs, outputs), dtype), **logical("experts", *axes))
        if quantised is None:
            self.kernel, self.kernel_scale = kernel, None
        else:
            from serving.models.quantised import quantised_parameters

            self.kernel, self.kernel_scale = quantised_parameters(kernel, quantised)
        self.bias = nnx.Param(jnp.zeros((experts, outputs), dtype), **logical("experts", axes[1])) if bias else None

    @property
    def weights(self) -> ExpertWeights:
        """The parameters' values."""
        parameters = (self.kernel, self.kernel_scale, self.bias)
        return ExpertWeights(*(None if parameter is None else parameter[...] for parameter in parameters))


class RMSNorm(nnx.Module):
    """x / rms(x) * (offset + scale), in float32 (arXiv 1910.07467).

    Every run of `size` channels is normalised by itself, so that one norm fits all of a token's channels and each of
    its heads alike.
    """

    def __init__(self, size: int, axis: str | None, *, epsilon: float, offset: float, dtype: DTypeLike, rngs: nnx.Rngs):
        init = nnx.initializers.constant(1.0 - offset)
        self.scale = nnx.Param(init(rngs.params(), (size,), dtype), **logical(axis))
        self.epsilon, self.offset = epsilon, offset

    def __call__(self, x: Float[Array, "*N channels"]) -> Float[Array, "*N channels"]:
        scale = self.scale[...]
        runs = x.astype(jnp.float32).reshape(*x.shape[:-1], -1, len(scale))
        inverse = jax.lax.rsqrt(jnp.mean(jnp.square(runs), axis=-1, keepdims=True) + self.epsilon)
        return (runs * (inverse * (self.offset + scale.astype(jnp.float32)))).reshape(x.shape).astype(x.dtype)
