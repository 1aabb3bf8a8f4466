"""``ForkSafeLock``: a lock that a forked child finds free, whoever held it in the parent."""

from __future__ import annotations

import os
import threading
import weakref

_alive: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


class ForkSafeLock:
    """A lock that a thread may take again while it holds it, for ``with`` statements."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _alive.add(self)

    def renew(self) -> None:
        """Forget who holds the lock."""
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def _after_fork_in_child() -> None:
    # Whoever held a lock in the parent does not exist here.
    for lock in list(_alive):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
