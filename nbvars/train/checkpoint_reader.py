"""``CheckpointReader``: the tensors of a checkpoint, read one by one, whatever format its files have."""

from __future__ import annotations

import contextlib
import math
import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.errors import DataLossError, NotFoundError, UnimplementedError
from nbvars.kernels import get_num_threads
from nbvars.locks import ReentrantLock
from nbvars.progress import progress_of_bytes
from nbvars.storage import aligned_empty
from nbvars.train.checksum import crc32c

_BLOCK_BYTES = 1 << 20
"""What is read at a time: it is still in the processor's cache when its checksum is taken."""
_FEW_BYTES = 8 << 20
"""Up to here threads are not worth their start."""
_MOST_AXES = 64

Index = tuple[slice, ...]
Bytes = npt.NDArray[np.uint8]


class Extent(NamedTuple):
    """A piece of a tensor in a file: a range of its bytes, or the slice that ``place`` says."""

    shard: int
    offset: int
    num_bytes: int
    checksum: int | None
    start: int = 0
    place: Index | None = None


class StoredTensor(NamedTuple):
    """What a checkpoint tells of a tensor. ``dtype`` is ``None``, and ``kind`` says why, if it cannot be read."""

    dtype: DType | None
    shape: tuple[int, ...]
    extents: tuple[Extent, ...]
    kind: str = ""


def byte_view(array: npt.NDArray[Any]) -> Bytes:
    """Return the memory of a C-contiguous array as bytes."""
    return array.reshape(-1).view(np.uint8)


