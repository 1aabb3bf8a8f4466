"""What ``cast`` makes of one item: the numbers of the CPU, and its bits of a NaN.

What GPUs make of a NaN when they convert it is not that of the CPU, and partly not specified: it is put together here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.kernels.cuda.halves import narrowing, widening
from nbvars.kernels.cuda.lanes import kept_of
from nbvars.kernels.cuda.toolkit import IS_SIMULATED
from nbvars.kernels.cuda.vectors import on_device
from nbvars.kernels.elements import HALVES

if IS_SIMULATED:
    from nbvars.kernels.cuda.simulated_intrinsics import (
        FLOAT_TO_INTEGER,
        bits_of_float32,
        bits_of_float64,
        float32_of_bits,
        float64_of_bits,
        float64_to_half,
        half_to_float32,
    )
else:
    from nbvars.kernels.cuda.intrinsics import (  # type: ignore[assignment]
        FLOAT_TO_INTEGER,
        bits_of_float32,
        bits_of_float64,
        float32_of_bits,
        float64_of_bits,
        float64_to_half,
        half_to_float32,
    )

FLOATS = (*HALVES, "float32", "float64")
PARTS = {"complex64": "float32", "complex128": "float64"}
"""What complex numbers are two of."""

Rule = Callable[..., Any]


@functools.cache
def number_of(dtype: np.dtype[Any]) -> Rule:
    """Return the conversion of a number to ``dtype``: integers wrap."""
    number = dtype.type

    def simulated(x: Any) -> Any:
        with np.errstate(over="ignore"):  # of this thread
            return kept_of(x, dtype)

    return simulated if IS_SIMULATED else on_device(lambda x: number(x))  # noqa: PLW0108 - no functions to Numba


_rounded_to_float32 = number_of(np.dtype(np.float32))


@on_device
def _same(x: Any) -> Any:
    return x


@on_device
def _half_to_single(bits: Any) -> Any:
    if (bits & np.uint16(0x7FFF)) > np.uint16(0x7C00):
        sign, payload = np.uint32(bits >> np.uint16(15)), np.uint32(bits & np.uint16(0x03FF))
        return float32_of_bits(np.uint32((sign << np.uint32(31)) | np.uint32(0x7FC00000) | (payload << np.uint32(13))))
    return half_to_float32(bits)


@on_device
def _double_to_half(x: Any) -> Any:
    if x != x:
        bits = bits_of_float64(x)
        sign, payload = np.uint16(bits >> np.uint64(63)), np.uint16((bits >> np.uint64(42)) & np.uint64(0x01FF))
        return np.uint16((sign << np.uint16(15)) | np.uint16(0x7E00) | payload)
    return float64_to_half(x)


@on_device
def _double_to_single(x: Any) -> Any:
    if x != x:
        bits = bits_of_float64(x)
        sign, payload = np.uint32(bits >> np.uint64(63)), np.uint32((bits >> np.uint64(29)) & np.uint64(0x3FFFFF))
        return float32_of_bits(np.uint32((sign << np.uint32(31)) | np.uint32(0x7FC00000) | payload))
    return _rounded_to_float32(x)


@on_device
def _single_to_double(x: Any) -> Any:
    if x != x:
        bits = np.uint64(bits_of_float32(x))
        sign, payload = bits >> np.uint64(31), bits & np.uint64(0x7FFFFF)
        return float64_of_bits(
            np.uint64((sign << np.uint64(63)) | np.uint64(0x7FF8000000000000) | (payload << np.uint64(29)))
        )
    return np.float64(x)


@functools.cache
def _to_float32(source: str) -> Rule:
    if source == "float64":
        return _double_to_single
    if source in HALVES:
        return _half_to_single if source == "float16" else widening(source)
    return _same if source == "float32" else number_of(np.dtype(np.float32))


@functools.cache
def _to_float64(source: str) -> Rule:
    if source not in FLOATS:
        return number_of(np.dtype(np.float64))
    if source in HALVES:
        widen = _to_float32(source)
        return on_device(lambda x: _single_to_double(widen(x)))
    return _same if source == "float64" else _single_to_double


@functools.cache
def _to_half(source: str, target: str) -> Rule:
    if (source, target) == ("float64", "float16"):
        return _double_to_half
    # Everything else is rounded to float32 before, as on the CPU.
    to_float32, narrow = _to_float32(source), narrowing(target)
    return on_device(lambda x: narrow(to_float32(x)))


@functools.cache
def _to_bool(source: str) -> Rule:
    if source in HALVES:
        return on_device(lambda x: np.uint8((x & np.uint16(0x7FFF)) != np.uint16(0)))
    zero = np.dtype(source).type(0)
    return on_device(lambda x: np.uint8(x != zero))


@functools.cache
def _float_to_integer(source: str, target: str) -> Rule:
    """Return the conversion towards zero: NaN becomes 0, and what does not fit the nearest number that does."""
    limits = np.iinfo(target)
    wide = target if limits.bits >= 32 else "int32"
    number, convert = np.dtype(target).type, FLOAT_TO_INTEGER["float64" if source == "float64" else "float32", wide]
    zero, lowest, highest = (np.dtype(wide).type(bound) for bound in (0, limits.min, limits.max))

    def saturate(x: Any) -> Any:
        whole = convert(x)
        whole = lowest if whole < lowest else highest if whole > highest else whole
        return number(zero if x != x else whole)

    saturated = on_device(saturate)
    widen = widening(source) if source in HALVES else _same
    return on_device(lambda x: saturated(widen(x)))


def _of_reals(source: str, target: str) -> Rule:
    if source == target:
        return _same
    if target == "bool":
        return _to_bool(source)
    if target in HALVES:
        return _to_half(source, target)
    if target in FLOATS:
        return (_to_float32 if target == "float32" else _to_float64)(source)
    return _float_to_integer(source, target) if source in FLOATS else number_of(np.dtype(target))


@functools.cache
def conversion(source: str, target: str) -> Rule:
    """Return the function that casts one item of dtype ``source`` to ``target``; both are tuples of their words.

    A word is a number, of a 16-bit float its bits; a complex number has two.
    """
    if source in PARTS and target == "bool":
        is_not_zero = _to_bool(PARTS[source])
        return on_device(lambda item: (np.uint8(is_not_zero(item[0]) | is_not_zero(item[1])),))
    convert = _of_reals(PARTS.get(source, source), PARTS.get(target, target))
    if target in PARTS:
        zero = np.dtype(PARTS[target]).type(0)
        return on_device(lambda item: (convert(item[0]), zero))
    return on_device(lambda item: (convert(item[0]),))
