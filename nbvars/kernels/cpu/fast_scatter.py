"""scatter of few slices into a variable: one call of a compiled function that checks and updates.

Training in small batches makes calls whose work takes a microsecond; the launchers' checks in Python take five. As in
the fast path of dense updates, a compiled function takes the address of the variable's header and two arrays of any
rank, holds the interpreter's lock, and answers False where it is not its case: the launcher then does the work, or
says what is wrong.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure
from nbvars.kernels.cpu.elements import rule_of
from nbvars.kernels.cpu.header import DATA, LAYOUT, LOCK, NUM_LAYOUT_WORDS
from nbvars.kernels.cpu.intrinsics import (
    FAST_RANK,
    LINE_BYTES,
    NO_DIMENSION,
    any_array,
    array_at,
    atomic_store,
    compare_and_swap,
    data_of,
    item_size_of,
    layout_of,
    load_word,
    num_items_of,
)
from nbvars.kernels.cpu.scatter import first_outside, over_rows
from nbvars.kernels.elements import Array, Element, element_of

MOST_FAST_BYTES = 1 << 20
"""More bytes in the slices go to the launcher, which lets other Python threads run meanwhile."""


@njit
def _rank(layout):
    """Return the number of axes, -1 if there are more than FAST_RANK."""
    for words in range(0, 2 * FAST_RANK + 1, 2):
        if load_word(layout + 8 * words) == NO_DIMENSION:
            return words // 2
    return -1


@njit
def _same_sizes(layout, other, num_axes):
    for axis in range(num_axes):
        if load_word(layout + 8 * axis) != load_word(other + 8 * axis):
            return False
    return True


@njit
def _is_contiguous(layout, rank, item_size):
    stride = item_size
    for axis in range(rank - 1, -1, -1):
        size = load_word(layout + 8 * axis)
        if size != 1 and load_word(layout + 8 * (rank + axis)) != stride:
            return False
        stride *= size
    return True


@njit
def _apart(address, num_bytes, other, num_other_bytes):
    return address + num_bytes <= other or other + num_other_bytes <= address


def _fast_rows(element: Element, rule: Callable[..., Any]) -> Callable[..., Any]:
    loop = jit_closure(f"rows_{rule.__name__}_over_{element.name}x{element.words_per_item}", over_rows(rule))
    word, words_per_item, word_size = element.numba_type, element.words_per_item, element.word.itemsize
    item_size = words_per_item * word_size

    def update_rows(header, indices, values):
        num_slices, num_words = num_items_of(indices), num_items_of(values) * words_per_item
        own, index_layout, value_layout = header + 8 * LAYOUT, layout_of(indices), layout_of(values)
        own_rank, index_size = load_word(header + 8 * NUM_LAYOUT_WORDS) // 2, item_size_of(indices)
        index_rank, value_rank = _rank(index_layout), _rank(value_layout)
        if own_rank == 0 or index_rank < 0 or value_rank != index_rank + own_rank - 1:
            return False
        # A slice of less than a cache line takes as long.
        if num_words == 0 or max(num_words * word_size, num_slices * LINE_BYTES) > MOST_FAST_BYTES:
            return False
        row_of_values = value_layout + 8 * index_rank
        if not _same_sizes(index_layout, value_layout, index_rank):
            return False
        if not _same_sizes(own + 8, row_of_values, own_rank - 1):
            return False
        if not _is_contiguous(index_layout, index_rank, index_size):
            return False
        if not _is_contiguous(value_layout, value_rank, item_size):
            return False
        ref, rows, slices = load_word(header + 8 * DATA), data_of(indices), data_of(values)
        num_rows, width = load_word(own), num_words // num_slices
        num_bytes, num_wide = num_rows * width * word_size, num_slices if index_size == 8 else 0
        if rows % index_size != 0 or slices % word_size != 0:
            return False
        if not _apart(ref, num_bytes, rows, index_size * num_slices):
            return False
        if not _apart(ref, num_bytes, slices, num_words * word_size):
            return False
        wide, narrow = array_at(rows, num_wide, types.int64), array_at(rows, num_slices - num_wide, types.int32)
        if first_outside(wide, narrow, num_rows) >= 0 or compare_and_swap(header + 8 * LOCK, 0, 1) != 0:
            return False
        table, update = array_at(ref, num_rows * width, word), array_at(slices, num_words, word)
        loop(table, wide, narrow, update, np.uint64(width), np.uint64(0), np.uint64(0))
        atomic_store(header + 8 * LOCK, 0)
        return True

    return update_rows


@functools.cache
def fast_scatter_kernel(operation: str, element: Element) -> Callable[..., bool]:
    """Return the entry point ``(header, indices, values)``, which tells whether it made the update.

    It trusts its caller that ``indices`` are native int64 or int32 and ``values`` have the variable's dtype.
    """
    signature = types.boolean(types.intp, any_array, any_array)
    kernel = _fast_rows(element, rule_of(operation, element))
    name = f"fast scatter_{operation} {element.name}x{element.words_per_item}"
    return compile_kernel(name, kernel, signature, nogil=False)


@functools.cache
def fast_scatter(operation: str, dtype: np.dtype[Any]) -> Callable[[int, Array, Array], bool] | None:
    """Return the fast path of ``scatter_<operation>``; ``None`` where the launcher has more to check."""
    if operation == "div" and dtype.kind in "iu":  # by zero
        return None
    try:
        return fast_scatter_kernel(operation, element_of(operation, dtype))
    except TypeError:  # the dtype does not have the operation; the launcher says so
        return None
