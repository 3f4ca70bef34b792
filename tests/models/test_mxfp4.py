"""Packed four-bit floats, against the values of the specification."""

import numpy as np

from serving.models.mxfp4 import dequantised


def test_each_bit_pattern_has_its_value_and_the_scale_is_a_power_of_two():
    patterns = np.arange(16, dtype=np.uint8)
    blocks = np.tile(patterns[::2] | patterns[1::2] << 4, 2)[None, None]
    values = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6] * 2
    for scale, factor in ((127, 1), (130, 8), (124, 1 / 8)):
        scaled = dequantised(blocks, np.array([[scale]], np.uint8))
        np.testing.assert_array_equal(scaled, [[value * factor for value in values]])


def test_groups_have_scales_of_their_own():
    blocks = np.full((1, 2, 16), 0x22, np.uint8)
    np.testing.assert_array_equal(dequantised(blocks, np.array([[127, 128]], np.uint8))[0], [1.0] * 32 + [2.0] * 32)
