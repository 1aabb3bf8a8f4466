"""Partitioners: functions that say into how many parts ``get_variable`` cuts a variable along each axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from nbvars.checks import message
from nbvars.dtypes import as_dtype
from nbvars.ops.shape_rules import as_int, normal_axis
from nbvars.shapes import TensorShape, as_shape


class Partitioner(Protocol):
    """A function from the shape and the dtype of a variable to its number of partitions along each axis."""

    def __call__(self, shape: Any, dtype: Any = None) -> list[int]: ...


def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Partitioner:
    """Return a partitioner that cuts ``axis`` into ``num_shards`` parts, or as many as it has rows.

    Raises:
        ValueError: ``num_shards`` is not positive. From the partitioner: the shape is not fully defined, or
            has no such axis.

    Source: TensorFlow 1 API pages, ``tf.fixed_size_partitioner``.
    """
    where = "fixed_size_partitioner"
    most: int = as_int(where, "num_shards", num_shards)
    _check_positive(where, "num_shards", most)

    def num_parts(shape: TensorShape, size: int, dtype: Any) -> int:
        return min(most, size)

    return _along(where, axis, num_parts)


def variable_axis_size_partitioner(
    max_shard_bytes: int,
    axis: int = 0,
    bytes_per_string_element: int = 16,
    max_shards: int | None = None,
) -> Partitioner:
    """Return a partitioner that cuts ``axis`` into parts of at most ``max_shard_bytes`` bytes.

    A row that is larger by itself becomes a part by itself.

    Args:
        max_shard_bytes: The largest size of a part.
        axis: The axis to cut.
        bytes_per_string_element: What one element of a variable of strings counts.
        max_shards: The largest number of parts, even if they are then too large; no limit if 0 or ``None``.

    Raises:
        ValueError: A number of bytes is not positive, or ``max_shards`` is negative. From the partitioner: the
            shape is not fully defined, or has no such axis.

    Source: TensorFlow 1 API pages, ``tf.variable_axis_size_partitioner``.
    """
    where = "variable_axis_size_partitioner"
    _check_positive(where, "max_shard_bytes", max_shard_bytes)
    _check_positive(where, "bytes_per_string_element", bytes_per_string_element)
    if max_shards:
        _check_positive(where, "max_shards", max_shards)

    def num_parts(shape: TensorShape, size: int, dtype: Any) -> int:
        num_bytes = _num_bytes(shape, dtype, bytes_per_string_element)
        if num_bytes == 0:
            return 1
        rows_per_part = max(1, max_shard_bytes // (num_bytes // size))
        parts = _divided_up(size, rows_per_part)
        return min(max_shards, parts) if max_shards else parts

    return _along(where, axis, num_parts)


def min_max_variable_partitioner(
    max_partitions: int = 1,
    axis: int = 0,
    min_slice_size: int = 256 << 10,
    bytes_per_string_element: int = 16,
) -> Partitioner:
    """Return a partitioner that cuts ``axis`` into at most ``max_partitions`` parts of ``min_slice_size`` bytes or so.

    Args:
        max_partitions: The largest number of parts; there is always one.
        axis: The axis to cut.
        min_slice_size: The number of bytes that a part should have at least.
        bytes_per_string_element: What one element of a variable of strings counts.

    Raises:
        ValueError: A number of bytes is not positive. From the partitioner: the shape is not fully defined, or
            has no such axis.

    Source: TensorFlow 1 API pages, ``tf.min_max_variable_partitioner``.
    """
    where = "min_max_variable_partitioner"
    _check_positive(where, "min_slice_size", min_slice_size)
    _check_positive(where, "bytes_per_string_element", bytes_per_string_element)

    def num_parts(shape: TensorShape, size: int, dtype: Any) -> int:
        num_bytes = _num_bytes(shape, dtype, bytes_per_string_element)
        return max(1, min(size, max_partitions, _divided_up(num_bytes, min_slice_size)))

    return _along(where, axis, num_parts)


def _along(where: str, axis: int, num_parts: Callable[[TensorShape, int, Any], int]) -> Partitioner:
    """Return the partitioner that cuts one axis, of a size given to ``num_parts``, and leaves the others whole."""
    as_int(where, "axis", axis)

    def partitioner(shape: Any, dtype: Any = None) -> list[int]:
        known = as_shape(shape)
        if not known.is_fully_defined():
            raise ValueError(message(where, "the shape is not fully defined", known, "known sizes only"))
        cut = normal_axis(where, axis, len(known))
        partitions = [1] * len(known)
        partitions[cut] = num_parts(known, int(known[cut]), dtype)
        return partitions

    return partitioner


def _num_bytes(shape: TensorShape, dtype: Any, bytes_per_string_element: int) -> int:
    """Return the size of a variable of a known shape."""
    element = as_dtype(dtype).base_dtype
    return (shape.num_elements() or 0) * (bytes_per_string_element if element.name == "string" else element.size)


def _divided_up(number: int, divisor: int) -> int:
    """Return ``number / divisor``, rounded up."""
    return -(-number // divisor)


def _check_positive(where: str, argument: str, number: int) -> None:
    if number < 1:
        raise ValueError(message(where, f"{argument} is not positive", number, "1 or more"))
