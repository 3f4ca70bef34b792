"""A model's parameters as footprints count them, asked of the decoder itself."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from sharding.footprint import Parameter
from sharding.layout import logical_axes

_ROLES = {"kernel": "kernel", "embedding": "table"}


def parameters(config: DecoderConfig) -> tuple[Parameter, ...]:
    """Every parameter of a decoder of this shape, those that all layers have once; nothing is computed.

    One layer is looked at, for layers differ in windows and rotations alone, which have no parameters.
    """
    one = dataclasses.replace(config, layers=1, windows=config.windows[:1], ropes=config.ropes[:1])
    decoder = nnx.eval_shape(lambda: Decoder(one, dtype=jnp.bfloat16, rngs=nnx.Rngs(0)))
    found = []
    for path, variable in nnx.to_flat_state(nnx.state(decoder, nnx.Param)):
        held = jax.tree.leaves(variable)[0]
        layered = path[0] == "layers"
        name = ".".join("*" if isinstance(part, int) else str(part) for part in path)
        role = _ROLES.get(str(path[-1]), "vector")
        axes = logical_axes(variable) or (None,) * held.ndim
        found.append(Parameter(name, held.shape, axes, held.dtype.itemsize, role, config.layers if layered else 0))
    return tuple(found)
