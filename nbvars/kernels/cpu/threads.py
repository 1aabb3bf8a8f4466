"""Share one large update out to Python threads that run ``nogil`` kernels; nothing else knows how.

Numba's own thread layers are not used: workqueue aborts the process when two Python threads call it, and OpenMP
kills forked children. A pool of Python threads is safe with both, and is made anew after ``fork``.
"""

from __future__ import annotations

import contextlib
import operator
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from nbvars.checks import message

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


class _Pool:
    """The threads that help a caller; started at the first large update."""

    def __init__(self) -> None:
        self.num_threads: int | None = None
        self._executor: ThreadPoolExecutor | None = None

    def executor(self) -> ThreadPoolExecutor:
        # Two callers at once may make two; the one that is overwritten ends by itself, as below.
        executor = self._executor
        if executor is None:
            executor = self._executor = ThreadPoolExecutor(max(1, get_num_threads() - 1), "nbvars")
        return executor

    def drop(self) -> None:
        """Start afresh at the next large update. An executor that nobody refers to ends its threads."""
        self._executor = None


class _Caller(threading.local):
    """Whether a thread is handing out parts: a signal handler that comes in between must not do so, too."""

    submitting = False


_pool, _caller = _Pool(), _Caller()


def _after_fork_in_child() -> None:
    # The threads of the parent do not exist here, and the thread that forked may have been in the middle of a call.
    _pool.drop()
    _caller.submitting = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def get_num_threads() -> int:
    """Return how many threads one update may use: as set, else NBVARS_NUM_THREADS, else the processors at hand."""
    if _pool.num_threads is None:
        _pool.num_threads = _default_num_threads()
    return _pool.num_threads


def set_num_threads(num_threads: int) -> None:
    """Let one update use up to ``num_threads`` threads, the caller's included. The results do not depend on it.

    Raises:
        ValueError: Not an integer from 1 to 256.
    """
    _pool.num_threads = _positive("set_num_threads", num_threads)
    _pool.drop()


def run_parts(kernel: Callable[..., Any], parts: list[tuple[Any, ...]]) -> None:
    """Call ``kernel(*part)`` for every part, at the same time where threads can be had; return when all are done."""
    if len(parts) == 1:
        kernel(*parts[0])
        return
    # Whoever comes first takes a part, and nobody takes it again: helpers that come late on a busy machine, or after
    # the update is over, find nothing to do.
    pending, helping = deque(parts), deque[None]()

    def take_parts() -> None:
        while True:
            try:
                part = pending.popleft()
            except IndexError:  # another took the last one
                return
            kernel(*part)

    def help_out() -> None:
        helping.append(None)
        try:
            take_parts()
        finally:
            helping.pop()

    futures: list[Future[None]] = []
    try:
        _submit(help_out, len(parts) - 1, futures)
        take_parts()
    finally:
        for future in futures:
            future.cancel()
        _wait(futures)
        while helping:  # somebody whose future was lost, see _submit
            time.sleep(1e-4)


def _submit(help_out: Callable[[], None], num_helpers: int, futures: list[Future[None]]) -> None:
    """Call ``num_helpers`` helpers, or as many as can be had, and append their futures."""
    # The executor's locks cannot be taken twice by one thread, as a signal handler would.
    if num_helpers < 1 or _caller.submitting:
        return
    _caller.submitting = True
    try:
        # RuntimeError: no thread can be started (limits, the end of the interpreter). The executor may have put the
        # call into its queue all the same, so a helper may come without a future.
        with contextlib.suppress(RuntimeError):
            executor = _pool.executor()
            for _ in range(num_helpers):
                futures.append(executor.submit(help_out))
    finally:
        _caller.submitting = False


def _wait(futures: list[Future[None]]) -> None:
    """Wait for all ``futures``, whatever a signal handler raises: their kernels still write to the caller's memory."""
    interruption: BaseException | None = None
    while any(not future.done() for future in futures):
        try:
            wait(futures)
        except BaseException as raised:
            interruption = raised
    if interruption is not None:
        raise interruption
    for future in futures:
        if not future.cancelled():
            future.result()
