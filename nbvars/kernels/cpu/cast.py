"""cast: every pair of dtypes, with a defined result for every value, NaN and overflow included.

Floating to integer truncates towards zero, NaN becomes 0, and what lies outside becomes the nearest end of the range;
float16 and bfloat16 are rounded to nearest, ties to even. NumPy leaves the first undefined, is slow at the second, and
warns of what overflows: pairs with a floating source or a 16-bit floating target are kernels. The others are defined
and fast in NumPy, which does them as long as they are small: a large result goes past the caches and to several
threads, and that needs a kernel. Complex types are NumPy's alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

from nbvars.checks import message
from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure
from nbvars.kernels.cpu.elements import contiguous, expect_arrays
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.intrinsics import (
    LINE_BYTES,
    STACK_BYTES,
    any_array,
    data_of,
    num_items_of,
    saturating_integer,
    stack_lines,
    stream_fence,
    stream_line,
    words_at,
)
from nbvars.kernels.cpu.recycling import LEAST_KEPT_BYTES, empty
from nbvars.kernels.cpu.threads import get_num_threads, run_parts
from nbvars.kernels.elements import Array, castable

PART_BYTES = 1 << 22
"""A thread gets at least so many bytes of the larger side: two are 0.85x as fast as one at 4 MiB, 1.2 at 8 (Zen 4).
"""
STREAM_BYTES = 12 << 20
"""A result of so many bytes goes past the caches. On Zen 4 with 32 MiB of third cache, float16 to float32 is that way
0.65x as fast at 4 MiB of result, 0.97x at 12, 1.24x at 16 and 1.46x at 40; float64 to float32 1.18x at 8.
"""
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_HALVES = _FLOATS[:2]
_WITHOUT_WARNINGS = "biu"
"""The kinds of dtypes of which NumPy casts every value without a warning."""


def conversion(source: str, target: str) -> Any:
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
    if target == "bool":
        if wide:
            return jit_closure(name, lambda x: types.uint8(x & types.uint16(0x7FFF) != 0))
        return jit_closure(name, lambda x: types.uint8(x != 0))
    number = from_dtype(np.dtype(target))
    if source not in _FLOATS or target in _FLOATS:
        if widen:
            return jit_closure(name, lambda x: number(widen(x)))
        return jit_closure(name, lambda x: number(x))  # noqa: PLW0108 - Numba's types are no functions to it
    zero = number(0)
    if widen:
        return jit_closure(name, lambda x: saturating_integer(widen(x), zero))
    return jit_closure(name, lambda x: saturating_integer(x, zero))


def _over_elements(source: str, target: str) -> Any:
    """Return the compiled loop over ``num_items`` words at address ``x``, and as many at ``out``."""
    convert, word, out_word = (
        conversion(source, target),
        *(from_dtype(_word(np.dtype(name))) for name in (source, target)),
    )

    def cast_elements(x, out, num_items):
        words, results = words_at(x, num_items, word), words_at(out, num_items, out_word)
        for i in range(words.size):
            results[i] = convert(words[i])

    return jit_closure(f"{source}_to_{target}_over_elements", cast_elements)


@functools.cache
def _kernel(source: str, target: str) -> Callable[..., Any]:
    loop, size, out_size = _over_elements(source, target), np.dtype(source).itemsize, np.dtype(target).itemsize
    items_per_block = STACK_BYTES // out_size

    def cast_run(x, out, part, num_parts):
        x_data, out_data, num_items = data_of(x), data_of(out), num_items_of(x)
        start, end = num_items * part // num_parts, num_items * (part + 1) // num_parts
        streams = num_items * out_size >= STREAM_BYTES
        block = stack_lines()
        i = start
        while i < end:
            # The loop is called in one place, because it is long when compiled.
            address, run = out_data + i * out_size, end - i
            before_line = -address & (LINE_BYTES - 1)
            is_block = streams and before_line == 0 and run >= items_per_block
            if is_block:
                run = items_per_block
            elif streams and before_line != 0:
                run = min(run, before_line // out_size)
            loop(x_data + i * size, block if is_block else address, run)
            if is_block:
                for offset in range(0, STACK_BYTES, LINE_BYTES):
                    stream_line(address + offset, block + offset)
            i += run
        if streams:
            stream_fence()

    signature = types.void(any_array, any_array, types.intp, types.intp)
    return compile_kernel(f"cast {source} {target}", cast_run, signature)


def cast_kernel(source: str, target: str) -> Callable[..., Any]:
    """Return the entry point ``(x, out, part, num_parts)``, which casts one of ``num_parts`` runs of ``x``.

    Both arrays are contiguous, in native byte order and of as many elements.
    """
    # Pairs that make the same bits of the same bits share one kernel.
    source = "uint8" if source == "bool" else source
    if source not in _FLOATS and target not in (*_FLOATS, "bool"):
        size, out_size = np.dtype(source).itemsize, np.dtype(target).itemsize
        target = f"uint{8 * out_size}"
        source = f"uint{8 * size}" if size >= out_size else source
    return _kernel(source, target)


def _word(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"uint{8 * dtype.itemsize}") if dtype.name in (*_HALVES, "bool") else dtype


def has_kernel(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """Tell whether there is a kernel for the pair; NumPy does the others."""
    return source != target and "c" not in source.kind + target.kind


class _Plan(NamedTuple):
    """How a pair of dtypes is cast."""

    source: np.dtype[Any]
    """In native byte order, as is ``target``."""
    target: np.dtype[Any]
    kernel: Callable[..., Any] | None
    """What casts small arrays, unless NumPy does."""
    large_kernel: Callable[[], Callable[..., Any]] | None
    """Returns what casts large ones."""
    most_items: int
    """So many are cast with the least ado: of a small result, and without a warning."""
    item_bytes: int
    """Of the larger side."""


@functools.cache
def _plan(source: np.dtype[Any], target: np.dtype[Any]) -> _Plan:
    given, source, target = source, castable(source), castable(target)
    item_bytes, kernel, large_kernel = max(source.itemsize, target.itemsize), None, None
    if has_kernel(source, target):
        large_kernel = functools.partial(cast_kernel, source.name, target.name)
        if source.name in _FLOATS or target.name in _HALVES:
            kernel = large_kernel()
    is_plain = given is source and (kernel is not None or source.kind in _WITHOUT_WARNINGS)
    most_items = (LEAST_KEPT_BYTES - 1) // item_bytes if is_plain else -1
    return _Plan(source, target, kernel, large_kernel, most_items, item_bytes)


def cast(x: Array, dtype: np.dtype[Any], out: Array | None = None) -> Array:
    """Return ``x`` converted to ``dtype``.

    Floating to integer truncates towards zero; NaN becomes 0, and what does not fit the nearest number that does.
    Integers wrap. Rounding is to nearest, halves to even. A new result of 2 MiB and more may lie in memory of an
    earlier one that is gone, see ``set_cast_pool_bytes``.

    >>> import numpy as np
    >>> buffer = np.empty(3, np.float16)
    >>> cast(np.array([1.5, 2.5, 1e9]), buffer.dtype, buffer)
    array([1.5, 2.5, inf], dtype=float16)

    Args:
        x: An array of any layout.
        dtype: What ``np.dtype`` takes.
        out: Where the result goes, and what is returned: C-contiguous, writable, of ``dtype`` and the shape of ``x``.
            It may lie in the memory of ``x``. Without it, the result is a new array.

    Raises:
        TypeError: ``x`` is no array, or one of the dtypes is not of numbers.
        ValueError: ``out`` does not take the result.
    """
    if type(x) is not np.ndarray:
        x = np.asarray(x) if isinstance(x, np.generic) else x
        expect_arrays("cast", x=x)
    source, target, kernel, large_kernel, most_items, item_bytes = _plan(x.dtype, np.dtype(dtype))
    num_items = x.size
    if num_items <= most_items and out is None:
        # A small cast takes no longer than what Python does here, so this is the least that has to be done.
        if kernel is None:
            return x.astype(target, "C")
        flags = x.flags
        if flags.c_contiguous and flags.aligned:
            out = np.empty(x.shape, target)
            kernel(x, out, 0, 1)
            return out
    if out is not None and (out.shape != x.shape or out.dtype != target or not out.flags.carray):
        got = f"{out.dtype} of shape {out.shape}"
        expected = f"C-contiguous writable {target.name} of shape {x.shape}"
        raise ValueError(message("cast", "out does not take the result", got, expected))
    if source.kind == "c" and target.kind not in "cb":
        return cast(np.real(x), target, out)
    num_bytes = num_items * item_bytes
    if large_kernel and num_bytes >= 2 * PART_BYTES:
        kernel = large_kernel()
    if kernel is None:
        return _by_numpy(x, target, out)
    if out is None:
        out = empty(x.shape, target)
    elif np.may_share_memory(x, out):
        x = x.copy()
    words = contiguous(x, source)
    if num_bytes < 2 * PART_BYTES:
        kernel(words, out, 0, 1)
        return out
    num_parts = min(get_num_threads(), num_bytes // PART_BYTES)
    run_parts(kernel, [(words, out, part, num_parts) for part in range(num_parts)])
    return out


def _by_numpy(x: Array, target: np.dtype[Any], out: Array | None) -> Array:
    if out is None and x.size * target.itemsize >= LEAST_KEPT_BYTES:
        out = empty(x.shape, target)
    if x.dtype.kind in _WITHOUT_WARNINGS:
        return _convert(x, target, out)
    with np.errstate(all="ignore"):
        return _convert(x, target, out)


def _convert(x: Array, target: np.dtype[Any], out: Array | None) -> Array:
    if out is None:
        return x.astype(target, "C")
    np.copyto(out, x, casting="unsafe")
    return out
