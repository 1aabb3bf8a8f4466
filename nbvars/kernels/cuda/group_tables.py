"""Arrays that are updated together: tables in the GPU's memory that say where they lie and what each block works on.

The tables are made, and the arrays looked at, when a group is first seen; they are kept while its arrays live. What is
added, or which gradients there are, may lie elsewhere each time: addresses are sent when they differ from the last.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel
from nbvars.kernels.cuda.memory import DeviceArray, to_device
from nbvars.kernels.cuda.streams import current_stream
from nbvars.kernels.cuda.vectors import VECTOR_BYTES, are_aligned
from nbvars.kernels.elements import Element, same_dtype

VECTORS_PER_THREAD = 2
PART = NUM_THREADS * VECTORS_PER_THREAD
"""A block has so many vectors, or items where they do not lie in vectors."""
ROW_WORDS = 6
"""Of the table of arrays: addresses of the array and of its three slots, how many vectors it has, how many items."""
ARRAY_SHIFT = 32
"""The word of a block: from here on the number of the array, below that of the part."""
PART_MASK = (1 << ARRAY_SHIFT) - 1


class Group:
    """Arrays that are updated together.

    Attributes:
        dtype: That of all of them.
        are_apart: Whether no two have memory in common.
    """

    def __init__(
        self,
        where: str,
        kernel: Kernel,
        element: Element,
        arrays: Sequence[DeviceArray],
        slots: Sequence[Sequence[DeviceArray]],
    ) -> None:
        self._where, self._kernel, self._shapes = where, kernel, [array.shape for array in arrays]
        self.dtype, self._device = arrays[0].dtype, arrays[0].device
        self._sizes = np.array([array.nbytes for array in arrays])
        spans = sorted((each.pointer, each.pointer + each.nbytes) for each in chain(arrays, *slots) if each.nbytes)
        self._starts, ends = np.array(spans, np.int64).reshape(-1, 2).T
        self.are_apart = bool(np.all(ends[:-1] <= self._starts[1:]))
        # Of the arrays that begin before a place, so many, the furthest end.
        self._ends = np.concatenate([[0], np.maximum.accumulate(ends)])
        item_bytes = element.word.itemsize
        rows = [_row(array, of_array, item_bytes) for array, of_array in zip(arrays, slots, strict=True)]
        table = np.array(rows, np.int64)
        blocks = _blocks_of(table, VECTOR_BYTES // item_bytes)
        self._num_blocks = blocks.size
        self._table, self._blocks = (to_device(each, self._device, is_constant=True) for each in (table, blocks))
        self._stream = current_stream()  # of which memory comes: its number stays its own while somebody holds it
        self._last: tuple[list[int], DeviceArray | None] = [], None

    def update(self, values: Sequence[DeviceArray], settings: tuple[Any, ...]) -> None:
        """Update every array by its value. The values must be ``ready``, and the arrays apart."""
        if not self._num_blocks:
            return
        addresses, (last, sources) = [value.pointer for value in values], self._last
        if sources is None or last != addresses:
            # Always in new memory: another thread may be about to launch with what was sent last.
            sources = to_device(np.array(addresses, np.int64), self._device, is_constant=True)
            self._last = addresses, sources
        tables = (self._table.pointer, sources.pointer, self._blocks.pointer)
        self._kernel.launch(self._device, self._num_blocks, NUM_THREADS, *tables, *settings)

    def ready(self, argument: str, values: Sequence[DeviceArray]) -> Sequence[DeviceArray]:
        """Return ``values``, copied where they lie in what is written or are not aligned; raise if one does not fit."""
        for k, (value, shape) in enumerate(zip(values, self._shapes, strict=True)):
            if type(value) is not DeviceArray or value.device != self._device:
                wrong, expected = f"{argument}[{k}] is in the wrong place", f"a DeviceArray on /gpu:{self._device}"
                raise TypeError(message(self._where, wrong, repr(value), expected))
            if value.dtype is not self.dtype:
                same_dtype(self._where, f"{argument}[{k}]", value, self.dtype)
            if value.shape != shape:
                raise ValueError(message(self._where, f"{argument}[{k}] has the wrong shape", value.shape, shape))
        pointers = [value.pointer for value in values]
        if self._last[0] == pointers:
            return values
        addresses = np.array(pointers, np.int64)
        # How many arrays begin before the end of a value: one of them, or none, ends behind its start.
        num_before = np.searchsorted(self._starts, addresses + self._sizes)
        is_moved = (self._ends[num_before] > addresses) | (addresses % VECTOR_BYTES != 0)
        if not is_moved.any():
            return values
        return [value.copy() if moved else value for value, moved in zip(values, is_moved.tolist(), strict=True)]


def _row(array: DeviceArray, slots: Sequence[DeviceArray], item_bytes: int) -> tuple[int, ...]:
    slot0, slot1, slot2 = (*(slot.pointer for slot in slots), 0, 0, 0)[:3]
    num_vectors = array.nbytes // VECTOR_BYTES if are_aligned(array.pointer, slot0, slot1, slot2) else 0
    return array.pointer, slot0, slot1, slot2, num_vectors, array.nbytes // item_bytes


def _blocks_of(table: npt.NDArray[np.int64], items_per_vector: int) -> npt.NDArray[np.int64]:
    """Return the word of each block."""
    num_vectors, num_items = table[:, 4], table[:, 5]
    num_parts = -(-np.maximum(num_vectors, num_items - num_vectors * items_per_vector) // PART)
    part = np.arange(num_parts.sum()) - np.repeat(np.cumsum(num_parts) - num_parts, num_parts)
    return np.repeat(np.arange(num_parts.size), num_parts) << ARRAY_SHIFT | part


_groups: dict[tuple[Any, ...], tuple[Group, list[weakref.ref[DeviceArray]]]] = {}


def remembered(what: str, arrays: Sequence[DeviceArray], make: Callable[[], Group]) -> Group:
    """Return the group of ``arrays`` for ``what``, made at its first use: it is forgotten when one of them is."""
    key = (what, id(current_stream()), *map(id, arrays))
    found = _groups.get(key)
    if found is None:

        def forget(_: Any, groups: Any = _groups) -> None:
            groups.pop(key, None)

        found = _groups[key] = make(), [weakref.ref(array, forget) for array in arrays]
    return found[0]
