"""Steps of optimizers as kernels make them: of a vector of 16 bytes of the parameter, and of a single item.

The rules are those of the CPU, ``kernels.step_rules``. A vector of a 16-bit parameter has two vectors of each slot.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nbvars.kernels.cuda.halves import narrowing, widening
from nbvars.kernels.cuda.signature import Pointer, Signature
from nbvars.kernels.cuda.vectors import VECTOR_BYTES, on_device, vector_access
from nbvars.kernels.elements import HALVES, Element
from nbvars.kernels.step_rules import NUM_SETTINGS, STEPS, slot_dtype_of

_UINT32 = np.dtype(np.uint32)


class StepLane(NamedTuple):
    """How kernels of one step and one kind of parameter see arrays."""

    word: np.dtype[Any]
    """Of 4 or 8 bytes: what vectors of the parameter are made of."""
    item: np.dtype[Any]
    """What a single item of the parameter is read as."""
    slot: np.dtype[Any]
    """The dtype of the slots, and of the settings."""
    load_gradient: Callable[..., Any]
    """``(gradient, i)``: vector ``i``, for ``step_vector``."""
    step_vector: Callable[..., None]
    """``(param, slot0, slot1, slot2, i, gradient, settings)``: of vector ``i``, whose gradient is given.

    It makes all loads before the first store; slots that the step has not are never touched.
    """
    step_item: Callable[..., None]
    """The same of item ``i``, whose gradient is given as it lies in memory."""

    @property
    def words_per_vector(self) -> int:
        """4 or 2."""
        return VECTOR_BYTES // self.word.itemsize

    @property
    def items_per_vector(self) -> int:
        """8, 4 or 2."""
        return VECTOR_BYTES // self.item.itemsize

    @property
    def slot_pointers(self) -> Signature:
        """The parameters of a kernel that are slots."""
        return (Pointer(self.slot),) * 3

    @property
    def settings(self) -> Signature:
        """The parameters of a kernel that are settings."""
        return (self.slot,) * NUM_SETTINGS


@functools.cache
def step_lane_of(name: str, element: Element) -> StepLane:
    """Return how kernels of the step ``name`` see parameters of ``element``."""
    is_half = element.name in HALVES
    word = _UINT32 if is_half else element.word
    slot = slot_dtype_of(element.word)
    load, _ = vector_access(VECTOR_BYTES // word.itemsize)
    length = VECTOR_BYTES // word.itemsize
    load_gradient = on_device(lambda gradient, i: load(gradient, i * length))
    step_number = _of_number(name, slot)
    step_vector = _of_vector(name, element, length, step_number)
    return StepLane(word, element.word, slot, load_gradient, step_vector, _of_item(name, element, step_number))


def _of_number(name: str, precision: np.dtype[Any]) -> Callable[..., Any]:
    """Return the step of one number: ``(param, slot0, slot1, slot2, gradient, settings)`` to the first four of them."""
    rule, number = STEPS[name].rule, precision.type

    def step_number(param, slot0, slot1, slot2, gradient, settings):
        after, changed = rule(param, (slot0, slot1, slot2), gradient, settings)
        return number(after), number(changed[0]), number(changed[1]), number(changed[2])

    return on_device(step_number)


def _of_numbers(step_number: Callable[..., Any], count: int) -> Callable[..., Any]:
    """Return the step of tuples of ``count`` numbers, a power of two."""
    if count == 1:

        def step_one(p, s0, s1, s2, g, settings):
            after, changed0, changed1, changed2 = step_number(p[0], s0[0], s1[0], s2[0], g[0], settings)
            return (after,), (changed0,), (changed1,), (changed2,)

        return on_device(step_one)
    half, step_half = count // 2, _of_numbers(step_number, count // 2)

    def step_both(p, s0, s1, s2, g, settings):
        a = step_half(p[:half], s0[:half], s1[:half], s2[:half], g[:half], settings)
        b = step_half(p[half:], s0[half:], s1[half:], s2[half:], g[half:], settings)
        return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]

    return on_device(step_both)


def _of_vector(name: str, element: Element, length: int, step_number: Callable[..., Any]) -> Callable[..., None]:
    num_slots, (load, store) = STEPS[name].num_slots, vector_access(length)
    numbers_of, words_of = _conversions(element)
    load_slot, store_slot = _slot_access(element, length)
    step_numbers = _of_numbers(step_number, VECTOR_BYTES // element.word.itemsize)

    def step_vector(param, slot0, slot1, slot2, i, gradient, settings):
        p = numbers_of(load(param, i * length))
        # Of a slot that is not there the parameter stands in, and nobody looks.
        s0 = load_slot(slot0, i) if num_slots > 0 else p
        s1 = load_slot(slot1, i) if num_slots > 1 else p
        s2 = load_slot(slot2, i) if num_slots > 2 else p
        after, changed0, changed1, changed2 = step_numbers(p, s0, s1, s2, numbers_of(gradient), settings)
        store(param, i * length, words_of(after))
        if num_slots > 0:
            store_slot(slot0, i, changed0)
        if num_slots > 1:
            store_slot(slot1, i, changed1)
        if num_slots > 2:
            store_slot(slot2, i, changed2)

    return on_device(step_vector)


def _of_item(name: str, element: Element, step_number: Callable[..., Any]) -> Callable[..., None]:
    num_slots, is_half = STEPS[name].num_slots, element.name in HALVES
    widen = widening(element.name) if is_half else on_device(lambda x: x)
    narrow = narrowing(element.name) if is_half else on_device(lambda x: x)

    def step_item(param, slot0, slot1, slot2, i, gradient, settings):
        p = widen(param[i])
        s0 = slot0[i] if num_slots > 0 else p
        s1 = slot1[i] if num_slots > 1 else p
        s2 = slot2[i] if num_slots > 2 else p
        after, changed0, changed1, changed2 = step_number(p, s0, s1, s2, widen(gradient), settings)
        param[i] = narrow(after)
        if num_slots > 0:
            slot0[i] = changed0
        if num_slots > 1:
            slot1[i] = changed1
        if num_slots > 2:
            slot2[i] = changed2

    return on_device(step_item)


def _conversions(element: Element) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return those of the words of a vector to the numbers they hold, and back."""
    if element.name not in HALVES:
        return on_device(lambda words: words), on_device(lambda numbers: numbers)
    widen, narrow = widening(element.name), narrowing(element.name)
    half, low_bits = np.uint32(16), np.uint32(0xFFFF)

    @on_device
    def widened(word):
        return widen(np.uint16(word & low_bits)), widen(np.uint16(word >> half))

    @on_device
    def packed(low, high):
        return np.uint32(np.uint32(narrow(low)) | np.uint32(np.uint32(narrow(high)) << half))

    return (
        on_device(lambda w: widened(w[0]) + widened(w[1]) + widened(w[2]) + widened(w[3])),
        on_device(lambda x: (packed(x[0], x[1]), packed(x[2], x[3]), packed(x[4], x[5]), packed(x[6], x[7]))),
    )


def _slot_access(element: Element, length: int) -> tuple[Callable[..., Any], Callable[..., None]]:
    """Return the load and the store of what belongs to one vector of the parameter."""
    load, store = vector_access(length)
    if element.name not in HALVES:
        return on_device(lambda slot, i: load(slot, i * length)), on_device(
            lambda slot, i, numbers: store(slot, i * length, numbers)
        )

    @on_device
    def load_two(slot, i):
        return load(slot, 2 * i * length) + load(slot, 2 * i * length + length)

    @on_device
    def store_two(slot, i, numbers):
        store(slot, 2 * i * length, numbers[:4])
        store(slot, 2 * i * length + length, numbers[4:])

    return load_two, store_two
