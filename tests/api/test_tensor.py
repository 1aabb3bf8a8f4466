"""Tensor: conversion, operators, immutability and its dealings with NumPy and Python."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import nbvars
import nbvars.ops as nb
from nbvars import dtypes
from nbvars.dtypes import as_dtype
from nbvars.errors import InvalidArgumentError, OutOfRangeError
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import Tensor, TensorLike
from nbvars.runtime import context
from nbvars.runtime.tensor import EagerTensor
from nbvars.shapes import Dimension, TensorShape


class Box(TensorLike):
    """What a variable is to the ops: memory that changes."""

    def __init__(self, array):
        self.array = array

    def _as_tensor(self):
        return EagerTensor._wrap(self.array)


X = np.array([[1.0, -2.0, 3.5], [4.0, 0.5, -6.0]], np.float32)


def check(tensor, expected, dtype=None):
    assert isinstance(tensor, Tensor)
    assert tensor.dtype == (dtype or np.asarray(expected).dtype)
    np.testing.assert_array_equal(tensor.numpy(), expected)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, "float32"),
        (3, "int32"),
        (True, "bool"),
        (1j, "complex128"),
        ([], "float32"),
        ([1, 2.5], "float32"),
        ([[1, 2], (3, 4)], "int32"),
        ([True, 2], "int32"),
        (range(3), "int32"),
        (np.float64(1.5), "float64"),
        (np.int8(3), "int8"),
        ([np.float64(1.5), np.float64(2)], "float64"),
        (np.arange(3), "int64"),
        (np.arange(3, dtype=">i2"), "int16"),
        (np.ones(2, dtypes.bfloat16.numpy_dtype), "bfloat16"),
        (memoryview(np.arange(3, dtype=np.uint8)), "uint8"),
    ],
)
def test_convert_to_tensor_chooses_the_documented_dtype(value, dtype):
    tensor = nb.convert_to_tensor(value)
    check(tensor, np.asarray(value), as_dtype(dtype))
    assert tensor._array.dtype.isnative


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, "float32"),
        ([1, 2], "uint8"),
        (1.5, "bfloat16"),
        (True, "int8"),
        (2.0, "complex64"),
        (1e10, "float16"),
    ],
)
def test_python_numbers_take_an_explicit_dtype_of_their_kind_or_a_wider_one(value, dtype):
    assert nb.constant(value, dtype).dtype == dtype


def test_arrays_take_an_explicit_dtype_by_numpys_same_kind_rule():
    assert nb.constant(np.arange(3.0), "float32").dtype == "float32"
    assert nb.constant(np.arange(3), "int8").dtype == "int8"
    assert nb.constant(np.arange(3), "bfloat16").dtype == "bfloat16"
    with pytest.raises(TypeError, match="got int64, expected uint8"):
        nb.constant(np.arange(3), "uint8")


@pytest.mark.parametrize(
    ("value", "dtype", "error", "words"),
    [
        (1.5, "int32", TypeError, "got float, expected int32"),
        ([1.5, 2], "int32", TypeError, "got float, expected int32"),
        (1j, "float32", TypeError, "got complex, expected float32"),
        (1, "bool", TypeError, "got int, expected bool"),
        (np.ones(2), "int64", TypeError, "got float64, expected int64"),
        (2**31, None, ValueError, "got 2147483648, expected int32; pass dtype=int64"),
        ([2**31], None, ValueError, "expected int32; pass dtype=int64"),
        (300, "uint8", ValueError, "got 300, expected uint8"),
        ([-1], "uint8", ValueError, r"got \[-1\], expected uint8"),
        (2**70, "int64", ValueError, "expected int64"),
        ([[1, 2], [3]], None, ValueError, r"got \[\[1, 2\], \[3\]\], expected lists of equal lengths"),
        ("text", None, TypeError, "got <U4, expected numbers"),
        (b"text", None, TypeError, "expected numbers"),
        (["a"], None, TypeError, "got <U1, expected numbers"),
        (None, None, TypeError, "got object, expected numbers"),
        ([1, None], None, TypeError, "got object, expected numbers"),
        ({1, 2}, None, TypeError, "got object, expected numbers"),
        (object(), None, TypeError, "got object, expected numbers"),
        (np.array(["2020-01-01"], "M8[D]"), None, TypeError, "expected numbers"),
        (np.zeros(2, object), None, TypeError, "got object, expected numbers"),
        (1, "float99", TypeError, "got 'float99', expected one of"),
    ],
)
def test_conversions_that_make_no_sense_are_refused(value, dtype, error, words):
    with pytest.raises(error, match=words):
        nb.convert_to_tensor(value, dtype)


def test_int64_numbers_need_only_the_dtype():
    check(nb.constant(2**40, dtype="int64"), np.int64(2**40))


def test_preferred_dtype_is_used_where_it_can_be():
    assert nb.convert_to_tensor(1, preferred_dtype="float64").dtype == "float64"
    assert nb.convert_to_tensor(1.5, preferred_dtype="int32").dtype == "float32"


def test_lists_of_tensors_are_stacked():
    one = nb.constant([1.0, 2.0], "float64")
    check(nb.convert_to_tensor([one, [3, 4.5], np.array([5.0, 6.0])]), np.array([[1, 2], [3, 4.5], [5, 6]]))
    with pytest.raises(TypeError, match="got float32, expected float64; use cast"):
        nb.convert_to_tensor([one, nb.constant([1.0, 2.0])])


def test_a_tensor_keeps_its_dtype_and_comes_back_as_it_is():
    tensor = nb.constant([1.0])
    assert nb.convert_to_tensor(tensor) is tensor
    with pytest.raises(TypeError, match="got float32, expected float64; use cast"):
        nb.convert_to_tensor(tensor, "float64")


@pytest.mark.parametrize("make", [nb.constant, nb.convert_to_tensor, nb.identity, lambda x: nb.reshape(x, [-1])])
def test_a_tensor_does_not_change_with_the_array_it_was_made_of(make):
    array = np.ones((2, 2))
    tensor = make(array)
    array[:] = 5
    np.testing.assert_array_equal(tensor.numpy(), np.ones(tensor.shape.as_list()))
    assert array.flags.writeable


@pytest.mark.parametrize(
    "view",
    [
        nb.identity,
        nb.transpose,
        lambda x: x[0],
        lambda x: x[..., None],
        nb.squeeze,
        lambda x: nb.reshape(x, [-1]),
        lambda x: nb.split(x, 2)[0],
        lambda x: nb.unstack(x)[0],
        lambda x: nb.slice(x, [0, 0], [1, 1]),
        lambda x: next(iter(x)) + 0,
        lambda x: +x,
        lambda x: nb.cast(x, "float64"),
        lambda x: nb.add_n([x]),
    ],
)
def test_results_do_not_change_with_a_variable(view):
    box = Box(np.ones((2, 2)))
    result = view(box)
    box.array[:] = 5
    assert (result.numpy() == 1).all()


def test_converting_a_variable_shares_its_memory():
    box = Box(np.ones(2))
    tensor = nb.convert_to_tensor(box)
    box.array[:] = 5
    check(tensor, np.full(2, 5.0))


def test_tensors_are_immutable():
    tensor = nb.constant(X)
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(tensor)[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(tensor + 1)[0, 0] = 1
    with pytest.raises(TypeError):
        tensor[0] = 1
    tensor.numpy()[:] = 0
    check(tensor, X)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (nb.ones((1, 3), "float64"), "nbvars.Tensor([[1. 1. 1.]], shape=(1, 3), dtype=float64)"),
        (nb.constant(3.0), "nbvars.Tensor(3.0, shape=(), dtype=float32)"),
        (nb.constant([1, 2]), "nbvars.Tensor([1 2], shape=(2,), dtype=int32)"),
        (nb.constant(True), "nbvars.Tensor(True, shape=(), dtype=bool)"),
        (nb.ones((2, 1)), "nbvars.Tensor(\n[[1.]\n [1.]], shape=(2, 1), dtype=float32)"),
        (nb.zeros([2000]), "nbvars.Tensor([0. 0. 0. ... 0. 0. 0.], shape=(2000,), dtype=float32)"),
        (nb.zeros([0, 3], "bfloat16"), "nbvars.Tensor([], shape=(0, 3), dtype=bfloat16)"),
    ],
)
def test_repr(tensor, text):
    assert repr(tensor) == str(tensor) == f"{tensor}" == text


def test_properties():
    tensor = nb.constant(X)
    assert tensor.dtype is dtypes.float32
    assert tensor.shape == (2, 3) == tensor.get_shape()
    assert (tensor.ndim, tensor.device, len(tensor)) == (2, "/cpu:0", 2)
    np.testing.assert_array_equal(tensor.eval(), X)


def test_python_numbers_of_a_single_element():
    assert float(nb.constant(2.5)) == 2.5
    assert int(nb.constant([2.5])) == 2
    assert complex(nb.constant(1j)) == 1j
    assert [10, 20, 30][nb.constant(1)] == 20
    assert bool(nb.constant([[0]])) is False
    assert f"{nb.constant(2.5):.2f}" == "2.50"
    for convert in (bool, int, float, complex):
        with pytest.raises(ValueError, match=r"got shape \(2,\), expected one element"):
            convert(nb.constant([1, 2]))
    with pytest.raises(TypeError, match="got float32, expected an integer dtype"):
        [10, 20][nb.constant(1.0)]


def test_scalars_have_no_length_and_no_elements():
    with pytest.raises(TypeError, match="got rank 0, expected rank 1 or more"):
        len(nb.constant(1))
    with pytest.raises(TypeError, match="got rank 0, expected rank 1 or more"):
        iter(nb.constant(1))


def test_iteration_goes_over_the_first_axis():
    rows = list(nb.constant(X))
    assert len(rows) == 2
    check(rows[1], X[1])


def test_array_protocol_follows_numpy_2():
    tensor = nb.constant(X)
    assert np.asarray(tensor) is not None
    assert np.shares_memory(np.asarray(tensor), np.asarray(tensor))
    assert np.array(tensor).flags.writeable
    assert np.asarray(tensor, np.float64).dtype == np.float64
    assert np.shares_memory(np.asarray(tensor, copy=False), np.asarray(tensor))
    with pytest.raises(ValueError, match="copy"):
        np.asarray(tensor, np.float64, copy=False)
    np.testing.assert_array_equal(np.exp(tensor), np.exp(X))
    assert np.sum(tensor) == X.sum()


def test_hash_is_by_identity_and_equality_by_element():
    a, b = nb.constant([1, 2]), nb.constant([1, 3])
    check(a == b, np.array([True, False]))
    check(a != b, np.array([False, True]))
    assert {a: 1, b: 2}[a] == 1
    assert (a == None) is False  # noqa: E711 - what the operator gives is the point
    assert (a != None) is True  # noqa: E711 - the same


def test_copies_and_pickles():
    tensor = nb.constant(X.astype(dtypes.bfloat16.numpy_dtype))
    assert copy.copy(tensor) is tensor
    assert copy.deepcopy(tensor) is tensor
    restored = pickle.loads(pickle.dumps(tensor))
    check(restored, tensor.numpy())
    assert not np.asarray(restored).flags.writeable


def _operators(a, b):
    return [a + b, a - b, a * b, a / b, a // b, a % b, a**b, a < b, a <= b, a > b, a >= b, a == b, a != b]


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.float64(2)])
def test_operators_take_numbers_on_either_side(number):
    tensor = nb.constant(np.abs(X))
    for got, expected in zip(_operators(tensor, number), _operators(np.abs(X), np.float32(2)), strict=True):
        check(got, expected)
    for got, expected in zip(_operators(number, tensor), _operators(np.float32(2), np.abs(X)), strict=True):
        check(got, expected)


def test_operators_take_arrays_on_either_side():
    array = np.abs(X)
    tensor = nb.constant(array)
    for got, expected in zip(_operators(array, tensor), _operators(array, array), strict=True):
        check(got, expected)
    check(array @ nb.transpose(tensor), array @ array.T)
    check(tensor @ array.T, array @ array.T)
    check(nb.add(tensor, [1, 2, 3.5]), array + np.array([1, 2, 3.5], np.float32))


def test_arrays_of_foreign_byte_order_are_operands_like_others():
    check(nb.add(np.array([1.5], ">f8"), 1), np.array([2.5]))
    check(nb.constant([1.5]) + np.array([1], ">f4"), np.array([2.5], np.float32))


def test_unary_operators():
    tensor = nb.constant(X)
    check(-tensor, -X)
    check(+tensor, X)
    check(abs(tensor), np.abs(X))
    check(~nb.constant([True, False]), np.array([False, True]))
    check(~nb.constant([1, -1]), np.array([-2, 0], np.int32))


@pytest.mark.parametrize("dtype", [bool, np.int32])
def test_bit_operators(dtype):
    a, b = np.array([0, 0, 1, 1], dtype), np.array([0, 1, 0, 1], dtype)
    x = nb.constant(a)
    check(x & b, a & b)
    check(a | x, a | a)
    check(x ^ b, a ^ b)
    check([0, 1, 0, 1] ^ nb.constant(a, "int32") if dtype is np.int32 else b ^ x, a ^ b)


@pytest.mark.parametrize("other", [nb.constant(1.0, "float64"), nb.constant(1)])
def test_tensors_do_not_promote(other):
    tensor = nb.constant(X)
    for operate in (
        lambda: tensor + other,
        lambda: tensor < other,
        lambda: tensor == other,
        lambda: tensor / other,
    ):
        with pytest.raises(TypeError, match=r"got \w+, expected float32; use cast"):
            operate()


def test_arrays_take_the_dtype_of_a_tensor():
    tensor = nb.constant(X)
    for result in (tensor + np.ones(3), np.ones(3) + tensor, nb.add(tensor, np.ones(3)), nb.add(np.ones(3), tensor)):
        check(result, X + np.float32(1))
    with pytest.raises(TypeError, match="got complex128, expected float32"):
        tensor + np.array([1j, 0, 0])
    with pytest.raises(TypeError, match="got float64, expected int32"):
        nb.constant([1, 2]) + np.ones(2)


def test_newaxis_adds_an_axis_of_one_element():
    check(nb.constant(X)[:, nbvars.newaxis], X[:, np.newaxis])


def test_a_float_does_not_become_an_integer():
    with pytest.raises(TypeError, match="got float, expected int32; use cast"):
        nb.constant([1, 2]) + 1.5
    with pytest.raises(TypeError, match="got float, expected int32; use cast"):
        1.5 * nb.constant([1, 2])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"got \(4,\), expected one that fits \(2, 3\)"):
        nb.constant(X) + nb.ones([4])


def test_no_numpy_warning_leaks():
    big = nb.constant([3e38, 0.0, -1.0])
    for result in (big * 10, big / 0, nb.log(big), nb.sqrt(big), big // 0.0, nb.cast(big, "float16")):
        assert isinstance(result, Tensor)
    assert float(nb.log(nb.constant(0.0))) == -np.inf
    np.add(np.float32([3e38]), 0)
    assert np.geterr()["over"] == "warn"


KEYS = [
    0,
    -1,
    (1, 2),
    slice(None),
    slice(None, None, -1),
    slice(1, 100),
    (slice(None), 1),
    (Ellipsis, 0),
    (None, Ellipsis, None, 1),
    (slice(None), slice(2, 0, -1)),
    (),
    Ellipsis,
    None,
    np.int64(1),
    [1, 0, 1],
    np.array([[1], [-1]]),
    (np.array([0, 1]), np.array([2, -1])),
    (slice(None), [2, 2]),
    (0, [True, False, True]),
    X > 0,
    np.array([False, True]),
    [],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_is_numpys(key):
    check(nb.constant(X)[key], X[key if not isinstance(key, list) or key else np.array(key, int)])


def test_indexing_by_tensors():
    x = nb.constant(X)
    check(x[nb.constant(1)], X[1])
    check(x[nb.constant([1, 0])], X[[1, 0]])
    check(x[x > 0], X[X > 0])
    check(x[:, : nb.constant(2)], X[:, :2])


def test_indexing_puts_broken_up_arrays_in_front():
    cube = np.arange(24).reshape(2, 3, 4)
    for key in [
        ([0, 1], slice(None), [1, 2]),
        (0, slice(None), [1, 2]),
        (slice(None), [0, 1], 2),
        ([0], None, [1]),
    ]:
        check(nb.constant(cube)[key], cube[key])


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (2, OutOfRangeError, r"got 2, expected \[-2, 2\)"),
        ((0, -4), IndexError, r"got -4, expected \[-3, 3\)"),
        ((0, 0, 0), IndexError, "got 3 indices and 0 '...', expected at most 2 and 1"),
        ((Ellipsis, Ellipsis), IndexError, "got 0 indices and 2 '...'"),
        ([0, 5], InvalidArgumentError, "index 5 is out of bounds"),
        (1.0, TypeError, "got 1.0, expected integers, slices"),
        ("a", TypeError, "got 'a', expected integers, slices"),
        (True, TypeError, "got True, expected integers, slices"),
        ([0.5], TypeError, "got float32, expected an integer dtype or bool"),
        ([True, False, True], ValueError, r"got \(3,\), expected \(2,\)"),
    ],
)
def test_bad_keys_are_refused(key, error, words):
    with pytest.raises(error, match=words):
        nb.constant(X)[key]


def test_too_large_a_result_is_resource_exhausted():
    with pytest.raises(MemoryError, match="fit into memory"):
        nb.zeros([2**40, 2**10])
    with pytest.raises(ValueError, match="expected at most 9223372036854775807 elements"):
        nb.zeros([2**40, 2**40])


def test_indexed_slices_convert_to_their_sum():
    slices = IndexedSlices(np.ones((3, 2), np.float32), np.array([0, 2, 0]), dense_shape=(4, 2))
    check(nb.convert_to_tensor(slices), np.array([[2, 2], [0, 0], [1, 1], [0, 0]], np.float32))
    check(nb.ones([4, 2]) + slices, np.array([[3, 3], [1, 1], [2, 2], [1, 1]], np.float32))
    with pytest.raises(ValueError, match="got dense_shape None, expected the shape"):
        nb.convert_to_tensor(IndexedSlices(np.ones((1, 2)), np.array([0])))
    with pytest.raises(InvalidArgumentError, match=r"indices\[1\] = 9 is not in \[0, 4\)"):
        nb.convert_to_tensor(IndexedSlices(np.ones((2, 2)), np.array([0, 9]), (4, 2)))


def test_device_scopes_nest_and_are_checked_on_entry():
    with context.device("/cpu:0"), context.device(None), context.device("/device:CPU:*"):
        assert context.current_device() == "/cpu:0"
        assert nb.ones([1]).device == "/cpu:0"
    with pytest.raises(InvalidArgumentError, match="expected one of"), context.device("/cpu:7"):
        pass
    with (
        pytest.raises(InvalidArgumentError, match="expected one of"),
        context.device("/job:ps"),
    ):
        pass
    with pytest.raises(ValueError, match="malformed"), context.device("/gpu/what"):
        pass
    assert context.current_device() == "/cpu:0"
    assert context.executing_eagerly()


def test_device_scopes_belong_to_their_thread():
    seen = []
    with context.device("/cpu:0"):
        thread = threading.Thread(target=lambda: seen.append(context._scopes.spec.to_string()))
        thread.start()
        thread.join()
        assert context._scopes.spec.to_string() == "/device:CPU:0"
    assert seen == [""]


def test_public_functions_have_their_names_and_sources():
    for name in nb.__all__:
        function = getattr(nb, name)
        assert function.__name__ == name
        assert "Source: TensorFlow" in function.__doc__


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (TensorShape([2, 3]), [2, 3]),
        (TensorShape([]), []),
        (Dimension(0), 0),
        ([Dimension(3), 2], [3, 2]),
        ([[Dimension(3)], [2]], [[3], [2]]),
    ],
)
def test_shapes_become_tensors_of_int32(value, expected):
    tensor = nb.convert_to_tensor(value)
    assert (tensor.dtype, tensor.numpy().tolist()) == ("int32", expected)


def test_shapes_become_tensors_in_ops():
    x = nb.zeros([3, 2])
    assert nb.stack([x.shape[0], nb.constant(5)]).numpy().tolist() == [3, 5]
    assert nb.convert_to_tensor(TensorShape([2**40])).dtype == "int64"
    with pytest.raises(ValueError, match=r"the shape is not fully known: got \(\?, 2\), expected known sizes only"):
        nb.convert_to_tensor(TensorShape([None, 2]))


def test_bool_of_many_elements_says_what_to_use():
    with pytest.raises(ValueError, match=r"got shape .*, expected one element; use reduce_any or reduce_all"):
        bool(nb.constant([True, False]))


def test_a_slice_of_step_zero_is_refused():
    with pytest.raises(ValueError, match="getitem: the step of a slice is zero: got 0, expected another step"):
        nb.constant([1.0])[::0]


def test_remedies_fit_the_value():
    with pytest.raises(TypeError, match=r"truediv: .* got float64, expected int32; use cast$"):
        np.float64(2) / nb.constant([1])
    with pytest.raises(ValueError, match=r"got 2147483648, expected int32$"):
        nb.constant(2**31, "int32")
    with pytest.raises(ValueError, match=r"expected float32$"):
        nb.constant([10**400, 1.0])


def test_device_takes_strings_and_specs_only():
    with pytest.raises(TypeError, match="device: a device is not a string: got int"), context.device(3):
        pass
