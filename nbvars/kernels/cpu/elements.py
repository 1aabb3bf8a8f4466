"""Arrays as the kernels for the CPU take them, and the compiled rules of those."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.kernels.cpu.halves import half_of, in_float32
from nbvars.kernels.elements import Array, Element, plain_rule_of


@functools.cache
def rule_of(operation: str, element: Element) -> Callable[..., Any]:
    """Return the compiled rule of ``operation`` for two words of ``element``."""
    rule, half = plain_rule_of(operation, element), half_of(element.name)
    return in_float32(rule, half) if half else rule


def expect_updatable(operation: str, ref: Array) -> None:
    """Raise unless kernels can update ``ref`` in place."""
    flags = ref.flags
    if not (flags.c_contiguous and flags.aligned and flags.writeable and ref.dtype.isnative):
        layout = f"strides {ref.strides}, writeable={flags.writeable}, aligned={flags.aligned}, dtype {ref.dtype.str}"
        expected = "a C-contiguous, writable, aligned array in native byte order"
        raise ValueError(message(operation, "ref cannot be updated in place", layout, expected))


def expect_arrays(where: str, **arrays: object) -> None:
    """Raise ``TypeError`` unless all ``arrays``, given by the names of the arguments, are ndarrays."""
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise TypeError(message(where, f"{name} has the wrong type", type(array).__name__, "an ndarray"))


def contiguous(array: Array, dtype: np.dtype[Any]) -> Array:
    """Return ``array`` as contiguous, aligned numbers of ``dtype`` in native byte order, copied only if need be."""
    flags = array.flags
    if array.dtype is dtype and flags.c_contiguous and flags.aligned:
        return array
    return np.require(array, dtype, ["C", "A"])


def as_words(array: Array, element: Element, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """Return ``array``, of ``dtype``, as contiguous words of ``shape``: a view if it can be one, else a copy."""
    ready = contiguous(array, dtype)
    if element.word is dtype:
        return ready.reshape(shape)
    return ready.reshape(-1).view(element.word).reshape(shape)
