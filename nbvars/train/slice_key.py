"""The keys of slices in the index of TensorFlow's checkpoints: numbers and strings as bytes that sort as they do.

Source: TensorFlow, ``core/lib/strings/ordered_code.cc`` and ``core/util/saved_tensor_slice_util.cc``.
"""

from __future__ import annotations

from collections.abc import Iterable


def slice_key(name: bytes, extents: Iterable[tuple[int, int]]) -> bytes:
    """Return the key of a slice of the tensor ``name``: start and length on each axis, 0 and -1 for all of it."""
    pairs = list(extents)
    numbers = b"".join(_signed(number) for pair in pairs for number in pair)
    return _unsigned(0) + _string(name) + _unsigned(len(pairs)) + numbers


def _unsigned(value: int) -> bytes:
    """A byte that tells the number of bytes, and the value, the highest byte first."""
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _string(text: bytes) -> bytes:
    """The string and a mark of its end, with two bytes for each that such a mark may begin with."""
    escaped = {0: b"\x00\xff", 255: b"\xff\x00"}
    return b"".join(escaped.get(byte, bytes([byte])) for byte in text) + b"\x00\x01"


def _signed(value: int) -> bytes:
    """As many ones as there are bytes, unless it is negative: then zeros; then the value."""
    bits = (~value if value < 0 else value).bit_length()
    size = bits // 7 + 1
    # Two's complement, whose leading bits are flipped to tell the size.
    whole = value & ((1 << (8 * size)) - 1)
    header = ((1 << size) - 1) << (7 * size)
    return (whole ^ header).to_bytes(size, "big")
