"""Vectors of 16 bytes: access, and rules of words applied to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from nbvars.kernels.cuda.toolkit import IS_SIMULATED

if IS_SIMULATED:
    from nbvars.kernels.cuda.simulated_intrinsics import load_vector2, load_vector4, store_vector2, store_vector4
else:
    from nbvars.kernels.cuda.intrinsics import (  # type: ignore[assignment]
        load_vector2,
        load_vector4,
        store_vector2,
        store_vector4,
    )

VECTOR_BYTES = 16


def vector_access(length: int) -> tuple[Any, Any]:
    """Return the load and the store of vectors of ``length`` words, by the number of the first."""
    return (load_vector4, store_vector4) if length == 4 else (load_vector2, store_vector2)


def on_device(py_func: Callable[..., Any]) -> Any:
    """Return a function that kernels can call. It must not ask which thread it is."""
    return py_func if IS_SIMULATED else njit(error_model="numpy")(py_func)


def map_vectors(rule: Callable[..., Any], length: int) -> Any:
    """Return ``rule``, of two words, for two vectors of ``length``."""
    if length == 4:
        return on_device(lambda a, b: (rule(a[0], b[0]), rule(a[1], b[1]), rule(a[2], b[2]), rule(a[3], b[3])))
    return on_device(lambda a, b: (rule(a[0], b[0]), rule(a[1], b[1])))


def are_aligned(*pointers: int) -> bool:
    """Tell whether all addresses can be those of vectors."""
    bits = 0
    for pointer in pointers:
        bits |= pointer
    return bits % VECTOR_BYTES == 0
