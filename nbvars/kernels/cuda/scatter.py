"""scatter: updates of rows, in place, exact with repeated indices.

An index that is no row is reported to the host by the kernel that meets it, and its slice left out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.kernels.cuda import assign, atomic_scatter, ordered_scatter, positions, rows, status
from nbvars.kernels.cuda.atomic_scatter import find_reduction, has_atomics, scatter_by_reduction, scatter_by_swaps
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel, num_blocks_for
from nbvars.kernels.cuda.memory import DeviceArray, empty, expect_arrays, expect_updatable, to_device
from nbvars.kernels.cuda.ordered_scatter import scatter_in_order
from nbvars.kernels.cuda.rows import NO_ROW, RowUpdate, checked_rows
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.status import SLOT_SIGNATURE, report_once
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.kernels.elements import NUMERIC, Element, element_of, same_dtype

Number: TypeAlias = npt.NDArray[Any] | np.generic
"""A number of the host: an array of shape ``()``, or NumPy's scalar."""

DIVIDES_BY_ZERO = "values divides integers by zero: slice {position} of values has a 0; the slice was left out"


def _find_zeros(values, rows, num_items, units, claim, report, error):
    """Take the row from every slice that holds a 0."""
    i = cuda.grid(1)
    if i < num_items and values[i] == 0:
        k = i // units
        rows[k] = NO_ROW
        report_once(claim, report, error, k, 0, 0)


@functools.cache
def _zeros_kernel(word: np.dtype[Any]) -> Kernel:
    signature = (Pointer(word), Pointer(INT64), INT64, INT64, *SLOT_SIGNATURE)
    return Kernel(f"find zeros of {word.name}", _find_zeros, signature)


def _leave_out_zeros(update: RowUpdate, taken: DeviceArray) -> None:
    values = update.values
    _zeros_kernel(_unsigned(values.dtype)).launch(
        update.device,
        num_blocks_for(values.size, NUM_THREADS),
        NUM_THREADS,
        values.pointer,
        taken.pointer,
        values.size,
        values.size // update.num_slices,
        *status.slot_arguments(update.device, update.where, DIVIDES_BY_ZERO),
    )


def _unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"uint{8 * dtype.itemsize}")


def _is_number(x: object) -> bool:
    return isinstance(x, (np.ndarray, np.generic)) and x.ndim == 0


def _checked(where: str, operation: str, ref: Any, indices: Any, values: Any) -> tuple[Element, RowUpdate]:
    """Return what is to be done, or raise."""
    expect_arrays(where, ref=ref)
    if _is_number(indices):
        indices = to_device(np.asarray(indices), ref.device)
    expect_arrays(where, ref=ref, indices=indices, **({} if _is_number(values) else {"values": values}))
    expect_updatable(where, ref)
    if ref.ndim == 0:
        raise ValueError(message(where, "ref has no rows", "shape ()", "at least one dimension"))
    element = element_of(operation, ref.dtype, where)
    same_dtype(where, "values", values, ref.dtype)
    expected = indices.shape + ref.shape[1:]
    if values.shape != expected and values.ndim:
        wanted = f"{expected}: that of indices, then that of one row"
        raise ValueError(message(where, "values has the wrong shape", values.shape, wanted))
    if indices.dtype.kind not in "iu":
        raise TypeError(message(where, "indices has the wrong dtype", indices.dtype.name, "an integer dtype"))
    if values.shape != expected or _is_number(values):
        number, values = values, empty(expected, ref.dtype, ref.device)
        assign.assign(values, number)
    elif values.overlaps(ref):
        values = values.copy()
    return element, RowUpdate(where, ref, indices.copy() if indices.overlaps(ref) else indices, values)


def _scatter(
    operation: str, ref: DeviceArray, indices: DeviceArray | Number, values: DeviceArray | Number, deterministic: bool
) -> None:
    where = f"scatter_{operation}"
    element, update = _checked(where, operation, ref, indices, values)
    if not update.are_reported:  # else that has been done, and what they report is this update's own
        status.raise_pending(ref.device)
    if update.num_slices:
        is_ordered = deterministic or not has_atomics(operation, ref.dtype)
        reduction = None if is_ordered else find_reduction(operation, element, update)
        if reduction is not None and update.values.size:
            scatter_by_reduction(reduction, operation, element, update)
        else:
            _scatter_checked_rows(operation, element, update, is_ordered)
        status.after_launch(ref.device)


def _scatter_checked_rows(operation: str, element: Element, update: RowUpdate, is_ordered: bool) -> None:
    taken = checked_rows(update)
    if update.values.size == 0:
        return
    if operation == "div" and update.values.dtype.kind in "iu":
        _leave_out_zeros(update, taken)
    (scatter_in_order if is_ordered else scatter_by_swaps)(operation, element, update, taken)


def scatter_sub(
    ref: DeviceArray, indices: DeviceArray | Number, values: DeviceArray | Number, deterministic: bool = False
) -> None:
    """Subtract ``values[k]`` from row ``indices[k]`` of ``ref``, in place."""
    _scatter("sub", ref, indices, values, deterministic)


def scatter_add(
    ref: DeviceArray, indices: DeviceArray | Number, values: DeviceArray | Number, deterministic: bool = False
) -> None:
    """Add ``values[k]`` to row ``indices[k]`` of ``ref``, in place."""
    _scatter("add", ref, indices, values, deterministic)


def scatter_update(
    ref: DeviceArray, indices: DeviceArray | Number, values: DeviceArray | Number, deterministic: bool = False
) -> None:
    """Copy ``values[k]`` to row ``indices[k]`` of ``ref``; the last of several wins."""
    _scatter("update", ref, indices, values, deterministic)


def scatter_mul(
    ref: DeviceArray, indices: DeviceArray | Number, values: DeviceArray | Number, deterministic: bool = False
) -> None:
    """Multiply row ``indices[k]`` of ``ref`` by ``values[k]``, in place."""
    _scatter("mul", ref, indices, values, deterministic)


def scatter_div(
    ref: DeviceArray, indices: DeviceArray | Number, values: DeviceArray | Number, deterministic: bool = False
) -> None:
    """Divide row ``indices[k]`` of ``ref`` by ``values[k]``, in place; integers round towards zero."""
    _scatter("div", ref, indices, values, deterministic)


def scatter_min(
    ref: DeviceArray, indices: DeviceArray | Number, values: DeviceArray | Number, deterministic: bool = False
) -> None:
    """Keep the smaller of row ``indices[k]`` of ``ref`` and ``values[k]``; NaN if either is."""
    _scatter("min", ref, indices, values, deterministic)


def scatter_max(
    ref: DeviceArray, indices: DeviceArray | Number, values: DeviceArray | Number, deterministic: bool = False
) -> None:
    """Keep the larger of row ``indices[k]`` of ``ref`` and ``values[k]``; NaN if either is."""
    _scatter("max", ref, indices, values, deterministic)


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of scatters."""
    for module in (rows, positions, atomic_scatter, ordered_scatter):
        yield from module.kernels_to_compile()
    yield from (_zeros_kernel(dtype) for dtype in NUMERIC if dtype.kind == "u")
