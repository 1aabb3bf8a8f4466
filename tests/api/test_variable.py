"""Variable: how it is made, what it tells, how it is read, and its operators."""

from __future__ import annotations

import re
import weakref

import numpy as np
import pytest
from ml_dtypes import bfloat16

import nbvars as tf
from nbvars.errors import FailedPreconditionError, InvalidArgumentError, ResourceExhaustedError
from nbvars.variables.variable import MOST_KEPT_BYTES
from tests.conftest import ALL_DTYPES, LAYOUTS, numpy_dtype


@pytest.fixture(autouse=True)
def _empty_graph():
    tf.reset_default_graph()


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (1, "int32", 1),
        (2.5, "float32", 2.5),
        (True, "bool", True),
        (1 + 2j, "complex128", 1 + 2j),
        ([1, 2], "int32", [1, 2]),
        ([1, 2.5], "float32", [1, 2.5]),
        ((1, 2), "int32", [1, 2]),
        (range(3), "int32", [0, 1, 2]),
        ([[1.0], [2.0]], "float32", [[1], [2]]),
        ([True, False], "bool", [True, False]),
        ([], "float32", []),
        ([[], []], "float32", [[], []]),
        (np.float64(2.5), "float64", 2.5),
        (np.int16(3), "int16", 3),
        (bfloat16(1.5), "bfloat16", 1.5),
        ([np.float64(0.1)], "float64", [0.1]),
    ],
    ids=str,
)
def test_variable_of_python_values_has_the_default_dtype(value, dtype, expected):
    variable = tf.Variable(value)
    assert variable.dtype == dtype
    assert variable.shape == np.shape(value)
    np.testing.assert_array_equal(variable.numpy(), np.array(expected, numpy_dtype(dtype)))


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_variable_of_an_array_keeps_its_dtype(dtype):
    array = np.array([[0, 1], [1, 1]]).astype(numpy_dtype(dtype))
    variable = tf.Variable(array)
    assert variable.dtype is tf.as_dtype(dtype)
    assert variable.numpy().dtype == array.dtype
    np.testing.assert_array_equal(variable.numpy(), array)


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_variable_takes_the_dtype_it_is_told(dtype):
    variable = tf.Variable([True, False], dtype=dtype)
    assert variable.dtype == dtype
    np.testing.assert_array_equal(variable.numpy(), np.array([1, 0]).astype(numpy_dtype(dtype)))


@pytest.mark.parametrize("dtype", [tf.float64, "float64", np.float64, np.dtype("float64"), np.dtype(">f8"), float])
def test_variable_takes_a_dtype_in_any_form(dtype):
    expected = "float32" if dtype is float else "float64"
    assert tf.Variable([1, 2], dtype=dtype).dtype == expected


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([1, 2], "float16"),
        (np.array([1.5, 2.5]), "float32"),
        (np.array([1, 2], np.int64), "int8"),
        (np.array([1, 2], np.uint8), "int64"),
        (np.array([1, 2], np.float32), "complex64"),
        (np.float64(2.5), "bfloat16"),
    ],
    ids=str,
)
def test_variable_converts_by_the_same_kind_rule(value, dtype):
    variable = tf.Variable(value, dtype=dtype)
    assert variable.dtype == dtype
    np.testing.assert_array_equal(variable.numpy(), np.asarray(value).astype(numpy_dtype(dtype)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "complex128", "bfloat16"])
def test_variable_reads_any_layout(layout, dtype):
    array = np.arange(24).reshape(4, 3, 2).astype(numpy_dtype(dtype))
    given = array if (layout, dtype) == ("big_endian", "bfloat16") else LAYOUTS[layout](array)
    variable = tf.Variable(given)
    assert variable.dtype == dtype
    np.testing.assert_array_equal(variable.numpy(), array)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0, 2), (1,), (1, 1, 5, 1), (2, 3, 1, 2, 2)], ids=str)
