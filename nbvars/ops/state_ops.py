"""Ops that change a variable: conversions and checks, then the kernel.

Every op leaves the variable as it was if it raises. ``use_locking=True`` makes an update atomic with respect to other
locked updates and reads of the variable; without it a call by itself is exact, but of two concurrent calls on one
variable one may be lost.
"""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from nbvars.checks import expect_integer, message
from nbvars.dtypes import as_numeric_dtype
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import Symbolic, TensorLike, TensorValue
from nbvars.kernels import find_kernel
from nbvars.ops.updates import FAMILIES, update
from nbvars.ops.variable_nodes import add_count_up_to, add_is_initialized, add_update
from nbvars.runtime.conversion import operand_on_gpu, tensor_on_gpu, value_of
from nbvars.storage import CpuStorage

if TYPE_CHECKING:
    from nbvars.cuda_storage import CudaStorage
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
        deterministic: bool | None = None,
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
        validate_shape: ``False`` lets ``value`` change the shape, in graph mode; an eager variable keeps its own.
        use_locking: Hold the lock of ``ref`` during the update.
        name: Name of the op in graph mode.

    Returns:
        ``ref``; in graph mode the reference after the update.

    Raises:
        TypeError: ``ref`` is no variable, or ``value`` has a dtype that cannot become that of ``ref``.
        ValueError: ``value`` has another shape, or a number does not fit the dtype.

    Source: TensorFlow 1 API pages, ``tf.assign``.
    """
    return _update("assign", ref, None, value, use_locking, name, validate_shape is not False)


def assign_add(ref: Variable, value: TensorValue, use_locking: bool = False, name: str | None = None) -> Variable:
    """Add ``value`` to ``ref``; arguments and errors as those of ``assign``. Integers wrap.

    Source: TensorFlow 1 API pages, ``tf.assign_add``.
    """
    return _update("assign_add", ref, None, value, use_locking, name)


def assign_sub(ref: Variable, value: TensorValue, use_locking: bool = False, name: str | None = None) -> Variable:
    """Subtract ``value`` from ``ref``; arguments and errors as those of ``assign``. Integers wrap.

    Source: TensorFlow 1 API pages, ``tf.assign_sub``.
    """
    return _update("assign_sub", ref, None, value, use_locking, name)


def scatter_sub(
    ref: Variable,
    indices: TensorValue,
    updates: TensorValue,
    use_locking: bool = False,
    name: str | None = None,
    deterministic: bool | None = None,
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
        deterministic: On a GPU, add in the order of ``indices``, which takes longer; if not given, what
            ``enable_deterministic_ops`` says. On the CPU the order is always that.

    Returns:
        ``ref``.

    Raises:
        TypeError: ``indices`` are not integers, or ``updates`` cannot become the dtype of ``ref``.
        ValueError: ``updates`` has another shape, or ``ref`` no rows.
        InvalidArgumentError: An index lies outside ``[0, n)``; nothing is written. Of indices on a GPU only the bad
            slices are left out, and a later call raises; see ``nbvars.cuda.set_index_checking``.

    Source: TensorFlow 1 API pages, ``tf.scatter_sub``.
    """
    return _update("scatter_sub", ref, indices, updates, use_locking, name, deterministic=deterministic)


def scatter_nd_sub(
    ref: Variable,
    indices: TensorValue,
    updates: TensorValue,
    use_locking: bool = False,
    name: str | None = None,
    deterministic: bool | None = None,
) -> Variable:
    """Subtract slices of ``updates`` from ``ref`` at positions that name several axes.

    Args:
        ref: Variable of shape ``[n1, ..., nk, *slice]``.
        indices: Integers of shape ``[*batch, k]``: each last row is a position over the first ``k`` axes.
        updates: Shape ``[*batch, *slice]``, or a number; converted as ``assign`` does.
        use_locking: Hold the lock of ``ref`` during the update.
        name: Name of the op in graph mode.
        deterministic: On a GPU, add in the order of ``indices``, which takes longer; if not given, what
            ``enable_deterministic_ops`` says. On the CPU the order is always that.

    Returns:
        ``ref``.

    Raises:
        TypeError: ``indices`` are not integers, or ``updates`` cannot become the dtype of ``ref``.
        ValueError: The shapes do not agree.
        InvalidArgumentError: A position lies outside ``ref``; nothing is written.

    Source: TensorFlow 1 API pages, ``tf.scatter_nd_sub``.
    """
    return _update("scatter_nd_sub", ref, indices, updates, use_locking, name, deterministic=deterministic)


