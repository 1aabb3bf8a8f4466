"""IndexedSlices: its checks, its properties, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars
import nbvars.ops as nb
from nbvars import dtypes
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.runtime.tensor import Tensor
from nbvars.shapes import TensorShape

VALUES = np.arange(6, dtype=np.float32).reshape(3, 2)
INDICES = np.array([2, 0, 2])


def test_properties():
    slices = IndexedSlices(VALUES, INDICES, dense_shape=(5, 2))
    np.testing.assert_array_equal(slices.values, VALUES)
    np.testing.assert_array_equal(slices.indices, INDICES)
    np.testing.assert_array_equal(slices.dense_shape, [5, 2])
    assert all(isinstance(part, Tensor) for part in (slices.values, slices.indices, slices.dense_shape))
    assert slices.dtype is dtypes.float32
    assert slices.shape == slices.get_shape() == (5, 2)
    assert slices.device == "/cpu:0"
    assert isinstance(slices.name, str)
    assert repr(slices).startswith("nbvars.IndexedSlices(values=nbvars.Tensor(")


def test_dense_shape_may_be_unknown():
    slices = IndexedSlices(VALUES, INDICES)
    assert slices.dense_shape is None
    assert slices.shape == TensorShape(None)


def test_arrays_are_kept_as_they_are():
    slices = IndexedSlices(VALUES, INDICES)
    assert slices._values is VALUES
    assert slices._indices is INDICES


def test_an_array_is_copied_when_it_becomes_a_tensor():
    values = VALUES.copy()
    slices = IndexedSlices(values, INDICES)
    tensor = slices.values
    values[:] = 0
    assert slices.values is tensor
    np.testing.assert_array_equal(tensor, VALUES)


@pytest.mark.parametrize(
    ("values", "indices", "dtype"),
    [
        ([[1, 2.0]], [3], "float32"),
        (nb.constant([[1.0]], "float64"), nb.constant([0]), "float64"),
        (np.ones((2, 3, 4)), np.zeros((2, 3), np.uint8), "float64"),
        (np.ones(4), np.int64(2), "float64"),
        (np.ones((2, 2), ">f4"), np.array([1, 2], ">i8"), "float32"),
        (np.ones((0, 2)), np.zeros(0, int), "float64"),
        (np.ones((2, 2), dtypes.bfloat16.numpy_dtype), [0, 1], "bfloat16"),
    ],
)
def test_all_kinds_of_parts(values, indices, dtype):
    slices = IndexedSlices(values, indices)
    assert slices.dtype == dtype
    np.testing.assert_array_equal(slices.values, np.asarray(values))
    np.testing.assert_array_equal(slices.indices, np.asarray(indices))


@pytest.mark.parametrize(
    ("values", "indices", "dense_shape", "error", "words"),
    [
        (VALUES, np.array([0, 1]), None, ValueError, r"got \(3, 2\), expected \(2, ...\)"),
        (VALUES, INDICES[None], None, ValueError, r"got \(3, 2\), expected \(1, 3, ...\)"),
        (np.float32(1), INDICES, None, ValueError, r"got \(\), expected \(3, ...\)"),
        (VALUES, INDICES.astype(float), None, TypeError, "got float64, expected an integer dtype"),
        (VALUES, INDICES > 0, None, TypeError, "got bool, expected an integer dtype"),
        (VALUES, INDICES, (5, 3), ValueError, r"got \(5, 3\), expected \(n, 2\)"),
        (VALUES, INDICES, (5,), ValueError, r"got \(5,\), expected \(n, 2\)"),
        (VALUES, INDICES, (), ValueError, r"got \(\), expected \(n, 2\)"),
        (VALUES, INDICES, (-1, 2), ValueError, r"got \[-1, 2\], expected a list of sizes"),
        (VALUES, INDICES, 5, ValueError, "got 5, expected a list of sizes"),
        (VALUES.astype(object), INDICES, None, TypeError, "got object, expected numbers"),
        (["a"], [0], None, TypeError, "expected numbers"),
    ],
)
def test_parts_that_disagree_are_refused(values, indices, dense_shape, error, words):
    with pytest.raises(error, match=words):
        IndexedSlices(values, indices, dense_shape)


@pytest.mark.parametrize("dense_shape", [[5, 2], np.array([5, 2]), nb.constant([5, 2]), TensorShape([5, 2])])
def test_dense_shape_takes_every_form_of_a_shape(dense_shape):
    assert IndexedSlices(VALUES, INDICES, dense_shape).shape == (5, 2)


@pytest.mark.parametrize("values", [VALUES, nb.constant(VALUES)])
def test_negation_keeps_the_rows(values):
    slices = -IndexedSlices(values, INDICES, (5, 2))
    np.testing.assert_array_equal(slices.values, -VALUES)
    np.testing.assert_array_equal(slices.indices, INDICES)
    assert slices.shape == (5, 2)


def test_cast_casts_the_values():
    slices = nb.cast(IndexedSlices(VALUES, INDICES, (5, 2)), "float64")
    assert type(slices) is IndexedSlices
    assert slices.dtype == "float64"
    assert slices.shape == (5, 2)


def test_sums_of_16_bit_slices_are_rounded_once():
    values = np.ones((3000, 1), np.float16)
    total = nb.convert_to_tensor(IndexedSlices(values, np.zeros(3000, int), (1, 1)))
    assert total.dtype == "float16"
    assert float(total) == 3000


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64", ">i8"])
def test_sums_take_indices_of_every_integer_dtype(dtype):
    slices = IndexedSlices(VALUES, INDICES.astype(dtype), (3, 2))
    np.testing.assert_array_equal(nb.convert_to_tensor(slices), [[2, 3], [0, 0], [4, 6]])


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint8"])
def test_a_list_of_values_takes_the_dtype_of_the_variable(dtype):
    variable = nbvars.Variable([5, 6], dtype=dtype)
    variable.scatter_sub(nbvars.IndexedSlices([1, 2], [1, 1]))
    assert variable.numpy().tolist() == [5, 3]


def test_a_list_of_values_is_float32_where_nothing_else_asks():
    slices = nbvars.IndexedSlices([[0.5]], [0])
    assert slices.dtype == "float32"
    assert (-slices).values.numpy().tolist() == [[-0.5]]


@pytest.mark.parametrize("value", [1, 1.0, np.float64(1)])
def test_a_number_takes_the_dtype_of_the_variable(value):
    variable = nbvars.Variable([1.0, 2.0])
    slices = IndexedSlices(value, 1)
    assert variable.scatter_sub(slices).numpy().tolist() == [1.0, 1.0]
    assert slices.dtype == slices.values.dtype
