"""float16 and bfloat16 on the GPU: their bits travel as uint16, their arithmetic is float32, rounded once.

numba-cuda's own 16-bit arithmetic calls functions, with its operands in local memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.kernels.cuda.toolkit import IS_SIMULATED
from nbvars.kernels.cuda.vectors import on_device

if IS_SIMULATED:
    from nbvars.kernels.cuda.simulated_intrinsics import (
        bits_of_float32,
        float32_of_bits,
        float32_to_half,
        half_to_float32,
    )
else:
    from nbvars.kernels.cuda.intrinsics import (  # type: ignore[assignment]
        bits_of_float32,
        float32_of_bits,
        float32_to_half,
        half_to_float32,
    )


@on_device
def _widen_half(bits: Any) -> Any:
    return half_to_float32(bits)


@on_device
def _narrow_to_half(x: Any) -> Any:
    # The instruction makes one NaN of all; the CPU keeps the sign and the upper bits of the payload.
    if x != x:
        bits = bits_of_float32(x)
        sign = (bits >> np.uint32(16)) & np.uint32(0x8000)
        return np.uint16(sign | np.uint32(0x7E00) | ((bits >> np.uint32(13)) & np.uint32(0x01FF)))
    return float32_to_half(x)


@on_device
def _widen_bfloat16(bits: Any) -> Any:
    return float32_of_bits(np.uint32(np.uint32(bits) << np.uint32(16)))


@on_device
def _narrow_to_bfloat16(x: Any) -> Any:
    bits = bits_of_float32(x)
    if x != x:
        return np.uint16((bits & np.uint32(0x80000000) | np.uint32(0x7FC00000)) >> np.uint32(16))
    to_even = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16(np.uint32(bits + np.uint32(0x7FFF) + to_even) >> np.uint32(16))


def widening(dtype_name: str) -> Callable[..., Any]:
    """Return the conversion of the bits of ``"float16"`` or ``"bfloat16"`` to the float32 that equals them."""
    return _widen_half if dtype_name == "float16" else _widen_bfloat16


def narrowing(dtype_name: str) -> Callable[..., Any]:
    """Return the rounding of a float32 to the bits of ``"float16"`` or ``"bfloat16"``: to nearest, ties to even.

    A NaN becomes what the CPU makes of it.
    """
    return _narrow_to_half if dtype_name == "float16" else _narrow_to_bfloat16
