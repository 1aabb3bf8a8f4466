"""The check of indices that only the data can pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.errors import InvalidArgumentError


def check_indices(op: str, indices: npt.NDArray[Any], size: int) -> None:
    """Raise ``InvalidArgumentError`` unless ``indices`` lie in ``[0, size)``; it names the first bad one."""
    if indices.size == 0 or (indices.min() >= 0 and indices.max() < size):
        return
    position = np.unravel_index(np.argmax((indices < 0) | (indices >= size)), indices.shape)
    at = f"[{', '.join(str(int(i)) for i in position)}]" if indices.ndim else ""
    raise InvalidArgumentError(None, None, f"{op}: indices{at} = {indices[position]} is not in [0, {size})")
