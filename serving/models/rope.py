"""Rotary position embedding: each pair of a head's channels turns by an angle that grows with the position."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from serving.models.rope_config import Frequencies

Rotation = tuple[Float[Array, "*N 1 pairs"], Float[Array, "*N 1 pairs"]]
"""Cosine and sine of each channel pair's angle at each position."""


def rotations(positions: Int[Array, "*N"], frequencies: Frequencies, magnitude: float) -> Rotation:
    """Cosine and sine of every position's angles, times `magnitude`, ready to broadcast over heads."""
    angles = positions[..., None, None].astype(jnp.float32) * frequencies
    return jnp.cos(angles) * magnitude, jnp.sin(angles) * magnitude


def rotate(x: Float[Array, "*N heads head_dim"], rotation: Rotation | None) -> Float[Array, "*N heads head_dim"]:
    """Turns channel i together with channel i + pairs, the pairing of Hugging Face's checkpoints.

    Channels beyond the pairs stay as they are, and all of them where there is no rotation.
    """
    if rotation is None:
        return x
    cos, sin = rotation
    pairs = cos.shape[-1]
    first, second = (part.astype(jnp.float32) for part in (x[..., :pairs], x[..., pairs : 2 * pairs]))
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)
    return jnp.concatenate([turned, x[..., 2 * pairs :]], axis=-1) if 2 * pairs < x.shape[-1] else turned
