"""The fast path of dense updates: small variables, at the cost of a call.

One call, under the interpreter's lock, of a compiled function that takes the address of the variable's header and a
number or an array of any rank, and answers False where it is not its case. ``Variable`` calls it from Python; from its
second call on, ``methods`` has machine code in the place of the method itself.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from nbvars.kernels import rules
from nbvars.kernels.cpu.assign import PART_BYTES, over_elements
from nbvars.kernels.cpu.compiled import address_of, compile_kernel, jit_closure
from nbvars.kernels.cpu.counter import count_up_to_entry
from nbvars.kernels.cpu.elements import rule_of
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.header import DATA, LAYOUT, LOCK, MOST_HELD_ITEMS, NUM_ITEMS, NUM_LAYOUT_WORDS
from nbvars.kernels.cpu.intrinsics import (
    NO_DIMENSION,
    any_array,
    array_at,
    atomic_store,
    compare_and_swap,
    data_of,
    layout_of,
    load_word,
    release_interpreter,
    take_interpreter,
)
from nbvars.kernels.elements import Array, Element, element_of

MOST_FAST_BYTES = 2 * PART_BYTES
"""A variable of so many bytes is updated by the launchers, which share it out to threads."""

# The words (int64) of a dtype's table: addresses of Python's objects, what numbers the dtype takes, and kernels.
ARRAY_TYPE, FLOAT_TYPE, INT_TYPE, TRUE, FALSE, USE_LOCKING, DTYPE, NUMBERS, COUNT, FIRST_UPDATE = range(10)
NO_NUMBERS, INTEGERS, REALS = range(3)
_UPDATES = [f"{operation}_{kind}" for operation in ("assign", "add", "sub") for kind in ("array", "number")]
_NAME_OF_LOCKING = sys.intern("use_locking")


def word_of_update(operation: str, kind: str) -> int:
    """Return the word of the table that has the address of that kernel, 0 before its first use."""
    return FIRST_UPDATE + _UPDATES.index(f"{operation}_{kind}")


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
    loop = over_elements(operation, element)
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

    Attributes:
        table: What machine code needs to know of the dtype, in words.
    """

    assign_number: Callable[[int, complex, bool], bool]
    assign_array: Callable[[int, Array, bool], bool]
    add_number: Callable[[int, complex, bool], bool]
    add_array: Callable[[int, Array, bool], bool]
    sub_number: Callable[[int, complex, bool], bool]
    sub_array: Callable[[int, Array, bool], bool]

    __slots__ = ("__dict__", "_dtype", "table")

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self.table = np.zeros(FIRST_UPDATE + len(_UPDATES), np.int64)
        objects = (np.ndarray, float, int, True, False, _NAME_OF_LOCKING, dtype)
        self.table[: len(objects)] = [id(each) for each in objects]
        kinds = {"i": INTEGERS, "u": INTEGERS, "f": REALS, "V": REALS}  # bfloat16 is a V
        self.table[NUMBERS] = kinds.get(dtype.kind, NO_NUMBERS)

    def __getattr__(self, name: str) -> Callable[..., bool]:
        entry = self.entry(name)

        def call_again(*arguments: Any) -> bool:
            setattr(self, name, entry)
            put_in_place(name.partition("_")[0])
            return entry(*arguments)

        # The first update of a process does not wait for the method to be compiled, or loaded.
        setattr(self, name, call_again)
        return entry

    def entry(self, name: str) -> Callable[..., bool]:
        """Return the entry point ``name``, and have methods in machine code call it, too."""
        if name not in _UPDATES:
            raise AttributeError(name)
        operation, _, kind = name.partition("_")
        factory = _fast_array_entry if kind == "array" else fast_number_kernel
        entry = factory("update" if operation == "assign" else operation, self._dtype)
        self.table[word_of_update(operation, kind)] = address_of(entry)
        return entry

    def count_entry(self) -> Callable[[int, int], int]:
        """Return the entry point of ``count_up_to``, and have the method in machine code call it, too."""
        entry = count_up_to_entry(self._dtype)
        self.table[COUNT] = address_of(entry)
        put_in_place("count")
        return entry


in_machine_code: dict[str, Callable[[], None]] = {}
"""By operation: what puts a method in machine code in the place of that in Python."""


def put_in_place(operation: str) -> None:
    """Have the method of ``operation`` in machine code from now on, if there is one."""
    if operation in in_machine_code:
        in_machine_code[operation]()


def _fast_array_entry(operation: str, dtype: np.dtype[Any]) -> Callable[..., bool]:
    return fast_array_kernel(operation, element_of(operation, dtype))


@functools.cache
def fast_array_kernel(operation: str, element: Element) -> Callable[..., bool]:
    kernel = _fast_array(operation, element)
    signature = types.boolean(types.intp, any_array, types.boolean)
    name = f"fast {operation} array {element.name}x{element.words_per_item}"
    return compile_kernel(name, kernel, signature, nogil=False)


@functools.cache
def fast_number_kernel(operation: str, dtype: np.dtype[Any]) -> Callable[..., bool]:
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
