"""Positions over several axes, and indices within batches, as numbers of rows: what scatters of one axis then take."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from nbvars.kernels.cuda import status
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel, num_blocks_for
from nbvars.kernels.cuda.memory import DeviceArray, empty
from nbvars.kernels.cuda.rows import INDEX_DTYPES, NO_ROW, RowNumbers
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.status import SLOT_SIGNATURE, report_once
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.kernels.cuda.vectors import on_device

AXES_PER_LAUNCH = 4
"""Of positions over more axes, a launch goes on where the one before ended."""
NO_AXIS = -1
"""In the place of the size of an axis that is not there."""

POSITION_OUT_OF_RANGE = (
    "an index is out of range: slice {position} of indices has {value} on axis {axis}, not in [0, {limit}); "
    "the slice was left out"
)


@on_device
def _next_row(row, indices, i, size, claim, report, error):
    """Return the row number with index ``i`` as one more axis; ``NO_ROW`` stays."""
    if size < 0 or row < 0:
        return row
    index = np.int64(indices[i])
    if 0 <= index < size:
        return row * size + index
    report_once(claim, report, error, i, index, size)
    return NO_ROW


def _take_positions(
    indices, rows, num_slices, depth, first_axis, size0, size1, size2, size3, claim, report, error
):  # fmt: skip
    k = cuda.grid(1)
    if k < num_slices:
        i = k * depth + first_axis
        row = np.int64(0)
        if first_axis > 0:
            row = rows[k]
        row = _next_row(row, indices, i, size0, claim, report, error)
        row = _next_row(row, indices, i + 1, size1, claim, report, error)
        row = _next_row(row, indices, i + 2, size2, claim, report, error)
        rows[k] = _next_row(row, indices, i + 3, size3, claim, report, error)


def _take_rows_of_batches(indices, rows, num_slices, slices_per_batch, num_rows, claim, report, error):
    k = cuda.grid(1)
    if k < num_slices:
        row = np.int64(indices[k])
        if 0 <= row < num_rows:
            rows[k] = k // slices_per_batch * num_rows + row
        else:
            rows[k] = NO_ROW
            report_once(claim, report, error, k, row, num_rows)


@functools.cache
def positions_kernel(index_dtype: np.dtype[Any]) -> Kernel:
    """Return the kernel ``(indices, rows, num_slices, depth, first_axis, *sizes, claim, report, error)``."""
    sizes = (INT64,) * AXES_PER_LAUNCH
    signature = (Pointer(index_dtype), Pointer(INT64), INT64, INT64, INT64, *sizes, *SLOT_SIGNATURE)
    return Kernel(f"take rows of {index_dtype.name} positions", _take_positions, signature)


@functools.cache
def batches_kernel(index_dtype: np.dtype[Any]) -> Kernel:
    """Return the kernel ``(indices, rows, num_slices, slices_per_batch, num_rows, claim, report, error)``."""
    signature = (Pointer(index_dtype), Pointer(INT64), INT64, INT64, INT64, *SLOT_SIGNATURE)
    return Kernel(f"take rows of {index_dtype.name} in batches", _take_rows_of_batches, signature)


def rows_of_positions(op: str, table: DeviceArray, positions: DeviceArray) -> tuple[DeviceArray, RowNumbers]:
    """Return ``table`` as rows, and the row of each position: of each last row of ``positions``.

    A position that is not within the first axes of ``table`` becomes ``NO_ROW`` and is reported.
    """
    depth = positions.shape[-1]
    axes, row = table.shape[:depth], table.shape[depth:]
    rows = _new_rows(positions.shape[:-1], table.device)
    kernel, slot = (
        positions_kernel(positions.dtype),
        status.slot_arguments(table.device, op, POSITION_OUT_OF_RANGE, depth),
    )
    for first in range(0, depth if rows.size else 0, AXES_PER_LAUNCH):
        sizes = (*axes[first : first + AXES_PER_LAUNCH], *[NO_AXIS] * AXES_PER_LAUNCH)[:AXES_PER_LAUNCH]
        _launch(kernel, positions, rows, depth, first, *sizes, *slot)
    return table.reshape((math.prod(axes), *row)), rows


def rows_of_batches(op: str, table: DeviceArray, indices: DeviceArray) -> tuple[DeviceArray, RowNumbers]:
    """Return ``table`` as rows, and the row that each of ``indices`` names within its batch, as ``rows_of_positions``.

    All but the last axis of ``indices`` are those of the batches.
    """
    batch, (num_rows, *row) = indices.shape[:-1], table.shape[indices.ndim - 1 :]
    rows = _new_rows(indices.shape, table.device)
    if rows.size:
        slot = status.slot_arguments(table.device, op)
        _launch(batches_kernel(indices.dtype), indices, rows, indices.shape[-1], num_rows, *slot)
    return table.reshape((math.prod(batch) * num_rows, *row)), rows


def _new_rows(shape: tuple[int, ...], device: int) -> RowNumbers:
    # What is there already is raised now: what these kernels report must not keep the scatter from the good slices.
    status.raise_pending(device)
    return RowNumbers.over(empty(shape, INT64, device))


def _launch(kernel: Kernel, indices: DeviceArray, rows: RowNumbers, *arguments: int) -> None:
    num_blocks = num_blocks_for(rows.size, NUM_THREADS)
    kernel.launch(indices.device, num_blocks, NUM_THREADS, indices.pointer, rows.pointer, rows.size, *arguments)


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    yield from map(positions_kernel, INDEX_DTYPES)
    yield from map(batches_kernel, INDEX_DTYPES)
