"""cast: every pair of dtypes, with a defined result for every value, NaN and overflow included.

Floating to integer truncates towards zero, NaN becomes 0, and what lies outside becomes the nearest end of the range;
float16 and bfloat16 are rounded to nearest, ties to even. NumPy leaves the first undefined and is slow at the
second; those pairs are kernels. All other pairs are defined and fast in NumPy, and left to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import from_dtype, njit, types

from nbvars.checks import message
from nbvars.kernels.cpu import halves
from nbvars.kernels.cpu.compiled import compile_kernel
from nbvars.kernels.cpu.elements import ALL, Array
from nbvars.kernels.cpu.intrinsics import saturating_integer
from nbvars.kernels.cpu.threads import get_num_threads, row_parts, run_parts

PART_BYTES = 1 << 21
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_HALVES = _FLOATS[:2]


def _conversion(source: str, target: str) -> Any:
    """Return the compiled rule that casts one word of dtype ``source`` to one of dtype ``target``."""
    widen = {"float16": halves.float16_to_float32, "bfloat16": halves.bfloat16_to_float32}.get(source)
    narrow = {"float16": halves.float32_to_float16, "bfloat16": halves.float32_to_bfloat16}.get(target)
    if source == "float64" and target == "float16":
        return halves.float64_to_float16
    if narrow:
        return njit(lambda x: narrow(widen(x))) if widen else njit(lambda x: narrow(types.float32(x)))
    if target in _FLOATS:
        return widen  # the store into the target widens to float64
    zero = from_dtype(np.dtype(target))(0)
    if widen:
        return njit(lambda x: saturating_integer(widen(x), zero))
    return njit(lambda x: saturating_integer(x, zero))


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


def cast(x: Array, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """Return ``x`` converted to ``dtype``: a new array, or ``out``, which has the shape of ``x``, and ``dtype``."""
    dtype = np.dtype(dtype)
    for name, known in (("x", x.dtype.newbyteorder("=")), ("dtype", dtype)):
        if known not in ALL:
            raise TypeError(message("cast", f"{name} is not castable", known, f"one of {[d.name for d in ALL]}"))
    if out is None:
        out = np.empty(x.shape, dtype)
    elif out.shape != x.shape or out.dtype != dtype or not out.flags.carray:
        got = f"{out.dtype} of shape {out.shape}"
        expected = f"C-contiguous writable {dtype.name} of shape {x.shape}"
        raise ValueError(message("cast", "out does not take the result", got, expected))
    source = x.dtype.newbyteorder("=")
    if source.kind == "c" and dtype.kind not in "cb":
        return cast(np.real(x), dtype, out)
    if not has_kernel(source, dtype):
        with np.errstate(all="ignore"):
            np.copyto(out, x, casting="unsafe")
        return out
    if np.may_share_memory(x, out):
        x = x.copy()
    words = np.require(x, source, ["C", "A"]).reshape(-1).view(_word(source))
    result = out.reshape(-1).view(_word(dtype))
    num_parts = min(get_num_threads(), max(words.nbytes, result.nbytes) // PART_BYTES)
    parts = row_parts(words.size, num_parts)
    run_parts(cast_kernel(source.name, dtype.name), [(words[a:b], result[a:b]) for a, b in parts])
    return out
