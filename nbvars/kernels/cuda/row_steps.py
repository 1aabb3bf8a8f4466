"""Steps of optimizers of the rows that indices name.

Slices are sorted by their rows. The group of threads that has the first slice of a row adds up all of the row's, in
their order, and makes the step: to the bit what the CPU makes of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nbvars.checks import message
from nbvars.kernels.cuda import status
from nbvars.kernels.cuda.lanes import lane_of
from nbvars.kernels.cuda.launch import Kernel
from nbvars.kernels.cuda.memory import DeviceArray, expect_arrays
from nbvars.kernels.cuda.optimizer_steps import apart, check_step, expect_gradient, settings_as, slot_pointers
from nbvars.kernels.cuda.rows import RowUpdate, checked_rows, launch_over_slices
from nbvars.kernels.cuda.signature import INT64, Pointer, pointers
from nbvars.kernels.cuda.sorting import sort_rows
from nbvars.kernels.cuda.step_lanes import step_lane_of
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.kernels.cuda.vectors import VECTOR_BYTES, are_aligned, map_vectors, on_device
from nbvars.kernels.elements import NUMERIC, Element, element_of
from nbvars.kernels.step_rules import STEPS


def _sum_of_run(load: Callable[..., Any], add: Callable[..., Any]) -> Callable[..., Any]:
    """Return the sum of unit ``col`` of all slices from ``first`` on that have its row, in their order."""

    def sum_of_run(values, rows, order, first, num_slices, units, col):
        row, k = rows[first], first + 1
        total = load(values, order[first] * units + col)
        # Rows are sorted: all four are this one. Their loads do not wait for each other.
        while k + 3 < num_slices and rows[k + 3] == row:
            a, b = load(values, order[k] * units + col), load(values, order[k + 1] * units + col)
            c, d = load(values, order[k + 2] * units + col), load(values, order[k + 3] * units + col)
            total = add(add(add(add(total, a), b), c), d)
            k += 4
        while k < num_slices and rows[k] == row:
            total = add(total, load(values, order[k] * units + col))
            k += 1
        return total

    return on_device(sum_of_run)


def _step_rows(name: str, element: Element) -> Callable[..., None]:
    lane, add = step_lane_of(name, element), lane_of("add", element)
    step_vector, step_item = lane.step_vector, lane.step_item
    sum_vectors = _sum_of_run(lane.load_gradient, map_vectors(add.rule, lane.words_per_vector))
    sum_items = _sum_of_run(on_device(lambda values, i: values[i]), add.item_rule)

    def step_runs(
        param, values, are_vectors, items, value_items, slot0, slot1, slot2, a, b, c, d, e, f,
        rows, order, num_slices, num_rows, units, group_bits,
    ):  # fmt: skip
        settings, i = (a, b, c, d, e, f), cuda.grid(1)
        group = 1 << group_bits
        first, col = i >> group_bits, i & (group - 1)
        if first >= num_slices:
            return
        row = rows[first]
        if row >= num_rows:
            return
        if first > 0 and rows[first - 1] == row:
            return
        while col < units:
            at = row * units + col
            if are_vectors:
                total = sum_vectors(values, rows, order, first, num_slices, units, col)
                step_vector(param, slot0, slot1, slot2, at, total, settings)
            else:
                item = sum_items(value_items, rows, order, first, num_slices, units, col)
                step_item(items, slot0, slot1, slot2, at, item, settings)
            col += group

    return step_runs


@functools.cache
def rows_kernel(name: str, element: Element) -> Kernel:
    """Return the kernel of a step of rows.

    It is ``(param, values, are_vectors, param, values, *slots, *settings, rows, order, num_slices, num_rows, units,
    group_bits)``: the parameter and the values are looked at as vectors, or as items. ``rows`` and ``order`` are
    sorted, and every row has so many units, which so many threads share.
    """
    lane = step_lane_of(name, element)
    word, item = Pointer(lane.word), Pointer(lane.item)
    arrays = (word, word, INT64, item, item, *lane.slot_pointers)
    signature = (*arrays, *lane.settings, *pointers(INT64, 2), INT64, INT64, INT64, INT64)
    return Kernel(f"{name} step of vectors of rows of {element.name}", _step_rows(name, element), signature)


def step_rows(
    where: str,
    name: str,
    param: DeviceArray,
    slots: Sequence[DeviceArray],
    indices: DeviceArray,
    values: DeviceArray,
    settings: Sequence[float],
) -> None:
    """Make the step ``name`` of the rows that ``indices`` name; the values of a row that is named twice are added up.

    Arguments as those of ``optimizer_steps.step``; ``values`` have the shape ``[*indices.shape, *row]``. An index that
    is no row is reported, as of a scatter, and its values are left out.
    """
    element = check_step(where, name, param, slots)
    expect_gradient(where, param, values)
    expect_arrays(where, param=param, indices=indices)
    if param.ndim == 0:
        raise ValueError(message(where, "a scalar has no rows", "shape ()", "a variable of one axis or more"))
    expected = indices.shape + param.shape[1:]
    if values.shape != expected:
        raise ValueError(message(where, "grad has the wrong shape", values.shape, expected))
    if indices.dtype.kind not in "iu":
        raise TypeError(message(where, "indices has the wrong dtype", indices.dtype.name, "an integer dtype"))
    status.raise_pending(param.device)
    if indices.size == 0:
        return
    values, indices = apart(values, param, slots), apart(indices, param, slots)
    update = RowUpdate(where, param, indices, values)
    rows = checked_rows(update)
    if values.size:
        _launch(name, element, update, rows, slots, settings)
    status.after_launch(param.device)


def _launch(
    name: str,
    element: Element,
    update: RowUpdate,
    rows: DeviceArray,
    slots: Sequence[DeviceArray],
    settings: Sequence[float],
) -> None:
    lane, in_order = step_lane_of(name, element), sort_rows(rows, update.num_rows)
    arrays, slots_at = (update.ref.pointer, update.values.pointer), slot_pointers(slots)
    are_vectors = are_aligned(*arrays, *slots_at) and update.row_bytes % VECTOR_BYTES == 0
    units = update.row_bytes // (VECTOR_BYTES if are_vectors else lane.item.itemsize)
    vectors = (*(arrays if are_vectors else (0, 0)), int(are_vectors))
    sorted_rows = (in_order.rows.pointer, in_order.order.pointer, update.num_slices, update.num_rows)
    given = (*vectors, *arrays, *slots_at, *settings_as(lane.slot, settings), *sorted_rows)
    launch_over_slices(rows_kernel(name, element), update, units, *given)


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    elements = [element_of("add", dtype) for dtype in NUMERIC if dtype.kind in "fV"]
    yield from (rows_kernel(name, element) for name in STEPS for element in elements)
