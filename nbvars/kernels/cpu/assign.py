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
from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure
from nbvars.kernels.cpu.elements import (
    Array,
    Element,
    as_words,
    element_of,
    expect_updatable,
    rule_of,
    same_dtype,
)
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.intrinsics import (
    NO_DIMENSION,
    any_array,
    array_at,
    atomic_store,
    compare_and_swap,
    data_of,
    layout_of,
    load_word,
)
from nbvars.kernels.cpu.threads import get_num_threads, row_parts, run_parts

# The words (int64) of a variable's header.
LOCK, DATA, NUM_ITEMS, NUM_LAYOUT_WORDS, LAYOUT = range(5)

MOST_FAST_ITEMS = 8192
"""A larger variable is updated by the launchers, which let other Python threads run meanwhile."""
PART_BYTES = 1 << 22
"""A thread gets at least so many bytes of a dense update; below that, starting it costs more than it saves."""


def _over_elements(rule: Callable[..., Any]) -> Callable[..., Any]:
    def update_elements(ref, value):
        for i in range(ref.size):
            ref[i] = rule(ref[i], value[i])

    return update_elements


def _with_one_value(rule: Callable[..., Any]) -> Callable[..., Any]:
    def update_by_one_value(ref, value):
        words = value.size
        if words == 1:
            x = value[0]
            for i in range(ref.size):
                ref[i] = rule(ref[i], x)
        else:  # a complex number is two words
            for i in range(0, ref.size, words):
                for k in range(words):
                    ref[i + k] = rule(ref[i + k], value[k])

    return update_by_one_value


@functools.cache
def _array_kernel(operation: str, element: Element) -> Callable[..., Any]:
    loop = _over_elements(rule_of(operation, element))
    return compile_kernel(f"{operation} array {element.name}", loop, types.void(element.vector, element.vector))


@functools.cache
def _value_kernel(operation: str, element: Element) -> Callable[..., Any]:
    loop = _with_one_value(rule_of(operation, element))
    return compile_kernel(f"{operation} value {element.name}", loop, types.void(element.vector, element.vector))


def _launch(where: str, operation: str, ref: Array, value: Array) -> None:
    expect_updatable(where, ref)
    element = element_of(operation, ref.dtype, where)
    same_dtype(where, "value", value, ref.dtype)
    words = as_words(ref, element, ref.dtype, (-1,))
    if value.ndim == 0 and ref.ndim > 0:
        kernel = _value_kernel(operation, element)
        delta = as_words(value.copy(), element, ref.dtype, (-1,))  # it may lie in ref, which changes meanwhile
        whole = True
    elif value.shape == ref.shape:
        kernel = _array_kernel(operation, element)
        delta = as_words(_apart_from(ref, value), element, ref.dtype, (-1,))
        whole = False
    else:
        expected = f"{ref.shape}, or () for one value everywhere"
        raise ValueError(message(where, "value has the wrong shape", value.shape, expected))
    num_parts = min(get_num_threads(), ref.nbytes // PART_BYTES)
    parts = row_parts(ref.size, num_parts)
    bounds = [(first * element.words_per_item, last * element.words_per_item) for first, last in parts]
    run_parts(kernel, [(words[a:b], delta if whole else delta[a:b]) for a, b in bounds])


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
def _same_layout(header, array):
    """Tell whether ``array`` has the rank, shape and strides of the variable."""
    layout = layout_of(array)
    size = 8 * load_word(header + 8 * NUM_LAYOUT_WORDS)
    for offset in range(0, size, 8):
        if load_word(header + 8 * LAYOUT + offset) != load_word(layout + offset):
            return False
    return load_word(layout + size) == NO_DIMENSION


def _fast_array(element: Element, rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return the fast path of an update by an array of the variable's dtype and of at most FAST_RANK axes."""
    loop = jit_closure(f"{rule.__name__}_over_{element.name}", _over_elements(rule))
    word, words_per_item, size = element.numba_type, element.words_per_item, element.word.itemsize

    def update_by_array(header, value):
        num_words = load_word(header + 8 * NUM_ITEMS) * words_per_item
        data = data_of(value)
        if num_words > MOST_FAST_ITEMS or data % size != 0 or not _same_layout(header, value):
            return False
        if compare_and_swap(header + 8 * LOCK, 0, 1) != 0:
            return False
        loop(array_at(load_word(header + 8 * DATA), num_words, word), array_at(data, num_words, word))
        atomic_store(header + 8 * LOCK, 0)
        return True

    return update_by_array


def _fast_number(element: Element, rule: Callable[..., Any], convert: Callable[..., Any]) -> Callable[..., Any]:
    """Return the fast path of an update by a Python number; ``convert`` gives ``(fits, word)``."""
    word = element.numba_type

    def update_by_number(header, number):
        num_items = load_word(header + 8 * NUM_ITEMS)
        fits, x = convert(number)
        if num_items > MOST_FAST_ITEMS or not fits:
            return False
        if compare_and_swap(header + 8 * LOCK, 0, 1) != 0:
            return False
        ref = array_at(load_word(header + 8 * DATA), num_items, word)
        for i in range(ref.size):
            ref[i] = rule(ref[i], x)
        atomic_store(header + 8 * LOCK, 0)
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

    Each takes the address of a variable's header and the update, and returns whether it did the update. An update by
    a number needs a Python int (or a float, for a floating dtype), an update by an array an ndarray of the dtype
    itself. The variable's lock is held meanwhile; where somebody else holds it, the answer is False.
    """

    assign_number: Callable[[int, complex], bool]
    assign_array: Callable[[int, Array], bool]
    add_number: Callable[[int, complex], bool]
    add_array: Callable[[int, Array], bool]
    sub_number: Callable[[int, complex], bool]
    sub_array: Callable[[int, Array], bool]

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
    kernel = _fast_array(element, rule_of(operation, element))
    signature = types.boolean(types.intp, any_array)
    name = f"fast {operation} array {element.name}x{element.words_per_item}"
    return compile_kernel(name, kernel, signature, nogil=False)


@functools.cache
def _fast_number_entry(operation: str, dtype: np.dtype[Any]) -> Callable[..., bool]:
    element = element_of("add", dtype)
    rule = rules.replace if operation == "update" else rule_of(operation, element)
    kernel = _fast_number(element, rule, _number_to_word(dtype, element.numba_type))
    number = types.int64 if dtype.kind in "iu" else types.float64
    signature = types.boolean(types.intp, number)
    return compile_kernel(f"fast {operation} number {dtype.name}", kernel, signature, nogil=False)


@functools.cache
def fast_updates(dtype: np.dtype[Any]) -> FastUpdates:
    """Return the fast path of ``dtype``."""
    return FastUpdates(dtype)