def _like(model: RowUpdate, op: str, doc: str) -> RowUpdate:
    """Make the public function of an update that takes what ``model`` takes."""

    def update(
        ref: Variable,
        indices: TensorValue,
        updates: TensorValue,
        use_locking: bool = False,
        name: str | None = None,
        deterministic: bool | None = None,
    ) -> Variable:
        return _update(op, ref, indices, updates, use_locking, name, deterministic=deterministic)

    update.__name__ = update.__qualname__ = op
    update.__doc__ = f"{doc}\n\nAll else as ``{model.__name__}``.\n\nSource: TensorFlow 1 API pages, ``tf.{op}``.\n"
    return update


scatter_add: RowUpdate = _like(scatter_sub, "scatter_add", "Add slices of ``updates`` to rows of ``ref``.")
scatter_update: RowUpdate = _like(
    scatter_sub,
    "scatter_update",
    "Replace rows of ``ref`` by slices of ``updates``; the last of several for one row stays.",
)
scatter_mul: RowUpdate = _like(scatter_sub, "scatter_mul", "Multiply rows of ``ref`` by slices of ``updates``.")
scatter_div: RowUpdate = _like(
    scatter_sub,
    "scatter_div",
    "Divide rows of ``ref`` by slices of ``updates``.\n\nIntegers round towards zero; 0 as an integer divisor is an "
    "``InvalidArgumentError``, and nothing is written.",
)
scatter_min: RowUpdate = _like(
    scatter_sub, "scatter_min", "Keep the smaller of rows of ``ref`` and ``updates``, NaN if one is."
)
scatter_max: RowUpdate = _like(
    scatter_sub, "scatter_max", "Keep the larger of rows of ``ref`` and ``updates``, NaN if one is."
)
scatter_nd_add: RowUpdate = _like(
    scatter_nd_sub, "scatter_nd_add", "Add slices of ``updates`` to ``ref`` at positions."
)
scatter_nd_update: RowUpdate = _like(
    scatter_nd_sub, "scatter_nd_update", "Replace slices of ``ref`` at positions by ``updates``."
)


def batch_scatter_update(
    ref: Variable,
    indices: TensorValue,
    updates: TensorValue,
    use_locking: bool = False,
    name: str | None = None,
    deterministic: bool | None = None,
) -> Variable:
    """Replace rows within each batch of ``ref``.

    Args:
        ref: Variable of shape ``[*batch, n, *row]``.
        indices: Integers of shape ``[*batch, k]``, each in ``[0, n)``.
        updates: Shape ``[*batch, k, *row]``, or a number; converted as ``assign`` does.
        use_locking: Hold the lock of ``ref`` during the update.
        name: Name of the op in graph mode.
        deterministic: On a GPU, add in the order of ``indices``, which takes longer; if not given, what
            ``enable_deterministic_ops`` says. On the CPU the order is always that.

    Returns:
        ``ref``.

    Raises:
        TypeError: ``indices`` are not integers, or ``updates`` cannot become the dtype of ``ref``.
        ValueError: The shapes do not agree.
        InvalidArgumentError: An index lies outside ``[0, n)``; nothing is written.

    Source: TensorFlow 1 API pages, ``tf.batch_scatter_update``.
    """
    return _update("batch_scatter_update", ref, indices, updates, use_locking, name, deterministic=deterministic)


