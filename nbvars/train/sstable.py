"""Reader of the table files of LevelDB's format: sorted keys with values, in blocks with checksums.

Source: LevelDB, ``doc/table_format.md``; TensorFlow's ``core/lib/io/table``.
"""

from __future__ import annotations

from nbvars.train.checksum import crc32c, unmasked
from nbvars.train.wire import read_varint

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5
_UNCOMPRESSED = 0
# For each byte of a block. Sixteen keys at most share a beginning that is written once.
_MOST_KEY_BYTES = 32
_COMPRESSIONS = {1: "snappy", 2: "zstd"}


class CompressedBlockError(ValueError):
    """A block is compressed, which TensorFlow's checkpoints are not."""


def read_table(data: bytes) -> dict[bytes, bytes]:
    """Return the entries of a table file, which is small enough to be in memory as a whole.

    Raises:
        ValueError: The file is no table, or is damaged.
        CompressedBlockError: A block is compressed.
    """
    if len(data) < _FOOTER_BYTES or int.from_bytes(data[-8:], "little") != _MAGIC:
        raise ValueError("the file does not end as a table does")
    footer = data[-_FOOTER_BYTES:]
    _, _, at = _handle(footer, 0)
    offset, size, _ = _handle(footer, at)
    entries: dict[bytes, bytes] = {}
    end = 0
    for handle in _block(data, offset, size).values():
        block_offset, block_size, _ = _handle(handle, 0)
        # One after the other, so that the work grows with the size of the file and no faster.
        if block_offset < end:
            raise ValueError("two blocks overlap")
        end = block_offset + block_size
        entries.update(_block(data, block_offset, block_size))
    return entries


def _handle(data: bytes, at: int) -> tuple[int, int, int]:
    """Return offset and size of a block, and where this handle ends."""
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return offset, size, at


def _block(data: bytes, offset: int, size: int) -> dict[bytes, bytes]:
    """Return the entries of a block: each key is given by what differs from the key before."""
    body = _checked(data, offset, size)
    if len(body) < 4:
        raise ValueError("a block is too short")
    num_restarts = int.from_bytes(body[-4:], "little")
    end = len(body) - 4 * (num_restarts + 1)
    if end < 0:
        raise ValueError("a block has more restart points than room for them")
    entries: dict[bytes, bytes] = {}
    key, at = b"", 0
    key_bytes = 0
    while at < end:
        shared, at = read_varint(body, at)
        num_new, at = read_varint(body, at)
        num_bytes, at = read_varint(body, at)
        if shared > len(key) or at + num_new + num_bytes > end:
            raise ValueError("an entry does not fit its block")
        key = key[:shared] + body[at : at + num_new]
        at += num_new
        key_bytes += len(key)
        if key_bytes > _MOST_KEY_BYTES * len(body):
            raise ValueError("the keys of a block are too long")
        entries[key] = body[at : at + num_bytes]
        at += num_bytes
    return entries


def _checked(data: bytes, offset: int, size: int) -> bytes:
    """Return the contents of a block whose checksum holds."""
    end = offset + size
    if end + _TRAILER_BYTES > len(data) - _FOOTER_BYTES:
        raise ValueError("a block lies outside of the file")
    expected = int.from_bytes(data[end + 1 : end + _TRAILER_BYTES], "little")
    if crc32c(data[offset : end + 1]) != unmasked(expected):
        raise ValueError("the checksum of a block does not hold")
    compression = data[end]
    if compression != _UNCOMPRESSED:
        named = _COMPRESSIONS.get(compression, f"compression {compression}")
        raise CompressedBlockError(f"a block is compressed ({named})")
    return data[offset:end]
