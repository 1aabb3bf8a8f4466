"""Runs of items as tuples of words: what lies in vectors of 16 bytes, for rules of single items.

Functions of tuples are made of those of their halves: all that is compiled is small, and shared between kernels.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from nbvars.kernels.cuda.conversions import PARTS, Rule, number_of
from nbvars.kernels.cuda.vectors import VECTOR_BYTES, on_device
from nbvars.kernels.elements import HALVES


class Side(NamedTuple):
    """How kernels see the arrays of one dtype."""

    word: np.dtype[Any]
    """Of 4 or 8 bytes: a vector is 16 bytes of them."""
    part: np.dtype[Any]
    """What a single item is read as; of a complex number, half of it."""
    parts_per_item: int

    @property
    def words_per_vector(self) -> int:
        """4 or 2."""
        return VECTOR_BYTES // self.word.itemsize

    @property
    def parts_per_word(self) -> int:
        """1, and more of packed items."""
        return self.word.itemsize // self.part.itemsize

    @property
    def item_bytes(self) -> int:
        """1 to 16."""
        return self.part.itemsize * self.parts_per_item


@functools.cache
def side_of(name: str) -> Side:
    """Return how kernels see arrays of the dtype of this name."""
    stored = "uint16" if name in HALVES else "uint8" if name == "bool" else PARTS.get(name, name)
    part = np.dtype(stored)
    return Side(part if part.itemsize >= 4 else np.dtype(np.uint32), part, 2 if name in PARTS else 1)


@functools.cache
def in_groups(rule: Rule, size: int, count: int) -> Rule:
    """Return the function of a tuple of ``count`` words that joins what ``rule`` makes of each ``size`` of them."""
    if size == count:
        return rule
    half = count // 2
    of_half = in_groups(rule, size, half)
    return on_device(lambda words: of_half(words[:half]) + of_half(words[half:]))


@functools.cache
def splitting(side: Side) -> Rule:
    """Return the function of one word, in a tuple, to what is packed in it."""
    number, bits = number_of(side.part), np.uint32(8 * side.part.itemsize)
    if side.parts_per_word == 2:
        return on_device(lambda words: (number(words[0]), number(words[0] >> bits)))
    twice, thrice = np.uint32(2 * bits), np.uint32(3 * bits)
    return on_device(
        lambda words: (
            number(words[0]),
            number(words[0] >> bits),
            number(words[0] >> twice),
            number(words[0] >> thrice),
        )
    )


@functools.cache
def joining(side: Side) -> Rule:
    """Return the inverse of ``splitting``."""
    unsigned, bits = number_of(np.dtype(f"uint{8 * side.part.itemsize}")), np.uint32(8 * side.part.itemsize)

    @on_device
    def join(low: Any, high: Any, shift: Any) -> Any:
        return np.uint32(np.uint32(low) | np.uint32(np.uint32(high) << shift))

    if side.parts_per_word == 2:
        return on_device(lambda parts: (join(unsigned(parts[0]), unsigned(parts[1]), bits),))
    twice = np.uint32(2 * bits)

    def join_four(parts: Any) -> Any:
        low = join(unsigned(parts[0]), unsigned(parts[1]), bits)
        high = join(unsigned(parts[2]), unsigned(parts[3]), bits)
        return (join(low, high, twice),)

    return on_device(join_four)


@functools.cache
def loading(load: Rule, count: int, stride: int) -> Rule:
    """Return ``count`` times ``load``, each ``stride`` words behind the last, as one tuple."""
    if count == 1:
        return load
    half = count // 2
    of_half, middle = loading(load, half, stride), half * stride
    return on_device(lambda pointer, word: of_half(pointer, word) + of_half(pointer, word + middle))


@functools.cache
def storing(store: Rule, count: int, stride: int, num_words: int) -> Rule:
    """Return ``count`` times ``store``, each of ``num_words`` words of a tuple, ``stride`` words behind the last."""
    if count == 1:
        return store
    half = count // 2
    of_half, middle, behind = storing(store, half, stride, num_words), half * stride, half * num_words

    def store_words(pointer: Any, word: int, words: Any) -> None:
        of_half(pointer, word, words[:behind])
        of_half(pointer, word + middle, words[behind:])

    return on_device(store_words)