def test_variable_has_any_shape(shape):
    array = np.ones(shape, np.float32)
    variable = tf.Variable(array)
    assert variable.shape == shape
    assert variable.get_shape() == shape
    assert variable.ndim == len(shape)
    assert np.shape(variable.numpy()) == shape
    np.testing.assert_array_equal(variable.assign_add(1).numpy(), array + 1)


def test_variable_is_a_copy_of_an_array():
    array = np.ones(3)
    variable = tf.Variable(array)
    array[0] = 7
    variable.assign_add(1)
    assert array.tolist() == [7, 1, 1]
    assert variable.numpy().tolist() == [2, 2, 2]


def test_variable_of_a_tensor_takes_its_value_and_dtype():
    tensor = tf.constant([1.0, 2.0], dtype="float64")
    variable = tf.Variable(tensor)
    variable.assign(0)
    assert variable.dtype == "float64"
    assert tensor.numpy().tolist() == [1, 2]


def test_variable_of_a_variable_is_another_one():
    first = tf.Variable([1, 2])
    second = tf.Variable(first)
    first.assign_add(5)
    assert second.numpy().tolist() == [1, 2]
    assert second.name != first.name


def test_variable_of_a_list_of_tensors_stacks_them():
    variable = tf.Variable([tf.constant([1.0, 2.0]), tf.Variable([3.0, 4.0])])
    assert variable.numpy().tolist() == [[1, 2], [3, 4]]


def test_variable_calls_a_callable_once():
    calls = []
    variable = tf.Variable(lambda: calls.append(1) or [1.0, 2.0], dtype="float64")
    assert calls == [1]
    assert variable.dtype == "float64"
    assert variable.numpy().tolist() == [1, 2]


def test_variable_of_a_callable_that_returns_a_tensor():
    assert tf.Variable(lambda: tf.zeros([2, 3])).shape == (2, 3)


@pytest.mark.parametrize("arguments", [{}, {"initial_value": None}, {"dtype": "float32"}, {"name": "a"}], ids=str)
def test_variable_without_a_value_is_refused(arguments):
    with pytest.raises(ValueError, match="initial_value must be specified: got None, expected a value or a callable"):
        tf.Variable(**arguments)


def test_variable_with_both_a_value_and_a_definition_is_refused():
    with pytest.raises(ValueError, match="mutually exclusive: got both, expected one"):
        tf.Variable(1, variable_def=object())


def test_variable_of_a_definition_has_no_value_in_eager_mode():
    with pytest.raises(ValueError, match="a VariableDef holds no value: got variable_def, expected initial_value"):
        tf.Variable(variable_def=object())


@pytest.mark.parametrize(
    ("value", "dtype", "error", "sentence"),
    [
        (1.5, "int32", TypeError, "got float, expected int32; use cast"),
        ([1.5], "int32", TypeError, "got float, expected int32; use cast"),
        (1j, "float32", TypeError, "got complex, expected float32; use cast"),
        (1, "bool", TypeError, "got int, expected bool; use cast"),
        (np.ones(2), "int32", TypeError, "got float64, expected int32; convert the array with astype first"),
        (np.ones(2, int), "uint8", TypeError, "got int64, expected uint8"),
        (300, "int8", ValueError, "a number does not fit int8: got 300, expected int8"),
        (-1, "uint8", ValueError, "a number does not fit uint8: got -1, expected uint8"),
        (2**40, None, ValueError, "got 1099511627776, expected int32; pass dtype=int64"),
        (2**64, "uint64", ValueError, f"got {2**64}, expected uint64"),
        ([[1], [1, 2]], None, ValueError, re.escape("got [[1], [1, 2]], expected lists of equal lengths")),
        ("one", None, TypeError, "unsupported type: got <U3, expected numbers"),
        (["one"], None, TypeError, "unsupported type: got <U3, expected numbers"),
        (b"one", None, TypeError, "unsupported type: got .S3, expected numbers"),
        (object(), None, TypeError, "unsupported type: got object, expected numbers"),
        ({1, 2}, None, TypeError, "unsupported type: got object, expected numbers"),
        (np.array([None]), None, TypeError, "unsupported type: got object, expected numbers"),
        (np.array(["a"]), "float32", TypeError, "unsupported type: got <U1, expected numbers"),
        (np.zeros(2, "f4,f4"), None, TypeError, "unsupported type: got .*, expected numbers"),
        (np.array(0, "M8[s]"), None, TypeError, r"unsupported type: got datetime64\[s\], expected numbers"),
        (lambda: None, None, TypeError, "unsupported type: got object, expected numbers"),
        (1, "float31", TypeError, r"unknown dtype: got 'float31', expected one of \[bool, "),
        (1, object, TypeError, "unknown dtype: got .*, expected one of"),
    ],
)
def test_variable_refuses_what_is_no_number_of_its_dtype(value, dtype, error, sentence):
    with pytest.raises(error, match=sentence):
        tf.Variable(value, dtype=dtype)


