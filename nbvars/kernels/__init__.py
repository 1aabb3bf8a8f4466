"""Kernels: arrays and numbers in, arrays out; no Variable, no Graph.

The launchers are public. They update plain NumPy arrays in place:

>>> import numpy as np
>>> table = np.zeros((3, 2), np.float32)
>>> scatter_sub(table, np.array([1, 1]), np.ones((2, 2), np.float32))
>>> table
array([[ 0.,  0.],
       [-2., -2.],
       [ 0.,  0.]], dtype=float32)

``ref`` must be C-contiguous, writable and in native byte order; indices and values may have any layout. Nothing is
written unless all arguments are in order. Integers wrap; float16 and bfloat16 are computed in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbvars.checks import message
from nbvars.errors import NotFoundError
from nbvars.kernels import cpu
from nbvars.kernels.bits import bfloat16_to_float32, float16_to_float32, float32_to_bfloat16, float32_to_float16
from nbvars.kernels.cpu.assign import assign, assign_add, assign_sub
from nbvars.kernels.cpu.cast import cast
from nbvars.kernels.cpu.counter import count_up_to
from nbvars.kernels.cpu.recycling import get_cast_pool_bytes, set_cast_pool_bytes
from nbvars.kernels.cpu.scatter import (
    scatter_add,
    scatter_div,
    scatter_max,
    scatter_min,
    scatter_mul,
    scatter_sub,
    scatter_update,
)
from nbvars.kernels.cpu.threads import get_num_threads, set_num_threads

__all__ = [
    "assign",
    "assign_add",
    "assign_sub",
    "bfloat16_to_float32",
    "cast",
    "count_up_to",
    "find_kernel",
    "float16_to_float32",
    "float32_to_bfloat16",
    "float32_to_float16",
    "get_cast_pool_bytes",
    "get_num_threads",
    "scatter_add",
    "scatter_div",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_sub",
    "scatter_update",
    "set_cast_pool_bytes",
    "set_num_threads",
]


def _table(device_type: str) -> dict[str, Callable[..., Any]]:
    if device_type == "gpu":
        from nbvars.kernels.cuda import KERNELS  # takes long, and needs an extra

        return KERNELS
    return cpu.KERNELS if device_type == "cpu" else {}


def find_kernel(op_type: str, device_type: str) -> Callable[..., Any]:
    """Return the launcher of ``op_type`` for ``device_type``.

    Raises:
        NotFoundError: There is none.
        ImportError: Of ``"gpu"``, if numba-cuda is not installed.
    """
    table = _table(device_type)
    if op_type not in table:
        wrong = f"there is no kernel for {device_type}"
        raise NotFoundError(None, None, message("find_kernel", wrong, op_type, f"one of {sorted(table)}"))
    return table[op_type]
