"""The atomic counter, against a Python int behind a lock."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from nbvars.bench.case import Case
from nbvars.bench.libraries import load

SERIES = ("nbvars", "python Lock", "python itertools")
SERIES_OF_COMPILED = ("nbvars", "python Lock")
LIMIT = 1 << 60
COUNTS, COMPILED_COUNTS = 10_000, 1_000_000
"""Counts of one measurement, all threads together; more where compiled code counts, or it would be over too soon."""
COMPILES = importlib.util.find_spec("nbvars.numba_ext") is not None
"""Whether this nbvars counts in functions that the user compiles."""


class LockCounter:
    """What a Python program would use: an int behind a ``threading.Lock``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.next: int = 0

    def count_up_to(self, limit: int) -> int:
        """Return the next count below ``limit``."""
        with self._lock:
            before = self.next
            if before >= limit:
                raise StopIteration
            self.next = before + 1
        return before


def counter(series: str, num_threads: int, compiled: bool = False) -> Case:
    """Return counts by ``num_threads`` threads, ours perhaps ``compiled``; the state is how far the counter is."""
    count_many, names, state = _compiled() if compiled and series == "nbvars" else _MAKERS[series]()
    counts = COMPILED_COUNTS if compiled else COUNTS
    if num_threads == 1:
        return Case("count_many(counts)", state, count_many=count_many, counts=counts, **names)
    pool, shares = ThreadPoolExecutor(num_threads), [counts // num_threads] * num_threads
    return Case("list(pool.map(count_many, shares))", state, pool=pool, count_many=count_many, shares=shares, **names)


def _variable() -> tuple[Callable[[int], None], dict[str, Any], str]:
    variable = load("nbvars").Variable(np.int64(0), trainable=False)
    return _repeated(variable), {"variable": variable}, "variable.numpy()"


def _compiled() -> tuple[Callable[[int], None], dict[str, Any], str]:
    count_up_to, counted = load("nbvars").kernels.count_up_to, np.array(0)

    def count(ref: Any, counts: int) -> None:
        for _ in range(counts):
            count_up_to(ref, LIMIT)

    compiled = load("numba").njit(nogil=True)(count)
    return functools.partial(compiled, counted), {"counted": counted}, "counted"


def _lock() -> tuple[Callable[[int], None], dict[str, Any], str]:
    lock_counter = LockCounter()
    return _repeated(lock_counter), {"lock_counter": lock_counter}, "lock_counter.next"


def _repeated(counter: Any) -> Callable[[int], None]:
    def count_many(counts: int) -> None:
        for _ in range(counts):
            counter.count_up_to(LIMIT)

    return count_many


def _itertools() -> tuple[Callable[[int], None], dict[str, Any], str]:
    counts_from_0 = itertools.count()

    def count_many(counts: int) -> None:
        for _ in range(counts):
            next(counts_from_0)  # has no limit, and is atomic by the grace of the global lock

    return count_many, {"counts_from_0": counts_from_0}, "int(repr(counts_from_0)[6:-1])"


_MAKERS = {"nbvars": _variable, "python Lock": _lock, "python itertools": _itertools}
