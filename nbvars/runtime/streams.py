"""Streams of random numbers: each a NumPy ``Generator`` (PCG64) of its own, which threads may share."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.graph.operation import Operation
from nbvars.locks import ForkSafeLock

# TensorFlow's number for a global seed where only the op has one.
DEFAULT_SEED = 87654321


def unsigned(seed: int) -> int:
    """Return a number that is not negative, another one for each seed."""
    return 2 * seed if seed >= 0 else -2 * seed - 1


class Stream:
    """The random numbers of one op in one session."""

    __slots__ = ("_generator", "_lock")

    def __init__(self, entropy: list[int] | None) -> None:
        self._generator = np.random.Generator(np.random.PCG64(entropy))
        self._lock = ForkSafeLock()

    def draw(self, numbers: Callable[[np.random.Generator], Any]) -> Any:
        """Return what ``numbers`` draws."""
        with self._lock:
            return numbers(self._generator)


class Streams:
    """The streams of a session: those of equal seeds give the same numbers in every session."""

    def __init__(self) -> None:
        self._streams: weakref.WeakKeyDictionary[Operation, Stream] = weakref.WeakKeyDictionary()

    def of(self, op: Operation) -> Stream:
        """Return the stream of ``op``, whose attribute ``seed`` is a pair of seeds, or ``None`` for one by chance."""
        if op not in self._streams:
            seed = op._attrs["seed"]
            self._streams[op] = Stream(None if seed is None else [unsigned(each) for each in seed])
        return self._streams[op]
