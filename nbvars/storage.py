"""The memory of one variable on one device: its buffer, its lock, and the header that compiled code reads."""

from __future__ import annotations

import math
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.dtypes import as_numeric_dtype
from nbvars.errors import ResourceExhaustedError
from nbvars.kernels.cpu.fast_updates import fast_updates
from nbvars.kernels.cpu.header import DATA, KERNELS, LAYOUT, LOCK, NUM_ITEMS, NUM_LAYOUT_WORDS
from nbvars.kernels.cpu.intrinsics import NO_DIMENSION
from nbvars.locks import ReentrantLock

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""

_alive: weakref.WeakSet[CpuStorage] = weakref.WeakSet()


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a new C-contiguous array that starts at a cache line.

    Raises:
        ResourceExhaustedError: The memory cannot be had.
    """
    num_bytes = math.prod(shape) * dtype.itemsize
    try:
        raw = np.empty(num_bytes + ALIGNMENT, np.uint8)
    except (MemoryError, ValueError) as error:
        wrong = message("Variable", "the value does not fit into memory", f"{num_bytes} bytes", "a smaller shape")
        raise ResourceExhaustedError(None, None, wrong) from error
    offset = -raw.ctypes.data % ALIGNMENT
    return raw[offset : offset + num_bytes].view(dtype).reshape(shape)


def _fast_path_is_safe() -> bool:
    """Tell whether one Python thread runs at a time, which an interpreter may begin to do, but not cease."""
    is_gil_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return is_gil_enabled()


class CpuStorage:
    """The value of one variable in the memory of the host.

    The lock is a word of the header, so that compiled code can take it: 1 while somebody holds it. The fast path
    takes it for the length of one call and never waits. Who may have to wait uses ``locked``: a Python lock settles
    the order among those, and the word keeps the fast path out. Without a global interpreter lock the word cannot do
    so: there it is always 1, and all updates go by the Python lock or need none.

    Attributes:
        array: The value: C-contiguous, writable, in native byte order.
        address: Address of the header, for entry points.
        data_address: Address of the first element.
    """

    __slots__ = ("__weakref__", "_header", "_mutex", "address", "array", "data_address")

    device_type = "cpu"

    def __init__(self, value: npt.NDArray[Any]) -> None:
        """Hold a copy of ``value``."""
        # In native byte order, and the one object that arrays of it share.
        dtype = as_numeric_dtype(value.dtype).numpy_dtype
        array = aligned_empty(value.shape, dtype)
        np.copyto(array, value)
        self._hold(array)

    def _hold(self, array: npt.NDArray[Any]) -> None:
        """Have the value in ``array``, and the header describe it."""
        self.array: npt.NDArray[Any] = array
        layout = (*self.array.shape, *self.array.strides)
        self._header = np.zeros(LAYOUT + len(layout) + 1, np.int64)
        self.data_address: int = self.array.ctypes.data
        self._header[DATA] = self.data_address
        self._header[NUM_ITEMS] = self.array.size
        self._header[NUM_LAYOUT_WORDS] = len(layout)
        self._header[KERNELS] = fast_updates(self.array.dtype).table.ctypes.data
        self._header[LAYOUT:] = *layout, NO_DIMENSION
        self.address: int = self._header.ctypes.data
        self._forget_lock()
        _alive.add(self)

    def _forget_lock(self) -> None:
        self._mutex = ReentrantLock()
        self._header[LOCK] = 0 if _fast_path_is_safe() else 1

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: no locked update or read of another thread runs meanwhile."""
        with self._mutex:
            # The fast path takes and gives back the word while it has the interpreter's lock, so where there is one,
            # the word is 1 here only if this thread holds it already and a signal handler came back for it.
            before = self._header[LOCK]
            try:
                self._header[LOCK] = 1
                yield
            finally:
                self._header[LOCK] = before

    def read(self) -> npt.NDArray[Any]:
        """Return a copy of the value, taken while no locked update runs."""
        # ``locked`` written out: a context manager takes longer than a small copy.
        header = self._header
        with self._mutex:
            before = header[LOCK]
            try:
                header[LOCK] = 1
                return self.array.copy()
            finally:
                header[LOCK] = before


def _after_fork_in_child() -> None:
    # Whoever held a lock in the parent does not exist here.
    for storage in list(_alive):
        storage._forget_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
