"""What NumPy and CuPy spell differently, in one form for both: ops compute on arrays of the one or the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbvars.runtime.definition import Array
from nbvars.runtime.determinism import is_deterministic


def is_of_numpy(x: object) -> bool:
    """Tell whether ``x`` is an array or number of NumPy."""
    return type(x) is np.ndarray or isinstance(x, np.generic)


def array_of_ones(shape: tuple[int, ...], dtype: np.dtype[Any], like: Array) -> Array:
    """Return ones in the library of ``like``; ``np.ones`` of NumPy 2 hands CuPy arguments that it has not."""
    made = np.empty(shape, dtype, like=like)
    made.fill(1)
    return made


def extreme(
    ufunc: Any, x: Array, axis: int | tuple[int, ...] | None, keepdims: bool, initial: float | np.generic
) -> Any:
    """Return the largest or smallest along axes, by ``np.maximum`` or ``np.minimum``; of no elements ``initial``."""
    if is_of_numpy(x):
        return ufunc.reduce(x, axis=axis, keepdims=keepdims, initial=initial)
    if x.size:
        return (x.max if ufunc is np.maximum else x.min)(axis, keepdims=keepdims)
    # CuPy knows no extreme of no elements.
    made = x.sum(axis, keepdims=keepdims).astype(x.dtype, copy=False)
    made.fill(initial)
    return made


def lowest(dtype: np.dtype[Any]) -> Any:
    """Return what no number of a real dtype is below."""
    return np.iinfo(dtype).min if dtype.kind in "iu" else dtype.type(-np.inf)


def highest(dtype: np.dtype[Any]) -> Any:
    """Return what no number of a real dtype is above."""
    return np.iinfo(dtype).max if dtype.kind in "iu" else dtype.type(np.inf)


def add_at(total: Array, rows: Array, values: Array) -> None:
    """Add each of ``values`` to the row of ``total`` that ``rows`` name; repeated rows add up."""
    if type(total) is np.ndarray:
        np.add.at(total, rows, values)
        return
    from nbvars.kernels.cuda.dense import add_at as add_on_gpu

    add_on_gpu(total, rows, values, is_deterministic())
