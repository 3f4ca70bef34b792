"""Weights in eight bits with a scale for every output channel, made by qwix. Layers compute in their own type.

What is multiplied with them is not quantised: decoding waits for weights, and eight bits are read in half the time.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec, Sharding
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.models.config import Quantisation, UnsupportedModelError
from serving.models.linear import logical

try:
    import qwix
except ModuleNotFoundError:
    raise UnsupportedModelError("weights in eight bits need the package qwix: pip install qwix") from None

TYPES: dict[Quantisation, DTypeLike] = {"int8": jnp.int8, "fp8": jnp.float8_e4m3fn}


class QuantisedLinear(nnx.Linear):
    """flax's Linear with a quantised kernel, whose scales are a parameter of their own."""

    def __init__(self, inputs: int, outputs: int, *, quantised: Quantisation, **more: Any):
        super().__init__(inputs, outputs, **more)
        self.kernel, self.kernel_scale = quantised_parameters(self.kernel, quantised)

    def __call__(self, x: Float[Array, "*N inputs"]) -> Float[Array, "*N outputs"]:
        """What flax's does."""
        y = qwix.dot(x, qwix.QArray(self.kernel[...], self.kernel_scale[...].astype(x.dtype)))
        return y if self.bias is None else y + self.bias[...]


def ragged_dot(
    x: Float[Array, "rows inputs"],
    kernel: Array,
    scale: Float[Array, "experts 1 outputs"],
    sizes: Int[Array, " experts"],
) -> Float[Array, "rows outputs"]:
    """jax.lax.ragged_dot with a quantised kernel, [experts, inputs, outputs]."""
    return qwix.ragged_dot(x, qwix.QArray(kernel, scale.astype(x.dtype)), sizes)


def quantised_parameters(kernel: nnx.Param, to: Quantisation) -> tuple[nnx.Param, nnx.Param]:
    """A kernel's parameter as two: values and scales."""
    *outer, _, outputs = kernel.get_metadata("out_sharding")
    values, scale = quantise(kernel[...], to)
    return kernel.replace(values), nnx.Param(scale, **logical(*outer, None, outputs))


def quantise(kernel: Float[Array, "*N inputs outputs"], to: Quantisation) -> tuple[Array, Float[Array, "*N 1 outputs"]]:
    """A kernel's values in eight bits, and the float32 scales that its output channels are to be multiplied by.

    The largest value of a channel becomes the largest that the type holds.
    """
    channels = [axis for axis in range(kernel.ndim) if axis != kernel.ndim - 2]
    quantised = qwix.quantize(kernel.astype(jnp.float32), TYPES[to], channelwise_axes=channels)
    return quantised.qvalue, quantised.scale


def quantise_on_devices(kernel: jax.Array, to: Quantisation) -> tuple[jax.Array, jax.Array]:
    """`quantise` where a kernel lies: its values stay there, and each device gets the scales of its channels.

    The same values come out however the kernel is cut, for a maximum of maxima is exact.
    """
    shardings = (kernel.sharding, _of_scale(kernel.sharding, kernel.ndim))
    return jax.jit(quantise, static_argnums=1, out_shardings=shardings)(kernel, to)


def _of_scale(sharding: Sharding, dimensions: int) -> Sharding:
    """Of a kernel's scales, which have one entry along the kernel's inputs."""
    if not isinstance(sharding, NamedSharding):
        return sharding
    cuts = [*sharding.spec, *[None] * (dimensions - len(sharding.spec))]
    cuts[-2] = None
    return NamedSharding(sharding.mesh, PartitionSpec(*cuts))
