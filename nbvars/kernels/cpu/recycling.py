"""The memory of large results that are gone, kept for the next ones.

New memory comes from the system, which clears it page by page; that takes longer than a cast, and ``malloc`` gives
large blocks back to the system as soon as they are free.
"""

from __future__ import annotations

import math
import operator
import os
from collections import deque
from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.kernels.cpu.intrinsics import LINE_BYTES
from nbvars.kernels.elements import Array

LEAST_KEPT_BYTES = 1 << 21
"""The memory of smaller results is left to ``malloc``."""
_DEFAULT_LIMIT = 1 << 28
_MOST_KEPT = 16  # blocks, so that looking through them takes no time


def _bytes_of(where: str, value: object) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if isinstance(value, bool) or number < 0:
        raise ValueError(message(where, "the number of bytes is not usable", repr(value), "an integer of 0 or more"))
    return number


def _default_limit() -> int:
    asked = os.environ.get("NBVARS_CAST_POOL_BYTES")
    if asked is None:
        return _DEFAULT_LIMIT
    return _bytes_of("NBVARS_CAST_POOL_BYTES", int(asked) if asked.isdecimal() else asked)


class Pool:
    """Blocks of memory that nobody uses, the oldest first, of ``limit`` bytes together at most.

    There is no lock that a fork, a signal handler or the garbage collector could find taken: each call of a deque's
    methods is atomic, and what comes between two of them costs a block that could have been kept, at worst.
    """

    def __init__(self) -> None:
        self._limit: int | None = None
        self._blocks: deque[Array] = deque(maxlen=_MOST_KEPT)

    @property
    def limit(self) -> int:
        """Return how many bytes may be kept: as set, else NBVARS_CAST_POOL_BYTES, else 256 MiB."""
        if self._limit is None:
            self._limit = _default_limit()
        return self._limit

    def set_limit(self, num_bytes: int) -> None:
        """Keep at most ``num_bytes`` from now on, and let go of what is more."""
        self._limit = num_bytes
        self._shrink(num_bytes)

    def kept_bytes(self) -> int:
        """Return how many bytes are kept now."""
        return sum(block.nbytes for block in self._blocks.copy())

    def keep(self, block: Array) -> None:
        """Take ``block``, which nobody uses any more."""
        limit = self.limit
        if block.nbytes <= limit:
            self._blocks.append(block)
            self._shrink(limit)

    def _shrink(self, limit: int) -> None:
        while self.kept_bytes() > limit:
            try:
                self._blocks.popleft()
            except IndexError:  # another thread took the last one
                return

    def take(self, num_bytes: int) -> Array:
        """Return a block of at least ``num_bytes``, which starts with a cache line."""
        # Results of nearly the same size fit into the same blocks: in steps of an eighth to a sixteenth of the size.
        step = 1 << max(num_bytes.bit_length() - 4, 0)
        num_bytes = -(-num_bytes // step) * step
        for _ in range(len(self._blocks)):
            try:
                block = self._blocks.pop()
            except IndexError:  # another thread took it
                break
            if block.nbytes == num_bytes:
                return block
            self._blocks.appendleft(block)
        memory = np.empty(num_bytes + LINE_BYTES, np.uint8)
        first = -memory.ctypes.data % LINE_BYTES
        return memory[first : first + num_bytes]


POOL = Pool()


class _Lease:
    """Stands between a result and its memory: NumPy lets go of it when the last view of the result is gone."""

    __slots__ = ("__array_interface__", "_block")

    def __init__(self, block: Array) -> None:
        self._block = block
        self.__array_interface__ = block.__array_interface__

    def __del__(self, pool: Pool = POOL) -> None:
        pool.keep(self._block)


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a new array, as ``np.empty``, in the memory of an earlier result if there is such."""
    num_bytes = math.prod(shape) * dtype.itemsize
    if not LEAST_KEPT_BYTES <= num_bytes <= POOL.limit:
        return np.empty(shape, dtype)
    return np.ndarray(shape, dtype, np.asarray(_Lease(POOL.take(num_bytes))))


def get_cast_pool_bytes() -> int:
    """Return how many bytes of the memory of earlier results casts may keep."""
    return POOL.limit


def set_cast_pool_bytes(num_bytes: int) -> None:
    """Let casts keep up to ``num_bytes`` of the memory of results that are gone, for the results to come.

    It is 256 MiB at first, or what the environment variable ``NBVARS_CAST_POOL_BYTES`` says. What is kept beyond
    ``num_bytes`` goes back at once; with 0 nothing is kept. The memory of a result is never kept, or used again, while
    an array, a view or a buffer refers to it.

    Raises:
        ValueError: Not an integer of 0 or more.
    """
    POOL.set_limit(_bytes_of("set_cast_pool_bytes", num_bytes))
