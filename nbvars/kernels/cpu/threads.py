"""Share one large update out to Python threads that run ``nogil`` kernels; nothing else knows how.

Numba's own thread layers are not used: workqueue aborts the process when two Python threads call it, and OpenMP
kills forked children. A pool of Python threads is safe with both, and is made anew after ``fork``.
"""

from __future__ import annotations

import contextlib
import operator
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from nbvars.checks import message
from nbvars.locks import ReentrantLock

_MOST_THREADS = 256


def _positive(where: str, value: object) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if isinstance(value, bool) or not 1 <= number <= _MOST_THREADS:
        wrong = "the number of threads is not usable"
        raise ValueError(message(where, wrong, repr(value), f"an integer from 1 to {_MOST_THREADS}"))
    return number


def _default_num_threads() -> int:
    asked = os.environ.get("NBVARS_NUM_THREADS")
    if asked is not None:
        return _positive("NBVARS_NUM_THREADS", int(asked) if asked.isdecimal() else asked)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, _MOST_THREADS)


class _Update:
    """The parts of one update. Whoever comes first takes a part, and nobody takes it again.

    So helpers that come late on a busy machine, or after the update is over, find nothing to do.
    """

    def __init__(self, kernel: Callable[..., Any], parts: list[tuple[Any, ...]]) -> None:
        self._kernel, self._pending = kernel, deque(parts)
        self._helping: list[ReentrantLock] = []
        self._num_forks = _Current.num_forks
        self.errors: list[BaseException] = []

    def take_parts(self) -> None:
        """Do parts until none is left."""
        while True:
            try:
                part = self._pending.popleft()
            except IndexError:  # another took the last one
                return
            self._kernel(*part)

    def new_helper(self) -> Callable[[], None]:
        """Return what a helper is to call, once."""
        helping = ReentrantLock()
        self._helping.append(helping)

        def help_out() -> None:
            with helping:  # held from before a part is taken until it is done
                try:
                    self.take_parts()
                except BaseException as error:
                    self.errors.append(error)

        return help_out

    def finish(self) -> None:
        """Do what is left; return when no helper is at it, whatever is raised: they write to the caller's memory."""
        finished = False
        while not finished:
            try:
                self.take_parts()
                # In a child forked by a signal handler in the middle of an update there are no helpers to wait for.
                if _Current.num_forks == self._num_forks:
                    for helping in self._helping:
                        with helping:
                            pass
                finished = True
            except BaseException as error:
                self.errors.append(error)


class _Pool:
    """The threads that help, started when they are first needed. They sleep while the queue is empty."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()

    def call_helpers(self, update: _Update, num_helpers: int) -> None:
        """Let ``num_helpers`` threads help with ``update``, or as many as can be had."""
        if len(self._threads) < num_helpers:
            self._start(num_helpers)
        # Nothing here waits: a signal handler may come in between and call this, too.
        for _ in range(min(num_helpers, len(self._threads))):
            if self._calls.qsize() < _MOST_THREADS:  # else all are busy with something long
                self._calls.put(update.new_helper())

    def end(self) -> None:
        """Let the threads end, those that are only being started, too."""
        self._calls.put(None)

    def _start(self, num_threads: int) -> None:
        # Not by two at once. The second may be a signal handler that interrupts the first: it must not wait.
        if not self._starting.acquire(blocking=False):
            return
        try:
            # RuntimeError: no thread can be started (limits, the end of the interpreter).
            with contextlib.suppress(RuntimeError):
                while len(self._threads) < num_threads:
                    name = f"nbvars_{len(self._threads)}"
                    # A daemon: the end of the interpreter does not wait for a thread that sleeps.
                    thread = threading.Thread(target=_serve, args=(self._calls,), name=name, daemon=True)
                    thread.start()
                    self._threads.append(thread)
        finally:
            self._starting.release()


def _serve(calls: SimpleQueue[Callable[[], None] | None]) -> None:
    while (help_out := calls.get()) is not None:
        help_out()
        del help_out  # a thread that sleeps holds on to nothing
    calls.put(None)  # for the next thread


class _Current:
    """What is set, and the threads that go with it."""

    num_threads: int | None = None
    num_forks = 0
    pool = _Pool()


def _after_fork_in_child() -> None:
    # The threads of the parent do not exist here, and its queue may have been in the middle of a call.
    _Current.pool, _Current.num_forks = _Pool(), _Current.num_forks + 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def get_num_threads() -> int:
    """Return how many threads one update may use: as set, else NBVARS_NUM_THREADS, else the processors at hand."""
    if _Current.num_threads is None:
        _Current.num_threads = _default_num_threads()
    return _Current.num_threads


def set_num_threads(num_threads: int) -> None:
    """Let one update use up to ``num_threads`` threads, the caller's included. The results do not depend on it.

    Raises:
        ValueError: Not an integer from 1 to 256.
    """
    _Current.num_threads = _positive("set_num_threads", num_threads)
    before, _Current.pool = _Current.pool, _Pool()
    before.end()


def run_parts(kernel: Callable[..., Any], parts: list[tuple[Any, ...]]) -> None:
    """Call ``kernel(*part)`` for every part, at the same time where threads can be had; return when all are done."""
    if len(parts) == 1:
        kernel(*parts[0])
        return
    update = _Update(kernel, parts)
    try:
        _Current.pool.call_helpers(update, min(len(parts), get_num_threads()) - 1)
    finally:
        update.finish()
    if update.errors:
        raise update.errors[0]
