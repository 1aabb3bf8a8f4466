"""The atomic counter, against a Python int behind a lock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from nbvars.bench.case import Case
from nbvars.bench.libraries import load

SERIES = ("nbvars", "python Lock", "python itertools")
LIMIT = 1 << 60
COUNTS = 8 * 1250
"""Counts of one measurement, all threads together."""


class LockCounter:
    """What a Python program would use: an int behind a ``threading.Lock``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.next = 0

    def count_up_to(self, limit: int) -> int:
        """Return the next count below ``limit``."""
        with self._lock:
            before = self.next
            if before >= limit:
                raise StopIteration
            self.next = before + 1
        return before


def counter(series: str, num_threads: int) -> Case:
    """Return ``COUNTS`` counts by ``num_threads`` Python threads; the state is how far the counter is."""
    count_many, names, state = _MAKERS[series]()
    if num_threads == 1:
        return Case("count_many(counts)", state, count_many=count_many, counts=COUNTS, **names)
    pool, shares = ThreadPoolExecutor(num_threads), [COUNTS // num_threads] * num_threads
    return Case("list(pool.map(count_many, shares))", state, pool=pool, count_many=count_many, shares=shares, **names)


def _variable() -> tuple[Callable[[int], None], dict[str, Any], str]:
    variable = load("nbvars").Variable(np.int64(0), trainable=False)
    return _repeated(variable.count_up_to), {"variable": variable}, "variable.numpy()"


def _lock() -> tuple[Callable[[int], None], dict[str, Any], str]:
    lock_counter = LockCounter()
    return _repeated(lock_counter.count_up_to), {"lock_counter": lock_counter}, "lock_counter.next"


def _repeated(count_up_to: Callable[[int], object]) -> Callable[[int], None]:
    def count_many(counts: int) -> None:
        for _ in range(counts):
            count_up_to(LIMIT)

    return count_many


def _itertools() -> tuple[Callable[[int], None], dict[str, Any], str]:
    counts_from_0 = itertools.count()

    def count_many(counts: int) -> None:
        for _ in range(counts):
            next(counts_from_0)  # has no limit, and is atomic by the grace of the global lock

    return count_many, {"counts_from_0": counts_from_0}, "int(repr(counts_from_0)[6:-1])"


_MAKERS = {"nbvars": _variable, "python Lock": _lock, "python itertools": _itertools}
