"""Row numbers of updates on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.kernels.cpu.scatter import check_indices

Rows = Callable[[str, Any, Any], tuple[Any, Any]]


def rows_on_gpu(op: str, rows: Rows, table: Any, indices: Any) -> tuple[Any, Any]:
    """Return the table as rows, and the row of each slice as an array on the table's GPU.

    Indices of the host are checked here, before anything is written; those on the GPU by the kernel.
    """
    from nbvars.kernels.cuda.memory import to_device

    if not isinstance(indices, np.ndarray):
        return _of_gpu(op, table, indices)
    flat, numbers = rows(op, table, indices)
    if flat.shape:  # the launcher has the words for a scalar
        numbers = check_indices(op, numbers, flat.shape[0]).reshape(numbers.shape)
    return flat, to_device(numbers, table.device)


def _of_gpu(op: str, table: Any, indices: Any) -> tuple[Any, Any]:
    from nbvars.kernels.cuda.positions import rows_of_batches, rows_of_positions

    if op == "batch_scatter_update" and indices.ndim > 1:
        return rows_of_batches(op, table, indices)
    if "_nd_" not in op:
        return table, indices
    if indices.shape[-1] > 1:
        return rows_of_positions(op, table, indices)
    return table, indices.reshape(indices.shape[:-1])
