"""Row numbers of updates on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.errors import UnimplementedError
from nbvars.kernels.cpu.scatter import check_indices

Rows = Callable[[str, Any, Any], tuple[Any, Any]]


def rows_on_gpu(op: str, rows: Rows, table: Any, indices: Any) -> tuple[Any, Any]:
    """Return the table as rows, and the row of each slice as an array on the table's GPU.

    Indices of the host are checked here, before anything is written; those on the GPU by the kernel.
    """
    from nbvars.kernels.cuda.memory import to_device

    if not isinstance(indices, np.ndarray):
        return _of_one_axis(op, table, indices)
    flat, numbers = rows(op, table, indices)
    if flat.shape:  # the launcher has the words for a scalar
        numbers = check_indices(op, numbers, flat.shape[0]).reshape(numbers.shape)
    return flat, to_device(numbers, table.device)


def _of_one_axis(op: str, table: Any, indices: Any) -> tuple[Any, Any]:
    """Return rows that need no arithmetic."""
    if op == "batch_scatter_update":
        is_plain = indices.ndim == 1
    elif "_nd_" in op:
        is_plain = indices.shape[-1] == 1
        indices = indices.reshape(indices.shape[:-1]) if is_plain else indices
    else:
        is_plain = True
    if is_plain:
        return table, indices
    wrong, got = "indices of several axes must be the host's", f"shape {indices.shape} on /gpu:{table.device}"
    raise UnimplementedError(None, None, message(op, wrong, got, "a NumPy array", "pass indices.numpy()"))
