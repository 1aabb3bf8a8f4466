"""Partitioners: the numbers of partitions that TensorFlow's give, and their errors."""

from __future__ import annotations

import re

import pytest

from nbvars import TensorShape
from nbvars.variables.partitioners import (
    fixed_size_partitioner,
    min_max_variable_partitioner,
    variable_axis_size_partitioner,
)


@pytest.mark.parametrize(
    ("shape", "num_shards", "axis", "expected"),
    [
        ((1,), 3, 0, [1]),
        ((7,), 3, 0, [3]),
        ((7,), 16, -1, [7]),
        ((4, 8), 1, 0, [1, 1]),
        ((4, 8), 16, -1, [1, 8]),
        ((4, 8), 5, 1, [1, 5]),
        ((3, 3, 64, 128), 5, 3, [1, 1, 1, 5]),
        ((3, 3, 64, 128), 3, 2, [1, 1, 3, 1]),
        ((4, 0), 3, 0, [3, 1]),
        ((0, 4), 3, 0, [0, 1]),
    ],
)
def test_fixed_size_partitioner_counts_as_tensorflow_does(shape, num_shards, axis, expected):
    partitioner = fixed_size_partitioner(num_shards, axis)
    assert partitioner(shape=TensorShape(shape), dtype="float32") == expected


# TensorFlow 2.21 gave these numbers of partitions, through ``tf.compat.v1``.
@pytest.mark.parametrize(
    ("shape", "dtype", "arguments", "expected"),
    [
        ((7,), "float32", (1,), [7]),
        ((7,), "float32", (1024,), [1]),
        ((10,), "string", (1,), [10]),
        ((64, 1000), "bfloat16", (1024,), [64, 1]),
        ((64, 1000), "float32", (65536, -1), [1, 4]),
        ((64, 1000), "float64", (65536, -1), [1, 8]),
        ((64, 1000), "string", (65536, -1), [1, 16]),
        ((64, 1000), "float32", (100000, 0, 16, 10), [3, 1]),
        ((64, 1000), "string", (100000, 0, 16, 10), [10, 1]),
        ((1000,), "string", (100, 0, 7), [72]),
        ((1000, 64), "float32", (1024,), [250, 1]),
        ((1000, 64), "int8", (1024,), [63, 1]),
        ((1000, 64), "complex128", (100000, 0, 16, 10), [10, 1]),
        ((1024, 1024), "bfloat16", (65536, -1), [1, 32]),
        ((1024, 1024), "bool", (100000, 0, 16, 10), [10, 1]),
        ((1024, 1024), "float32", (64 << 20, 0, 16, 0), [1, 1]),
        ((3, 3, 64, 128), "float32", (1024,), [3, 1, 1, 1]),
        ((3, 3, 64, 128), "float32", (65536, -1), [1, 1, 1, 5]),
        ((3, 3, 64, 128), "string", (65536, -1), [1, 1, 1, 19]),
        ((3, 3, 64, 128), "float32", (1023, 3, 16, 7), [1, 1, 1, 7]),
        ((1, 1000000), "float64", (65536, -1), [1, 123]),
        ((1000000, 1), "float32", (1024,), [3907, 1]),
        ((1000000, 1), "string", (1024,), [15625, 1]),
    ],
)
def test_variable_axis_size_partitioner_counts_as_tensorflow_does(shape, dtype, arguments, expected):
    partitioner = variable_axis_size_partitioner(*arguments)
    assert partitioner(shape=TensorShape(shape), dtype=dtype) == expected


@pytest.mark.parametrize("shape", [(0,), (4, 0), (0, 4)])
def test_variable_axis_size_partitioner_leaves_an_empty_variable_whole(shape):
    assert variable_axis_size_partitioner(3)(TensorShape(shape), "float32") == [1] * len(shape)


