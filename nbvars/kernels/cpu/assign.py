"""assign, assign_add, assign_sub: dense updates, in place.

Two ways lead to the same loops. The launchers take any arrays and share large ones out to threads. The fast path
(``FastUpdates``) serves small variables: one call, under the interpreter's lock, of a compiled function that takes
the address of the variable's header and a number or an array of any rank, and answers False where it is not its case.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from nbvars.checks import message
from nbvars.kernels import rules
from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure, machine
from nbvars.kernels.cpu.elements import contiguous, expect_arrays, expect_updatable, rule_of
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.intrinsics import (
    FAST_RANK,
    LINE_BYTES,
    NO_DIMENSION,
    any_array,
    array_at,
    atomic_store,
    compare_and_swap,
    data_of,
    layout_of,
    load_word,
    num_items_of,
    prefer_vectors_of_32_bytes,
    release_interpreter,
    stream_fence,
    stream_line,
    take_interpreter,
    words_at,
)
from nbvars.kernels.cpu.threads import get_num_threads, run_parts
from nbvars.kernels.elements import Array, Element, element_of, same_dtype

# The words (int64) of a variable's header.
LOCK, DATA, NUM_ITEMS, NUM_LAYOUT_WORDS, LAYOUT = range(5)

MOST_HELD_ITEMS = 1 << 16
"""The update of a larger variable lets other Python threads run meanwhile."""
PART_BYTES = 1 << 22
"""A thread gets at least so many bytes of a dense update; below that, waking it costs more than it saves: two threads
are 0.6 to 0.9 times as fast as one at 4 MiB, 1.0 to 1.1 at 8, and 1.8 to 2.2 at 40 (Zen 4).
"""
MOST_FAST_BYTES = 2 * PART_BYTES
"""A variable of so many bytes is updated by the launchers, which share it out to threads."""
STREAM_BYTES = 12 << 20
"""A copy of so many bytes, or a fill, goes past the caches. On Zen 4 with 32 MiB of third cache that makes a copy 0.9x
as fast at 8 MiB, 1.05x at 12, 1.15x at 16 and 1.4x from 32 on, and a later reader of the copy loses nothing from 12 on.
"""
STREAM_FILL_BYTES_ON_ZEN = 64 << 20
"""Zen writes whole lines without reading them first: past its caches a fill is 0.8x as fast at 36 MiB, 1.03x from 64
on. A processor that reads them first fills 2 to 3 times as fast past its caches."""


@functools.cache
def _over_elements(operation: str, element: Element) -> Any:
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
    loop, word, size = _over_elements(operation, element), element.numba_type, element.word.itemsize
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


@njit
def _has_layout_of(header, array):
    """Tell whether ``array`` has the rank, shape and strides of the variable."""
    layout = layout_of(array)
    size = 8 * load_word(header + 8 * NUM_LAYOUT_WORDS)
    for offset in range(0, size, 8):
        if load_word(header + 8 * LAYOUT + offset) != load_word(layout + offset):
            return False
    return load_word(layout + size) == NO_DIMENSION


@njit
def _begin(header, num_words, num_bytes, use_locking):
    """Return whether the lock was taken, and, where the interpreter was released instead, its state; else 0."""
    if num_words <= MOST_HELD_ITEMS:
        return compare_and_swap(header + 8 * LOCK, 0, 1) == 0, 0
    # The lock is for whoever holds the interpreter's.
    if use_locking or num_bytes >= MOST_FAST_BYTES:
        return False, 0
    return False, release_interpreter()


@njit
def _end(header, held, state):
    if held:
        atomic_store(header + 8 * LOCK, 0)
    else:
        take_interpreter(state)


def _fast_array(operation: str, element: Element) -> Callable[..., Any]:
    """Return the fast path of an update by an array of the variable's dtype and of at most FAST_RANK axes."""
    loop = _over_elements(operation, element)
    word, words_per_item, size = element.numba_type, element.words_per_item, element.word.itemsize

    def update_by_array(header, value, use_locking):
        num_words = load_word(header + 8 * NUM_ITEMS) * words_per_item
        data = data_of(value)
        if data % size != 0 or not _has_layout_of(header, value):
            return False
        held, state = _begin(header, num_words, num_words * size, use_locking)
        if not held and state == 0:
            return False
        loop(array_at(load_word(header + 8 * DATA), num_words, word), array_at(data, num_words, word))
        _end(header, held, state)
        return True

    return update_by_array


