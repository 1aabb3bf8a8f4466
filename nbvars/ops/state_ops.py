"""Ops that change a variable: conversions and checks, then the kernel.

Every op leaves the variable as it was if it raises. ``use_locking=True`` makes an update atomic with respect to other
locked updates and reads of the variable; without it a call by itself is exact, but of two concurrent calls on one
variable one may be lost.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from nbvars.checks import expect_integer, expect_shape, message
from nbvars.dtypes import as_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.kernels import find_kernel
from nbvars.runtime.conversion import borrow
from nbvars.runtime.indices import check_indices
from nbvars.runtime.tensor import TensorLike, TensorValue

if TYPE_CHECKING:
    from nbvars.storage import CpuStorage
    from nbvars.variables.variable import Variable

Array = npt.NDArray[Any]


class RowUpdate(Protocol):
    """An update of parts of ``ref`` that ``indices`` name."""

    __name__: str

    def __call__(
        self,
        ref: Variable,
        indices: TensorValue,
        updates: TensorValue,
        use_locking: bool = False,
        name: str | None = None,
    ) -> Variable: ...


def assign(
    ref: Variable,
    value: TensorValue,
    validate_shape: bool | None = None,
    use_locking: bool = False,
    name: str | None = None,
) -> Variable:
    """Replace the value of ``ref`` by ``value``.

    Args:
        ref: A variable.
        value: Of the shape of ``ref``, or a Python or NumPy number, which every element then gets. A tensor or
            variable must have the dtype of ``ref``; anything else is converted by NumPy's ``same_kind`` rule.
        validate_shape: An eager variable keeps its shape: ``False`` changes nothing.
        use_locking: Hold the lock of ``ref`` during the update.
        name: Name of the op in graph mode.

    Returns:
        ``ref``.

    Raises:
        TypeError: ``ref`` is no variable, or ``value`` has a dtype that cannot become that of ``ref``.
        ValueError: ``value`` has another shape, or a number does not fit the dtype.

    Source: TensorFlow 1 API pages, ``tf.assign``.
    """
    return _update_dense("assign", ref, value, use_locking)


def assign_add(ref: Variable, value: TensorValue, use_locking: bool = False, name: str | None = None) -> Variable:
    """Add ``value`` to ``ref``; arguments and errors as those of ``assign``. Integers wrap.

    Source: TensorFlow 1 API pages, ``tf.assign_add``.
    """
    return _update_dense("assign_add", ref, value, use_locking)


def assign_sub(ref: Variable, value: TensorValue, use_locking: bool = False, name: str | None = None) -> Variable:
    """Subtract ``value`` from ``ref``; arguments and errors as those of ``assign``. Integers wrap.

    Source: TensorFlow 1 API pages, ``tf.assign_sub``.
    """
    return _update_dense("assign_sub", ref, value, use_locking)


def scatter_sub(
    ref: Variable, indices: TensorValue, updates: TensorValue, use_locking: bool = False, name: str | None = None
) -> Variable:
    """Subtract slices of ``updates`` from the rows of ``ref`` that ``indices`` name.

    A row named twice is subtracted from twice, in the order of ``indices``; the result is bitwise the same at any
    number of threads.

    Args:
        ref: Variable of shape ``[n, *row]``.
        indices: Integers of any shape, each in ``[0, n)``.
        updates: Shape ``[*indices.shape, *row]``, or a number; converted as ``assign`` does.
        use_locking: Hold the lock of ``ref`` during the update.
        name: Name of the op in graph mode.

    Returns:
        ``ref``.

    Raises:
        TypeError: ``indices`` are not integers, or ``updates`` cannot become the dtype of ``ref``.
        ValueError: ``updates`` has another shape, or ``ref`` no rows.
        InvalidArgumentError: An index lies outside ``[0, n)``; nothing is written.

    Source: TensorFlow 1 API pages, ``tf.scatter_sub``.
    """
    return _update_rows("scatter_sub", ref, indices, updates, use_locking)


def scatter_nd_sub(
    ref: Variable, indices: TensorValue, updates: TensorValue, use_locking: bool = False, name: str | None = None
) -> Variable:
    """Subtract slices of ``updates`` from ``ref`` at positions that name several axes.

    Args:
        ref: Variable of shape ``[n1, ..., nk, *slice]``.
        indices: Integers of shape ``[*batch, k]``: each last row is a position over the first ``k`` axes.
        updates: Shape ``[*batch, *slice]``, or a number; converted as ``assign`` does.
        use_locking: Hold the lock of ``ref`` during the update.
        name: Name of the op in graph mode.

    Returns:
        ``ref``.

    Raises:
        TypeError: ``indices`` are not integers, or ``updates`` cannot become the dtype of ``ref``.
        ValueError: The shapes do not agree.
        InvalidArgumentError: A position lies outside ``ref``; nothing is written.

    Source: TensorFlow 1 API pages, ``tf.scatter_nd_sub``.
    """
    return _update_positions("scatter_nd_sub", ref, indices, updates, use_locking)


def _like(model: RowUpdate, op: str, doc: str) -> RowUpdate:
    """Make the public function of an update that takes what ``model`` takes."""

    def update(
        ref: Variable, indices: TensorValue, updates: TensorValue, use_locking: bool = False, name: str | None = None
    ) -> Variable:
        apply = _update_positions if model is scatter_nd_sub else _update_rows
        return apply(op, ref, indices, updates, use_locking)

    update.__name__ = update.__qualname__ = op
    update.__doc__ = f"{doc}\n\nAll else as ``{model.__name__}``.\n\nSource: TensorFlow 1 API pages, ``tf.{op}``.\n"
    return update


scatter_add = _like(scatter_sub, "scatter_add", "Add slices of ``updates`` to rows of ``ref``.")
scatter_update = _like(
    scatter_sub,
    "scatter_update",
    "Replace rows of ``ref`` by slices of ``updates``; the last of several for one row stays.",
)
scatter_mul = _like(scatter_sub, "scatter_mul", "Multiply rows of ``ref`` by slices of ``updates``.")
scatter_div = _like(
    scatter_sub,
    "scatter_div",
    "Divide rows of ``ref`` by slices of ``updates``.\n\nIntegers round towards zero; 0 as an integer divisor is an "
    "``InvalidArgumentError``, and nothing is written.",
)
scatter_min = _like(scatter_sub, "scatter_min", "Keep the smaller of rows of ``ref`` and ``updates``, NaN if one is.")
scatter_max = _like(scatter_sub, "scatter_max", "Keep the larger of rows of ``ref`` and ``updates``, NaN if one is.")
scatter_nd_add = _like(scatter_nd_sub, "scatter_nd_add", "Add slices of ``updates`` to ``ref`` at positions.")
scatter_nd_update = _like(scatter_nd_sub, "scatter_nd_update", "Replace slices of ``ref`` at positions by ``updates``.")


def batch_scatter_update(
    ref: Variable, indices: TensorValue, updates: TensorValue, use_locking: bool = False, name: str | None = None
) -> Variable:
    """Replace rows within each batch of ``ref``.

    Args:
        ref: Variable of shape ``[*batch, n, *row]``.
        indices: Integers of shape ``[*batch, k]``, each in ``[0, n)``.
        updates: Shape ``[*batch, k, *row]``, or a number; converted as ``assign`` does.
        use_locking: Hold the lock of ``ref`` during the update.
        name: Name of the op in graph mode.

    Returns:
        ``ref``.

    Raises:
        TypeError: ``indices`` are not integers, or ``updates`` cannot become the dtype of ``ref``.
        ValueError: The shapes do not agree.
        InvalidArgumentError: An index lies outside ``[0, n)``; nothing is written.

    Source: TensorFlow 1 API pages, ``tf.batch_scatter_update``.
    """
    op = "batch_scatter_update"
    storage, positions = _storage_of(op, ref), _as_indices(op, indices)
    table = storage.array
    if not 1 <= positions.ndim <= table.ndim:
        expected = f"1 to {table.ndim} axes: those of the batch, then one"
        raise ValueError(message(op, "indices has the wrong rank", positions.ndim, expected))
    batch = positions.shape[:-1]
    expect_shape(op, "the batch axes of indices", batch, table.shape[: len(batch)])
    num_rows, row = table.shape[len(batch)], table.shape[positions.ndim :]
    values = _as_update(op, ref, updates, positions.shape + row)
    check_indices(op, positions, num_rows)
    first_row = np.arange(math.prod(batch), dtype=np.int64).reshape(*batch, 1) * num_rows
    rows = positions.astype(np.int64) + first_row
    flat = table.reshape(math.prod(batch) * num_rows, *row)
    _scatter(op, "scatter_update", storage, flat, rows, values, use_locking)
    return ref


def count_up_to(ref: Variable, limit: int, name: str | None = None) -> int:
    """Add 1 to ``ref`` unless it has reached ``limit``; atomic.

    Any number of threads get distinct counts.

    Args:
        ref: An int32 or int64 scalar variable.
        limit: An integer of the dtype of ``ref``.
        name: Name of the op in graph mode.

    Returns:
        The value before the addition, below ``limit``.

    Raises:
        TypeError: ``ref`` is not such a variable, or ``limit`` no integer.
        ValueError: ``limit`` does not fit the dtype.
        OutOfRangeError: ``ref`` has reached ``limit``, and stays as it is.

    Source: TensorFlow 1 API pages, ``tf.count_up_to``.
    """
    storage = _storage_of("count_up_to", ref)
    if not isinstance(limit, numbers.Integral) or isinstance(limit, bool):
        raise TypeError(message("count_up_to", "limit has the wrong type", type(limit).__name__, "an integer"))
    before: int = find_kernel("count_up_to", "cpu")(storage.array, int(limit))
    return before


def is_variable_initialized(ref: Variable) -> bool:
    """Return whether ``ref`` has a value: an eager variable always has.

    Source: TensorFlow 1 API pages, ``tf.is_variable_initialized``.
    """
    _storage_of("is_variable_initialized", ref)
    return True


def parts_of(op: str, delta: object) -> tuple[Any, Any]:
    """Return ``(indices, values)`` of ``IndexedSlices``; anything else is a ``ValueError``, as the page says."""
    if not isinstance(delta, IndexedSlices):
        expected = "IndexedSlices(values, indices)"
        raise ValueError(message(op, "the update is no IndexedSlices", type(delta).__name__, expected))
    return delta._indices, delta._values


def _storage_of(op: str, ref: object) -> CpuStorage:
    storage: CpuStorage | None = getattr(ref, "_storage", None)
    if storage is None:
        raise TypeError(message(op, "ref cannot be updated", type(ref).__name__, "a Variable"))
    return storage


def _as_update(op: str, ref: Variable, value: Any, shape: tuple[int, ...]) -> Array:
    """Return ``value`` as an array of the dtype of ``ref``, and of ``shape``, or ``()`` if it is a number."""
    array = borrow(value, ref.dtype, op)._array
    if array.shape != shape and not isinstance(value, (numbers.Number, np.generic)):
        remedy = "a number changes every element" if array.size == 1 else ""
        raise ValueError(message(op, "the update has the wrong shape", array.shape, shape, remedy))
    return array


def _as_indices(op: str, indices: Any) -> Array:
    """Return ``indices`` as an array of integers."""
    try:
        array: Array = indices._as_tensor()._array if isinstance(indices, TensorLike) else np.asarray(indices)
    except ValueError as error:
        raise ValueError(message(op, "indices do not form an array", indices, "lists of equal lengths")) from error
    if array.dtype.kind not in "iu":
        if isinstance(indices, (list, tuple)) and array.size == 0:
            return array.astype(np.int64)
        if array.dtype.kind in "OSU":
            raise TypeError(message(op, "indices has the wrong dtype", array.dtype, "an integer dtype of 64 bits"))
        expect_integer(op, "indices", as_dtype(array.dtype))
    return array


def _update_dense(op: str, ref: Variable, value: Any, use_locking: bool) -> Variable:
    storage = _storage_of(op, ref)
    update = _as_update(op, ref, value, storage.array.shape)
    with storage.locked() if use_locking else _UNLOCKED:
        find_kernel(op, "cpu")(storage.array, update)
    return ref


def _update_rows(op: str, ref: Variable, indices: Any, updates: Any, use_locking: bool) -> Variable:
    storage, rows = _storage_of(op, ref), _as_indices(op, indices)
    values = _as_update(op, ref, updates, rows.shape + storage.array.shape[1:])
    _scatter(op, op, storage, storage.array, rows, values, use_locking)
    return ref


def _update_positions(op: str, ref: Variable, indices: Any, updates: Any, use_locking: bool) -> Variable:
    storage, positions = _storage_of(op, ref), _as_indices(op, indices)
    table = storage.array
    depth = positions.shape[-1] if positions.ndim else 0
    if not 1 <= depth <= table.ndim:
        expected = f"shape (..., k) with k from 1 to {table.ndim}"
        raise ValueError(message(op, "indices has the wrong shape", positions.shape, expected))
    axes, row = table.shape[:depth], table.shape[depth:]
    values = _as_update(op, ref, updates, positions.shape[:-1] + row)
    _check_positions(op, positions, axes)
    rows = np.zeros(positions.shape[:-1], np.int64)
    for axis, size in enumerate(axes):
        rows = rows * size + positions[..., axis].astype(np.int64)
    _scatter(op, op.replace("_nd", ""), storage, table.reshape(math.prod(axes), *row), rows, values, use_locking)
    return ref


def _check_positions(op: str, positions: Array, axes: tuple[int, ...]) -> None:
    """Raise unless every last row of ``positions`` lies within ``axes``; names the first that does not."""
    outside = ((positions < 0) | (positions >= np.array(axes, np.int64))).any(-1)
    if outside.any():
        first = tuple(int(k) for k in np.unravel_index(np.argmax(outside), outside.shape)) if outside.ndim else ()
        at = f"[{','.join(map(str, first))}]" if first else ""
        wrong = f"an index is out of range: indices{at} = {positions[first].tolist()} is not in shape {axes}"
        raise InvalidArgumentError(None, None, f"{op}: {wrong}; nothing was written")


def _scatter(
    op: str, kernel: str, storage: CpuStorage, table: Array, rows: Array, values: Array, use_locking: bool
) -> None:
    with storage.locked() if use_locking else _UNLOCKED:
        find_kernel(kernel, "cpu")(table, rows, values)


_UNLOCKED = contextlib.nullcontext()