# TensorFlow 2.21 gave these numbers of partitions, through ``tf.compat.v1``.
@pytest.mark.parametrize(
    ("shape", "dtype", "arguments", "expected"),
    [
        ((1024, 1024), "float32", (), [1, 1]),
        ((1024, 1024), "float32", (16,), [16, 1]),
        ((1024, 1024), "int8", (16,), [4, 1]),
        ((1024, 1024), "float32", (100, -1, 1000), [1, 100]),
        ((1024, 1024), "int8", (1000, 0, 4095), [257, 1]),
        ((7,), "float32", (7, 0, 1), [7]),
        ((10,), "float64", (7, 0, 1), [7]),
        ((4, 8), "float32", (7, 0, 1), [4, 1]),
        ((4, 8), "float32", (0, 0, 1), [1, 1]),
        ((64, 1000), "string", (16,), [4, 1]),
        ((1000,), "string", (100, 0, 100, 5), [50]),
        ((1000, 64), "float32", (1000, 0, 4095), [63, 1]),
        ((1000, 64), "float64", (1000, 0, 4095), [126, 1]),
        ((1000, 64), "string", (1000, 0, 4095), [251, 1]),
        ((3, 3, 64, 128), "float32", (16,), [2, 1, 1, 1]),
        ((1000000, 1), "float32", (1000, 0, 4095), [977, 1]),
        ((0, 4), "float32", (3,), [1, 1]),
        ((4, 0), "float32", (3,), [1, 1]),
    ],
)
def test_min_max_variable_partitioner_counts_as_tensorflow_does(shape, dtype, arguments, expected):
    partitioner = min_max_variable_partitioner(*arguments)
    assert partitioner(shape=TensorShape(shape), dtype=dtype) == expected


EACH = [fixed_size_partitioner, variable_axis_size_partitioner, min_max_variable_partitioner]


@pytest.mark.parametrize("make", EACH)
def test_lists_and_tuples_are_shapes_too(make):
    partitioner = make(4)
    assert partitioner([6, 2], "int32") == partitioner((6, 2), "int32") == partitioner(TensorShape([6, 2]), "int32")


@pytest.mark.parametrize("make", EACH)
@pytest.mark.parametrize("shape", [None, [None, 2], [3, None]])
def test_a_shape_must_be_fully_defined(make, shape):
    with pytest.raises(ValueError, match=rf"{make.__name__}: the shape is not fully defined: got .*, expected known"):
        make(3)(TensorShape(shape), "float32")


@pytest.mark.parametrize("make", EACH)
@pytest.mark.parametrize(("axis", "shape"), [(2, (3, 2)), (-3, (3, 2)), (0, ())])
def test_the_axis_must_be_one_of_the_shape(make, axis, shape):
    expected = re.escape(f"an axis of [{-len(shape)}, {len(shape)})")
    with pytest.raises(ValueError, match=rf"{make.__name__}: axis is out of range: got {axis}, expected {expected}"):
        make(3, axis)(TensorShape(shape), "float32")


@pytest.mark.parametrize("make", EACH)
def test_the_axis_must_be_an_integer(make):
    with pytest.raises(TypeError, match=r"axis has the wrong type: got 0.5, expected an integer"):
        make(3, 0.5)


@pytest.mark.parametrize(
    ("make", "argument", "arguments", "got"),
    [
        (fixed_size_partitioner, "num_shards", (0,), 0),
        (variable_axis_size_partitioner, "max_shard_bytes", (0,), 0),
        (variable_axis_size_partitioner, "bytes_per_string_element", (3, 0, 0), 0),
        (variable_axis_size_partitioner, "max_shards", (3, 0, 1, -1), -1),
        (min_max_variable_partitioner, "min_slice_size", (3, 0, 0), 0),
        (min_max_variable_partitioner, "bytes_per_string_element", (3, 0, 1, -2), -2),
    ],
)
def test_counts_must_be_positive(make, argument, arguments, got):
    with pytest.raises(ValueError, match=rf"{argument} is not positive: got {got}, expected 1 or more"):
        make(*arguments)


@pytest.mark.parametrize("make", [variable_axis_size_partitioner, min_max_variable_partitioner])
def test_sizes_in_bytes_need_a_dtype(make):
    with pytest.raises(TypeError, match="as_dtype: unknown dtype: got None"):
        make(3)(TensorShape([4]))
