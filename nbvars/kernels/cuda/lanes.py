"""How kernels see a dtype: 16 bytes as a vector of words, for the bulk, and single items, for the rest.

A word has 4 or 8 bytes; smaller items are packed in a uint32. The rules are those of the CPU, ``kernels.rules``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype

from nbvars.kernels.cuda.halves import narrowing, widening
from nbvars.kernels.cuda.toolkit import IS_SIMULATED
from nbvars.kernels.cuda.vectors import VECTOR_BYTES, on_device
from nbvars.kernels.elements import HALVES, Element, plain_rule_of

_UINT32 = np.dtype(np.uint32)


class Lane(NamedTuple):
    """How kernels of one operation and element see arrays."""

    word: np.dtype[Any]
    """Of 4 or 8 bytes: a vector is 16 bytes of them."""
    rule: Callable[..., Any]
    """Of two words."""
    item: np.dtype[Any]
    """What a single item is read as; of a complex number, half of it."""
    item_rule: Callable[..., Any]
    """Of two items."""

    @property
    def words_per_vector(self) -> int:
        """4 or 2."""
        return VECTOR_BYTES // self.word.itemsize

    @property
    def items_per_word(self) -> int:
        """1, and more of packed items."""
        return self.word.itemsize // self.item.itemsize


@functools.cache
def lane_of(operation: str, element: Element) -> Lane:
    """Return how kernels of ``operation``, ``"update"``, ``"add"`` or ``"sub"``, see arrays of ``element``."""
    item, item_rule = element.word, item_rule_of(operation, element)
    if item.itemsize >= 4:
        return Lane(item, item_rule, item, item_rule)
    if operation == "update":
        return Lane(_UINT32, item_rule, item, item_rule)
    if element.name in HALVES:
        return Lane(_UINT32, _of_pairs(item_rule), item, item_rule)
    return Lane(_UINT32, _of_packed_integers(operation, 8 * item.itemsize), item, item_rule)


def packing(lane: Lane) -> Callable[..., Any]:
    """Return the function of an item that fills a word with it."""
    size = lane.items_per_word
    if size == 1:
        return on_device(lambda x: x)
    ones = np.uint32(0x01010101 if size == 4 else 0x00010001)
    return on_device(lambda x: np.uint32(np.uint32(x) * ones))


@functools.cache
def item_rule_of(operation: str, element: Element) -> Callable[..., Any]:
    """Return the rule of ``operation`` for two items of ``element``: for 16-bit floats, of their bits."""
    rule = plain_rule_of(operation, element)
    if operation == "update":
        return rule
    return _in_float32(rule, element.name) if element.name in HALVES else _in_word(rule, element.word)


def _in_word(rule: Callable[..., Any], word: np.dtype[Any]) -> Callable[..., Any]:
    """Return ``rule`` with a result of the type of its arguments: Numba widens small integers."""
    if IS_SIMULATED:
        return lambda x, y: kept_of(rule(word.type(x), word.type(y)), word)
    number = from_dtype(word)
    return on_device(lambda x, y: number(rule(x, y)))


def kept_of(value: Any, word: np.dtype[Any]) -> Any:
    """Return what a register of ``word`` keeps of a number, for the simulator."""
    if word.kind not in "iu":
        return word.type(value)
    bits = int(value) & ((1 << 8 * word.itemsize) - 1)
    return np.array([bits], f"u{word.itemsize}").view(word)[0]


def _in_float32(rule: Callable[..., Any], dtype_name: str) -> Callable[..., Any]:
    """Return ``rule`` for 16-bit floats: on their bits, computed in float32, rounded once."""
    widen, narrow = widening(dtype_name), narrowing(dtype_name)
    if IS_SIMULATED:
        return lambda x, y: narrow(np.float32(rule(widen(x), widen(y))))
    return on_device(lambda x, y: narrow(rule(widen(x), widen(y))))


def _of_pairs(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``rule``, of 16 bits, for two in a uint32."""
    half, low_bits = np.uint32(16), np.uint32(0xFFFF)

    def of_pairs(x: Any, y: Any) -> Any:
        low = rule(np.uint16(x & low_bits), np.uint16(y & low_bits))
        high = rule(np.uint16(x >> half), np.uint16(y >> half))
        return np.uint32(np.uint32(low) | np.uint32(np.uint32(high) << half))

    return on_device(of_pairs)


def _of_packed_integers(operation: str, bits: int) -> Callable[..., Any]:
    """Return the sum or difference of integers of 8 or 16 bits that are packed in a uint32: each wraps by itself."""
    tops = np.uint32(0x80808080 if bits == 8 else 0x80008000)
    rests = np.uint32(~tops)

    def add(x: Any, y: Any) -> Any:
        return np.uint32(((x & rests) + (y & rests)) ^ ((x ^ y) & tops))

    def subtract(x: Any, y: Any) -> Any:
        return np.uint32(((x | tops) - (y & rests)) ^ ((x ^ ~y) & tops))

    return on_device(add if operation == "add" else subtract)