def count_up_to(ref: Variable, limit: int, name: str | None = None) -> Any:
    """Add 1 to ``ref`` unless it has reached ``limit``; atomic.

    Any number of threads get distinct counts.

    Args:
        ref: An int32 or int64 scalar variable.
        limit: An integer of the dtype of ``ref``.
        name: Name of the op in graph mode.

    Returns:
        The value before the addition, below ``limit``: an ``int``, in graph mode a tensor.

    Raises:
        TypeError: ``ref`` is not such a variable, or ``limit`` no integer.
        ValueError: ``limit`` does not fit the dtype.
        OutOfRangeError: ``ref`` has reached ``limit``, and stays as it is.

    Source: TensorFlow 1 API pages, ``tf.count_up_to``.
    """
    if not isinstance(limit, numbers.Integral) or isinstance(limit, bool):
        raise TypeError(message("count_up_to", "limit has the wrong type", type(limit).__name__, "an integer"))
    if isinstance(ref, Symbolic):
        return add_count_up_to(ref, int(limit), name)
    storage = _storage_of("count_up_to", ref)
    before: int = find_kernel("count_up_to", storage.device_type)(storage.array, int(limit))
    return before


def is_variable_initialized(ref: Variable, name: str | None = None) -> Any:
    """Return whether ``ref`` has a value: an eager variable always has; in graph mode, a tensor that tells.

    Source: TensorFlow 1 API pages, ``tf.is_variable_initialized``.
    """
    if isinstance(ref, Symbolic):
        return add_is_initialized(ref, name)
    _storage_of("is_variable_initialized", ref)
    return True


def parts_of(op: str, delta: object) -> tuple[Any, Any]:
    """Return ``(indices, values)`` of ``IndexedSlices``; anything else is a ``ValueError``, as the page says."""
    if not isinstance(delta, IndexedSlices):
        expected = "IndexedSlices(values, indices)"
        raise ValueError(message(op, "the update is no IndexedSlices", type(delta).__name__, expected))
    return delta._indices, delta._values


def _storage_of(op: str, ref: object) -> CpuStorage | CudaStorage:
    storage: CpuStorage | CudaStorage | None = getattr(ref, "_storage", None)
    if storage is None:
        raise TypeError(message(op, "ref cannot be updated", type(ref).__name__, "a Variable"))
    return storage


def _as_indices(op: str, indices: Any) -> Array:
    """Return ``indices`` as an array of integers."""
    try:
        array: Array = value_of(indices, None, op)._array if isinstance(indices, TensorLike) else np.asarray(indices)
    except ValueError as error:
        raise ValueError(message(op, "indices do not form an array", indices, "lists of equal lengths")) from error
    if array.dtype.kind not in "iu":
        if isinstance(indices, (list, tuple)) and array.size == 0:
            return array.astype(np.int64)
        if array.dtype.kind in "OSU":
            raise TypeError(message(op, "indices has the wrong dtype", array.dtype, "an integer dtype of 64 bits"))
        expect_integer(op, "indices", as_numeric_dtype(array.dtype))
    return array


def _update(
    op: str,
    ref: Variable,
    indices: Any,
    value: Any,
    use_locking: bool,
    name: str | None,
    validate_shape: bool = True,
    deterministic: bool | None = None,
) -> Variable:
    """Make an update, or add it to the graph of ``ref``."""
    if isinstance(ref, Symbolic):
        return add_update(op, ref, indices, value, use_locking, name, validate_shape, deterministic)  # type: ignore[return-value]
    storage, rows = _storage_of(op, ref), None
    has_rows, fills = FAMILIES[op].rows is not None, isinstance(value, (numbers.Number, np.generic))
    if isinstance(storage, CpuStorage):
        rows = _as_indices(op, indices) if has_rows else None
        values = value_of(value, ref.dtype, op)._array
    else:
        storage.raise_pending()
        device = storage.array.device
        rows = _as_indices_for_gpu(op, indices, device) if has_rows else None
        values = operand_on_gpu(op, value, ref.dtype, device)
    update(op, storage, rows, values, use_locking, fills, deterministic)
    return ref


def _as_indices_for_gpu(op: str, indices: Any, device: int) -> Any:
    """Return ``indices`` as an array of integers: on GPU ``device`` if they are there, else of the host."""
    tensor = tensor_on_gpu(op, indices, device)
    if tensor is None:
        return _as_indices(op, indices)
    expect_integer(op, "indices", tensor._dtype)
    return tensor._array
