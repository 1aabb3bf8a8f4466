"""scatter: updates of rows, in place, exact with repeated indices and in the order of the indices.

Every scatter is one loop with another rule. A thread owns rows and applies the slices of its rows in order, so no
atomics are needed and the bits do not depend on the number of threads.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from nbvars.checks import message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cpu.compiled import compile_kernel
from nbvars.kernels.cpu.elements import as_words, contiguous, expect_arrays, expect_updatable, rule_of
from nbvars.kernels.cpu.intrinsics import load_apart, prefetch, store_apart
from nbvars.kernels.cpu.threads import get_num_threads, run_parts
from nbvars.kernels.elements import Array, Element, element_of, same_dtype

ROWS_AHEAD = np.uint64(16)
"""So many slices ahead the rows are asked for: far enough to hide memory, near enough to stay in the cache."""
NARROW_ROWS_AHEAD = np.uint64(32)
CACHE_LINE = np.uint64(64)
BLOCK = np.uint64(1024)
"""So many slices are looked through at a time for those whose rows a thread owns."""
PART_BYTES = 1 << 22
"""A thread gets at least so many bytes of slices: two threads are 0.85 times as fast as one at 4 MiB, 1.2 at 8 (Zen 4).
"""
SHARED_ROW_BYTES = 128
"""Narrower rows are not shared out: two threads would write to one cache line."""
_NUM_SAMPLES = 1024
_INT64, _INT32 = np.dtype(np.int64), np.dtype(np.int32)
_NO_INT64, _NO_INT32 = np.empty(0, _INT64), np.empty(0, _INT32)


@njit
def index_at(wide, narrow, i):
    """Return index ``i``, huge if it is negative. One of both vectors holds the indices, the other is empty."""
    # LLVM makes two loops of a loop that asks this.
    return np.uint64(wide[i]) if wide.size else np.uint64(np.int64(narrow[i]))


@njit
def _take_block(wide, narrow, first, count, owner, owners_mask, rows, places):
    """Put the rows that the owner owns of ``count`` slices into ``rows``, where they were into ``places``.

    Return how many they are. All belong to one owner whose mask is 0; ``places`` then is not written.
    """
    if owners_mask == 0:
        for i in range(count):
            rows[i] = index_at(wide, narrow, first + i)
        return count
    # Whose row it is cannot be foretold: to gather the own slices without a branch costs less than wrong guesses.
    num_owned = np.uint64(0)
    for i in range(count):
        row = index_at(wide, narrow, first + i)
        rows[num_owned], places[num_owned] = row, i
        num_owned += np.uint64(row & owners_mask == owner)
    return num_owned


def over_rows(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return the loop that applies ``rule`` to rows of ``width`` words, in the order of the indices.

    ``ref`` and ``values`` are vectors that lie apart.
    """

    def scatter_rows(ref, wide, narrow, values, width, owner, owners_mask):
        # Unsigned numbers spare Numba's wraparound of negative indices. The comparison with num_rows keeps the loop
        # inside the buffer, whatever somebody does to the indices meanwhile: rows is a copy of them.
        num_rows, num_slices = ref.size // width, np.uint64(wide.size + narrow.size)
        row_bytes = width * np.uint64(ref.itemsize)
        if width == 1:  # and one owner
            for k in range(num_slices):
                if k + NARROW_ROWS_AHEAD < num_slices:
                    prefetch(ref, index_at(wide, narrow, k + NARROW_ROWS_AHEAD) * row_bytes)
                row = index_at(wide, narrow, k)
                if row < num_rows:
                    ref[row] = rule(ref[row], values[k])
            return
        rows, places = np.empty(min(BLOCK, num_slices), np.uint64), np.empty(min(BLOCK, num_slices), np.uint64)
        for k in range(np.uint64(places.size)):
            places[k] = k
        for first in range(np.uint64(0), num_slices, BLOCK):
            count = min(num_slices - first, BLOCK)
            count = _take_block(wide, narrow, first, count, owner, owners_mask, rows, places)
            for k in range(count):
                if k + ROWS_AHEAD < count:
                    ahead = rows[k + ROWS_AHEAD] * row_bytes
                    for offset in range(np.uint64(0), row_bytes, CACHE_LINE):
                        prefetch(ref, ahead + offset)
                row, start, source = rows[k], rows[k] * width, (first + places[k]) * width
                if row < num_rows:
                    for col in range(width):
                        store_apart(ref, start + col, rule(ref[start + col], load_apart(values, source + col)))

    return scatter_rows


