"""Steps of optimizers: parameter, slots and gradient in one pass, of whole arrays or of some rows.

float16 and bfloat16 parameters have float32 slots: a step is computed in float32 and the parameter rounded once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import types

from nbvars.checks import message
from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure
from nbvars.kernels.cpu.elements import contiguous, expect_arrays, expect_updatable
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.intrinsics import (
    LINE_BYTES,
    any_array,
    assume_apart,
    data_of,
    num_items_of,
    prefer_vectors_of_32_bytes,
    prefetch_at,
    words_at,
)
from nbvars.kernels.cpu.scatter import ROWS_AHEAD, check_indices, scatter_add
from nbvars.kernels.cpu.threads import get_num_threads, run_parts
from nbvars.kernels.elements import Array, Element, element_of, same_dtype
from nbvars.kernels.step_rules import NUM_SETTINGS, STEPS, slot_dtype_of

PART_BYTES = 1 << 21
"""A thread gets at least so many bytes of the gradient. Of a dense one, two threads are 0.8 to 1.1 times as fast as one
at 2 MiB and 1.1 to 1.4 at 4 (Zen 4); of rows 0.8 times at 2 MiB and 1.1 to 1.3 at 4.
"""


class _Types(NamedTuple):
    """What a step of one kind of parameter works on: words of the parameter, slots and settings."""

    param: types.Type
    slot: types.Type
    widen: Callable[..., Any] | None
    narrow: Callable[..., Any] | None


@functools.cache
def _types_of(element: Element) -> _Types:
    half = half_of(element.name)
    if half:
        return _Types(types.uint16, types.float32, half.to_float32, half.from_float32)
    return _Types(element.numba_type, element.numba_type, None, None)


@functools.cache
def _over_elements(name: str, element: Element) -> Any:
    """Return the compiled loop of a step over vectors of words; slots that the step has not are never touched."""
    (rule, num_slots, _), (_, _, widen, narrow) = STEPS[name], _types_of(element)

    def step_elements(param, slot0, slot1, slot2, grad, settings):
        assume_apart()
        prefer_vectors_of_32_bytes()
        for i in range(param.size):
            if widen is None:
                before, slope = param[i], grad[i]
            else:
                before, slope = widen(param[i]), widen(grad[i])
            # Of a slot that is not there the parameter stands in, and nobody looks.
            slots = (
                slot0[i] if num_slots > 0 else before,
                slot1[i] if num_slots > 1 else before,
                slot2[i] if num_slots > 2 else before,
            )
            after, changed = rule(before, slots, slope, settings)
            param[i] = after if narrow is None else narrow(after)
            if num_slots > 0:
                slot0[i] = changed[0]
            if num_slots > 1:
                slot1[i] = changed[1]
            if num_slots > 2:
                slot2[i] = changed[2]

    return jit_closure(f"{name}_step_over_{element.name}", step_elements)


def _settings_for(slot: types.Type) -> Any:
    """Return the compiled conversion of the vector of settings to a tuple in the precision of the slots."""

    def settings_in_precision(settings):
        return (
            slot(settings[0]),
            slot(settings[1]),
            slot(settings[2]),
            slot(settings[3]),
            slot(settings[4]),
            slot(settings[5]),
        )

    return jit_closure(f"settings_as_{slot}", settings_in_precision)


@functools.cache
def _dense_kernel(name: str, element: Element) -> Callable[..., None]:
    """Return the entry point ``(param, slot0, slot1, slot2, grad, settings, part, num_parts)``.

    All are contiguous arrays that do not overlap, of one size but for the settings, which are a float64 vector.
    """
    loop, (word, slot, _, _) = _over_elements(name, element), _types_of(element)
    settings_of, size, slot_size = _settings_for(slot), word.bitwidth // 8, slot.bitwidth // 8

    def step_arrays(param, slot0, slot1, slot2, grad, settings, part, num_parts):
        num_items = num_items_of(param)
        first, last = num_items * part // num_parts, num_items * (part + 1) // num_parts
        count, at, slot_at = last - first, first * size, first * slot_size
        loop(
            words_at(data_of(param) + at, count, word),
            words_at(data_of(slot0) + slot_at, count, slot),
            words_at(data_of(slot1) + slot_at, count, slot),
            words_at(data_of(slot2) + slot_at, count, slot),
            words_at(data_of(grad) + at, count, word),
            settings_of(words_at(data_of(settings), NUM_SETTINGS, types.float64)),
        )

    signature = types.void(*[any_array] * 6, types.intp, types.intp)
    return compile_kernel(f"{name} step {element.name}", step_arrays, signature)


@functools.cache
def _rows_kernel(name: str, element: Element) -> Callable[..., None]:
    """Return the entry point ``(param, slot0, slot1, slot2, rows, grads, settings, num_rows, part, num_parts)``.

    ``rows`` are int64, none of them twice; those outside of ``[0, num_rows)`` are passed over.
    """
    loop, (word, slot, _, _) = _over_elements(name, element), _types_of(element)
    settings_of, size, slot_size = _settings_for(slot), word.bitwidth // 8, slot.bitwidth // 8
    num_slots = STEPS[name].num_slots

    def step_rows(param, slot0, slot1, slot2, rows, grads, settings, num_rows, part, num_parts):
        num_slices, width = np.uint64(num_items_of(rows)), num_items_of(param) // num_rows
        places = words_at(data_of(rows), num_items_of(rows), types.int64)
        given = settings_of(words_at(data_of(settings), NUM_SETTINGS, types.float64))
        params, row_bytes, slot_bytes = data_of(param), width * size, width * slot_size
        first = num_slices * np.uint64(part) // np.uint64(num_parts)
        last = num_slices * np.uint64(part + 1) // np.uint64(num_parts)
        for k in range(first, last):
            if k + ROWS_AHEAD < last:
                ahead = places[k + ROWS_AHEAD]
                for offset in range(0, row_bytes, LINE_BYTES):
                    prefetch_at(params + ahead * row_bytes + offset)
                for offset in range(0, slot_bytes, LINE_BYTES):
                    if num_slots > 0:
                        prefetch_at(data_of(slot0) + ahead * slot_bytes + offset)
                    if num_slots > 1:
                        prefetch_at(data_of(slot1) + ahead * slot_bytes + offset)
                    if num_slots > 2:
                        prefetch_at(data_of(slot2) + ahead * slot_bytes + offset)
            row = places[k]
            if np.uint64(row) < np.uint64(num_rows):
                loop(
                    words_at(params + row * row_bytes, width, word),
                    words_at(data_of(slot0) + row * slot_bytes, width, slot),
                    words_at(data_of(slot1) + row * slot_bytes, width, slot),
                    words_at(data_of(slot2) + row * slot_bytes, width, slot),
                    words_at(data_of(grads) + types.int64(k) * row_bytes, width, word),
                    given,
                )

    signature = types.void(*[any_array] * 7, types.intp, types.intp, types.intp)
    return compile_kernel(f"{name} step of rows {element.name}", step_rows, signature)


def _group(rows, first_of, place_of):
    """Number the different ``rows`` in the order of their first slices; return how many there are.

    ``first_of`` gets the row of each number, ``place_of`` the number of each slice.
    """
    size = np.uint64(16)
    while size < np.uint64(2 * rows.size):
        size *= np.uint64(2)
    numbers = np.full(size, -1, np.int64)
    count = 0
    for k in range(rows.size):
        row = rows[k]
        # Multiplicative hashing (Knuth 6.4), and the next free place after it.
        at = (np.uint64(row) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20) & (size - np.uint64(1))
        while numbers[at] >= 0 and first_of[numbers[at]] != row:
            at = (at + np.uint64(1)) & (size - np.uint64(1))
        if numbers[at] < 0:
            numbers[at] = count
            first_of[count] = row
            count += 1
        place_of[k] = numbers[at]
    return count


@functools.cache
def _group_kernel() -> Callable[..., int]:
    vector = types.Array(types.int64, 1, "C")
    return compile_kernel("group rows", _group, types.int64(vector, vector, vector))


def group_rows(rows: Array, values: Array) -> tuple[Array, Array]:
    """Return the different ``rows``, in the order of their first slices, and for each the sum of its ``values``."""
    first_of, place_of = np.empty(rows.size, np.int64), np.empty(rows.size, np.int64)
    count = _group_kernel()(rows, first_of, place_of)
    if count == rows.size:
        return rows, values
    # -0.0 + x is x, even if it is -0.0: whether another row is named twice changes nothing.
    sums = np.full((count, *values.shape[1:]), -0.0, values.dtype)
    scatter_add(sums, place_of, values)
    return first_of[:count], sums


def step(where: str, name: str, param: Array, slots: Sequence[Array], grad: Array, settings: Sequence[float]) -> None:
    """Make the step ``name`` of a whole parameter.

    Args:
        where: Names the caller in errors.
        name: One of ``STEPS``.
        param: The parameter, floating.
        slots: As many as the step has, in the shape of ``param``; float32 for 16-bit parameters, else its dtype.
        grad: The gradient, in shape and dtype of ``param``.
        settings: In the order of ``STEPS[name].settings``.
    """
    element, table = _checked(where, name, param, slots, grad)
    if grad.shape != param.shape:
        raise ValueError(message(where, "grad has the wrong shape", grad.shape, param.shape))
    grad = contiguous(_apart(grad, param, slots), param.dtype)
    num_parts = max(1, min(get_num_threads(), param.nbytes // PART_BYTES))
    arrays = (param, *table, grad, _vector(settings))
    run_parts(_dense_kernel(name, element), [(*arrays, part, num_parts) for part in range(num_parts)])


def step_rows(
    where: str,
    name: str,
    param: Array,
    slots: Sequence[Array],
    indices: Array,
    values: Array,
    settings: Sequence[float],
) -> None:
    """Make the step ``name`` of the rows that ``indices`` name; the values of a row that is named twice are added up.

    Arguments as those of ``step``; ``values`` have the shape ``[*indices.shape, *row]``.
    """
    element, table = _checked(where, name, param, slots, values)
    expect_arrays(where, indices=indices)
    if param.ndim == 0:
        raise ValueError(message(where, "a scalar has no rows", "shape ()", "a variable of one axis or more"))
    expected = indices.shape + param.shape[1:]
    if values.shape != expected:
        raise ValueError(message(where, "grad has the wrong shape", values.shape, expected))
    rows = check_indices(where, indices, param.shape[0])
    if rows.size == 0 or param.size == 0:
        return
    grads = contiguous(_apart(values, param, slots), param.dtype).reshape(rows.size, -1)
    rows, grads = group_rows(rows.astype(np.int64, copy=False), grads)
    num_parts = max(1, min(get_num_threads(), grads.nbytes // PART_BYTES))
    arrays = (param, *table, rows, grads, _vector(settings), param.shape[0])
    run_parts(_rows_kernel(name, element), [(*arrays, part, num_parts) for part in range(num_parts)])


def _checked(
    where: str, name: str, param: Array, slots: Sequence[Array], grad: Array
) -> tuple[Element, tuple[Array, Array, Array]]:
    """Return how kernels see the parameter, and three slots, of which those that are not there are the parameter."""
    expect_arrays(where, param=param, grad=grad)
    expect_updatable(where, param)
    if param.dtype.kind not in "fV":
        raise TypeError(message(where, "the variable has the wrong dtype", param.dtype.name, "a floating dtype"))
    element = element_of("add", param.dtype, where)
    same_dtype(where, "grad", grad, param.dtype)
    slot_dtype = slot_dtype_of(param.dtype)
    for slot in slots:
        expect_arrays(where, slot=slot)
        expect_updatable(where, slot)
        if slot.shape != param.shape or slot.dtype != slot_dtype:
            got, expected = f"{slot.dtype} of shape {slot.shape}", f"{slot_dtype} of shape {param.shape}"
            raise ValueError(message(where, "a slot does not fit the variable", got, expected))
    num_slots = STEPS[name].num_slots
    if len(slots) != num_slots:
        raise ValueError(message(where, "the number of slots is wrong", len(slots), num_slots))
    first, second, third = (*slots, *[param] * (3 - num_slots))
    return element, (first, second, third)


def _vector(settings: Sequence[float]) -> Array:
    vector = np.zeros(NUM_SETTINGS)
    vector[: len(settings)] = settings
    return vector


def _apart(grad: Array, param: Array, slots: Sequence[Array]) -> Array:
    """Return ``grad``, copied if it lies in memory that the step writes."""
    return grad.copy() if any(np.may_share_memory(grad, other) for other in (param, *slots)) else grad
