"""count_up_to: an atomic counter."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nbvars.checks import message
from nbvars.errors import OutOfRangeError
from nbvars.kernels.cpu.compiled import compile_kernel, jit_closure
from nbvars.kernels.cpu.elements import expect_arrays, expect_updatable
from nbvars.kernels.cpu.intrinsics import atomic_load, compare_and_swap, exact_int, number_of
from nbvars.kernels.elements import Array


@functools.cache
def counting_loop(integer: types.Integer) -> Any:
    """Return the compiled ``(address, limit)`` for int32 or int64: the count, or ``limit`` once it is reached.

    Every count is below ``limit``. A limit that does not fit the integer counts nothing.
    """
    one, half = integer(1), 2 ** (integer.bitwidth - 1)
    lowest, highest = -half, half - 1

    def count_at(address, limit):
        if not lowest < limit <= highest:
            return limit
        limit_here = integer(limit)
        seen = atomic_load(address, one)
        while seen < limit_here:
            before = compare_and_swap(address, seen, integer(seen + one))
            if before == seen:
                return types.int64(before)
            seen = before
        return limit

    return jit_closure(f"count_at_{integer.name}", count_at)


@functools.cache
def count_up_to_entry(dtype: np.dtype[Any]) -> Callable[[int, int], int]:
    """Return the entry point of ``counting_loop``, for arguments of class ``int`` only: others are a TypeError."""
    loop = counting_loop(types.int32 if dtype.itemsize == 4 else types.int64)

    def count_up_to(address, limit):
        return loop(number_of(address), number_of(limit))

    return compile_kernel(f"count_up_to {dtype.name}", count_up_to, types.int64(exact_int, exact_int), nogil=False)


def count_up_to(ref: Array, limit: int) -> int:
    """Add 1 to the int32 or int64 scalar ``ref``, atomically, unless it is at ``limit``; return what it was.

    Code that Numba compiles may call it, too: ``nbvars/numba_ext``.
    """
    expect_arrays("count_up_to", ref=ref)
    expect_updatable("count_up_to", ref)
    limit = checked_limit(ref, limit)
    count = count_up_to_entry(ref.dtype)(ref.ctypes.data, limit)
    if count == limit:
        raise OutOfRangeError(None, None, limit_reached("count_up_to", int(ref), limit))
    return count


def checked_limit(ref: Any, limit: Any) -> int:
    """Return ``limit`` as an ``int``, if the array ``ref`` can count up to it.

    Raises:
        TypeError: ``ref`` is no int32 or int64 scalar, or ``limit`` no integer.
        ValueError: The counter does not hold ``limit``.
    """
    if ref.shape != () or ref.dtype not in (np.int32, np.int64):
        got = f"{ref.dtype.name} of shape {ref.shape}"
        raise TypeError(message("count_up_to", "ref cannot count", got, "an int32 or int64 scalar"))
    try:
        limit = int(operator.index(limit))
    except TypeError:
        got = type(limit).__name__
        raise TypeError(message("count_up_to", "limit has the wrong type", got, "an integer")) from None
    limits = np.iinfo(ref.dtype)
    if not limits.min <= limit <= limits.max:
        raise ValueError(message("count_up_to", "the limit does not fit the counter", limit, ref.dtype.name))
    return limit


def limit_reached(where: str, got: int, limit: int) -> str:
    """Return the message of the error at a counter's limit."""
    return f"{where}: Reached limit of {limit}: got {got}, expected less than {limit}"
