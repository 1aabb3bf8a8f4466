"""cast: every pair of dtypes, with a defined result for every value, NaN and overflow included.

Floating to integer truncates towards zero, NaN becomes 0, and what lies outside becomes the nearest end of the range;
float16 and bfloat16 are rounded to nearest, ties to even. NumPy leaves the first undefined and is slow at the
second; those pairs are kernels. All other pairs are defined and fast in NumPy, and left to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

from nbvars.checks import message
from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure
from nbvars.kernels.cpu.elements import ALL, Array, contiguous
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.intrinsics import saturating_integer
from nbvars.kernels.cpu.threads import get_num_threads, row_parts, run_parts

PART_BYTES = 1 << 22
"""A thread gets at least so many bytes of the larger side."""
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
    """Return the entry point ``(source words, target words)``."""
    convert = _conversion(source, target)

    def cast_elements(x, out):
        for i in range(x.size):
            out[i] = convert(x[i])

    vectors = [types.Array(from_dtype(_word(np.dtype(name))), 1, "C") for name in (source, target)]
    return compile_kernel(f"cast {source} {target}", cast_elements, types.void(*vectors))


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
    """How a pair of dtypes is cast: both in native byte order, as words, and whether a kernel does it."""

    source: np.dtype[Any]
    target: np.dtype[Any]
    source_word: np.dtype[Any]
    target_word: np.dtype[Any]
    by_kernel: bool


@functools.cache
def _plan(source: np.dtype[Any], target: np.dtype[Any]) -> _Plan:
    source, target = _native(source), _native(target)
    return _Plan(source, target, _word(source), _word(target), has_kernel(source, target))


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return ``dtype`` in native byte order; ``TypeError`` if it cannot be cast."""
    native = dtype.newbyteorder("=")
    if native not in ALL:
        expected = f"one of {[known.name for known in ALL]}"
        raise TypeError(message("cast", "the dtype is not castable", dtype, expected))
    return np.dtype(native.type)


@functools.cache
def _kernel_of(source: np.dtype[Any], target: np.dtype[Any]) -> Callable[..., Any]:
    return cast_kernel(source.name, target.name)


def cast(x: Array, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """Return ``x`` converted to ``dtype``: a new array, or ``out``, which has the shape of ``x``, and ``dtype``."""
    source, target, source_word, target_word, by_kernel = _plan(x.dtype, np.dtype(dtype))
    if out is None:
        out = np.empty(x.shape, target)
    elif out.shape != x.shape or out.dtype != target or not out.flags.carray:
        got = f"{out.dtype} of shape {out.shape}"
        expected = f"C-contiguous writable {target.name} of shape {x.shape}"
        raise ValueError(message("cast", "out does not take the result", got, expected))
    if source.kind == "c" and target.kind not in "cb":
        return cast(np.real(x), target, out)
    if not by_kernel:
        with np.errstate(all="ignore"):
            np.copyto(out, x, casting="unsafe")
        return out
    if np.may_share_memory(x, out):
        x = x.copy()
    words = contiguous(x, source).reshape(-1).view(source_word)
    result = out.reshape(-1).view(target_word)
    num_parts = min(get_num_threads(), max(words.nbytes, result.nbytes) // PART_BYTES)
    parts = row_parts(words.size, num_parts)
    run_parts(_kernel_of(source, target), [(words[a:b], result[a:b]) for a, b in parts])
    return out
