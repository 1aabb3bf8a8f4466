"""float16 and bfloat16 on the CPU: their bits travel as uint16, their arithmetic is float32, rounded once.

Numba's CPU target reads no float16 array and knows no bfloat16.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from nbvars.kernels.cpu.intrinsics import (
    bits_of_float32,
    float32_of_bits,
    float32_to_half,
    half_to_float32,
)


@njit
def float16_to_float32(bits):
    """Return the float32 that equals the float16 with these ``bits``."""
    return half_to_float32(bits)


@njit
def float32_to_float16(x):
    """Return the bits of the float16 nearest to ``x``, ties to even."""
    return float32_to_half(x)


@njit
def bfloat16_to_float32(bits):
    """Return the float32 that equals the bfloat16 with these ``bits``."""
    return float32_of_bits(np.uint32(np.uint32(bits) << np.uint32(16)))


@njit
def float32_to_bfloat16(x):
    """Return the bits of the bfloat16 nearest to ``x``, ties to even; every NaN becomes the quiet one of its sign."""
    bits = bits_of_float32(x)
    rounded = np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    quiet = np.uint32((bits & np.uint32(0x80000000)) | np.uint32(0x7FC00000))
    return np.uint16((quiet if x != x else rounded) >> np.uint32(16))


@njit
def float64_to_float16(x):
    """Return the bits of the float16 nearest to ``x``, ties to even: rounded once, not by way of float32."""
    near = np.float32(x)
    bits = bits_of_float32(near)
    # Round to odd: cut off towards zero and, where anything was lost, set the last bit. float32 has more than two
    # bits beyond float16, so the second rounding then sees on which side of a tie x lay.
    wide = np.float64(near)
    if wide != x and x == x:
        if abs(wide) > abs(x):
            bits = np.uint32(bits - np.uint32(1))
        bits = np.uint32(bits | np.uint32(1))
    return float32_to_half(float32_of_bits(bits))


def in_float32(rule, to_float32, from_float32):
    """Return ``rule`` for 16-bit floats: on their bits, computed in float32, rounded once."""

    @njit
    def sixteen_bit_rule(x, y):
        return from_float32(rule(to_float32(x), to_float32(y)))

    return sixteen_bit_rule
