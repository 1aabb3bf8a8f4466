"""The oracle: what each operation means, in slow and obvious NumPy and Python. It shares no code with nbvars.

Updates work in place on ``ref``. Arguments are in order: nothing is checked here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Combination = Callable[[Array, Array], Array]

SIXTEEN_BIT_FLOATS = ("float16", "bfloat16")


def _combined(combination: Combination, x: Array, y: Array) -> Array:
    """Return ``combination(x, y)`` in the dtype of ``x``; 16-bit floats are computed in float32 and rounded once."""
    with np.errstate(all="ignore"):
        if x.dtype.name in SIXTEEN_BIT_FLOATS:
            return combination(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype)
        return combination(x, y)


def _product(x: Array, y: Array) -> Array:
    if x.dtype.kind != "c":
        return np.multiply(x, y)
    # By parts: NumPy's own complex product is fused, and so rounded otherwise, on some processors.
    product = np.empty_like(x)
    product.real = x.real * y.real - x.imag * y.imag
    product.imag = x.real * y.imag + x.imag * y.real
    return product


def _quotient(x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return np.divide(x, y)
    quotients = [_integer_quotient(int(a), int(b)) for a, b in zip(x.reshape(-1), y.reshape(-1), strict=True)]
    return _wrapped(quotients, x.dtype).reshape(x.shape)


def _integer_quotient(x: int, y: int) -> int:
    """Return ``x / y`` rounded towards zero."""
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def _wrapped(numbers: list[int], dtype: np.dtype[Any]) -> Array:
    """Return whole ``numbers`` as ``dtype``, keeping the low bits of one that does not fit."""
    num_bits = 8 * dtype.itemsize
    return np.array([number % 2**num_bits for number in numbers], f"uint{num_bits}").view(dtype)


def _replacement(x: Array, y: Array) -> Array:
    return y


def assign(ref: Array, value: Array) -> None:
    """Copy ``value``, of the shape of ``ref`` or ``()``, into ``ref``."""
    ref[...] = value


def assign_add(ref: Array, value: Array) -> None:
    """Add ``value``, of the shape of ``ref`` or ``()``, to ``ref``."""
    ref[...] = _combined(np.add, ref, value)


def assign_sub(ref: Array, value: Array) -> None:
    """Subtract ``value``, of the shape of ``ref`` or ``()``, from ``ref``."""
    ref[...] = _combined(np.subtract, ref, value)


def _scatter(combination: Combination, ref: Array, indices: Array, values: Array) -> None:
    slices = np.broadcast_to(values, indices.shape + ref.shape[1:]).reshape(indices.size, *ref.shape[1:])
    for k, row in enumerate(indices.reshape(-1)):
        ref[row, ...] = _combined(combination, ref[row, ...], slices[k, ...])


def scatter_add(ref: Array, indices: Array, values: Array) -> None:
    """Add ``values[k]`` to row ``indices[k]`` of ``ref``, for every ``k`` in order."""
    _scatter(np.add, ref, indices, values)


def scatter_sub(ref: Array, indices: Array, values: Array) -> None:
    """Subtract ``values[k]`` from row ``indices[k]`` of ``ref``, for every ``k`` in order."""
    _scatter(np.subtract, ref, indices, values)


def scatter_mul(ref: Array, indices: Array, values: Array) -> None:
    """Multiply row ``indices[k]`` of ``ref`` by ``values[k]``, for every ``k`` in order."""
    _scatter(_product, ref, indices, values)


def scatter_div(ref: Array, indices: Array, values: Array) -> None:
    """Divide row ``indices[k]`` of ``ref`` by ``values[k]``, for every ``k`` in order; integers towards zero."""
    _scatter(_quotient, ref, indices, values)


def scatter_min(ref: Array, indices: Array, values: Array) -> None:
    """Keep the smaller of row ``indices[k]`` of ``ref`` and ``values[k]``; NaN if either is."""
    _scatter(np.minimum, ref, indices, values)


def scatter_max(ref: Array, indices: Array, values: Array) -> None:
    """Keep the larger of row ``indices[k]`` of ``ref`` and ``values[k]``; NaN if either is."""
    _scatter(np.maximum, ref, indices, values)


def scatter_update(ref: Array, indices: Array, values: Array) -> None:
    """Copy ``values[k]`` to row ``indices[k]`` of ``ref``, for every ``k`` in order: the last of several wins."""
    _scatter(_replacement, ref, indices, values)


def _scatter_nd(combination: Combination, ref: Array, indices: Array, updates: Array) -> None:
    for position in np.ndindex(indices.shape[:-1]):
        place: tuple[Any, ...] = (*indices[position].tolist(), ...)
        ref[place] = _combined(combination, ref[place], updates[(*position, ...)])


def scatter_nd_add(ref: Array, indices: Array, updates: Array) -> None:
    """Add ``updates[p]`` to the slice ``ref[indices[p]]``, for every position ``p`` in order."""
    _scatter_nd(np.add, ref, indices, updates)


def scatter_nd_sub(ref: Array, indices: Array, updates: Array) -> None:
    """Subtract ``updates[p]`` from the slice ``ref[indices[p]]``, for every position ``p`` in order."""
    _scatter_nd(np.subtract, ref, indices, updates)


def scatter_nd_update(ref: Array, indices: Array, updates: Array) -> None:
    """Copy ``updates[p]`` to the slice ``ref[indices[p]]``, for every position ``p`` in order."""
    _scatter_nd(_replacement, ref, indices, updates)


def batch_scatter_update(ref: Array, indices: Array, updates: Array) -> None:
    """Copy ``updates[b, k]`` to ``ref[b, indices[b, k]]``: the axes of ``indices`` before its last are the batch."""
    for position in np.ndindex(indices.shape):
        ref[(*position[:-1], int(indices[position]), ...)] = updates[(*position, ...)]


def gather_nd(params: Array, indices: Array) -> Array:
    """Return the slices ``params[indices[p]]``, at every position ``p``."""
    depth = indices.shape[-1]
    result = np.empty(indices.shape[:-1] + params.shape[depth:], params.dtype)
    for position in np.ndindex(indices.shape[:-1]):
        place: tuple[Any, ...] = (*indices[position].tolist(), ...)
        result[(*position, ...)] = params[place]
    return result


def cast(x: Array, dtype: np.dtype[Any]) -> Array:
    """Return ``x`` as ``dtype``: floating to integer towards zero, NaN to 0, what is outside to the nearest end."""
    dtype = np.dtype(dtype)
    if x.dtype.kind == "c" and dtype.kind not in "cb":
        x = x.real
    with np.errstate(all="ignore"):
        if x.dtype.kind in "fV" and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            numbers = [
                _whole(number, int(limits.min), int(limits.max)) for number in x.astype(np.float64).reshape(-1).tolist()
            ]
            return np.array(numbers, dtype).reshape(x.shape)
        return x.astype(dtype)


def _whole(number: float, lowest: int, highest: int) -> int:
    if math.isnan(number):
        return 0
    if math.isinf(number):
        return highest if number > 0 else lowest
    return min(max(int(number), lowest), highest)


def count_up_to(ref: Array, limit: int) -> int:
    """Add 1 to the scalar ``ref`` and return what it was; ``IndexError`` where that is not below ``limit``."""
    count = int(ref)
    if count >= limit:
        raise IndexError(f"{count} is not below {limit}")
    ref[()] = count + 1
    return count
