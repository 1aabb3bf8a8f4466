"""Reader of TensorFlow's checkpoints of version 2: an index, which is a table file, and files of data.

Source: TensorFlow, ``core/util/tensor_bundle`` and ``core/protobuf/tensor_bundle.proto``.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from nbvars.checks import message
from nbvars.dtypes import as_dtype, string
from nbvars.errors import DataLossError, UnimplementedError
from nbvars.train.checkpoint_reader import (
    CheckpointReader,
    Extent,
    Index,
    StoredTensor,
    damaged,
    num_bytes_of,
    open_file,
)
from nbvars.train.checksum import crc32c, unmasked
from nbvars.train.slice_key import slice_key
from nbvars.train.sstable import CompressedBlockError, read_table
from nbvars.train.wire import fields, read_varint, signed

INDEX_SUFFIX = ".index"
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VERSION = 1
_MOST_INDEX_BYTES = 1 << 30
_MOST_TEXT_BYTES = 1 << 26


class _Entry(NamedTuple):
    """A ``BundleEntryProto``."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    num_bytes: int
    checksum: int
    slices: tuple[bytes, ...]


class TensorBundleReader(CheckpointReader):
    """Reads the tensors of ``<prefix>.index`` and ``<prefix>.data-00000-of-00001``; slices are put together."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix, {})
        self._num_shards = 1
        path = prefix + INDEX_SUFFIX
        try:
            table = read_table(_whole_file(path))
            self._num_shards = _checked_header(table.pop(b"", b""))
            self._entries = {key: _entry(data) for key, data in table.items()}
            self._tensors = {
                key.decode(): self._stored(key, entry)
                for key, entry in self._entries.items()
                if key[:1] != b"\0"  # those are slices
            }
        except CompressedBlockError as error:
            wrong = "the index of the checkpoint is compressed"
            raise UnimplementedError(None, None, message(path, wrong, error, "blocks without compression")) from error
        except ValueError as error:
            raise damaged(path, "the index is damaged", error, "a checkpoint of TensorFlow") from error

    def shard_path(self, shard: int) -> str:
        """Return the path of a file of data."""
        return f"{self.path}.data-{shard:05d}-of-{self._num_shards:05d}"

    def _stored(self, key: bytes, entry: _Entry) -> StoredTensor:
        try:
            dtype = as_dtype(entry.dtype)
        except TypeError:
            return StoredTensor(None, entry.shape, (), f"TensorFlow's type number {entry.dtype}")
        if dtype is string:
            return StoredTensor(None, entry.shape, (), "string")
        if not entry.slices:
            if num_bytes_of(entry.shape, dtype) != entry.num_bytes:
                raise ValueError(f"{key!r}: {entry.num_bytes} bytes are no {dtype} of shape {entry.shape}")
            return StoredTensor(dtype, entry.shape, (self._extent(entry, None),))
        extents = []
        for data in entry.slices:
            index, key_of_slice = _slice(key, data, entry.shape)
            part = self._entries.get(key_of_slice)
            if part is None:
                raise ValueError(f"{key!r}: a slice is missing")
            shape = tuple(each.stop - each.start for each in index)
            if part.shape != shape or part.dtype != entry.dtype or part.num_bytes != num_bytes_of(shape, dtype):
                raise ValueError(f"{key!r}: a slice is of another shape or type than the tensor says")
            extents.append(self._extent(part, index))
        if sum(each.num_bytes for each in extents) != num_bytes_of(entry.shape, dtype):
            raise ValueError(f"{key!r}: the slices are not the whole tensor")
        return StoredTensor(dtype, entry.shape, tuple(extents))

    def _extent(self, entry: _Entry, index: Index | None) -> Extent:
        self._check_place(entry)
        return Extent(entry.shard, entry.offset, entry.num_bytes, unmasked(entry.checksum), 0, index)

    def _check_place(self, entry: _Entry) -> None:
        """Raise ``DataLossError`` unless the file of data is large enough: nothing larger is ever asked for."""
        size = os.fstat(self._descriptor(entry.shard)).st_size
        if entry.offset < 0 or entry.offset + entry.num_bytes > size:
            self.raise_damaged("a file of data is cut off", size, entry.offset + entry.num_bytes, entry.shard)

    def aliases(self) -> dict[str, str]:
        """Return the keys of an object-based checkpoint by the names of the variables that it holds."""
        entry = self._entries.get(OBJECT_GRAPH.encode())
        if entry is None or entry.dtype != string.as_datatype_enum:
            return {}
        try:
            return _names_in(self._text(entry))
        except ValueError as error:
            raise damaged(self.path, "the graph of objects is damaged", error, "a checkpoint of TensorFlow") from error

    def _text(self, entry: _Entry) -> bytes:
        """Return the one string of a scalar: its length, a checksum of that, and the string."""
        self._check_place(entry)
        if entry.num_bytes > _MOST_TEXT_BYTES:
            raise ValueError(f"it has {entry.num_bytes} bytes")
        data = os.pread(self._descriptor(entry.shard), entry.num_bytes, entry.offset)
        num_bytes, at = read_varint(data, 0)
        if at + 4 + num_bytes != len(data):
            raise ValueError("it is no single string")
        # The checksum is that of the length as a fixed number, of the checksum of the lengths, and of the string.
        length = num_bytes.to_bytes(4 if num_bytes < 1 << 32 else 8, "little")
        if crc32c(length + data[at:]) != unmasked(entry.checksum):
            raise ValueError("its checksum does not hold")
        return data[at + 4 :]


def _whole_file(path: str) -> bytes:
    descriptor = open_file(path)
    with open(descriptor, "rb") as file:
        if os.fstat(descriptor).st_size > _MOST_INDEX_BYTES:
            raise ValueError("the index is larger than 1 GiB")
        return file.read()


def _checked_header(data: bytes) -> int:
    """Return the number of files of data that a ``BundleHeaderProto`` says; ``ValueError`` if they cannot be read."""
    known = dict(fields(data))
    num_shards = known.get(1, 0)
    if not 1 <= num_shards < 1 << 31:
        raise ValueError(f"it is of {num_shards} files of data")
    if known.get(2, 0) != 0:
        raise ValueError("it was written on a big-endian machine")
    oldest_reader = dict(fields(_bytes(known.get(3, b"")))).get(2, 0)
    if oldest_reader > _VERSION:
        raise ValueError(f"it is of version {oldest_reader}, later than {_VERSION}")
    return int(num_shards)


def _entry(data: bytes) -> _Entry:
    """Parse a ``BundleEntryProto``."""
    known: dict[int, Any] = {}
    slices: list[bytes] = []
    for number, value in fields(data):
        if number == 7:
            slices.append(_bytes(value))
        else:
            known[number] = value
    numbers = [known.get(number, 0) for number in (1, 3, 4, 5, 6)]
    if not all(isinstance(number, int) for number in numbers):
        raise ValueError("an entry has bytes in the place of a number")
    dtype, shard, offset, num_bytes, checksum = numbers
    sizes = _shape(_bytes(known.get(2, b"")))
    return _Entry(dtype, sizes, shard, signed(offset), signed(num_bytes), checksum, tuple(slices))


def _shape(data: bytes) -> tuple[int, ...]:
    """Parse a ``TensorShapeProto``, of known sizes."""
    sizes = [dict(fields(_bytes(value))).get(1, 0) for number, value in fields(data) if number == 2]
    if not all(isinstance(size, int) and signed(size) >= 0 for size in sizes):
        raise ValueError("a size is negative, or no number")
    return tuple(sizes)


def _slice(key: bytes, data: bytes, shape: tuple[int, ...]) -> tuple[Index, bytes]:
    """Parse a ``TensorSliceProto``: return the slice, and the key of its entry."""
    extents = []
    for number, value in fields(data):
        if number == 1:
            known = dict(fields(_bytes(value)))
            # Without a length it is all of the axis.
            extents.append((signed(known.get(1, 0)), signed(known[2]) if 2 in known else -1))
    if len(extents) != len(shape):
        raise ValueError(f"{key!r}: a slice has {len(extents)} axes and not {len(shape)}")
    index = tuple(slice(s, size if n < 0 else s + n) for (s, n), size in zip(extents, shape, strict=True))
    if any(not 0 <= each.start <= each.stop <= size for each, size in zip(index, shape, strict=True)):
        raise ValueError(f"{key!r}: a slice lies outside of the tensor")
    return index, slice_key(key, extents)


def _names_in(data: bytes) -> dict[str, str]:
    """Return the keys by the full names of a ``TrackableObjectGraph``."""
    names: dict[str, str] = {}
    for number, node in fields(data):
        for part, attribute in fields(_bytes(node)) if number == 1 else ():
            if part == 2:
                known = dict(fields(_bytes(attribute)))
                full_name, key = (_bytes(known.get(place, b"")).decode() for place in (2, 3))
                if full_name and key:
                    names[full_name] = key
    return names


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number is in the place of bytes")
    return value


def open_tensor_bundle(prefix: str) -> CheckpointReader:
    """Return a reader of TensorFlow's checkpoint.

    Raises:
        NotFoundError: A file is missing.
        DataLossError: The index is damaged, or a file of data is cut off.
        UnimplementedError: The index is compressed.
    """
    try:
        return TensorBundleReader(prefix)
    except (OverflowError, RecursionError) as error:
        raise DataLossError(None, None, message(prefix, "the index is damaged", error, "a checkpoint")) from error
