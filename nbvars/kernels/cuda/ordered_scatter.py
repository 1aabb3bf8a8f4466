"""scatter in the order of the indices: to the bit what the CPU makes of it, however often a row is named.

Slices are sorted by their rows, and those of one row applied by one group of threads, one after the other. Of copies
only the last slice of a row counts; where a number for each row costs little, it is found without a sort.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from nbvars.kernels.cuda.lanes import item_rule_of, lane_of
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel, num_blocks_for
from nbvars.kernels.cuda.memory import DeviceArray, empty
from nbvars.kernels.cuda.rows import RowUpdate, launch_over_slices
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.sorting import sort_rows
from nbvars.kernels.cuda.toolkit import IS_SIMULATED, cuda
from nbvars.kernels.cuda.vectors import VECTOR_BYTES, map_vectors, on_device, vector_access
from nbvars.kernels.elements import ALL, HALVES, Element, element_of

if IS_SIMULATED:
    from nbvars.kernels.cuda.simulated_intrinsics import reduce_max_int64
else:
    from nbvars.kernels.cuda.intrinsics import reduce_max_int64

MOST_BYTES_OF_LAST = 1 << 28
"""More numbers of last slices are not kept, unless the slices are larger still: then they are sorted."""
_OPERATIONS = ("update", "add", "sub", "mul", "div", "min", "max")


class Unit(NamedTuple):
    """What a thread combines at a time: an item, or a vector of words."""

    name: str
    word: np.dtype[Any]
    length: int
    """Words in it."""
    load: Any
    store: Any
    combine: Callable[..., Any]

    @property
    def num_bytes(self) -> int:
        """The size."""
        return self.length * self.word.itemsize


@on_device
def _load(words, position):
    return words[position]


@on_device
def _store(words, position, word):
    words[position] = word


@functools.cache
def item_of(operation: str, element: Element) -> Unit:
    """Return the unit of one item."""
    return Unit("items", element.word, 1, _load, _store, item_rule_of(operation, element))


@functools.cache
def vector_of(operation: str, element: Element) -> Unit | None:
    """Return the unit of 16 bytes, if there is a rule of its words."""
    is_small = element.word.itemsize < 4 and element.name not in HALVES
    if element.word.kind == "c" or (is_small and operation not in ("update", "add", "sub")):
        return None
    lane = lane_of(operation, element)
    length = lane.words_per_vector
    load, store = vector_access(length)
    return Unit("vectors", lane.word, length, load, store, map_vectors(lane.rule, length))


def _by_runs(unit: Unit) -> Callable[..., None]:
    """Return the kernel that applies the slices of each row in order; ``rows`` and ``order`` are sorted."""
    length, load, store, combine = unit.length, unit.load, unit.store, unit.combine

    def scatter_runs(ref, rows, order, values, num_slices, num_rows, units, group_bits):
        i = cuda.grid(1)
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
            x = load(ref, (row * units + col) * length)
            k = first
            # Rows are sorted: all four are this one. Their loads do not wait for each other.
            while k + 3 < num_slices and rows[k + 3] == row:
                a = load(values, (order[k] * units + col) * length)
                b = load(values, (order[k + 1] * units + col) * length)
                c = load(values, (order[k + 2] * units + col) * length)
                d = load(values, (order[k + 3] * units + col) * length)
                x = combine(combine(combine(combine(x, a), b), c), d)
                k += 4
            while k < num_slices and rows[k] == row:
                x = combine(x, load(values, (order[k] * units + col) * length))
                k += 1
            store(ref, (row * units + col) * length, x)
            col += group

    return scatter_runs


def _forget_last(rows, last, num_slices):
    k = cuda.grid(1)
    if k < num_slices and rows[k] >= 0:
        last[rows[k]] = -1


def _find_last(rows, last, num_slices):
    k = cuda.grid(1)
    if k < num_slices and rows[k] >= 0:
        reduce_max_int64(last, rows[k], k)


def _copy_last(unit: Unit) -> Callable[..., None]:
    """Return the kernel that copies the last slice of every row."""
    length, load, store = unit.length, unit.load, unit.store

    def copy_last(ref, rows, last, values, num_slices, units, group_bits):
        i = cuda.grid(1)
        group = 1 << group_bits
        k, col = i >> group_bits, i & (group - 1)
        if k < num_slices:
            row = rows[k]
            if row >= 0 and last[row] == k:
                while col < units:
                    store(ref, (row * units + col) * length, load(values, (k * units + col) * length))
                    col += group

    return copy_last


@functools.cache
def runs_kernel(operation: str, element: Element, unit: Unit) -> Kernel:
    """Return the kernel ``(ref, rows, order, values, num_slices, num_rows, units, group_bits)``."""
    word, number = Pointer(unit.word), Pointer(INT64)
    signature = (word, number, number, word, INT64, INT64, INT64, INT64)
    return Kernel(f"scatter_{operation} {unit.name} of {element.name} in order", _by_runs(unit), signature)


@functools.cache
def last_kernels() -> tuple[Kernel, Kernel]:
    """Return the kernels ``(rows, last, num_slices)`` that put the last slice of each row into ``last``."""
    signature = (Pointer(INT64), Pointer(INT64), INT64)
    return Kernel("forget last slices", _forget_last, signature), Kernel("find last slices", _find_last, signature)


@functools.cache
def copy_kernel(element: Element, unit: Unit) -> Kernel:
    """Return the kernel ``(ref, rows, last, values, num_slices, units, group_bits)``."""
    word, number = Pointer(unit.word), Pointer(INT64)
    signature = (word, number, number, word, INT64, INT64, INT64)
    return Kernel(f"copy last {unit.name} of {element.name}", _copy_last(unit), signature)


def _shared_rule(operation: str, element: Element) -> Element:
    """Return what stands for ``element`` among those whose kernels are the same."""
    return element._replace(words_per_item=1) if operation in ("update", "add", "sub") else element


def _unit_for(operation: str, element: Element, update: RowUpdate) -> Unit:
    """Return the widest unit that fits the rows."""
    vector = vector_of(operation, element)
    numbers = (update.ref.pointer, update.values.pointer, update.row_bytes)
    if vector is not None and not any(number % VECTOR_BYTES for number in numbers):
        return vector
    return item_of(operation, element)


def scatter_in_order(operation: str, element: Element, update: RowUpdate, rows: DeviceArray) -> None:
    """Combine the rows, which have elements, with slices, in the order of ``rows``, which ``checked_rows`` gives."""
    element = _shared_rule(operation, element)
    unit = _unit_for(operation, element, update)
    units, ref, values = update.row_bytes // unit.num_bytes, update.ref.pointer, update.values.pointer
    if operation == "update" and INT64.itemsize * update.num_rows <= max(MOST_BYTES_OF_LAST, update.values.nbytes):
        last = empty((update.num_rows,), INT64, update.device)
        for kernel in last_kernels():
            num_blocks = num_blocks_for(update.num_slices, NUM_THREADS)
            kernel.launch(update.device, num_blocks, NUM_THREADS, rows.pointer, last.pointer, update.num_slices)
        arrays = (ref, rows.pointer, last.pointer, values)
        launch_over_slices(copy_kernel(element, unit), update, units, *arrays, update.num_slices)
        return
    in_order = sort_rows(rows, update.num_rows)
    arrays = (ref, in_order.rows.pointer, in_order.order.pointer, values)
    kernel = runs_kernel(operation, element, unit)
    launch_over_slices(kernel, update, units, *arrays, update.num_slices, update.num_rows)


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    yield from last_kernels()
    for operation in _OPERATIONS:
        for element in _elements_of(operation):
            for unit in filter(None, (item_of(operation, element), vector_of(operation, element))):
                yield runs_kernel(operation, element, unit)
                if operation == "update":
                    yield copy_kernel(element, unit)


def _elements_of(operation: str) -> set[Element]:
    found = set()
    for dtype in ALL:
        try:
            found.add(_shared_rule(operation, element_of(operation, dtype)))
        except TypeError:
            continue
    return found
