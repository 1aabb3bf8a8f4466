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
from numba import types

from nbvars.checks import message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cpu.compiled import compile_kernel
from nbvars.kernels.cpu.elements import (
    Array,
    Element,
    as_words,
    contiguous,
    element_of,
    expect_arrays,
    expect_updatable,
    rule_of,
    same_dtype,
)
from nbvars.kernels.cpu.intrinsics import prefetch
from nbvars.kernels.cpu.threads import get_num_threads, run_parts

ROWS_AHEAD = np.uint64(16)
"""So many slices ahead the rows are asked for: far enough to hide memory, near enough to stay in the cache."""
NARROW_ROWS_AHEAD = np.uint64(32)
CACHE_LINE = 64
BLOCK = np.uint64(1024)
"""So many slices are looked through at a time for those whose rows a thread owns."""
PART_BYTES = 1 << 20
"""A thread gets at least so many bytes of slices."""
_INT64 = np.dtype(np.int64)
SHARED_ROW_BYTES = 128
"""Narrower rows are not shared out: two threads would write to one cache line."""


def over_rows(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return the loop that applies ``rule`` to rows of a matrix, in the order of the indices."""

    def scatter_rows(ref, indices, values, owner, owners_mask):
        # Unsigned numbers spare Numba's wraparound of negative indices; a negative index is a huge one here. The
        # comparison with num_rows keeps the loop inside the buffer, whatever somebody does to the indices meanwhile.
        # Elements are named by both indices: a view of a row would count references, two atomic additions a row.
        num_rows, width, num_slices = np.uint64(ref.shape[0]), np.uint64(ref.shape[1]), np.uint64(indices.size)
        row_bytes = ref.shape[1] * ref.itemsize
        owned = np.empty(BLOCK, np.int64)
        first = np.uint64(0)
        while first < num_slices:
            # Whose row it is cannot be foretold: to gather the own slices first, without a branch, costs less than
            # the wrong guesses, and keeps ROWS_AHEAD true.
            end, num_owned = min(num_slices, first + BLOCK), np.uint64(0)
            for i in range(first, end):
                owned[num_owned] = i
                num_owned += np.uint64(np.uint64(indices[i]) & owners_mask == owner)
            for k in range(num_owned):
                if k + ROWS_AHEAD < num_owned:
                    ahead = indices[np.uint64(owned[k + ROWS_AHEAD])] * row_bytes
                    for offset in range(0, row_bytes, CACHE_LINE):
                        prefetch(ref, ahead + offset)
                place = np.uint64(owned[k])
                row = np.uint64(indices[place])
                if row < num_rows:
                    for col in range(width):
                        ref[row, col] = rule(ref[row, col], values[place, col])
            first = end

    return scatter_rows


def _over_single_elements(rule: Callable[..., Any]) -> Callable[..., Any]:
    def scatter_elements(ref, indices, values):
        num_rows, num_slices = np.uint64(ref.size), np.uint64(indices.size)
        for i in range(num_slices):
            if i + NARROW_ROWS_AHEAD < num_slices:
                prefetch(ref, indices[i + NARROW_ROWS_AHEAD] * ref.itemsize)
            row = np.uint64(indices[i])
            if row < num_rows:
                ref[row] = rule(ref[row], values[i])

    return scatter_elements


@functools.cache
def _rows_kernel(operation: str, element: Element) -> Callable[..., Any]:
    loop = over_rows(rule_of(operation, element))
    indices, owner = types.Array(types.int64, 1, "C"), types.uint64
    signature = types.void(element.matrix, indices, element.matrix, owner, owner)
    return compile_kernel(f"scatter_{operation} rows {element.name}", loop, signature)


@functools.cache
def _elements_kernel(operation: str, element: Element) -> Callable[..., Any]:
    loop = _over_single_elements(rule_of(operation, element))
    signature = types.void(element.vector, types.Array(types.int64, 1, "C"), element.vector)
    return compile_kernel(f"scatter_{operation} elements {element.name}", loop, signature)


def _first_outside(indices, num_rows):
    # No early exit: the loop without one is vectorised, and good indices are the rule.
    limit, bad = np.uint64(num_rows), np.int64(0)
    for i in range(indices.size):
        bad |= np.int64(np.uint64(indices[i]) >= limit)
    if bad:
        for i in range(indices.size):
            if np.uint64(indices[i]) >= limit:
                return i
    return -1


@functools.cache
def _first_outside_kernel() -> Callable[..., int]:
    signature = types.int64(types.Array(types.int64, 1, "C"), types.int64)
    return compile_kernel("first index outside", _first_outside, signature)


def check_indices(where: str, indices: Array, num_rows: int) -> Array:
    """Return ``indices`` as a contiguous int64 vector; all are in ``[0, num_rows)``.

    Raises:
        TypeError: Not integers.
        InvalidArgumentError: Names the first index that is not in the range, and its position.
    """
    if indices.dtype.kind not in "iu":
        raise TypeError(message(where, "indices has the wrong dtype", indices.dtype.name, "an integer dtype"))
    # A uint64 that does not fit int64 becomes negative there: out of range all the same.
    flat = contiguous(indices, _INT64).reshape(-1)
    position = _first_outside_kernel()(flat, num_rows)
    if position >= 0:
        place = np.unravel_index(position, indices.shape)
        name = f"indices[{','.join(str(k) for k in place)}]" if place else "indices"
        wrong = f"an index is out of range: {name} = {indices[place]} is not in [0, {num_rows})"
        raise InvalidArgumentError(None, None, f"{where}: {wrong}; nothing was written")
    return flat


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
    if width == 1:
        kernel = _elements_kernel(operation, element)
        vector, slices = (as_words(array, element, ref.dtype, (-1,)) for array in (ref, values))
        kernel(vector, rows, slices)
        return
    table = as_words(ref, element, ref.dtype, (ref.shape[0], width))
    slices = as_words(values, element, ref.dtype, (rows.size, width))
    num_parts = _num_owners(slices.nbytes, width * table.itemsize)
    run_parts(
        _rows_kernel(operation, element),
        [(table, rows, slices, owner, num_parts - 1) for owner in range(num_parts)],
    )


def _num_owners(slice_bytes: int, row_bytes: int) -> int:
    """Return how many threads share a scatter: a power of two, as a mask tells the owner of a row."""
    wanted = min(get_num_threads(), slice_bytes // PART_BYTES) if row_bytes >= SHARED_ROW_BYTES else 1
    return 1 << (max(1, wanted).bit_length() - 1)


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
