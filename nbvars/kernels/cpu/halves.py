"""float16 and bfloat16 on the CPU: their bits travel as uint16, their arithmetic is float32, rounded once.

Numba's CPU target reads no float16 array and knows no bfloat16.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nbvars.kernels.cpu.compiled import jit_closure, machine
from nbvars.kernels.cpu.intrinsics import (
    bits_of_float32,
    float32_of_bits,
    float32_to_half,
    half_to_float32,
)


class Half(NamedTuple):
    """The conversions of one 16-bit type, compiled: bits to float32, and back from float32 and float64."""

    to_float32: Callable[..., Any]
    from_float32: Callable[..., Any]
    from_float64: Callable[..., Any]


@njit
def _widen_in_hardware(bits):
    return half_to_float32(bits)


@njit
def _narrow_in_hardware(x):
    return float32_to_half(x)


@njit
def _widen_in_software(bits):
    sign = np.uint32(np.uint32(bits & np.uint16(0x8000)) << np.uint32(16))
    magnitude = np.uint32(bits & np.uint16(0x7FFF))
    if magnitude < np.uint32(0x0400):  # subnormal: a multiple of 2**-24
        widened = bits_of_float32(np.float32(magnitude) * np.float32(2.0**-24))
    elif magnitude >= np.uint32(0x7C00):  # infinity or NaN
        widened = np.uint32((magnitude << np.uint32(13)) | np.uint32(0x7F800000))
    else:
        widened = np.uint32((magnitude << np.uint32(13)) + np.uint32(112 << 23))
    return float32_of_bits(np.uint32(sign | widened))


@njit
def _narrow_in_software(x):
    bits = bits_of_float32(x)
    sign = np.uint32((bits >> np.uint32(16)) & np.uint32(0x8000))
    magnitude = np.uint32(bits & np.uint32(0x7FFFFFFF))
    if magnitude > np.uint32(0x7F800000):
        narrowed = np.uint32(0x7E00)
    elif magnitude >= np.uint32(0x47800000):  # 65536 and above
        narrowed = np.uint32(0x7C00)
    elif magnitude < np.uint32(0x38800000):  # below 2**-14: float32's own addition rounds to multiples of 2**-24
        rounded = bits_of_float32(float32_of_bits(magnitude) + np.float32(0.5))
        narrowed = np.uint32(rounded - np.uint32(0x3F000000))
    else:
        to_even = np.uint32((magnitude >> np.uint32(13)) & np.uint32(1))
        narrowed = np.uint32(np.uint32(magnitude - np.uint32(112 << 23) + np.uint32(0xFFF) + to_even) >> np.uint32(13))
    return np.uint16(sign | narrowed)


def _from_float64(narrow):
    """Return the rounding of float64 to float16, once, not by way of float32, given that of float32."""

    def float64_to_float16(x):
        near = np.float32(x)
        bits = bits_of_float32(near)
        # Round to odd: cut off towards zero and, where anything was lost, set the last bit. float32 has more than two
        # bits beyond float16, so the second rounding then sees on which side of a tie x lay.
        wide = np.float64(near)
        if wide != x and x == x:
            if abs(wide) > abs(x):
                bits = np.uint32(bits - np.uint32(1))
            bits = np.uint32(bits | np.uint32(1))
        return narrow(float32_of_bits(bits))

    return jit_closure(f"float64_by_{narrow.__name__}", float64_to_float16)


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
def _float64_to_bfloat16(x):
    """Round twice, as ml_dtypes does."""
    return float32_to_bfloat16(np.float32(x))


BFLOAT16 = Half(bfloat16_to_float32, float32_to_bfloat16, _float64_to_bfloat16)


@functools.cache
def float16() -> Half:
    """Return the conversions of float16, by the processor's own instructions if it has them."""
    # Without them LLVM calls functions of a C runtime that is not there, and ends the process.
    triple, _, features = machine()
    if "+f16c" in features or not triple.startswith(("x86_64", "i686")):
        return Half(_widen_in_hardware, _narrow_in_hardware, _from_float64(_narrow_in_hardware))
    return Half(_widen_in_software, _narrow_in_software, _from_float64(_narrow_in_software))


def half_of(dtype_name: str) -> Half | None:
    """Return the conversions of ``"float16"`` or ``"bfloat16"``, ``None`` for any other dtype."""
    return float16() if dtype_name == "float16" else BFLOAT16 if dtype_name == "bfloat16" else None


def in_float32(rule: Callable[..., Any], half: Half) -> Callable[..., Any]:
    """Return ``rule`` for 16-bit floats: on their bits, computed in float32, rounded once."""
    to_float32, from_float32 = half.to_float32, half.from_float32

    def sixteen_bit_rule(x, y):
        return from_float32(rule(to_float32(x), to_float32(y)))

    return jit_closure(f"{rule.__name__}_by_{to_float32.__name__}", sixteen_bit_rule)