_WIDE, _NARROW = types.Array(types.int64, 1, "C"), types.Array(types.int32, 1, "C")


@functools.cache
def _rows_kernel(operation: str, element: Element) -> Callable[..., Any]:
    loop = over_rows(rule_of(operation, element))
    number = types.uint64
    signature = types.void(element.vector, _WIDE, _NARROW, element.vector, number, number, number)
    return compile_kernel(f"scatter_{operation} rows {element.name}", loop, signature)


@njit
def first_outside(wide, narrow, num_rows):
    """Return the position of the first index that is not in ``[0, num_rows)``, -1 if there is none."""
    # No early exit: the loop without one is vectorised, and good indices are the rule.
    limit, num_slices, bad = np.uint64(num_rows), np.uint64(wide.size + narrow.size), np.int64(0)
    for i in range(num_slices):
        bad |= np.int64(index_at(wide, narrow, i) >= limit)
    if bad:
        for i in range(num_slices):
            if index_at(wide, narrow, i) >= limit:
                return np.int64(i)
    return np.int64(-1)


def _first_outside(wide, narrow, num_rows):
    return first_outside(wide, narrow, num_rows)


@functools.cache
def _first_outside_kernel() -> Callable[..., int]:
    return compile_kernel("first index outside", _first_outside, types.int64(_WIDE, _NARROW, types.int64))


def check_indices(where: str, indices: Array, num_rows: int) -> Array:
    """Return ``indices`` as a contiguous int64 or int32 vector; all are in ``[0, num_rows)``.

    Raises:
        TypeError: Not integers.
        InvalidArgumentError: Names the first index that is not in the range, and its position.
    """
    if indices.dtype.kind not in "iu":
        raise TypeError(message(where, "indices has the wrong dtype", indices.dtype.name, "an integer dtype"))
    # A uint64 that does not fit int64 becomes negative there: out of range all the same.
    flat = contiguous(indices, _INT32 if indices.dtype == _INT32 else _INT64).reshape(-1)
    position = _first_outside_kernel()(*_wide_or_narrow(flat), num_rows)
    if position >= 0:
        place = np.unravel_index(position, indices.shape)
        name = f"indices[{','.join(str(k) for k in place)}]" if place else "indices"
        wrong = f"an index is out of range: {name} = {indices[place]} is not in [0, {num_rows})"
        raise InvalidArgumentError(None, None, f"{where}: {wrong}; nothing was written")
    return flat


def _wide_or_narrow(rows: Array) -> tuple[Array, Array]:
    """Return the int64 and the int32 indices that kernels take: ``rows``, and none of the other."""
    return (rows, _NO_INT32) if rows.dtype == _INT64 else (_NO_INT64, rows)


