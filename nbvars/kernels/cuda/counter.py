"""count_up_to: an atomic counter."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from nbvars.capturing import expect_no_capture
from nbvars.errors import OutOfRangeError
from nbvars.kernels.cpu.counter import checked_limit, limit_reached
from nbvars.kernels.cuda.launch import Kernel
from nbvars.kernels.cuda.memory import DeviceArray, empty, expect_arrays, expect_updatable
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.toolkit import IS_SIMULATED
from nbvars.kernels.cuda.vectors import on_device

if IS_SIMULATED:
    from nbvars.kernels.cuda.simulated_intrinsics import compare_and_swap, pointer_of
else:
    from nbvars.kernels.cuda.intrinsics import compare_and_swap, pointer_of

COUNTERS = (np.dtype(np.int32), np.dtype(np.int64))


@on_device
def _count_at(words, limit):
    seen = words[0]
    while seen < limit:
        before = compare_and_swap(words, 0, seen, seen + 1)
        if before == seen:
            return seen
        seen = before
    return seen


@on_device
def count_in_kernel(counter, limit):
    """Add 1 to ``counter``, atomically, unless it is at ``limit``; return what it was.

    For kernels of numba-cuda, which cannot raise: at the limit, ``limit`` or more is returned and nothing counted.
    ``counter`` is the first element of an array of int32 or int64.
    """
    return _count_at(pointer_of(counter), limit)


def _count_up_to(words, limit, counted):
    counted[0] = _count_at(words, limit)


@functools.cache
def count_kernel(dtype: np.dtype[Any]) -> Kernel:
    """Return the kernel ``(words, limit, counted)`` of one thread."""
    return Kernel(f"count_up_to {dtype.name}", _count_up_to, (Pointer(dtype), dtype, Pointer(INT64)))


def count_up_to(ref: DeviceArray, limit: int) -> int:
    """Add 1 to the int32 or int64 scalar ``ref``, atomically, unless it is at ``limit``; return what it was.

    It waits for the GPU. Kernels have ``count_in_kernel``.
    """
    expect_arrays("count_up_to", ref=ref)
    expect_updatable("count_up_to", ref)
    expect_no_capture("count_up_to", "the host cannot have a count of the GPU", "use assign_add")
    limit = checked_limit(ref, limit)
    counted = empty((), INT64, ref.device)
    count_kernel(ref.dtype).launch(ref.device, 1, 1, ref.pointer, ref.dtype.type(limit), counted.pointer)
    count = int(counted.copy_to_host())
    if count >= limit:
        raise OutOfRangeError(None, None, limit_reached("count_up_to", count, limit))
    return count


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    yield from map(count_kernel, COUNTERS)