@pytest.mark.parametrize("make", [tf.constant, tf.Variable])
def test_variable_of_a_tensor_of_another_dtype_is_told_to_cast(make):
    with pytest.raises(TypeError, match="Variable: the value has the wrong dtype: got float32, expected float64; use"):
        tf.Variable(make(1.0), dtype="float64")
    assert tf.Variable(tf.cast(make(1.0), "float64")).dtype == "float64"


def test_variable_that_fits_no_memory_is_refused():
    with pytest.raises(ResourceExhaustedError, match="got 4503599627370496 bytes, expected a smaller shape") as caught:
        tf.Variable(np.broadcast_to(np.float32(1), (2**30, 2**20)))
    assert isinstance(caught.value, MemoryError)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"collections": "a"}, ValueError, r"must be a list, tuple, or set: got 'a', expected \['a'\]"),
        ({"collections": 3}, ValueError, "must be a list, tuple, or set: got 3"),
        ({"constraint": 3}, TypeError, "constraint cannot be called: got 3, expected a function or None"),
        ({"name": "with space"}, ValueError, "the name is not valid: got 'with space', expected letters"),
        ({"name": ""}, ValueError, "the name is not valid: got '', expected letters"),
        ({"name": 3}, ValueError, "the name is not valid: got 3, expected letters"),
        ({"caching_device": "nowhere"}, ValueError, "device string is malformed: got 'nowhere', expected"),
    ],
    ids=str,
)
def test_variable_refuses_wrong_arguments_and_stays_out_of_collections(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        tf.Variable(1.0, **arguments)
    assert tf.all_variables() == tf.trainable_variables() == []
    assert tf.Variable(1.0).name == "Variable:0"


def test_variable_accepts_every_argument_of_the_page():
    variable = tf.Variable(
        [1, 2],
        trainable=False,
        collections=["mine"],
        validate_shape=False,
        caching_device="/cpu:0",
        name="full",
        variable_def=None,
        dtype=tf.int64,
        constraint=tf.abs,
    )
    assert (variable.name, variable.dtype, variable.trainable) == ("full:0", tf.int64, False)
    assert variable.constraint is tf.abs


def test_properties_of_a_variable():
    variable = tf.Variable([[1.0, 2.0, 3.0]], name="w")
    assert variable.name == "w:0"
    assert variable.dtype is tf.float32
    assert type(variable.shape) is tf.TensorShape
    assert variable.shape == variable.get_shape() == [1, 3]
    assert variable.device == "/cpu:0"
    assert variable.trainable is True
    assert variable.constraint is None
    assert variable.graph is tf.get_default_graph()
    assert variable.is_initialized() is True
    assert tf.is_variable_initialized(variable) is True
    assert variable.ref() is variable


@pytest.mark.parametrize("name", ["name", "dtype", "shape", "device", "trainable", "constraint", "graph"])
def test_properties_of_a_variable_cannot_be_set(name):
    with pytest.raises(AttributeError):
        setattr(tf.Variable(1), name, None)


def test_variable_is_on_the_device_of_its_scope():
    with tf.device("/cpu:0"):
        assert tf.Variable(1).device == "/cpu:0"
    with (
        pytest.raises(InvalidArgumentError, match=r"^device: .*: got '/gpu:7', expected one of"),
        tf.device("/gpu:7"),
    ):
        tf.Variable(1)


def test_initial_value_stays_what_it_was():
    variable = tf.Variable([1.0, 2.0])
    variable.assign_add(1)
    assert variable.initial_value.numpy().tolist() == [1, 2]
    assert variable.initial_value.dtype == "float32"


def test_initial_value_of_a_large_variable_is_not_kept():
    assert tf.Variable(np.zeros(MOST_KEPT_BYTES, np.int8)).initial_value.shape == (MOST_KEPT_BYTES,)
    large = tf.Variable(np.zeros(MOST_KEPT_BYTES + 1, np.int8))
    with pytest.raises(FailedPreconditionError, match=f"got {MOST_KEPT_BYTES + 1} bytes, expected at most"):
        _ = large.initial_value


def test_value_is_live_and_read_only():
    variable = tf.Variable([1.0, 2.0])
    value = variable.value()
    assert isinstance(value, tf.Tensor)
    assert value.device == variable.device
    variable.assign_add(1)
    assert np.asarray(value).tolist() == [2, 3]
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(value)[0] = 9
    assert np.shares_memory(np.asarray(value), np.asarray(variable.value()))


def test_value_outlives_its_variable():
    variable = tf.Variable([1.0, 2.0])
    value = variable.value()
    del variable
    assert value.numpy().tolist() == [1, 2]


@pytest.mark.parametrize("read", ["read_value", "numpy", "eval", "initialized_value"])
@pytest.mark.parametrize("initial", [[1.0, 2.0], 1.0])
def test_reads_are_copies(read, initial):
    variable = tf.Variable(initial)
    copy = getattr(variable, read)()
    variable.assign_add(5)
    np.testing.assert_array_equal(np.asarray(copy), initial)


def test_numpy_is_writable_and_apart_from_the_variable():
    variable = tf.Variable([1.0, 2.0])
    array = variable.numpy()
    array[0] = 9
    assert type(array) is np.ndarray
    assert variable.numpy().tolist() == [1, 2]


def test_scalars_are_read_as_numpy_numbers():
    variable = tf.Variable(3)
    assert type(variable.numpy()) is type(variable.eval()) is np.int32
    assert type(tf.Variable(1.5, dtype="bfloat16").numpy()) is bfloat16


def test_eval_takes_the_argument_of_graph_mode():
    assert tf.Variable([1, 2]).eval(session=None).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", ["float32", "int64", "bfloat16", "complex64"])
def test_asarray_and_array_of_a_variable(dtype):
    variable = tf.Variable([1, 2], dtype=dtype)
    assert np.asarray(variable).dtype == numpy_dtype(dtype)
    assert np.asarray(variable, dtype=np.complex128).tolist() == [1, 2]
    copy = np.array(variable)
    copy[0] = 7
    assert variable.numpy().tolist() == [1, 2]


def test_asarray_of_a_variable_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(tf.Variable([1, 2]))[0] = 7


def test_numpy_functions_take_variables():
    variable = tf.Variable([1.0, 4.0])
    assert np.add(variable, 1).tolist() == [2, 5]
    assert np.sqrt(variable).tolist() == [1, 2]
    assert np.sum(variable) == 5
    assert np.concatenate([variable, variable]).tolist() == [1, 4, 1, 4]


OPERATORS = {
    "+": (lambda x, y: x + y),
    "-": (lambda x, y: x - y),
    "*": (lambda x, y: x * y),
    "/": (lambda x, y: x / y),
    "//": (lambda x, y: x // y),
    "%": (lambda x, y: x % y),
    "**": (lambda x, y: x**y),
    "<": (lambda x, y: x < y),
    "<=": (lambda x, y: x <= y),
    ">": (lambda x, y: x > y),
    ">=": (lambda x, y: x >= y),
    "==": (lambda x, y: x == y),
    "!=": (lambda x, y: x != y),
}
OPERANDS = {
    "number": 2.0,
    "int": 2,
    "numpy number": np.float32(2),
    "list": [2.0, 2.0, 4.0],
    "array": np.array([2, 2, 4], np.float32),
    "tensor": tf.constant([2.0, 2.0, 4.0]),
    "variable": tf.Variable([2.0, 2.0, 4.0]),
}


@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_take_a_variable_on_both_sides(operator, operand):
    array = np.array([1, 2, 3], np.float32)
    variable, other, apply = tf.Variable(array), OPERANDS[operand], OPERATORS[operator]
    other_array = np.asarray(other, np.float32)
    for got, expected in (
        (apply(variable, other), apply(array, other_array)),
        (apply(other, variable), apply(other_array, array)),
    ):
        assert isinstance(got, tf.Tensor)
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)
    assert variable.numpy().tolist() == [1, 2, 3]


@pytest.mark.parametrize("operator", ["&", "|", "^"])
def test_bitwise_operators_take_a_variable_on_both_sides(operator):
    apply = {"&": (lambda x, y: x & y), "|": (lambda x, y: x | y), "^": (lambda x, y: x ^ y)}[operator]
    array = np.array([1, 2, 3], np.int32)
    variable = tf.Variable(array)
    assert apply(variable, 6).numpy().tolist() == apply(6, variable).numpy().tolist() == apply(array, 6).tolist()


def test_matmul_takes_a_variable_on_both_sides():
    matrix = np.array([[1, 2], [3, 4]], np.float32)
    variable = tf.Variable(matrix)
    for product in (variable @ matrix, matrix @ variable, variable @ variable, tf.constant(matrix) @ variable):
        np.testing.assert_array_equal(product.numpy(), matrix @ matrix)


def test_unary_operators_of_a_variable():
    variable = tf.Variable([1, -2])
    assert (-variable).numpy().tolist() == [-1, 2]
    assert (+variable).numpy().tolist() == [1, -2]
    assert abs(variable).numpy().tolist() == [1, 2]
    assert (~variable).numpy().tolist() == [-2, 1]
    assert (~tf.Variable([True, False])).numpy().tolist() == [False, True]


def test_operators_never_promote():
    with pytest.raises(TypeError, match="add: y has the wrong dtype: got float64, expected float32; use cast"):
        _ = tf.Variable([1.0]) + tf.Variable([1.0], dtype="float64")


@pytest.mark.parametrize("make", [lambda v: +v, lambda v: v[0], lambda v: v[:1], lambda v: v + 0, tf.identity])
def test_results_of_ops_do_not_follow_later_updates(make):
    variable = tf.Variable([[1.0, 2.0]])
    result = make(variable)
    before = result.numpy()
    variable.assign(9)
    np.testing.assert_array_equal(result.numpy(), before)


def test_rows_of_an_iteration_do_not_follow_later_updates():
    variable = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    rows = list(variable)
    variable.assign(9)
    assert [row.numpy().tolist() for row in rows] == [[1, 2], [3, 4]]


def test_getitem_len_and_iteration():
    array = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    variable = tf.Variable(array)
    for key in (0, -1, slice(1, 3), (slice(None), 1), (..., 0), (None, 2), [0, 2], (slice(None, None, -1), 0)):
        np.testing.assert_array_equal(variable[key].numpy(), array[key])
    assert len(variable) == 4
    assert [row.shape for row in variable] == [[3, 2]] * 4
    np.testing.assert_array_equal(variable[variable[:, 0, 0] > 5].numpy(), array[1:])


def test_getitem_beyond_the_end_is_an_index_error():
    with pytest.raises(IndexError, match=r"got 2, expected \[-2, 2\)"):
        _ = tf.Variable([1, 2])[2]


@pytest.mark.parametrize("function", [len, iter])
def test_scalar_variables_have_no_length(function):
    with pytest.raises(TypeError, match="got rank 0, expected rank 1 or more"):
        function(tf.Variable(1))


def test_variables_of_one_element_are_numbers():
    assert (int(tf.Variable(3)), float(tf.Variable([2.5])), bool(tf.Variable(0))) == (3, 2.5, False)
    assert [10, 20, 30][tf.Variable(1)] == 20
    assert f"{tf.Variable(2.5):.2f}" == "2.50"
    with pytest.raises(ValueError, match=r"bool: the tensor has no single value: got shape \(2,\), expected one"):
        bool(tf.Variable([1, 2]))


def test_variables_are_keys_by_identity():
    first, second = tf.Variable(1.0), tf.Variable(1.0)
    table = {first: "first", second: "second"}
    assert table[first] == "first"
    assert table[second] == "second"
    assert len({first, second, first}) == 2


def test_comparison_with_none_is_false():
    variable = tf.Variable([1, 2])
    assert (variable == None) is False  # noqa: E711
    assert (variable != None) is True  # noqa: E711


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (
            [[1, 2], [3, 4]],
            "float64",
            "<nbvars.Variable 'example_var:0' shape=(2, 2) dtype=float64, numpy=\narray([[1., 2.],\n       [3., 4.]])>",
        ),
        (1.5, "float32", "<nbvars.Variable 'example_var:0' shape=() dtype=float32, numpy=1.5>"),
        (3, "int64", "<nbvars.Variable 'example_var:0' shape=() dtype=int64, numpy=3>"),
        (True, "bool", "<nbvars.Variable 'example_var:0' shape=() dtype=bool, numpy=True>"),
        (1.5, "bfloat16", "<nbvars.Variable 'example_var:0' shape=() dtype=bfloat16, numpy=1.5>"),
        (
            [1, 2],
            "float32",
            "<nbvars.Variable 'example_var:0' shape=(2,) dtype=float32, numpy=array([1., 2.], dtype=float32)>",
        ),
        (
            [1, 2],
            "bfloat16",
            "<nbvars.Variable 'example_var:0' shape=(2,) dtype=bfloat16, numpy=array([1, 2], dtype=bfloat16)>",
        ),
        ([], "int32", "<nbvars.Variable 'example_var:0' shape=(0,) dtype=int32, numpy=array([], dtype=int32)>"),
    ],
    ids=str,
)
def test_repr_of_a_variable(value, dtype, text):
    variable = tf.Variable(value, dtype=dtype, name="example_var")
    assert repr(variable) == str(variable) == text


def test_variable_is_freed_when_its_last_reference_goes():
    variable = tf.Variable([1.0, 2.0])
    variable.assign_add(1).scatter_add(tf.IndexedSlices([1.0], [0]))
    alive = weakref.ref(variable)
    del variable
    assert alive() is None


def test_variable_has_no_other_attributes():
    with pytest.raises(AttributeError):
        tf.Variable(1).nam = "mistyped"


def test_memory_of_a_variable_begins_at_a_cache_line():
    for size in (1, 3, 17, 1000):
        assert np.asarray(tf.Variable(np.zeros(size, np.int8)).value()).ctypes.data % 64 == 0


def test_a_constant_of_a_variable_stays_as_it_is():
    variable = tf.Variable([1.0, 2.0])
    constant = tf.constant(variable)
    variable.assign(9.0)
    assert constant.numpy().tolist() == [1.0, 2.0]
