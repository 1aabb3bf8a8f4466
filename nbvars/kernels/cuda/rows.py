"""What all updates of rows share: who works on which row, and the row numbers that are checked."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from nbvars.kernels.cuda import status
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel, num_blocks_for
from nbvars.kernels.cuda.memory import DeviceArray, empty
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.status import SLOT_SIGNATURE, report_once
from nbvars.kernels.cuda.toolkit import cuda

NO_ROW = np.int64(-1)
"""What an index that is none becomes, when it has been reported."""
_SMALL_GROUP_BITS = 2
INDEX_DTYPES = tuple(np.dtype(f"{kind}{size}") for kind in "iu" for size in (1, 2, 4, 8))


class RowNumbers(DeviceArray):
    """Indices that a kernel has looked at, in memory of their own: ``NO_ROW`` for each that was reported."""

    __slots__ = ()

    @classmethod
    def over(cls, array: DeviceArray) -> RowNumbers:
        """Return the memory of ``array`` as row numbers."""
        return cls(array.shape, array.dtype, array.device, array.pointer, array._owner)


class RowUpdate(NamedTuple):
    """An update of rows of ``ref`` by slices of ``values``: arrays on one device, which lie apart."""

    where: str
    """Who is asked, for errors."""
    ref: DeviceArray
    indices: DeviceArray
    values: DeviceArray

    @property
    def device(self) -> int:
        """The number of the GPU."""
        return self.ref.device

    @property
    def num_rows(self) -> int:
        """How many rows ``ref`` has."""
        return self.ref.shape[0]

    @property
    def num_slices(self) -> int:
        """How many rows are updated."""
        return self.indices.size

    @property
    def row_bytes(self) -> int:
        """The size of a row; there are slices."""
        return self.values.nbytes // self.num_slices

    @property
    def are_reported(self) -> bool:
        """Whether indices that are none have been reported."""
        return isinstance(self.indices, RowNumbers)

    def slot_arguments(self) -> tuple[int, int, int]:
        """Return ``claim, report, error`` for a kernel that looks at the indices."""
        claim, report, error = status.slot_arguments(self.device, self.where)
        return claim, report, 0 if self.are_reported else error


def group_bits_for(units: int) -> int:
    """Return how many threads, as a power of two, share a row of so many units, one unit a thread at a time.

    There are at most as many as there are units; few of them have nothing to do in the last round.
    """
    bits = min(units, NUM_THREADS).bit_length() - 1
    while bits > _SMALL_GROUP_BITS and -units % (1 << bits) > units // 8:
        bits -= 1
    return bits


def launch_over_slices(kernel: Kernel, update: RowUpdate, units: int, *arguments: Any) -> None:
    """Launch ``kernel`` with ``arguments``, then ``units`` and the bits of the groups that each have one slice."""
    bits = group_bits_for(units)
    num_blocks = num_blocks_for(update.num_slices << bits, NUM_THREADS)
    kernel.launch(update.device, num_blocks, NUM_THREADS, *arguments, units, bits)


def _take_rows(indices, rows, num_slices, num_rows, claim, report, error):
    k = cuda.grid(1)
    if k < num_slices:
        row = np.int64(indices[k])
        if 0 <= row < num_rows:
            rows[k] = row
        else:
            rows[k] = NO_ROW
            report_once(claim, report, error, k, row, num_rows)


@functools.cache
def _take_rows_kernel(index_dtype: np.dtype[Any]) -> Kernel:
    signature = (Pointer(index_dtype), Pointer(INT64), INT64, INT64, *SLOT_SIGNATURE)
    return Kernel(f"take rows of {index_dtype.name}", _take_rows, signature)


def checked_rows(update: RowUpdate) -> DeviceArray:
    """Return the indices as int64: ``NO_ROW`` for each that is no row, which is reported."""
    if update.are_reported:
        return update.indices
    rows = empty((update.num_slices,), INT64, update.device)
    if update.num_slices:
        _take_rows_kernel(update.indices.dtype).launch(
            update.device,
            num_blocks_for(update.num_slices, NUM_THREADS),
            NUM_THREADS,
            update.indices.pointer,
            rows.pointer,
            update.num_slices,
            update.num_rows,
            *update.slot_arguments(),
        )
    return rows


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    yield from map(_take_rows_kernel, INDEX_DTYPES)
