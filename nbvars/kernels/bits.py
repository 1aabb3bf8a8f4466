"""float16 and bfloat16 by their bits, for code that has no such numbers: Numba's.

>>> import numba, numpy as np
>>> @numba.njit
... def halve(bits):
...     for i in range(bits.size):
...         bits[i] = float32_to_bfloat16(bfloat16_to_float32(bits[i]) / np.float32(2))
>>> bits = np.array([0x3F80, 0x4040], np.uint16)
>>> halve(bits)
>>> bfloat16_to_float32(bits)
array([0.5, 1.5], dtype=float32)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.dtypes import as_numeric_dtype
from nbvars.kernels.cpu.cast import cast
from nbvars.kernels.elements import Array

WIDE = ("float32", "float64")


def _from_bits(where: str, dtype: str, bits: Any) -> Any:
    given = np.asarray(bits)
    if given.dtype.kind not in "iu" or (given.ndim > 0 and given.dtype != np.uint16):
        raise TypeError(message(where, "bits has the wrong type", given.dtype.name, "uint16, or an integer"))
    if given.ndim == 0 and not 0 <= int(given) <= 0xFFFF:
        raise ValueError(message(where, "bits does not fit", int(given), "uint16"))
    numbers = given.astype(np.uint16, "C").view(as_numeric_dtype(dtype).numpy_dtype)
    return _like(bits, cast(numbers, np.dtype(np.float32)))


def _to_bits(where: str, dtype: str, x: Any) -> Any:
    given = np.asarray(x)
    if given.dtype.name not in WIDE:
        raise TypeError(message(where, "x has the wrong dtype", given.dtype.name, f"one of {list(WIDE)}"))
    return _like(x, cast(given, as_numeric_dtype(dtype).numpy_dtype).view(np.uint16))


def _like(given: Any, result: Array) -> Any:
    return result if isinstance(given, np.ndarray) else result[()]


def float16_to_float32(bits: Any) -> Any:
    """Return the float32 that equals the float16 of these bits.

    Args:
        bits: An integer from 0 to 65535, or an array of uint16.

    Raises:
        TypeError: ``bits`` is neither.
        ValueError: An integer that has more than 16 bits.
    """
    return _from_bits("float16_to_float32", "float16", bits)


def bfloat16_to_float32(bits: Any) -> Any:
    """Return the float32 that equals the bfloat16 of these bits, as ``float16_to_float32`` does."""
    return _from_bits("bfloat16_to_float32", "bfloat16", bits)


def float32_to_float16(x: Any) -> Any:
    """Return the bits of the float16 that is nearest to ``x``, ties to even: what ``cast`` makes of it.

    Args:
        x: A float32, or a float64, which is rounded once, or an array of them.

    Returns:
        A uint16, or an array of them.

    Raises:
        TypeError: ``x`` has another dtype.
    """
    return _to_bits("float32_to_float16", "float16", x)


def float32_to_bfloat16(x: Any) -> Any:
    """Return the bits of the bfloat16 that is nearest to ``x``, as ``float32_to_float16`` does.

    A float64 is rounded to float32 first, as ``cast`` does. A NaN becomes the quiet one of its sign.
    """
    return _to_bits("float32_to_bfloat16", "bfloat16", x)
