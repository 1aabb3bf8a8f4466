"""Ops on the shape, the parts and the positions of tensors, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars.ops as nb
from nbvars import dtypes
from nbvars.errors import InvalidArgumentError, ResourceExhaustedError
from nbvars.runtime.tensor import Tensor
from nbvars.shapes import TensorShape

X = np.arange(12, dtype=np.float32).reshape(2, 3, 2)


def check(tensor, expected, dtype=None):
    assert isinstance(tensor, Tensor)
    expected = np.asarray(expected)
    assert tensor.dtype == (dtype or expected.dtype)
    np.testing.assert_array_equal(tensor.numpy(), expected)


def test_constant_fills_a_shape():
    check(nb.constant(7, shape=[2, 2]), np.full((2, 2), 7, np.int32))
    check(nb.constant([1, 2, 3, 4], shape=(2, 2)), np.array([[1, 2], [3, 4]], np.int32))
    check(nb.constant([1.0, 2.0], shape=[2, 2]), np.array([[1, 2], [2, 2]], np.float32))
    check(nb.constant(1.0, "float64", [0, 3]), np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"got 3, expected at most 2, for shape \(2,\)"):
        nb.constant([1, 2, 3], shape=[2])
    with pytest.raises(ValueError, match="got 0, expected 1 or more"):
        nb.constant([], shape=[2])


@pytest.mark.parametrize("dtype", [dtype.name for dtype in dtypes.ALL])
def test_zeros_ones_and_fill(dtype):
    numpy_dtype = dtypes.as_dtype(dtype).numpy_dtype
    check(nb.zeros([2, 3], dtype), np.zeros((2, 3), numpy_dtype))
    check(nb.ones((2, 3), dtype), np.ones((2, 3), numpy_dtype))
    check(nb.fill([2], nb.ones([], dtype)), np.ones(2, numpy_dtype))
    check(nb.zeros_like(nb.ones([2], dtype)), np.zeros(2, numpy_dtype))
    check(nb.ones_like([2.5, 1], dtype), np.ones(2, numpy_dtype))


@pytest.mark.parametrize(
    "shape",
    [
        (2, 3),
        [2, 3],
        np.array([2, 3]),
        nb.constant([2, 3]),
        TensorShape([2, 3]),
        [nb.constant(2), np.int8(3)],
    ],
)
def test_shapes_are_taken_in_every_form(shape):
    assert nb.zeros(shape).shape == (2, 3)
    assert nb.reshape(np.zeros(6), shape).shape == (2, 3)


@pytest.mark.parametrize(
    ("shape", "error", "words"),
    [
        ([2, -1], ValueError, r"got \(2, -1\), expected 0 or more"),
        ([2.5], TypeError, "got 2.5, expected an integer"),
        ([True], TypeError, "got True, expected an integer"),
        ("ab", TypeError, "got 'ab', expected an integer"),
        (TensorShape([None]), TypeError, r"got \?, expected an integer"),
    ],
)
def test_bad_shapes_are_refused(shape, error, words):
    with pytest.raises(error, match=words):
        nb.zeros(shape)


def test_a_scalar_shape_is_a_vector():
    assert nb.zeros(3).shape == (3,)


def test_eye():
    check(nb.eye(2), np.eye(2, dtype=np.float32))
    check(nb.eye(2, 3, dtype="int8"), np.eye(2, 3, dtype=np.int8))
    check(nb.eye(2, batch_shape=[3]), np.broadcast_to(np.eye(2, dtype=np.float32), (3, 2, 2)))


def test_range():
    check(nb.range(5), np.arange(5, dtype=np.int32))
    check(nb.range(3, 18, 3), np.arange(3, 18, 3, dtype=np.int32))
    check(nb.range(3, 1, -0.5), np.array([3, 2.5, 2, 1.5], np.float32))
    check(nb.range(0, 1, 0.25), np.array([0, 0.25, 0.5, 0.75], np.float32))
    check(nb.range(np.int64(3)), np.arange(3))
    check(nb.range(3, dtype="float64"), np.arange(3.0))
    check(nb.range(0), np.zeros(0, np.int32))
    check(nb.range(nb.constant(2)), np.arange(2, dtype=np.int32))
    for bounds in [(5, 0), (0, 5, -1), (0, 1, 0)]:
        with pytest.raises(InvalidArgumentError, match="expected"):
            nb.range(*bounds)


def test_linspace():
    check(nb.linspace(10.0, 12.0, 3), np.array([10, 11, 12], np.float32))
    check(nb.linspace(0, 1, 1), np.zeros(1, np.float32))
    check(nb.linspace(np.float64(0), 1, 3), np.array([0, 0.5, 1]))
    with pytest.raises(ValueError, match="got 0, expected 1 or more"):
        nb.linspace(0.0, 1.0, 0)


def test_shape_size_and_rank():
    check(nb.shape(X), np.array([2, 3, 2], np.int32))
    check(nb.shape(X, out_type="int64"), np.array([2, 3, 2]))
    check(nb.size(X), np.int32(12))
    check(nb.rank(X), np.int32(3))
    check(nb.shape(1.0), np.zeros(0, np.int32))


def test_reshape_infers_one_size():
    check(nb.reshape(X, [3, -1]), X.reshape(3, 4))
    check(nb.reshape(X, [-1]), X.ravel())
    check(nb.reshape([[7]], []), np.int32(7))
    for shape, words in [
        ([5, -1], r"got \(5, -1\), expected 12 elements"),
        ([11], r"got \(11,\), expected 12 elements"),
        ([-1, -1], r"got \(-1, -1\), expected sizes"),
        ([-2, 6], r"got \(-2, 6\), expected sizes"),
        ([0, -1], r"got \(0, -1\), expected 12 elements"),
    ]:
        with pytest.raises(ValueError, match=words):
            nb.reshape(X, shape)


def test_transpose():
    check(nb.transpose(X), X.T)
    check(nb.transpose(X, [0, 2, 1]), X.transpose(0, 2, 1))
    with pytest.raises(ValueError, match="got 2, expected 3"):
        nb.transpose(X, [0, 1])
    with pytest.raises(ValueError, match=r"got \(0, 0, 1\), expected different axes"):
        nb.transpose(X, [0, 0, 1])


def test_expand_dims_and_squeeze():
    check(nb.expand_dims(X, -1), X[..., None])
    check(nb.expand_dims(1.5, 0), np.array([1.5], np.float32))
    check(nb.squeeze(X[None, ..., None]), X)
    check(nb.squeeze(X[None, ..., None], 0), X[..., None])
    check(nb.squeeze(X[None, ..., None], [-1]), X[None])
    with pytest.raises(ValueError, match=r"got 5, expected an axis of \[-4, 4\)"):
        nb.expand_dims(X, 5)
    with pytest.raises(ValueError, match="got size 3, expected size 1"):
        nb.squeeze(X, [1])


def test_broadcast_to():
    check(nb.broadcast_to([1, 2], [3, 2]), np.array([[1, 2]] * 3, np.int32))
    with pytest.raises(ValueError, match=r"expected one that fits|expected \(2, 1\)"):
        nb.broadcast_to([1, 2], [2, 1])


def test_concat():
    check(nb.concat([X, X[:1]], 0), np.concatenate([X, X[:1]]))
    check(nb.concat([X, X], -1), np.concatenate([X, X], -1))
    check(nb.concat([nb.constant([1.0, 2.0]), [3]], 0), np.array([1, 2, 3], np.float32))
    check(nb.concat([X], 1), X)
    for values, axis, error, words in [
        ([X, X[0]], 0, ValueError, r"got \(None, 2\), expected \(None, 3, 2\)"),
        ([X, X[:, :2]], 0, ValueError, r"got \(None, 2, 2\), expected \(None, 3, 2\)"),
        ([X, X], 3, ValueError, r"got 3, expected an axis of \[-3, 3\)"),
        ([1, 2], 0, ValueError, "got 0, expected 1 or more"),
        ([], 0, ValueError, r"got \[\], expected a list of tensors"),
        ([X, X.astype(int)], 0, TypeError, "got int64, expected float32; use cast"),
    ]:
        with pytest.raises(error, match=words):
            nb.concat(values, axis)


def test_stack_and_unstack():
    check(nb.stack([X, X + 1], 1), np.stack([X, X + 1], 1))
    check(nb.stack([1, 2]), np.array([1, 2], np.int32))
    for axis in (0, 1, -1):
        parts = nb.unstack(X, axis=axis)
        assert isinstance(parts, list)
        for got, expected in zip(parts, np.moveaxis(X, axis, 0), strict=True):
            check(got, expected)
        check(nb.stack(parts, axis), X)
    with pytest.raises(ValueError, match=r"got \(2,\), expected \(1,\)"):
        nb.stack([[1], [1, 2]])
    with pytest.raises(ValueError, match="got 3, expected 2"):
        nb.unstack(X, 3)


def test_split():
    for got, expected in zip(nb.split(X, 3, axis=1), np.split(X, 3, 1), strict=True):
        check(got, expected)
    for got, expected in zip(nb.split(X, [1, -1], axis=1), np.split(X, [1], 1), strict=True):
        check(got, expected)
    for sizes, words in [
        (2, "got 2 parts, expected a number that divides 3"),
        ([1, 1], r"got \(1, 1\), expected a sum of 3"),
        ([4, -1], r"got \(4, -1\), expected a sum of 3"),
    ]:
        with pytest.raises(ValueError, match=words):
            nb.split(X, sizes, 1)


def test_tile():
    check(nb.tile(X, [1, 2, 0]), np.tile(X, (1, 2, 0)))
    with pytest.raises(ValueError, match="got 2, expected 3"):
        nb.tile(X, [1, 2])


def test_pad():
    x = np.array([[1, 2, 3], [4, 5, 6]], np.int32)
    widths = [[1, 1], [2, 0]]
    check(nb.pad(x, widths), np.pad(x, widths))
    check(nb.pad(x, widths, constant_values=9), np.pad(x, widths, constant_values=9))
    check(nb.pad(x, nb.constant(widths), "reflect"), np.pad(x, widths, mode="reflect"))
    check(nb.pad(x, widths, "SYMMETRIC"), np.pad(x, widths, mode="symmetric"))
    for arguments, words in [
        (([[1, 1]],), "got 1, expected 2"),
        (([1, 1],), r"got \(2,\), expected \(rank, 2\)"),
        (([[0, -1], [0, 0]],), "expected 0 or more"),
        (([[2, 0], [0, 0]], "REFLECT"), "got 2, expected at most 1"),
        (([[3, 0], [0, 0]], "SYMMETRIC"), "got 3, expected at most 2"),
        ((widths, "WRAP"), "got 'WRAP', expected one of"),
    ]:
        with pytest.raises(ValueError, match=words):
            nb.pad(x, *arguments)


def test_slice():
    check(nb.slice(X, [0, 1, 0], [1, -1, 2]), X[:1, 1:])
    for begin, size, words in [
        ([0, 0], [1, 1], "got 2 and 2, expected 3"),
        ([0, 4, 0], [1, 0, 1], r"got begin 4 and size 0, expected a part of \[0, 3\)"),
        ([0, 1, 0], [1, 3, 1], r"got begin 1 and size 3, expected a part of \[0, 3\)"),
    ]:
        with pytest.raises(ValueError, match=words):
            nb.slice(X, begin, size)


def test_gather():
    check(nb.gather(X, [1, 0, 1]), X[[1, 0, 1]])
    check(nb.gather(X, 1, axis=1), X[:, 1])
    check(nb.gather(X, [[0, 2], [1, 1]], axis=-2), X[:, [[0, 2], [1, 1]]])
    check(nb.gather(X, np.zeros(0, np.uint8)), X[:0])
    for dtype in ("int8", "uint64", ">i4"):
        check(nb.gather(X, np.array([1, 0], dtype)), X[[1, 0]])
        check(nb.gather_nd(X, np.array([[1], [0]], dtype)), X[[1, 0]])
    for indices, axis, words in [
        ([0, 2], 0, r"gather: indices\[1\] = 2 is not in \[0, 2\)"),
        ([[0], [-1]], 1, r"indices\[1, 0\] = -1 is not in \[0, 3\)"),
        (7, 0, r"indices = 7 is not in \[0, 2\)"),
    ]:
        with pytest.raises(InvalidArgumentError, match=words):
            nb.gather(X, indices, axis)
    with pytest.raises(TypeError, match="got float32, expected an integer dtype"):
        nb.gather(X, [1.0])
    with pytest.raises(ValueError, match="got 0, expected 1 or more"):
        nb.gather(1.0, [0])


def test_gather_nd():
    check(nb.gather_nd(X, [[0, 1], [1, 2]]), X[[0, 1], [1, 2]])
    check(nb.gather_nd(X, [[[1]]]), X[[[1]]])
    check(nb.gather_nd(X, [1, 2, 0]), X[1, 2, 0])
    check(nb.gather_nd(X, np.zeros((2, 0), int)), np.stack([X, X]))
    with pytest.raises(InvalidArgumentError, match=r"indices\[1\] = \[1, 3\] is not in shape \(2, 3\)"):
        nb.gather_nd(X, [[0, 0], [1, 3]])
    with pytest.raises(ValueError, match="got 4, expected at most 3"):
        nb.gather_nd(X, [[0, 0, 0, 0]])


def test_boolean_mask():
    mask = np.array([[True, False, True], [False, False, True]])
    check(nb.boolean_mask(X, mask), X[mask])
    check(nb.boolean_mask(X, [True, False, True], axis=1), X[:, [0, 2]])
    with pytest.raises(ValueError, match=r"got \(3,\), expected \(2,\)"):
        nb.boolean_mask(X, [True] * 3)
    with pytest.raises(TypeError, match="got int32, expected bool"):
        nb.boolean_mask(X, [1, 0])


def test_where():
    condition = X > 4
    check(nb.where(condition), np.argwhere(condition))
    check(nb.where(condition, X, -X), np.where(condition, X, -X))
    check(nb.where(condition, nb.constant(X), 0), np.where(condition, X, np.float32(0)))
    check(nb.where(True, [1], [2]), np.array([1], np.int32))
    with pytest.raises(ValueError, match="got None, expected both or none"):
        nb.where(condition, X)
    with pytest.raises(TypeError, match="got int32, expected bool"):
        nb.where([1, 0], [1, 1], [2, 2])
    with pytest.raises(TypeError, match="got float64, expected float32; use cast"):
        nb.where(condition, X, X.astype(float))


def test_where_selects_rows_by_a_vector():
    x = np.arange(9).reshape(3, 3)
    condition = [True, False, True]
    check(nb.where(condition, x, -x), np.where(np.array(condition)[:, None], x, -x))


def test_one_hot():
    check(nb.one_hot([0, 2, -1, 3], 3), np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]], np.float32))
    check(nb.one_hot([0, 1], 3, axis=0), np.array([[1, 0], [0, 1], [0, 0]], np.float32))
    check(nb.one_hot([[0], [1]], 2, axis=1), np.array([[[1], [0]], [[0], [1]]], np.float32))
    check(nb.one_hot(1, 2, 5, -5), np.array([-5, 5], np.int32))
    check(nb.one_hot(1, 2, True, False), np.array([False, True]))
    check(nb.one_hot(1, 2, off_value=nb.constant(3, "int8")), np.array([3, 1], np.int8))
    check(nb.one_hot(1, 2, dtype="bfloat16"), np.array([0, 1], dtypes.bfloat16.numpy_dtype))
    with pytest.raises(ValueError, match="got -1, expected 0 or more"):
        nb.one_hot([0], -1)


@pytest.mark.parametrize("dtype", ["int32", "float16", "bfloat16", "float64", "bool", "complex64"])
def test_unique_keeps_the_order_of_first_occurrence(dtype):
    values = np.array([1, 1, 0, 4, 4, 1, 7]).astype(dtypes.as_dtype(dtype).numpy_dtype)
    y, idx = nb.unique(values)
    seen = list(dict.fromkeys(values.tolist()))
    check(y, np.array(seen, values.dtype))
    check(idx, np.array([seen.index(value) for value in values.tolist()], np.int32))
    assert nb.unique(values, "int64").idx.dtype == "int64"
    with pytest.raises(ValueError, match="got 2, expected 1"):
        nb.unique([[1]])


@pytest.mark.parametrize(
    "make",
    [
        lambda: nb.zeros([2**62]),
        lambda: nb.ones([0, 2**62]),
        lambda: nb.range(0, 2**62, dtype="int64"),
        lambda: nb.linspace(0.0, 1.0, 2**62),
        lambda: nb.tile([1.0, 2.0], [2**62]),
        lambda: nb.pad([1.0], [[2**62, 2**62]]),
        lambda: nb.one_hot([0, 1], 2**62),
        lambda: nb.random_normal([2**62]),
        lambda: nb.broadcast_to(1.0, [2**62]),
    ],
)
def test_what_numpy_finds_too_large_does_not_fit_into_memory(make):
    with pytest.raises(
        ResourceExhaustedError, match=r"the result does not fit into memory: got .*, expected a smaller"
    ):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nb.zeros([1] * 65),
        lambda: nb.expand_dims(nb.zeros([1] * 64), 0),
        # NumPy 2.4 crashes here.
        lambda: nb.gather(nb.zeros([1] * 40), nb.zeros([1] * 40, "int32")),
    ],
)
def test_more_axes_than_numpy_has_are_refused(make):
    with pytest.raises(ValueError, match=r"the result has too many axes: got (65|79), expected at most 64"):
        make()


def test_errors_of_zeros_and_ones_name_them():
    with pytest.raises(ValueError, match=r"^zeros: shape has a negative size: got \(-1,\)"):
        nb.zeros([-1])
    with pytest.raises(TypeError, match=r"^ones: shape has the wrong type: got 1.5, expected an integer"):
        nb.ones([1.5])


@pytest.mark.parametrize("bounds", [(0, np.inf), (np.nan,), (np.inf, 3.0, -1.0), (0.0, 1.0, np.inf)])
def test_range_needs_finite_bounds(bounds):
    with pytest.raises(InvalidArgumentError, match=r"range: a bound is not finite: got .*, expected finite"):
        nb.range(*bounds)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_range_of_16_bits(dtype):
    result = nb.range(nb.constant(3, dtype))
    assert (result.dtype, result.numpy().tolist()) == (dtype, [0, 1, 2])
    assert nb.range(nb.constant(1, dtype), nb.constant(3.0)).dtype == "float32"


def test_pad_of_bools_is_false_by_default():
    assert nb.pad([True], [[1, 1]]).numpy().tolist() == [False, True, False]


def test_gather_takes_an_empty_list():
    assert nb.gather([1.0, 2.0], []).shape == (0,)


@pytest.mark.parametrize(
    ("dtype", "limit", "delta"), [("float32", 7.0, 0.7), ("float32", -7.0, -0.7), ("float16", 1.0, 0.1)]
)
def test_range_leaves_out_what_is_rounded_to_the_limit(dtype, limit, delta):
    result = nb.range(0.0, limit, delta, dtype=dtype).numpy()
    assert result.size == 10
    assert abs(result[-1]) < abs(limit)
