"""MXFP4, as gpt-oss is published: four-bit floats that share a power of two among 32.

Source: OCP Microscaling Formats (MX) Specification 1.0; the layout is that of gpt-oss's checkpoints.
"""

import ml_dtypes
import numpy as np
from jaxtyping import Float, UInt8

BLOCK = 32
"""Values that share a scale, two to a byte, the first in the low half."""

SCALE_BIAS = 127
VALUES = np.arange(16, dtype=np.uint8).view(ml_dtypes.float4_e2m1fn).astype(np.float32)
"""What each of the sixteen bit patterns stands for: sign, two bits of exponent, one of mantissa."""


def dequantised(
    blocks: UInt8[np.ndarray, "*N groups 16"], scales: UInt8[np.ndarray, "*N groups"]
) -> Float[np.ndarray, "*N channels"]:
    """The float32 values of packed blocks and their exponents; channels = 32 * groups."""
    pairs = np.stack([blocks & 0xF, blocks >> 4], axis=-1)
    values = VALUES[pairs].reshape(*blocks.shape[:-1], BLOCK)
    scaled = np.ldexp(values, scales[..., None].astype(np.int32) - SCALE_BIAS)
    return scaled.reshape(*blocks.shape[:-2], -1)