class CheckpointReader:
    """Reads tensors of a checkpoint by name, each for itself, and tests their checksums.

    The files stay open as long as the reader lives: it goes on seeing the same checkpoint if another one takes its
    name meanwhile. They are read, not mapped into memory, so that a file that somebody cuts off is an error and not
    the end of the process.

    Source: TensorFlow 1 API pages, ``tf.train.NewCheckpointReader``.
    """

    def __init__(self, path: str, tensors: dict[str, StoredTensor]) -> None:
        self.path = path
        self._tensors = tensors
        self._descriptors: dict[int, int] = {}
        self._lock = ReentrantLock()
        self._closing = weakref.finalize(self, _close_all, self._descriptors)

    def shard_path(self, shard: int) -> str:
        """Return the path of a file of the checkpoint."""
        return self.path

    def aliases(self) -> dict[str, str]:
        """Return names of tensors by other names that programs know them by; none if not said."""
        return {}

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Return the shapes of the tensors, by name."""
        return {name: list(tensor.shape) for name, tensor in self._tensors.items()}

    def get_variable_to_dtype_map(self) -> dict[str, Any]:
        """Return the dtypes of the tensors, by name; the name of the type where nbvars has no such dtype."""
        return {name: tensor.dtype or tensor.kind for name, tensor in self._tensors.items()}

    def has_tensor(self, tensor_str: str) -> bool:
        """Return whether the checkpoint has a tensor of this name."""
        return tensor_str in self._tensors

    def get_tensor(self, tensor_str: str) -> npt.NDArray[Any]:
        """Return the tensor of this name; nothing but its own bytes is read.

        Raises:
            NotFoundError: There is none.
            DataLossError: Its checksum does not hold, or the file is cut off.
            UnimplementedError: It is of a type that nbvars does not have, such as strings.
        """
        tensor = self.tensor(tensor_str)
        assert tensor.dtype is not None
        # An empty dtype of strings never comes here; sizes are those of the file, so no name asks for absurd memory.
        array = aligned_empty(tensor.shape, tensor.dtype.numpy_dtype)
        self.read_into({tensor_str: array})
        return array

    def debug_string(self) -> bytes:
        """Return a line for each tensor: name, dtype and shape."""
        lines = (f"{name} ({tensor.dtype or tensor.kind}) {list(tensor.shape)}\n" for name, tensor in self._sorted())
        return "".join(lines).encode()

    def _sorted(self) -> list[tuple[str, StoredTensor]]:
        return sorted(self._tensors.items())

    def tensor(self, name: str) -> StoredTensor:
        """Return what the checkpoint tells of a tensor that can be read, as ``get_tensor``."""
        found = self._tensors.get(name)
        if found is None:
            wrong = f"Key {name} not found in checkpoint"
            raise NotFoundError(None, None, message("get_tensor", wrong, self.path, f"one of {sorted(self._tensors)}"))
        if found.dtype is None:
            wrong = f"tensor {name!r} is of a type that nbvars does not have"
            raise UnimplementedError(None, None, message("get_tensor", wrong, found.kind, "a dtype of numbers"))
        return found

    def verify(self, names: Iterable[str] | None = None) -> None:
        """Read tensors, all that can be read if not said otherwise, and test their checksums.

        Raises:
            DataLossError: A checksum does not hold, or a file is cut off.
        """
        if names is None:
            names = [name for name, tensor in self._tensors.items() if tensor.dtype is not None]
        extents = [(name, extent) for name in names for extent in self.tensor(name).extents]
        self._for_each([each for each in extents if each[1].checksum is not None], self._verify)

    def read_into(self, arrays: dict[str, npt.NDArray[Any]], is_verified: bool = False) -> None:
        """Read tensors into C-contiguous arrays that have their shapes.

        Args:
            arrays: The arrays, by name.
            is_verified: Trust that the checksums hold.
        """

        def read(name: str, extent: Extent) -> None:
            self._read(name, extent, arrays[name], is_verified)

        self._for_each([(name, extent) for name in arrays for extent in self.tensor(name).extents], read)

    def _for_each(self, extents: list[tuple[str, Extent]], run: Callable[[str, Extent], None]) -> None:
        """Call ``run`` with each extent, in several threads if there is much to do; the first error counts."""
        num_bytes = sum(extent.num_bytes for _, extent in extents)
        num_threads = min(get_num_threads(), len(extents)) if num_bytes > _FEW_BYTES else 1

        def sized(each: tuple[str, Extent]) -> int:
            run(*each)
            return each[1].num_bytes

        with contextlib.ExitStack() as stack:
            done: Iterator[int] = map(sized, extents)
            if num_threads > 1:
                pool = ThreadPoolExecutor(num_threads, "nbvars-read")
                stack.callback(pool.shutdown, cancel_futures=True)
                # At the end of the interpreter no thread can be started.
                with contextlib.suppress(RuntimeError):
                    done = pool.map(sized, extents)
            for _ in progress_of_bytes(done, num_bytes):
                pass

    def _verify(self, name: str, extent: Extent) -> None:
        block = np.empty(min(_BLOCK_BYTES, extent.num_bytes), np.uint8)
        checksum = 0
        for start in range(0, extent.num_bytes, _BLOCK_BYTES):
            part = block[: extent.num_bytes - start]
            self._fill(part, name, extent, start)
            checksum = crc32c(part, checksum)
        self._compare(name, extent, checksum)

    def _read(self, name: str, extent: Extent, array: npt.NDArray[Any], is_verified: bool) -> None:
        if extent.place is not None:
            part = array[extent.place]
            piece = aligned_empty(part.shape, part.dtype)
            self._read(name, extent._replace(place=None), piece, is_verified)
            part[...] = piece
            return
        memory = byte_view(array)[extent.start : extent.start + extent.num_bytes]
        is_checked = extent.checksum is not None and not is_verified
        checksum = 0
        for start in range(0, extent.num_bytes, _BLOCK_BYTES):
            part = memory[start : start + _BLOCK_BYTES]
            self._fill(part, name, extent, start)
            if is_checked:
                checksum = crc32c(part, checksum)
        if is_checked:
            self._compare(name, extent, checksum)
        if array.dtype == np.bool_:
            # Any other byte than 0 and 1 is no bool to NumPy.
            np.not_equal(memory, 0, out=memory.view(np.bool_))

    def _fill(self, part: Bytes, name: str, extent: Extent, start: int) -> None:
        """Read the bytes of an extent from ``start`` on."""
        descriptor = self._descriptor(extent.shard)
        offset = extent.offset + start
        while part.size:
            num_read = os.preadv(descriptor, [part], offset)  # type: ignore[list-item]
            if not num_read:
                self.raise_damaged(f"the file ends within the tensor {name!r}", f"{offset} bytes", "more", extent.shard)
            part, offset = part[num_read:], offset + num_read

    def _compare(self, name: str, extent: Extent, checksum: int) -> None:
        if checksum != extent.checksum:
            wrong = f"the checksum of the tensor {name!r} does not hold"
            self.raise_damaged(wrong, f"{checksum:08x}", f"{extent.checksum:08x}", extent.shard)

    def _descriptor(self, shard: int) -> int:
        with self._lock:
            if shard not in self._descriptors:
                self._descriptors[shard] = open_file(self.shard_path(shard))
            return self._descriptors[shard]

    def raise_damaged(self, wrong: str, got: object, expected: object, shard: int = 0) -> NoReturn:
        """Raise ``DataLossError``."""
        raise damaged(self.shard_path(shard), wrong, got, expected)


def _close_all(descriptors: dict[int, int]) -> None:
    for descriptor in descriptors.values():
        os.close(descriptor)


def damaged(path: str, wrong: str, got: object, expected: object) -> DataLossError:
    """Return the error of a file that is damaged, or none of ours."""
    return DataLossError(None, None, message(f"checkpoint {path}", wrong, got, expected))


def open_file(path: str) -> int:
    """Open a file of a checkpoint for reading.

    Raises:
        NotFoundError: It is not there.
        OSError: It cannot be read.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        wrong = "a file of the checkpoint is missing"
        raise NotFoundError(None, None, message("checkpoint", wrong, "no such file", path)) from error


def num_bytes_of(shape: tuple[int, ...], dtype: DType) -> int:
    """Return the size of a tensor; ``ValueError`` if there can be no array of this shape, even an empty one."""
    if len(shape) > _MOST_AXES or math.prod(max(size, 1) for size in shape) * dtype.size >= 1 << 62:
        raise ValueError(f"there is no array of shape {shape}")
    return math.prod(shape) * dtype.size
