"""A lock on a folder, between the processes that save to it; a process that dies gives it back."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from nbvars.locks import ForkSafeLock

_log = logging.getLogger("nbvars")

_TIMEOUT_S = 30.0
_PAUSE_S = 0.001

_threads = ForkSafeLock()
_held: dict[str, int] = {}


@contextmanager
def locked_folder(folder: str) -> Iterator[None]:
    """Keep other processes, and other threads, that ask for the lock of ``folder`` out of a ``with`` block.

    Whoever holds it may ask again, as a signal handler does that saves. The lock is a courtesy, which keeps one from
    deleting what another has just written: where the file system knows no locks, or somebody holds it for half a
    minute, the block runs without it.
    """
    with _threads:
        key = os.path.realpath(folder or ".")
        if key in _held:
            yield
            return
        descriptor = os.open(key, os.O_RDONLY | os.O_DIRECTORY)
        _held[key] = descriptor
        try:
            _wait(descriptor, key)
            yield
        finally:
            _held.pop(key, None)
            # Before it is closed: a child that was forked meanwhile has the descriptor too.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _wait(descriptor: int, folder: str) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not try_lock(descriptor):
        if time.monotonic() > deadline:
            _log.warning("locked_folder: another process holds %s for more than %g s; going on", folder, _TIMEOUT_S)
            return
        time.sleep(_PAUSE_S)


def try_lock(descriptor: int) -> bool:
    """Lock an open file, or folder; return False if another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def is_abandoned(path: str) -> bool:
    """Return whether the file was locked by a process that is no more: the file system must know locks for that."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _after_fork_in_child() -> None:
    # The child did not take them, and must not keep them when the parent dies.
    for descriptor in _held.values():
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
