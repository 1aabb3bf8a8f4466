"""assign, assign_add, assign_sub: dense updates, in place.

Two ways lead to the same loops. The launchers, here, take any arrays and share large ones out to threads. The fast
path, in ``fast_updates``, serves variables.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from nbvars.checks import message
from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure, machine
from nbvars.kernels.cpu.elements import contiguous, expect_arrays, expect_updatable, rule_of
from nbvars.kernels.cpu.intrinsics import (
    FAST_RANK,
    LINE_BYTES,
    NO_DIMENSION,
    any_array,
    data_of,
    layout_of,
    load_word,
    num_items_of,
    prefer_vectors_of_32_bytes,
    stream_fence,
    stream_line,
    words_at,
)
from nbvars.kernels.cpu.threads import get_num_threads, run_parts
from nbvars.kernels.elements import Array, Element, element_of, same_dtype

PART_BYTES = 1 << 22
"""A thread gets at least so many bytes of a dense update; below that, waking it costs more than it saves: two threads
are 0.6 to 0.9 times as fast as one at 4 MiB, 1.0 to 1.1 at 8, and 1.8 to 2.2 at 40 (Zen 4).
"""
STREAM_BYTES = 10 << 20
"""A copy of so many bytes, or a fill, goes past the caches. On Zen 4 with 32 MiB of third cache that makes a copy 0.9x
as fast at 8 MiB, 1.05x to 1.3x at 12, 1.15x at 16, 1.4x from 32 on; a later reader loses nothing from 12 on.
"""
STREAM_FILL_BYTES_ON_ZEN = 64 << 20
"""Zen writes whole lines without reading them first: past its caches a fill is 0.8x as fast at 36 MiB, 1.03x from 64
on. A processor that reads them first fills 2 to 3 times as fast past its caches."""


@functools.cache
def over_elements(operation: str, element: Element) -> Any:
    """Return the compiled loop over ``ref`` and ``value``, vectors of words."""
    rule = rule_of(operation, element)

    def update_elements(ref, value):
        # Zen 4 takes 1.1x as long with vectors of 64 bytes where the data are not in its first two caches.
        prefer_vectors_of_32_bytes()
        for i in range(ref.size):
            ref[i] = rule(ref[i], value[i])

    return jit_closure(f"{rule.__name__}_over_{element.name}", update_elements)


@functools.cache
def _with_one_value(operation: str, element: Element) -> Any:
    """Return the compiled loop over ``ref``, a vector of words, with one item: the word ``x``, or ``x`` and ``y``."""
    rule, words_per_item = rule_of(operation, element), element.words_per_item

    def update_by_one_value(ref, x, y):
        prefer_vectors_of_32_bytes()
        if words_per_item == 1:
            for i in range(ref.size):
                ref[i] = rule(ref[i], x)
        else:  # a complex number is two words
            for i in range(0, ref.size, 2):
                ref[i] = rule(ref[i], x)
                ref[i + 1] = rule(ref[i + 1], y)

    return jit_closure(f"{rule.__name__}_one_over_{element.name}x{words_per_item}", update_by_one_value)


@njit
def _bytes_before_line(address, num_bytes, item_size):
    """Return how many of ``num_bytes`` lie before the first cache line, all if that does not start with an item."""
    before = -address & (LINE_BYTES - 1)
    return before if before % item_size == 0 and before < num_bytes else num_bytes


def _by_array(operation: str, element: Element) -> Any:
    """Return the compiled update of ``num_bytes`` at address ``ref`` by as many at address ``value``."""
    loop, word, size = over_elements(operation, element), element.numba_type, element.word.itemsize
    streams = operation == "update"

    def update_by_array(ref, value, num_bytes):
        # The first elements by themselves, so that the vectors of the others do not straddle cache lines.
        first = last = _bytes_before_line(ref, num_bytes, size)
        if streams and num_bytes >= STREAM_BYTES:
            last += (num_bytes - first) & -LINE_BYTES
            for i in range(first, last, LINE_BYTES):
                stream_line(ref + i, value + i)
            stream_fence()
        for start, end in ((0, first), (last, num_bytes)):
            num_words = (end - start) // size
            loop(words_at(ref + start, num_words, word), words_at(value + start, num_words, word))

    return jit_closure(f"{operation}_by_array_of_{element.name}", update_by_array)


def _by_value(operation: str, element: Element) -> Any:
    """Return the compiled update of ``num_bytes`` at address ``ref`` by the item at address ``value``."""
    loop, word, size = _with_one_value(operation, element), element.numba_type, element.word.itemsize
    words_per_item, streams = element.words_per_item, operation == "update"
    _, processor, _ = machine()
    stream_bytes = STREAM_FILL_BYTES_ON_ZEN if processor.startswith("znver") else STREAM_BYTES

    def update_by_value(ref, value, num_bytes):
        item = words_at(value, words_per_item, word)
        x, y = item[0], item[words_per_item - 1]  # read once: the item may lie in ref
        first = min(_bytes_before_line(ref, num_bytes, size * words_per_item) + LINE_BYTES, num_bytes)
        loop(words_at(ref, first // size, word), x, y)
        last = first
        if streams and num_bytes >= stream_bytes:
            # A line holds whole items, so that all lines are like the first.
            last += (num_bytes - first) & -LINE_BYTES
            for i in range(first, last, LINE_BYTES):
                stream_line(ref + i, ref + first - LINE_BYTES)
            stream_fence()
        loop(words_at(ref + last, (num_bytes - last) // size, word), x, y)

    return jit_closure(f"{operation}_by_value_of_{element.name}x{words_per_item}", update_by_value)


@njit
def _same_layout(layout, other):
    """Tell whether two arrays of at most FAST_RANK axes have the same rank, shape and strides."""
    for offset in range(0, 8 * (2 * FAST_RANK + 1), 8):
        length = load_word(layout + offset)
        if length != load_word(other + offset):
            return False
        if length == NO_DIMENSION:
            return True
    return False


@functools.cache
def dense_kernel(operation: str, element: Element) -> Callable[..., bool]:
    """Return the entry point ``(ref, value, part, num_parts)``, which updates one of ``num_parts`` runs of ``ref``.

    ``ref`` is a contiguous array, ``value`` another, or of rank 0 for one value everywhere. The answer is False, and
    nothing is written, where they differ in layout, have more than FAST_RANK axes, or overlap.
    """
    by_array, by_value = _by_array(operation, element), _by_value(operation, element)
    word_size, words_per_item = element.word.itemsize, element.words_per_item

    def update(ref, value, part, num_parts):
        to, source, num_items = data_of(ref), data_of(value), num_items_of(ref)
        item_size = word_size * words_per_item
        is_one = load_word(layout_of(value)) == NO_DIMENSION
        if not is_one:
            num_bytes = num_items * item_size
            overlap = to != source and to < source + num_bytes and source < to + num_bytes
            if overlap or not _same_layout(layout_of(ref), layout_of(value)):
                return False
        first = num_items * part // num_parts * item_size
        last = num_items * (part + 1) // num_parts * item_size
        if is_one:
            by_value(to + first, source, last - first)
        else:
            by_array(to + first, source + first, last - first)
        return True

    signature = types.boolean(any_array, any_array, types.intp, types.intp)
    return compile_kernel(f"{operation} {element.name}x{words_per_item}", update, signature)


_kernels: dict[str, dict[np.dtype[Any], Callable[..., bool]]] = {"update": {}, "add": {}, "sub": {}}
"""Of each operation those that have run, by dtype. No dtype of another byte order is among them."""


def _launch(where: str, operation: str, ref: Array, value: Array) -> None:
    # A small update takes no longer than what Python does here, so this is the least that has to be done.
    if type(ref) is not np.ndarray or type(value) is not np.ndarray:
        value = np.asarray(value) if isinstance(value, np.generic) else value
        expect_arrays(where, ref=ref, value=value)
    dtype = ref.dtype
    kernel = _kernels[operation].get(dtype)
    if kernel is None or not ref.flags.carray:
        expect_updatable(where, ref)
        kernel = _kernels[operation][dtype] = dense_kernel(operation, element_of(operation, dtype, where))
    if value.dtype is not dtype:
        same_dtype(where, "value", value, dtype)
    elif ref.nbytes < 2 * PART_BYTES and kernel(ref, value, 0, 1):
        return
    _launch_parts(where, kernel, ref, value)


def _launch_parts(where: str, kernel: Callable[..., bool], ref: Array, value: Array) -> None:
    """Update ``ref`` by a ``value`` of any layout, or by several threads."""
    if value.ndim == 0 and ref.ndim > 0:
        delta = value.astype(ref.dtype)  # a copy: it may lie in ref, which changes meanwhile
    elif value.shape == ref.shape:
        shape = () if ref.size == 1 else (-1,)  # a single element may have any stride
        delta = contiguous(_apart_from(ref, value), ref.dtype).reshape(shape)
    else:
        expected = f"{ref.shape}, or () for one value everywhere"
        raise ValueError(message(where, "value has the wrong shape", value.shape, expected))
    num_parts = max(1, min(get_num_threads(), ref.nbytes // PART_BYTES))
    words = ref.reshape(-1)
    run_parts(kernel, [(words, delta, part, num_parts) for part in range(num_parts)])


def _apart_from(ref: Array, value: Array) -> Array:
    """Return ``value``, copied if it lies in the memory of ``ref`` in another order."""
    if np.may_share_memory(ref, value) and value.ctypes.data != ref.ctypes.data:
        return value.copy()
    return value


def assign(ref: Array, value: Array) -> None:
    """Copy ``value``, of the shape of ``ref`` or ``()``, into ``ref``."""
    _launch("assign", "update", ref, value)


def assign_add(ref: Array, value: Array) -> None:
    """Add ``value``, of the shape of ``ref`` or ``()``, to ``ref``, in place."""
    _launch("assign_add", "add", ref, value)


def assign_sub(ref: Array, value: Array) -> None:
    """Subtract ``value``, of the shape of ``ref`` or ``()``, from ``ref``, in place."""
    _launch("assign_sub", "sub", ref, value)
