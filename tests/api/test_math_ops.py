"""Mathematics against NumPy, over dtypes, and where TensorFlow and NumPy differ."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars.ops as nb
from nbvars import dtypes
from nbvars.dtypes import as_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.runtime.tensor import Tensor

X = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]])
REAL = ["int8", "int16", "int32", "int64", "uint8", "uint32", "float16", "bfloat16", "float32", "float64"]
FLOATING = ["float16", "bfloat16", "float32", "float64"]
RELATIVE_ERROR = {"float16": 1e-3, "bfloat16": 8e-3, "float32": 1e-6, "float64": 1e-14}


def array_of(values, dtype):
    return np.asarray(values).astype(as_dtype(dtype).numpy_dtype)


def check(tensor, expected, dtype=None):
    assert isinstance(tensor, Tensor)
    expected = np.asarray(expected)
    assert tensor.dtype == (dtype or expected.dtype)
    np.testing.assert_array_equal(tensor.numpy(), expected)


def check_close(tensor, expected, dtype):
    assert tensor.dtype == dtype
    error = RELATIVE_ERROR[dtype]
    np.testing.assert_allclose(tensor.numpy().astype(np.float64), expected, rtol=error, atol=error)


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize(
    "name", ["exp", "expm1", "log", "log1p", "sqrt", "square", "sin", "cos", "tanh", "sign", "floor", "ceil"]
)
def test_functions_are_numpys(name, dtype):
    x = np.abs(array_of(X, dtype))
    check_close(getattr(nb, name)(x), getattr(np, name)(x.astype(np.float64)), dtype)


@pytest.mark.parametrize("dtype", FLOATING)
def test_functions_that_numpy_lacks(dtype):
    x = array_of(X, dtype)
    exact = x.astype(np.float64)
    check_close(nb.sigmoid(x), 1 / (1 + np.exp(-exact)), dtype)
    check_close(nb.rsqrt(abs(x)), 1 / np.sqrt(abs(exact)), dtype)
    check_close(nb.relu(x), np.maximum(exact, 0), dtype)
    powers = np.exp(exact)
    check_close(nb.softmax(x), powers / powers.sum(-1, keepdims=True), dtype)
    check_close(nb.log_softmax(x, axis=0), np.log(powers / powers.sum(0)), dtype)
    check_close(nb.reduce_logsumexp(x, 1), np.log(powers.sum(1)), dtype)


def test_exponentials_do_not_overflow():
    big = nb.constant([1000.0, 1000.0])
    check(nb.softmax(big), np.array([0.5, 0.5], np.float32))
    check(nb.sigmoid(nb.constant([-1000.0, 1000.0])), np.array([0, 1], np.float32))
    assert float(nb.sigmoid(nb.constant(-100.0))) > 0
    np.testing.assert_allclose(float(nb.reduce_logsumexp(big)), 1000 + np.log(2), rtol=1e-6)
    assert float(nb.reduce_logsumexp(nb.constant([-np.inf, -np.inf]))) == -np.inf
    assert float(nb.reduce_logsumexp(nb.constant([np.inf, 1.0]))) == np.inf


@pytest.mark.parametrize("dtype", REAL)
def test_arithmetic_keeps_the_dtype(dtype):
    x, y = array_of([7, 1, 6], dtype), array_of([2, 3, 4], dtype)
    check(nb.add(x, y), x + y)
    check(nb.subtract(y, y), y - y)
    check(nb.multiply(x, y), x * y)
    check(nb.floordiv(x, y), array_of([3, 0, 1], dtype))
    check(nb.mod(x, y), array_of([1, 1, 2], dtype))
    check(nb.maximum(x, y), np.maximum(x, y))
    check(nb.minimum(x, y), np.minimum(x, y))
    check(nb.pow(x, 2), array_of([49, 1, 36], dtype))
    check(nb.square(y), y * y)
    check(nb.round(x), x)
    check(nb.clip_by_value(x, 2, y + y), array_of([4, 2, 6], dtype))
    check(nb.add_n([x, y, y]), x + y + y)
    check(nb.less(x, y), x < y)
    check(nb.greater_equal(x, x), x >= x)
    check(nb.relu(x), x)


def test_division_rounds_down_and_the_remainder_has_the_sign_of_the_divisor():
    x, y = [7, -7, 7, -7], [2, 2, -2, -2]
    for dtype in ("int32", "float32"):
        check(nb.floordiv(array_of(x, dtype), array_of(y, dtype)), array_of([3, -4, -4, 3], dtype))
        check(nb.mod(array_of(x, dtype), array_of(y, dtype)), array_of([1, 1, -1, -1], dtype))


@pytest.mark.parametrize(
    ("dtype", "result"),
    [("int8", "float32"), ("uint16", "float32"), ("int32", "float64"), ("uint64", "float64")],
)
def test_integers_divide_to_floats(dtype, result):
    x, y = array_of([7, 1], dtype), array_of([2, 0], dtype)
    check(nb.truediv(x, y), array_of([3.5, np.inf], result))
    check(nb.divide(x, y), array_of([3.5, np.inf], result))


@pytest.mark.parametrize("name", ["floordiv", "mod"])
def test_integer_division_by_zero_is_an_error(name):
    with pytest.raises(InvalidArgumentError, match="got 0, expected another divisor"):
        getattr(nb, name)([1, 2], [1, 0])
    assert not np.isfinite(float(getattr(nb, name)(1.0, 0.0)))


def test_negative_powers_of_integers_are_an_error():
    with pytest.raises(InvalidArgumentError, match="got -1, expected 0 or more; use cast"):
        nb.pow([2, 2], [1, -1])


def test_integers_wrap():
    check(nb.add(np.array([127], np.int8), 1), np.array([-128], np.int8))
    check(nb.negative(np.array([-128], np.int8)), np.array([-128], np.int8))
    check(nb.reduce_sum(np.array([200, 100], np.uint8)), np.uint8(44))


def test_nan_goes_through_maximum_and_minimum():
    for operate in (nb.maximum, nb.minimum):
        assert np.isnan(operate([np.nan, 1.0], [1.0, np.nan]).numpy()).all()


def test_round_is_to_even():
    check(nb.round([0.5, 1.5, 2.5, -0.5]), np.array([0, 2, 2, -0.0], np.float32))


def test_complex_numbers():
    x = np.array([3 + 4j, -1j, 0], np.complex64)
    check(nb.abs(x), np.array([5, 1, 0], np.float32))
    check(nb.sign(x), np.array([0.6 + 0.8j, -1j, 0], np.complex64))
    check(nb.multiply(x, x), x * x)
    check(nb.equal(x, x), np.ones(3, bool))
    check(nb.reduce_sum(x), x.sum())
    np.testing.assert_allclose(nb.sigmoid(x).numpy(), 1 / (1 + np.exp(-x)), rtol=1e-5)


def test_comparisons_and_logic():
    a, b = np.array([True, True, False]), np.array([True, False, False])
    check(nb.logical_and(a, b), a & b)
    check(nb.logical_or(a, b), a | b)
    check(nb.logical_xor(a, b), a ^ b)
    check(nb.logical_not(a), ~a)
    check(nb.equal(a, b), a == b)
    check(nb.not_equal(a, b), a != b)
    x = nb.constant([np.nan, np.inf, 1.0])
    check(nb.is_nan(x), np.array([True, False, False]))
    check(nb.is_inf(x), np.array([False, True, False]))
    check(nb.is_finite(x), np.array([False, False, True]))
    check(nb.equal(x, x), np.array([False, True, True]))


@pytest.mark.parametrize(
    ("operate", "expected"),
    [
        (lambda: nb.add(True, True), "got bool, expected a numeric dtype"),
        (lambda: nb.exp(1), "got int32, expected a floating or complex dtype"),
        (lambda: nb.negative(np.uint8(1)), "got uint8, expected a signed numeric dtype"),
        (lambda: nb.less(1j, 1j), "got complex128, expected an integer or floating dtype"),
        (lambda: nb.floor(1), "got int32, expected a floating dtype"),
        (lambda: nb.is_nan(1), "got int32, expected a floating dtype"),
        (lambda: nb.logical_and(1, 1), "got int32, expected bool"),
        (lambda: nb.matmul([[True]], [[True]]), "got bool, expected a numeric dtype"),
        (lambda: nb.reduce_sum([True]), "got bool, expected a numeric dtype"),
        (lambda: nb.reduce_any([1]), "got int32, expected bool"),
        (lambda: nb.reduce_max([1j]), "got complex128, expected an integer or floating dtype"),
        (lambda: nb.softmax([1]), "got int32, expected a floating dtype"),
        (lambda: nb.add_n([nb.constant(1), nb.constant(1.0)]), "got float32, expected int32; use cast"),
        (lambda: nb.norm([1]), "got int32, expected a floating or complex dtype"),
        (lambda: nb.reduce_sum([1], axis=0.5), "got 0.5, expected an integer"),
    ],
)
def test_wrong_dtypes_are_refused(operate, expected):
    with pytest.raises(TypeError, match=expected):
        operate()


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("axis", [None, 0, -1, [0, 1], [-1, 0], [], np.int64(1), nb.constant([0])])
@pytest.mark.parametrize("keepdims", [True, False])
def test_reductions_are_numpys(name, dtype, axis, keepdims):
    x = array_of([[1, 2, 3], [3, 1, 2]], dtype)
    axes = None if axis is None else tuple(np.asarray(axis, int).ravel())
    expected = array_of(getattr(np, name)(x.astype(np.float64), axis=axes, keepdims=keepdims), dtype)
    check(getattr(nb, f"reduce_{name}")(x, axis, keepdims), expected)


def test_reductions_of_bools():
    x = np.array([[True, False], [True, True]])
    check(nb.reduce_any(x, 0), x.any(0))
    check(nb.reduce_all(x, [0], keepdims=True), x.all(0, keepdims=True))
    check(nb.reduce_all(x), np.bool_(False))


def test_the_mean_of_integers_is_an_integer():
    check(nb.reduce_mean([1, 0, 1, 0]), np.int32(0))
    check(nb.reduce_mean([-3, 0]), np.int32(-1))
    check(nb.reduce_mean(np.array([200, 100], np.uint8)), np.uint8(150))
    check(nb.reduce_mean([1.0, 0.0, 1.0, 0.0]), np.float32(0.5))
    check(nb.reduce_mean([[1.0, 3.0], [5.0, 7.0]], 0), np.array([3, 5], np.float32))


def test_reductions_of_nothing():
    empty = np.zeros((0, 2), np.float32)
    check(nb.reduce_sum(empty, 0), np.zeros(2, np.float32))
    check(nb.reduce_prod(empty), np.float32(1))
    check(nb.reduce_max(empty), np.float32(-np.inf))
    check(nb.reduce_min(empty, 0), np.full(2, np.inf, np.float32))
    check(nb.reduce_max(np.zeros(0, np.int8)), np.int8(-128))
    assert np.isnan(float(nb.reduce_mean(empty)))
    with pytest.raises(InvalidArgumentError, match=r"got shape \(0,\), expected one element or more"):
        nb.reduce_mean(np.zeros(0, int))
    with pytest.raises(ValueError, match=r"got \(0, 2\), expected one element or more"):
        nb.argmax(empty)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_sums_and_means_are_rounded_once(dtype):
    ones = nb.ones([5000], dtype)
    check(nb.reduce_sum(ones), array_of(5000, dtype))
    check(nb.reduce_mean(ones), array_of(1, dtype))
    check(nb.cumsum(ones)[-1], array_of(5000, dtype))
    check(nb.matmul(nb.ones([1, 5000], dtype), nb.ones([5000, 1], dtype)), array_of([[5000]], dtype))


@pytest.mark.parametrize("dtype", REAL)
def test_argmax_and_argmin_give_the_first_as_int64(dtype):
    x = array_of([[1, 5, 5], [3, 2, 1]], dtype)
    check(nb.argmax(x), np.array([1, 0, 0]))
    check(nb.argmax(x, 1), np.array([1, 0]))
    check(nb.argmin(x, axis=-1, output_type="int32"), np.array([0, 2], np.int32))


def test_axes_are_checked():
    with pytest.raises(ValueError, match=r"got 2, expected an axis of \[-2, 2\)"):
        nb.reduce_sum(X, 2)
    with pytest.raises(ValueError, match=r"got \(0, -2\), expected different axes"):
        nb.reduce_sum(X, [0, -2])
    with pytest.raises(ValueError, match=r"got 1, expected an axis of \[-1, 1\)"):
        nb.cumsum([1], 1)


def test_cumsum():
    x = np.array([[1, 2, 3], [4, 5, 6]])
    check(nb.cumsum(x), np.cumsum(x, 0))
    check(nb.cumsum(x, 1, exclusive=True), np.array([[0, 1, 3], [0, 4, 9]]))
    check(nb.cumsum(x, 1, reverse=True), np.array([[6, 5, 3], [15, 11, 6]]))
    check(nb.cumsum(x, -1, True, True), np.array([[5, 3, 0], [11, 6, 0]]))
    check(nb.cumsum(np.zeros((0, 2)), exclusive=True), np.zeros((0, 2)))


@pytest.mark.parametrize("dtype", [*REAL, "complex64"])
def test_matmul(dtype):
    a, b = array_of([[1, 2, 3], [4, 5, 6]], dtype), array_of([[1, 0], [2, 1], [0, 3]], dtype)
    expected = array_of([[5, 11], [14, 23]], dtype)
    check(nb.matmul(a, b), expected)
    check(nb.matmul(a.T, b, transpose_a=True), expected)
    check(nb.matmul(a.T, b.T, True, True), expected)
    check(nb.matmul(np.stack([a, a]), b), np.stack([expected, expected]))


def test_matmul_checks_shapes():
    for a, b, words in [
        (np.ones((2, 3)), np.ones((2, 3)), "got 2, expected 3"),
        (np.ones(3), np.ones((3, 1)), "got 1, expected 2 or more"),
        (np.ones((2, 2, 2)), np.ones((3, 2, 2)), r"got \(3,\), expected one that fits \(2,\)"),
    ]:
        with pytest.raises(ValueError, match=words):
            nb.matmul(a, b)


def test_tensordot():
    a, b = np.arange(24.0).reshape(2, 3, 4), np.arange(24.0).reshape(4, 3, 2)
    for axes in (0, 1, [[1], [1]], ([2, 1], [0, 1]), (0, 2), [[-1], [0]]):
        check(nb.tensordot(a, b, axes), np.tensordot(a, b, axes))
    with pytest.raises(ValueError, match=r"got \[3, 4\]|got \[4, 3\]"):
        nb.tensordot(a, b, 2)
    with pytest.raises(ValueError, match=r"got 4, expected \[0, 3\]"):
        nb.tensordot(a, b, 4)


def test_norm():
    check_close(nb.norm(X), np.sqrt((X**2).sum()), "float64")
    check_close(nb.norm(X, axis=1, keepdims=True), np.linalg.norm(X, axis=1, keepdims=True), "float64")
    check_close(nb.norm(X, 1), np.abs(X).sum(), "float64")
    check_close(nb.norm(X, np.inf, axis=0), np.abs(X).max(0), "float64")
    check_close(nb.norm(X, 3, axis=-1), np.linalg.norm(X, 3, -1), "float64")
    for order in ("fro", 1, 2, np.inf):
        check_close(nb.norm(X, order, axis=[0, 1]), np.linalg.norm(X, order), "float64")
    assert nb.norm(X, keepdims=True).shape == (1, 1)
    with pytest.raises(ValueError, match="got 'max', expected one of"):
        nb.norm(X, "max")
    with pytest.raises(ValueError, match="got 'fro', expected 'euclidean'"):
        nb.norm(X, "fro")


def test_add_n_neither_broadcasts_nor_takes_an_empty_list():
    with pytest.raises(ValueError, match=r"got \(\), expected \(1,\)"):
        nb.add_n([[1], 2])
    with pytest.raises(ValueError, match=r"got \[\], expected a list of tensors"):
        nb.add_n([])


def test_clip_by_value_keeps_the_shape():
    check(nb.clip_by_value([-1.5, 0.5, np.inf], -1, 1), np.array([-1, 0.5, 1], np.float32))
    with pytest.raises(ValueError, match=r"got \(2, 1\)|got \(2, 2\)"):
        nb.clip_by_value([1.0, 2.0], [[0.0], [1.0]], 3.0)


def test_cast_to_the_same_dtype_is_the_same_tensor():
    tensor = nb.constant([1.5])
    assert nb.cast(tensor, "float32") is tensor
    check(nb.cast(1.8, "int32"), np.int32(1))
    check(nb.cast([True, False], "float16"), np.array([1, 0], np.float16))
    with pytest.raises(TypeError, match="got 'float99', expected one of"):
        nb.cast(tensor, "float99")


def test_cast_is_defined_for_every_value():
    check(nb.cast([np.nan, np.inf, -np.inf, 300.7, -1.5], "uint8"), np.array([0, 255, 0, 255, 0], np.uint8))


@pytest.mark.parametrize(
    ("values", "source", "target", "expected"),
    [
        ([-1, 127, 300], "int32", "uint8", [0, 127, 255]),
        ([2**40, -(2**40)], "int64", "int32", [2**31 - 1, -(2**31)]),
        ([2**63], "uint64", "int64", [2**63 - 1]),
        ([1e300, -1e300, np.inf, 1.5], "float64", "float16", [65504, -65504, 65504, 1.5]),
        ([2.0**127 * 1.999, 1.5], "float32", "float16", [65504, 1.5]),
        ([1e10, np.nan, -3.9], "float32", "int8", [127, 0, -3]),
        ([10**6], "int32", "float16", [65504]),
        ([True], "bool", "int8", [1]),
        ([1.5], "bfloat16", "float32", [1.5]),
    ],
)
def test_saturate_cast_limits(values, source, target, expected):
    check(nb.saturate_cast(array_of(values, source), target), array_of(expected, target))


def test_saturate_cast_needs_an_order():
    with pytest.raises(TypeError, match="got complex64 to int8, expected real dtypes"):
        nb.saturate_cast(np.complex64(1), "int8")
    assert nb.saturate_cast(nb.constant(1.0), dtypes.float64).dtype == "float64"


def test_the_spectral_norm_of_what_is_not_finite_is_nan():
    x = np.array([[[np.nan, 1.0], [1.0, 1.0]], [[np.inf, 1.0], [1.0, 1.0]], [[3.0, 0.0], [0.0, 4.0]]], np.float32)
    result = nb.norm(x, 2, axis=(1, 2))
    np.testing.assert_allclose(result.numpy(), [np.nan, np.nan, 4.0])
    assert result.dtype == "float32"
    assert nb.norm(x, 2, axis=(1, 2), keepdims=True).shape == (3, 1, 1)


@pytest.mark.parametrize("order", [None, [1], 1j])
def test_norm_refuses_what_is_no_order(order):
    with pytest.raises(TypeError, match=r"norm: ord has the wrong type: got .*, expected a string or a real number"):
        nb.norm([1.0], order)


def test_tensordot_refuses_different_numbers_of_axes():
    with pytest.raises(
        ValueError, match=r"tensordot: the sizes of the summed axes differ: got \[2\], expected \[2, 2\]"
    ):
        nb.tensordot(np.ones((2, 2)), np.ones((2, 2)), ([0, 1], [0]))


def test_add_n_refuses_a_tensor():
    with pytest.raises(ValueError, match="add_n: inputs is no list: got EagerTensor, expected a list of tensors"):
        nb.add_n(nb.constant([1.0]))


def test_the_mean_of_the_smallest_integers_rounds_towards_zero():
    x = np.array([[-(2**63), 0], [-3, 0], [3, 0], [-4, 0]])
    assert nb.reduce_mean(x, 1).numpy().tolist() == [-(2**62), -1, 1, -2]
