"""cast: every pair of dtypes, with a defined result for every value, NaN and overflow included.

Floating to integer truncates towards zero, NaN becomes 0, and what lies outside becomes the nearest end of the range;
float16 and bfloat16 are rounded to nearest, ties to even. NumPy leaves the first undefined and is slow at the
second; those pairs are kernels. All other pairs are defined and fast in NumPy, and left to it.
"""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

from nbvars.checks import message
from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure
from nbvars.kernels.cpu.elements import ALL, Array, contiguous, expect_arrays
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.intrinsics import any_array, data_of, num_items_of, saturating_integer, words_at
from nbvars.kernels.cpu.threads import get_num_threads, run_parts

PART_BYTES = 1 << 22
"""A thread gets at least so many bytes of the larger side."""
LEAST_KEPT_BYTES, MOST_KEPT_BYTES = 1 << 25, 1 << 27
"""The memory of a result of so many bytes is kept for the next when the result is gone. To get as much from the system,
which clears it, takes longer than the cast; what is smaller ``malloc`` keeps by itself.
"""
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_HALVES = _FLOATS[:2]


def _conversion(source: str, target: str) -> Any:
    """Return the compiled rule that casts one word of dtype ``source`` to one of dtype ``target``."""
    name, wide, narrow = f"{source}_to_{target}", half_of(source), half_of(target)
    widen = wide.to_float32 if wide else None
    if narrow:
        round32, round64 = narrow.from_float32, narrow.from_float64
        if source == "float64":
            return round64
        if widen:
            return jit_closure(name, lambda x: round32(widen(x)))
        return jit_closure(name, lambda x: round32(types.float32(x)))
    if target in _FLOATS:
        return widen  # the store into the target widens to float64
    zero = from_dtype(np.dtype(target))(0)
    if widen:
        return jit_closure(name, lambda x: saturating_integer(widen(x), zero))
    return jit_closure(name, lambda x: saturating_integer(x, zero))


@functools.cache
def cast_kernel(source: str, target: str) -> Callable[..., Any]:
    """Return the entry point ``(x, out, part, num_parts)``, which casts one of ``num_parts`` runs of ``x``.

    Both arrays are contiguous, in native byte order and of as many elements.
    """
    convert = _conversion(source, target)

    def convert_elements(x, out):
        for i in range(x.size):
            out[i] = convert(x[i])

    loop = jit_closure(f"{source}_to_{target}_over_elements", convert_elements)
    word, out_word = (from_dtype(_word(np.dtype(name))) for name in (source, target))
    size, out_size = _word(np.dtype(source)).itemsize, _word(np.dtype(target)).itemsize

    def cast_elements(x, out, part, num_parts):
        num_items = num_items_of(x)
        start, end = num_items * part // num_parts, num_items * (part + 1) // num_parts
        loop(
            words_at(data_of(x) + start * size, end - start, word),
            words_at(data_of(out) + start * out_size, end - start, out_word),
        )

    signature = types.void(any_array, any_array, types.intp, types.intp)
    return compile_kernel(f"cast {source} {target}", cast_elements, signature)


def _word(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.uint16) if dtype.name in _HALVES else dtype


def has_kernel(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """Tell whether the pair is cast by a kernel of ours rather than by NumPy."""
    if source == target or "c" in source.kind + target.kind or "b" in source.kind + target.kind:
        return False
    if source.name in _FLOATS:
        return target.name not in ("float32", "float64") or source.name in _HALVES
    return target.name in _HALVES


class _Plan(NamedTuple):
    """How a pair of dtypes is cast: both in native byte order, and the kernel, unless NumPy does it."""

    source: np.dtype[Any]
    target: np.dtype[Any]
    kernel: Callable[..., Any] | None


@functools.cache
def _plan(source: np.dtype[Any], target: np.dtype[Any]) -> _Plan:
    source, target = _native(source), _native(target)
    return _Plan(source, target, cast_kernel(source.name, target.name) if has_kernel(source, target) else None)


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return ``dtype`` in native byte order; ``TypeError`` if it cannot be cast."""
    native = dtype.newbyteorder("=")
    if native not in ALL:
        expected = f"one of {[known.name for known in ALL]}"
        raise TypeError(message("cast", "the dtype is not castable", dtype, expected))
    return np.dtype(native.type)


_kept: deque[Array] = deque(maxlen=2)
"""Memory of results that are gone. There is no lock that a fork, a signal handler or the garbage collector could find
taken: each call of a deque's methods is atomic.
"""


class _Lease:
    """Stands between a result and its memory: NumPy lets go of it when the last view of the result is gone."""

    def __init__(self, memory: Array) -> None:
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self, keep: Callable[[Array], None] = _kept.append) -> None:
        keep(self._memory)


def _empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a new array, as ``np.empty``, in the memory of an earlier result if there is one of that size."""
    num_bytes = math.prod(shape) * dtype.itemsize
    if not LEAST_KEPT_BYTES <= num_bytes <= MOST_KEPT_BYTES:
        return np.empty(shape, dtype)
    memory = _take_kept(num_bytes)
    if memory is None:
        memory = np.empty(num_bytes, np.uint8)
    return np.asarray(_Lease(memory)).view(dtype).reshape(shape)


def _take_kept(num_bytes: int) -> Array | None:
    for _ in range(len(_kept)):
        try:
            memory = _kept.pop()
        except IndexError:  # another thread took it
            return None
        if memory.nbytes == num_bytes:
            return memory
        _kept.appendleft(memory)
    return None


def cast(x: Array, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """Return ``x`` converted to ``dtype``: a new array, or ``out``, which has the shape of ``x``, and ``dtype``."""
    if type(x) is not np.ndarray:
        x = np.asarray(x) if isinstance(x, np.generic) else x
        expect_arrays("cast", x=x)
    source, target, kernel = _plan(x.dtype, np.dtype(dtype))
    if out is None:
        out = _empty(x.shape, target)
    elif out.shape != x.shape or out.dtype != target or not out.flags.carray:
        got = f"{out.dtype} of shape {out.shape}"
        expected = f"C-contiguous writable {target.name} of shape {x.shape}"
        raise ValueError(message("cast", "out does not take the result", got, expected))
    elif kernel and np.may_share_memory(x, out):
        x = x.copy()
    if source.kind == "c" and target.kind not in "cb":
        return cast(np.real(x), target, out)
    if kernel is None:
        if source.kind in "biu":  # nothing to be warned of, and errstate takes longer than a small cast
            np.copyto(out, x, casting="unsafe")
        else:
            with np.errstate(all="ignore"):
                np.copyto(out, x, casting="unsafe")
        return out
    words = contiguous(x, source)
    num_bytes = max(words.nbytes, out.nbytes)
    if num_bytes < 2 * PART_BYTES:
        kernel(words, out, 0, 1)
        return out
    num_parts = min(get_num_threads(), num_bytes // PART_BYTES)
    run_parts(kernel, [(words, out, part, num_parts) for part in range(num_parts)])
    return out