def scatter_rows(where: str, operation: str, ref: Array, indices: Array, values: Array) -> None:
    """Combine row ``indices[k]`` of ``ref`` with ``values[k]`` by the rule of ``operation``, for every ``k`` in order.

    ``where`` names the caller in errors. Nothing is written unless all is well.
    """
    values = np.asarray(values) if isinstance(values, np.generic) else values
    indices = np.asarray(indices) if isinstance(indices, np.integer) else indices
    expect_arrays(where, ref=ref, indices=indices, values=values)
    expect_updatable(where, ref)
    if ref.ndim == 0:
        raise ValueError(message(where, "ref has no rows", "shape ()", "at least one dimension"))
    element = element_of(operation, ref.dtype, where)
    same_dtype(where, "values", values, ref.dtype)
    expected = indices.shape + ref.shape[1:]
    if values.shape != expected:
        if values.ndim:
            wanted = f"{expected}: that of indices, then that of one row"
            raise ValueError(message(where, "values has the wrong shape", values.shape, wanted))
        values = np.broadcast_to(values, expected)
    rows = check_indices(where, indices, ref.shape[0])
    if operation == "div" and ref.dtype.kind in "iu" and not np.all(values):
        raise InvalidArgumentError(None, None, message(where, "values divides integers by zero", 0, "no zero"))
    if rows.size == 0 or ref.size == 0:
        return
    if np.may_share_memory(ref, values):
        values = values.copy()
    if np.may_share_memory(ref, rows):
        rows = rows.copy()
    width = math.prod(ref.shape[1:]) * element.words_per_item
    table, slices = (as_words(array, element, ref.dtype, (-1,)) for array in (ref, values))
    num_parts = _num_owners(rows, slices.nbytes, width * table.itemsize)
    wide, narrow = _wide_or_narrow(rows)
    run_parts(
        _rows_kernel(operation, element),
        [(table, wide, narrow, slices, width, owner, num_parts - 1) for owner in range(num_parts)],
    )


def _num_owners(rows: Array, slice_bytes: int, row_bytes: int) -> int:
    """Return how many threads share a scatter: a power of two, as a mask tells the owner of a row."""
    wanted = min(get_num_threads(), slice_bytes // PART_BYTES) if row_bytes >= SHARED_ROW_BYTES else 1
    # Of rows that are named all the time two threads take each other's cache lines: two were 0.6 to 0.9 times as fast
    # as one (Zipf, 256 bytes a row, Zen 4).
    if wanted > 1 and _has_favourites(rows):
        wanted //= 2
    return 1 << (max(1, wanted).bit_length() - 1)


def _has_favourites(rows: Array) -> bool:
    """Tell from a sample whether one row has more than a thirtieth of the slices."""
    _, counts = np.unique(rows[:: max(1, rows.size // _NUM_SAMPLES)], return_counts=True)
    return bool(30 * counts.max() > counts.sum())


def scatter_sub(ref: Array, indices: Array, values: Array) -> None:
    """Subtract ``values[k]`` from row ``indices[k]`` of ``ref``, in place."""
    scatter_rows("scatter_sub", "sub", ref, indices, values)


def scatter_add(ref: Array, indices: Array, values: Array) -> None:
    """Add ``values[k]`` to row ``indices[k]`` of ``ref``, in place."""
    scatter_rows("scatter_add", "add", ref, indices, values)


def scatter_update(ref: Array, indices: Array, values: Array) -> None:
    """Copy ``values[k]`` to row ``indices[k]`` of ``ref``; the last of several wins."""
    scatter_rows("scatter_update", "update", ref, indices, values)


def scatter_mul(ref: Array, indices: Array, values: Array) -> None:
    """Multiply row ``indices[k]`` of ``ref`` by ``values[k]``, in place."""
    scatter_rows("scatter_mul", "mul", ref, indices, values)


def scatter_div(ref: Array, indices: Array, values: Array) -> None:
    """Divide row ``indices[k]`` of ``ref`` by ``values[k]``, in place; integers round towards zero."""
    scatter_rows("scatter_div", "div", ref, indices, values)


def scatter_min(ref: Array, indices: Array, values: Array) -> None:
    """Keep the smaller of row ``indices[k]`` of ``ref`` and ``values[k]``; NaN if either is."""
    scatter_rows("scatter_min", "min", ref, indices, values)


def scatter_max(ref: Array, indices: Array, values: Array) -> None:
    """Keep the larger of row ``indices[k]`` of ``ref`` and ``values[k]``; NaN if either is."""
    scatter_rows("scatter_max", "max", ref, indices, values)
