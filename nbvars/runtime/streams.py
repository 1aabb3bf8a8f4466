"""Streams of random numbers: each a NumPy ``Generator`` (PCG64) of its own, which threads may share."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.graph.graph import Graph
from nbvars.graph.operation import Operation
from nbvars.locks import ReentrantLock

# TensorFlow's number for a global seed where only the op has one.
DEFAULT_SEED = 87654321


def unsigned(seed: int) -> int:
    """Return a number that is not negative, another one for each seed."""
    return 2 * seed if seed >= 0 else -2 * seed - 1


def seeds_of(graph: Graph, seed: int | None) -> tuple[int, int] | None:
    """Return the seeds of a new random op: those of the graph and of the op, ``None`` if neither has one.

    Where only the graph has one, the op takes the number of the operations before it.
    """
    if seed is None and graph.seed is None:
        return None
    return DEFAULT_SEED if graph.seed is None else graph.seed, graph.version if seed is None else seed


class Stream:
    """The random numbers of one op in one session."""

    __slots__ = ("__weakref__", "_generator", "_is_seeded", "_lock")

    def __init__(self, entropy: list[int] | None) -> None:
        self._generator = np.random.Generator(np.random.PCG64(entropy))
        self._is_seeded = entropy is not None
        self._lock = ReentrantLock()  # a signal handler may draw, too
        with _fork.lock:
            _fork.streams.add(self)

    def draw(self, numbers: Callable[[np.random.Generator], Any]) -> Any:
        """Return what ``numbers`` draws."""
        with self._lock:
            return numbers(self._generator)


class _Fork:
    """What a fork does with all streams."""

    def __init__(self) -> None:
        self.streams: weakref.WeakSet[Stream] = weakref.WeakSet()
        self.lock = ReentrantLock()
        self._held: list[Stream] = []

    def before(self) -> None:
        """Let draws of other threads end: the child would wait for the lock that NumPy takes for them for ever."""
        self.lock.acquire()
        self._held = list(self.streams)
        for stream in self._held:
            stream._lock.acquire()

    def after(self) -> None:
        """Go on as before."""
        held, self._held = self._held, []
        for stream in held:
            stream._lock.release()
        self.lock.release()

    def after_in_child(self) -> None:
        """Go on with the seeded streams; what was seeded by chance begins anew, or both would draw the same."""
        for stream in self._held:
            if not stream._is_seeded:
                stream._generator = np.random.Generator(np.random.PCG64())
        self.after()


_fork = _Fork()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_fork.before, after_in_parent=_fork.after, after_in_child=_fork.after_in_child)


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
