"""Reader of checkpoints in safetensors files: those of ``Saver``, and those of other libraries.

The library ``safetensors`` judges whether a file is one; what it lets pass, a name that is there twice, is refused
here. The bytes of the tensors are then read from the places that the header says: the library can only copy them out
of a map of the file, one by one and without a checksum.
"""

from __future__ import annotations

import os
from typing import Any

from nbvars import dtypes
from nbvars.train.checkpoint_reader import CheckpointReader, Extent, StoredTensor, damaged, num_bytes_of, open_file
from nbvars.train.checksum import optional_module
from nbvars.train.manifest import Manifest, Recorded, read_manifest
from nbvars.train.safetensors_header import DTYPES, read_header

SUFFIX = ".safetensors"
_MOST_HEADER_BYTES = 100_000_000
"""The limit of the format."""


class SafetensorsReader(CheckpointReader):
    """Reads the tensors of a safetensors file.

    Attributes:
        global_step: The step that was given to ``Saver.save``; ``None`` if none was, or if another library wrote it.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, {})
        descriptor = self._descriptor(0)
        check_format(path)
        data = _header_of(path, descriptor)
        try:
            header = read_header(data)
            metadata = header.pop("__metadata__", None) or {}
            manifest = read_manifest(metadata["manifest"]) if "manifest" in metadata else None
            self._tensors = _stored_tensors(header, manifest, len(data))
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path, "the header is damaged", error, "a checkpoint of nbvars.train.Saver") from error
        self.global_step: int | None = manifest and manifest.global_step


def check_format(path: str) -> None:
    """Raise ``DataLossError`` unless the library takes the header, and the data is neither more nor less than it says.

    Raises:
        ImportError: safetensors is not installed.
    """
    safetensors = optional_module("safetensors", "checkpoint")
    try:
        with safetensors.safe_open(path, "numpy"):
            pass
    except safetensors.SafetensorError as error:
        raise damaged(path, "the file is damaged, or no safetensors file", error, "a checkpoint of nbvars") from error


def _header_of(path: str, descriptor: int) -> bytes:
    """Return length and header of an open file."""
    size = os.fstat(descriptor).st_size
    start = os.pread(descriptor, 8, 0)
    num_bytes = int.from_bytes(start, "little")
    if len(start) < 8 or num_bytes > min(size - 8, _MOST_HEADER_BYTES):
        raise damaged(path, "the header is longer than the file", num_bytes, size - 8)
    return start + os.pread(descriptor, num_bytes, 8)


def _stored_tensors(header: dict[str, Any], manifest: Manifest | None, start: int) -> dict[str, StoredTensor]:
    if manifest is not None and manifest.variables.keys() != header.keys():
        raise ValueError("header and manifest name different tensors")
    return {
        name: _stored(entry, manifest and manifest.variables[name], manifest.piece_bytes if manifest else 1, start)
        for name, entry in header.items()
    }


def _stored(entry: dict[str, Any], recorded: Recorded | None, piece_bytes: int, start: int) -> StoredTensor:
    """Return what header and manifest say of a tensor; ``ValueError`` if they disagree."""
    begin, end = entry["data_offsets"]
    shape, dtype = tuple(entry["shape"]), DTYPES.get(entry["dtype"])
    if recorded is not None and recorded.dtype is dtypes.complex128:
        shape, dtype = shape[:-1], dtypes.complex128
    if dtype is None:
        return StoredTensor(None, shape, (), str(entry["dtype"]))
    if num_bytes_of(shape, dtype) != end - begin:
        raise ValueError(f"{end - begin} bytes are no {dtype} of shape {shape}")
    if recorded is None:
        return StoredTensor(dtype, shape, (Extent(0, start + begin, end - begin, None),))
    places = range(0, end - begin, piece_bytes)
    if (recorded.dtype, recorded.shape, len(recorded.checksums)) != (dtype, shape, len(places)):
        raise ValueError("header and manifest disagree")
    extents = (
        Extent(0, start + begin + place, min(piece_bytes, end - begin - place), checksum, place)
        for place, checksum in zip(places, recorded.checksums, strict=True)
    )
    return StoredTensor(dtype, shape, tuple(extents))


def open_safetensors(path: str) -> CheckpointReader:
    """Return a reader of the file.

    Raises:
        NotFoundError: There is none.
        DataLossError: It is damaged, or no safetensors file.
    """
    os.close(open_file(path))
    return SafetensorsReader(path)
