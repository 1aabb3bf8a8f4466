"""Updates of a variable's memory: the shapes that they need, and the way to their kernels, in either mode.

``table`` is the variable's array. Whatever can be wrong is found before anything is written.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbvars.checks import expect_shape, message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels import find_kernel
from nbvars.ops.cuda_rows import rows_on_gpu
from nbvars.runtime.definition import Array, Shape
from nbvars.runtime.determinism import is_deterministic
from nbvars.runtime.indices import check_indices
from nbvars.storage import CpuStorage

if TYPE_CHECKING:
    from nbvars.cuda_storage import CudaStorage

_UNLOCKED = contextlib.nullcontext()


class Family(NamedTuple):
    """What updates that take the same arguments have in common.

    Attributes:
        shape: Takes the op and the shapes of the table and of the indices; returns that of the values. Any of them may
            be unknown, in whole or in part.
        rows: Takes the op, a table and indices that fit it; checks the indices and returns the table as rows, and
            the row of each slice. ``None`` for updates that take no indices.
    """

    shape: Callable[[str, Shape, Shape], Shape]
    rows: Callable[[str, Array, Array], tuple[Array, Array]] | None


def update(
    op: str,
    storage: CpuStorage | CudaStorage,
    indices: Any,
    values: Any,
    use_locking: bool,
    fills: bool,
    deterministic: bool | None = None,
) -> None:
    """Make the update ``op``; ``fills``: ``values`` is one number, for every element.

    Of a storage on a GPU ``values`` are an array there, or one number of the host, and ``indices`` an array of either.
    """
    family = FAMILIES[op]
    table: Any = storage.array
    expected = family.shape(op, table.shape, None if indices is None else indices.shape)
    if not fills:
        check_update_shape(op, values.shape, expected)
    if indices is None or family.rows is None:
        with storage.locked() if use_locking else _UNLOCKED:
            find_kernel(op, storage.device_type)(table, values)
        return
    launch: Callable[..., None]
    if storage.device_type == "gpu":
        launch = functools.partial(find_kernel(kernel_of(op), "gpu"), deterministic=is_deterministic(deterministic))
        flat, rows = rows_on_gpu(op, family.rows, table, indices)
    else:
        launch = find_kernel(kernel_of(op), "cpu")
        flat, rows = family.rows(op, table, indices)
    with storage.locked() if use_locking else _UNLOCKED:
        launch(flat, rows, values)


def check_update_shape(op: str, got: tuple[int, ...], expected: Shape) -> None:
    """Raise ``ValueError`` unless an update has the shape that it needs."""
    if got != expected:
        remedy = "a number changes every element" if math.prod(got) == 1 else ""
        raise ValueError(message(op, "the update has the wrong shape", got, expected, remedy))


def kernel_of(op: str) -> str:
    """Return the name of the kernel of an update of rows."""
    return op.replace("_nd", "").replace("batch_", "")


def _dense_shape(op: str, table: Shape, indices: Shape) -> Shape:
    return table


def _rows_shape(op: str, table: Shape, indices: Shape) -> Shape:
    return None if table is None or indices is None else indices + table[1:]


def _rows(op: str, table: Array, indices: Array) -> tuple[Array, Array]:
    return table, indices


def _positions_shape(op: str, table: Shape, positions: Shape) -> Shape:
    if table is None or positions is None:
        return None
    depth = positions[-1] if positions else 0
    if depth is None:
        return None
    if not 1 <= depth <= len(table):
        expected = f"shape (..., k) with k from 1 to {len(table)}"
        raise ValueError(message(op, "indices has the wrong shape", positions, expected))
    return positions[:-1] + table[depth:]


def _position_rows(op: str, table: Array, positions: Array) -> tuple[Array, Array]:
    depth = positions.shape[-1]
    axes, row = table.shape[:depth], table.shape[depth:]
    _check_positions(op, positions, axes)
    rows = np.zeros(positions.shape[:-1], np.int64)
    for axis, size in enumerate(axes):
        rows = rows * size + positions[..., axis].astype(np.int64)
    return table.reshape((math.prod(axes), *row)), rows


def _check_positions(op: str, positions: Array, axes: tuple[int, ...]) -> None:
    """Raise unless every last row of ``positions`` lies within ``axes``; names the first that does not."""
    outside = ((positions < 0) | (positions >= np.array(axes, np.int64))).any(-1)
    if outside.any():
        first = tuple(int(k) for k in np.unravel_index(np.argmax(outside), outside.shape)) if outside.ndim else ()
        at = f"[{','.join(map(str, first))}]" if first else ""
        wrong = f"an index is out of range: indices{at} = {positions[first].tolist()} is not in shape {axes}"
        raise InvalidArgumentError(None, None, f"{op}: {wrong}; nothing was written")


def _batch_shape(op: str, table: Shape, positions: Shape) -> Shape:
    if table is None or positions is None:
        return None
    if not 1 <= len(positions) <= len(table):
        expected = f"1 to {len(table)} axes: those of the batch, then one"
        raise ValueError(message(op, "indices has the wrong rank", len(positions), expected))
    batch = positions[:-1]
    if None not in batch and None not in table:
        expect_shape(op, "the batch axes of indices", batch, table[: len(batch)])  # type: ignore[arg-type]
    return positions + table[len(positions) :]


def _batch_rows(op: str, table: Array, positions: Array) -> tuple[Array, Array]:
    batch = positions.shape[:-1]
    num_rows, row = table.shape[len(batch)], table.shape[positions.ndim :]
    check_indices(op, positions, num_rows)
    first_row = np.arange(math.prod(batch), dtype=np.int64).reshape(*batch, 1) * num_rows
    return table.reshape((math.prod(batch) * num_rows, *row)), positions.astype(np.int64) + first_row


_DENSE = Family(_dense_shape, None)
_ROWS = Family(_rows_shape, _rows)
_POSITIONS = Family(_positions_shape, _position_rows)

FAMILIES: dict[str, Family] = {
    "assign": _DENSE,
    "assign_add": _DENSE,
    "assign_sub": _DENSE,
    "scatter_sub": _ROWS,
    "scatter_add": _ROWS,
    "scatter_update": _ROWS,
    "scatter_mul": _ROWS,
    "scatter_div": _ROWS,
    "scatter_min": _ROWS,
    "scatter_max": _ROWS,
    "scatter_nd_sub": _POSITIONS,
    "scatter_nd_add": _POSITIONS,
    "scatter_nd_update": _POSITIONS,
    "batch_scatter_update": Family(_batch_shape, _batch_rows),
}
"""The family of each update."""
