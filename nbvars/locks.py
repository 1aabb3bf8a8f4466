"""Locks and forks: a child finds each ``ForkSafeLock`` free, whoever held it, and a fork waits for ``importing``."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from typing import Any

_RLock: Any = type(threading.RLock())


class ReentrantLock(_RLock):  # type: ignore[misc]
    """A lock that a thread may take again while it holds it, for ``with`` statements.

    Python's own, in C: were ``__enter__`` a Python function that calls ``acquire``, Ctrl-C could come when it has the
    lock and before the ``with`` block has begun, and nobody would give it back.
    """

    __slots__ = ()

    if sys.version_info[:2] == (3, 14):

        def __enter__(self) -> bool:
            # There handlers of signals may run between an ``__enter__`` in C and its block (CPython's issue 148874).
            # They may after any call, but not after a step of an iteration nor after the end of a Python function.
            for _ in iter(self.acquire, None):
                break
            return True


class ForkSafeLock(ReentrantLock):
    """A ``ReentrantLock`` that a child finds free."""

    def __init__(self) -> None:
        _alive.add(self)

    def renew(self) -> None:
        """Forget who holds the lock, but if it is this thread: it will give it back."""
        if self.acquire(blocking=False):
            self.release()
        else:
            self._at_fork_reinit()


_alive: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()

importing: ReentrantLock = ReentrantLock()
"""Held around the import of a library at its first use. A fork waits until that is done: Python's own lock of a module
that another thread is importing stays locked in the child, which would wait for it for ever.
"""


def _after_fork_in_child() -> None:
    # Whoever held a lock in the parent does not exist here.
    for lock in list(_alive):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
    os.register_at_fork(before=importing.acquire, after_in_parent=importing.release, after_in_child=importing.release)
