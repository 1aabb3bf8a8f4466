"""The memory of a variable in a block that several processes map, and the lock that they share.

A block begins with MAGIC, the version of its layout, and the length of a description in JSON; the value follows at the
next cache line. The lock is the operating system's record lock on the block: when a process dies, however, the system
gives back what it held, which a word of the block could not tell from a holder that is slow.
"""

from __future__ import annotations

import _posixshmem  # pyright: ignore[reportMissingImports] - private to Python
import contextlib
import errno
import fcntl
import json
import math
import mmap
import os
import struct
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.dtypes import as_dtype, as_numeric_dtype
from nbvars.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
)
from nbvars.kernels.cpu.header import LOCK
from nbvars.locks import ForkSafeLock
from nbvars.storage import ALIGNMENT, CpuStorage

MAGIC, VERSION = b"nbvars\0\0", 1
_HEAD = struct.Struct("=8sII")
_PAUSE_S = 0.001


class _Block(mmap.mmap):
    """The mapping of a block in this process, of which there is one at a time: closing another would free the lock.

    It is unmapped when the last array over it has gone.
    """

    mutex: ForkSafeLock
    fd: int
    holder: int = 0

    @classmethod
    def of(cls, fd: int, num_bytes: int) -> Self:
        """Return a new mapping, which owns ``fd``."""
        block = cls(fd, num_bytes)
        block.mutex, block.fd = ForkSafeLock(), fd
        weakref.finalize(block, os.close, fd).atexit = False
        return block

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: that of the threads of this process, then that of the processes."""
        with self.mutex:
            # A signal handler may come back for what this thread holds already; a forked child holds nothing.
            is_outermost = self.holder != os.getpid()
            try:
                self.holder = os.getpid()
                _lock(self.fd)
                yield
            finally:
                if is_outermost:
                    self.holder = 0
                    fcntl.lockf(self.fd, fcntl.LOCK_UN)


def _lock(fd: int) -> None:
    while True:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX)
            return
        except OSError as error:
            # The system takes two processes that wait for each other's locks in different threads for a deadlock.
            if error.errno != errno.EDEADLK:
                raise
            time.sleep(_PAUSE_S)


_blocks: weakref.WeakValueDictionary[tuple[int, int], _Block] = weakref.WeakValueDictionary()
_opening = ForkSafeLock()


class SharedStorage(CpuStorage):
    """The value of one variable in a block of shared memory.

    The word of the header is always 1, which keeps the fast path out: it would hold back no other process.

    Attributes:
        name: That of the block.
        described: What the creator tells of the variable: ``name`` and ``trainable``.
    """

    __slots__ = ("_before", "_block", "described", "name")

    name: str
    described: dict[str, Any]

    def __init__(self, block: _Block, array: npt.NDArray[Any], name: str, described: dict[str, Any]) -> None:
        self._block, self.name, self.described = block, name, described
        self._before: CpuStorage | None = None
        self._hold(array)

    def _forget_lock(self) -> None:
        self._mutex = self._block.mutex
        self._header[LOCK] = 1

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: no locked update or read of another thread or process runs meanwhile."""
        with self._block.locked():
            yield

    def read(self) -> npt.NDArray[Any]:
        """Return a copy of the value, taken while no locked update runs."""
        with self._block.locked():
            return self.array.copy()

    @classmethod
    def move(cls, storage: CpuStorage, name: str | None, described: dict[str, Any]) -> SharedStorage:
        """Return a new block with the value of ``storage``, which lives on with it: threads may still write there.

        The name goes when the storage does, or this process, which is the only one to unlink it.

        Raises:
            AlreadyExistsError: There is a block of that name.
            ResourceExhaustedError: There is not so much shared memory.
        """
        array = storage.array
        dtype = as_dtype(array.dtype).name
        text = json.dumps({"dtype": dtype, "shape": array.shape, **described}).encode()
        start = _start_of_data(len(text))
        made = _created(name, start + max(array.nbytes, 1))
        try:
            fd = _opened(made.name)
            os.posix_fallocate(fd, 0, made.size)  # where there is too little, writing would kill the process
            with _opening:
                block = _block_of(fd)
            block[_HEAD.size : _HEAD.size + len(text)] = text
            shared = cls(block, _array_in(block, start, array.shape, array.dtype), made.name, described)
            np.copyto(shared.array, array)
            # Last of all: who finds it, finds a value.
            _HEAD.pack_into(block, 0, MAGIC, VERSION, len(text))
        except OSError as error:
            made.unlink()
            raise _too_much(made.size) from error
        shared._before = storage
        weakref.finalize(shared, _unlink, made, os.getpid())
        return shared

    @classmethod
    def attach(cls, name: str) -> SharedStorage:
        """Return the memory of the variable in the block ``name``.

        Raises:
            NotFoundError: There is no such block.
            InvalidArgumentError: It holds no variable, or one of another version.
            PermissionDeniedError: It is another user's.
        """
        fd = _opened(name)
        with _opening:
            block = _block_of(fd)
        start, described = _described(block, name)
        shape, dtype = tuple(described.pop("shape")), as_numeric_dtype(described.pop("dtype")).numpy_dtype
        if start + math.prod(shape) * dtype.itemsize > len(block):
            raise _no_variable(name, "a value that is cut off")
        return cls(block, _array_in(block, start, shape, dtype), name, described)


