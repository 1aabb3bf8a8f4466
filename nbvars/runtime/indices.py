"""Indices and masks: what only the data can tell of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.errors import InvalidArgumentError


def snapshot(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy of indices or of a mask, which NumPy reads twice: to look where they lead, and to go there.

    In between another thread may change those that are a variable's, and NumPy would write where it must not.
    """
    return array.copy()


def check_indices(op: str, indices: npt.NDArray[Any], size: int) -> None:
    """Raise ``InvalidArgumentError`` unless ``indices`` lie in ``[0, size)``; it names the first bad one."""
    if indices.size == 0 or (indices.min() >= 0 and indices.max() < size):
        return
    position = np.unravel_index(np.argmax((indices < 0) | (indices >= size)), indices.shape)
    at = f"[{', '.join(str(int(i)) for i in position)}]" if indices.ndim else ""
    raise InvalidArgumentError(None, None, f"{op}: indices{at} = {indices[position]} is not in [0, {size})")
