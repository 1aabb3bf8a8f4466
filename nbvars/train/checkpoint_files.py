"""Files that are there as a whole or not at all, whatever kills the process or the machine meanwhile."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.train.folder_lock import is_abandoned, locked_folder, try_lock

_TEMPORARY = ".nbvars-tmp"


class NewFile(NamedTuple):
    """A file that is being written."""

    descriptor: int
    path: str


class Identity(NamedTuple):
    """What tells one version of a file from another one of the same name."""

    device: int
    inode: int
    changed_ns: int


def identity_of(path: str | int) -> Identity | None:
    """Return the identity of a file, by its path or descriptor; ``None`` if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return Identity(found.st_dev, found.st_ino, found.st_mtime_ns)


@contextmanager
def replaced_file(path: str) -> Iterator[NewFile]:
    """Yield a new file, which takes the place of ``path`` at the end of the block, and is then on the disk.

    It has another name in the same folder until it is complete and synchronized. Where the block raises, or something
    fails, ``path`` is as it was. New files that killed processes have left in the folder are deleted.

    Raises:
        OSError: The file cannot be written; the message says which one, and that nothing has changed.
    """
    folder = os.path.dirname(path)
    try:
        with locked_folder(folder):
            _sweep(folder)
            new = _create(path)
        try:
            try:
                yield new
                os.fsync(new.descriptor)
                with locked_folder(folder):
                    os.replace(new.path, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(new.path)
                raise
        finally:
            os.close(new.descriptor)
        _sync_folder(folder)
    except OSError as error:
        raise _explained(error, path) from error


def _explained(error: OSError, path: str) -> OSError:
    remedy = "what was there before is unchanged"
    wrong = message("save", "the file could not be written", error.strerror or error, "room and permission", remedy)
    return OSError(error.errno, wrong, path)


def _create(path: str) -> NewFile:
    """Make a file beside ``path``, locked as long as this process writes it."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}{_TEMPORARY}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try_lock(descriptor)
    return NewFile(descriptor, temporary)


def _sweep(folder: str) -> None:
    """Delete the new files of processes that were killed while they wrote."""
    for name in os.listdir(folder or "."):
        path = os.path.join(folder, name)
        if name.startswith(".") and name.endswith(_TEMPORARY) and is_abandoned(path):
            with suppress(OSError):
                os.unlink(path)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: str, data: bytes) -> None:
    """Replace the file ``path`` by one that holds ``data``, as ``replaced_file``."""
    with replaced_file(path) as new:
        write_all(new.descriptor, np.frombuffer(data, np.uint8))


def write_all(descriptor: int, data: npt.NDArray[np.uint8]) -> None:
    """Write all of ``data``, however little the system takes at a time."""
    while data.size:
        data = data[os.write(descriptor, data) :]  # type: ignore[arg-type]


def delete_version(path: str, identity: Identity | None) -> bool:
    """Delete the file unless another process has replaced it since it had this identity; return whether it did."""
    with locked_folder(os.path.dirname(path)):
        if identity is None or identity_of(path) != identity:
            return False
        os.unlink(path)
        return True