def _start_of_data(num_bytes: int) -> int:
    return -(-(_HEAD.size + num_bytes) // ALIGNMENT) * ALIGNMENT


def _array_in(block: _Block, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.ndarray(shape, dtype, block, start)


def _checked_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(message("shared memory", "the name is no string", type(name).__name__, "a string"))
    if not name or "/" in name or "\0" in name or len(name) > 200:
        raise ValueError(message("shared memory", "the name is not valid", repr(name), "1 to 200 characters, no '/'"))
    return name


def _created(name: str | None, num_bytes: int) -> SharedMemory:
    """Return a new block, whose name Python's resource tracker removes if this process is killed."""
    try:
        made = SharedMemory(None if name is None else _checked_name(name), create=True, size=num_bytes)
    except FileExistsError as error:
        remedy = "Variable.from_shared_memory(name) takes the variable that is there"
        wrong = message("share_memory", "the name is taken", repr(name), "a new name", remedy)
        raise AlreadyExistsError(None, None, wrong) from error
    except OSError as error:
        raise _too_much(num_bytes) from error
    made.close()  # the name alone is kept
    return made


def _too_much(num_bytes: int) -> ResourceExhaustedError:
    wrong = "the value does not fit into shared memory"
    return ResourceExhaustedError(None, None, message("share_memory", wrong, f"{num_bytes} bytes", "fewer"))


def _unlink(made: SharedMemory, pid: int) -> None:
    """Remove the name of a block, which lives on where it is mapped; not so in a forked child."""
    if os.getpid() == pid:
        with contextlib.suppress(FileNotFoundError):
            made.unlink()


def _opened(name: str) -> int:
    # SharedMemory would have the resource tracker of Python 3.11 and 3.12 remove the name when this process ends.
    where = "from_shared_memory"
    try:
        fd: int = _posixshmem.shm_open(f"/{_checked_name(name)}", os.O_RDWR, mode=0o600)
        return fd
    except FileNotFoundError as error:
        remedy = "the variable that share_memory() was called of must still be there"
        wrong = message(where, "there is no such shared memory", repr(name), "a name from share_memory()", remedy)
        raise NotFoundError(None, None, wrong) from error
    except PermissionError as error:
        wrong = message(where, "the shared memory is another user's", repr(name), "a name from share_memory()")
        raise PermissionDeniedError(None, None, wrong) from error


def _block_of(fd: int) -> _Block:
    """Return the mapping of what ``fd`` refers to: the one that is there, or a new one."""
    status = os.fstat(fd)
    key = status.st_dev, status.st_ino
    block = _blocks.get(key)
    if block is None:
        if status.st_size == 0:
            os.close(fd)
            raise _no_variable("", "nothing")
        block = _blocks[key] = _Block.of(fd, status.st_size)
    else:
        with block.mutex:  # the lock goes with any descriptor that is closed
            os.close(fd)
    return block


def _described(block: _Block, name: str) -> tuple[int, dict[str, Any]]:
    """Return where the value begins, and what is known of it."""
    magic, version, length = _HEAD.unpack_from(block) if len(block) >= _HEAD.size else (b"", 0, 0)
    if magic != MAGIC:
        raise _no_variable(name, "something else")
    if version != VERSION:
        raise _no_variable(name, f"one of layout {version}, where this nbvars knows {VERSION}")
    described: dict[str, Any] = json.loads(block[_HEAD.size : _HEAD.size + length])
    return _start_of_data(length), described


def _no_variable(name: str, got: str) -> InvalidArgumentError:
    wrong = f"the shared memory {name!r} holds no variable"
    return InvalidArgumentError(None, None, message("from_shared_memory", wrong, got, "a variable of share_memory()"))
