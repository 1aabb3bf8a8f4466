"""Protobuf's wire format, as far as TensorFlow's checkpoints need it, without protobuf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5

_SIZES = {FIXED64: 8, FIXED32: 4}


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned number that begins at ``at``, and where it ends.

    Raises:
        ValueError: The data ends within it, or it has more than 64 bits.
    """
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise ValueError("a number has more than 64 bits")


def signed(value: int) -> int:
    """Return a varint as the int64 that it stands for."""
    return value - (1 << 64) if value >> 63 else value


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field of a message: an ``int``, or ``bytes``.

    Raises:
        ValueError: The data is malformed.
    """
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            size, at = read_varint(data, at)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise ValueError(f"a field is of the unknown wire type {kind}")
        piece = data[at : at + size]
        if len(piece) < size:
            raise ValueError("a field is cut off")
        at += size
        yield tag >> 3, piece if kind == BYTES else int.from_bytes(piece, "little")
