"""Strings as arrays: object arrays of ``bytes``, as TensorFlow has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.checks import message


def is_text(value: Any) -> bool:
    """Return whether ``value`` is a string, or an array or nested lists of strings."""
    if isinstance(value, (str, bytes)):
        return True
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "SUO"
    return isinstance(value, (list, tuple)) and bool(value) and all(map(is_text, value))


def as_text(where: str, value: Any) -> npt.NDArray[Any]:
    """Return ``value`` as an array of ``bytes``, strings in UTF-8; ``TypeError`` if it holds anything else."""
    array = np.array(value, object)
    encoded = np.empty(array.shape, object)
    for position, element in np.ndenumerate(array):
        if not isinstance(element, (str, bytes)):
            wrong = "an element is no string"
            raise TypeError(message(where, wrong, type(element).__name__, "str or bytes"))
        encoded[position] = element.encode() if isinstance(element, str) else bytes(element)
    return encoded
