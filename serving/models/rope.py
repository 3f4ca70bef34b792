"""Rotary position embedding: each pair of a head's channels turns by an angle that grows with the position."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from serving.models.config import RopeConfig


def inverse_frequencies(head_dim: int, rope: RopeConfig) -> np.ndarray:
    """Radians per position of each channel pair, [head_dim / 2] float32.

    Source: RoFormer (arXiv 2104.09864); `llama3` as in Meta's Llama 3.1 reference code.
    """
    frequencies = 1.0 / rope.theta ** (np.arange(0, head_dim, 2, dtype=np.float32) / head_dim)
    if rope.type == "linear":
        frequencies = frequencies / rope.factor
    elif rope.type == "llama3":
        wavelengths = 2 * math.pi / frequencies
        blend = (rope.original_context / wavelengths - rope.low_freq_factor) / (
            rope.high_freq_factor - rope.low_freq_factor
        )
        blend = np.clip(blend, 0.0, 1.0)  # 0: a slow frequency, fully stretched; 1: a fast one, left as it is
        frequencies = frequencies * (blend + (1.0 - blend) / rope.factor)
    return frequencies.astype(np.float32)


Rotation = tuple[Float[Array, "*N 1 pairs"], Float[Array, "*N 1 pairs"]]
"""Cosine and sine of each channel pair's angle at each position."""


def rotations(positions: Int[Array, "*N"], frequencies: np.ndarray) -> Rotation:
    """Cosine and sine of every position's angles, ready to broadcast over heads."""
    angles = positions[..., None, None].astype(jnp.float32) * frequencies
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x: Float[Array, "*N heads head_dim"], rotation: Rotation) -> Float[Array, "*N heads head_dim"]:
    """Turns channel i together with channel i + head_dim/2, the pairing of Hugging Face's Llama checkpoints."""
    cos, sin = rotation
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)