def _fast_number(element: Element, rule: Callable[..., Any], convert: Callable[..., Any]) -> Callable[..., Any]:
    """Return the fast path of an update by a Python number; ``convert`` gives ``(fits, word)``."""
    word, size = element.numba_type, element.word.itemsize

    def update_by_number(header, number, use_locking):
        num_items = load_word(header + 8 * NUM_ITEMS)
        fits, x = convert(number)
        if not fits:
            return False
        held, state = _begin(header, num_items, num_items * size, use_locking)
        if not held and state == 0:
            return False
        ref = array_at(load_word(header + 8 * DATA), num_items, word)
        for i in range(ref.size):
            ref[i] = rule(ref[i], x)
        _end(header, held, state)
        return True

    return update_by_number


def _number_to_word(dtype: np.dtype[Any], word: types.Type) -> Callable[..., Any]:
    """Return the conversion of a Python number to one word of ``dtype``, and whether the number fits."""
    name, half = f"number_to_{dtype.name}", half_of(dtype.name)
    if half:
        narrow = half.from_float64
        return jit_closure(name, lambda number: (True, narrow(number)))
    if dtype.kind == "f":
        return jit_closure(name, lambda number: (True, word(number)))
    lowest, highest = int(np.iinfo(dtype).min), min(int(np.iinfo(dtype).max), 2**63 - 1)
    return jit_closure(name, lambda number: (lowest <= number <= highest, word(number)))


class FastUpdates:
    """The fast path of one dtype: entry points ``assign_number``, ``add_array`` ..., each compiled at its first use.

    Each takes the address of a variable's header, the update and ``use_locking``, and returns whether it did the
    update. An update by a number needs a Python int (or a float, for a floating dtype), an update by an array an
    ndarray of the dtype itself. The variable's lock is held meanwhile, whatever ``use_locking``, but by updates of more
    than MOST_HELD_ITEMS; where somebody else holds it, the answer is False.
    """

    assign_number: Callable[[int, complex, bool], bool]
    assign_array: Callable[[int, Array, bool], bool]
    add_number: Callable[[int, complex, bool], bool]
    add_array: Callable[[int, Array, bool], bool]
    sub_number: Callable[[int, complex, bool], bool]
    sub_array: Callable[[int, Array, bool], bool]

    __slots__ = ("__dict__", "_dtype")

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype

    def __getattr__(self, name: str) -> Callable[..., bool]:
        operation, _, update = name.partition("_")
        operation = "update" if operation == "assign" else operation
        if operation not in ("update", "add", "sub") or update not in ("number", "array"):
            raise AttributeError(name)
        entry = (_fast_array_entry if update == "array" else _fast_number_entry)(operation, self._dtype)
        setattr(self, name, entry)
        return entry


def _fast_array_entry(operation: str, dtype: np.dtype[Any]) -> Callable[..., bool]:
    return _fast_array_kernel(operation, element_of(operation, dtype))


@functools.cache
def _fast_array_kernel(operation: str, element: Element) -> Callable[..., bool]:
    kernel = _fast_array(operation, element)
    signature = types.boolean(types.intp, any_array, types.boolean)
    name = f"fast {operation} array {element.name}x{element.words_per_item}"
    return compile_kernel(name, kernel, signature, nogil=False)


@functools.cache
def _fast_number_entry(operation: str, dtype: np.dtype[Any]) -> Callable[..., bool]:
    element = element_of("add", dtype)
    rule = rules.replace if operation == "update" else rule_of(operation, element)
    kernel = _fast_number(element, rule, _number_to_word(dtype, element.numba_type))
    number = types.int64 if dtype.kind in "iu" else types.float64
    signature = types.boolean(types.intp, number, types.boolean)
    return compile_kernel(f"fast {operation} number {dtype.name}", kernel, signature, nogil=False)


@functools.cache
def fast_updates(dtype: np.dtype[Any]) -> FastUpdates:
    """Return the fast path of ``dtype``."""
    return FastUpdates(dtype)
