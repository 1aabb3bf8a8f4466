"""Bad input: the error says where, what, got and expected, and the variable stays bit for bit as it was."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError, OpError, OutOfRangeError

SCATTERS = ["scatter_add", "scatter_div", "scatter_max", "scatter_min", "scatter_mul", "scatter_sub", "scatter_update"]
SCATTERS_ND = ["scatter_nd_add", "scatter_nd_sub", "scatter_nd_update"]
DENSE = ["assign", "assign_add", "assign_sub"]

VALUE = np.array([[0.0, -0.0], [np.nan, np.inf], [1.5, -2.5]], np.float32)


def refused(variable, update, error, sentence):
    """Assert that ``update`` raises and changes nothing, and that nobody is locked out afterwards."""
    before = variable.numpy().tobytes()
    with pytest.raises(error, match=sentence) as caught:
        update()
    assert variable.numpy().tobytes() == before
    assert variable._storage._header[0] == 0
    variable.assign(variable.numpy(), use_locking=True)
    return caught.value


@pytest.fixture(params=[False, True], ids=["unlocked", "locked"])
def use_locking(request):
    return request.param


@pytest.fixture
def variable():
    return tf.Variable(VALUE)


DENSE_MISUSES = [
    (np.zeros((2, 3), np.float32), ValueError, "the update has the wrong shape: got (2, 3), expected (3, 2)"),
    (np.zeros((3, 3), np.float32), ValueError, "the update has the wrong shape: got (3, 3), expected (3, 2)"),
    (np.zeros(2, np.float32), ValueError, "the update has the wrong shape: got (2,), expected (3, 2)"),
    (np.zeros((1, 3, 2), np.float32), ValueError, "the update has the wrong shape: got (1, 3, 2), expected (3, 2)"),
    (np.zeros((0, 2), np.float32), ValueError, "the update has the wrong shape: got (0, 2), expected (3, 2)"),
    ([1.0, 2.0], ValueError, "the update has the wrong shape: got (2,), expected (3, 2)"),
    ([1.0], ValueError, "got (1,), expected (3, 2); a number changes every element"),
    (np.array(1.0), ValueError, "got (), expected (3, 2); a number changes every element"),
    (tf.constant(1.0), ValueError, "got (), expected (3, 2); a number changes every element"),
    ([[1.0, 2.0], [3.0]], ValueError, "got [[1.0, 2.0], [3.0]], expected lists of equal lengths"),
    (tf.zeros([3, 2], "float64"), TypeError, "the value has the wrong dtype: got float64, expected float32; use cast"),
    (tf.zeros([3, 2], "int32"), TypeError, "the value has the wrong dtype: got int32, expected float32; use cast"),
    (tf.Variable(VALUE, dtype="float64"), TypeError, "got float64, expected float32; use cast"),
    (np.zeros((3, 2), complex), TypeError, "got complex128, expected float32; convert the array with astype first"),
    (1j, TypeError, "the value has the wrong dtype: got complex, expected float32; use cast"),
    ([[1j, 0]] * 3, TypeError, "the value has the wrong dtype: got complex, expected float32; use cast"),
    (np.complex64(1), TypeError, "the value has the wrong dtype: got complex64, expected float32"),
    ("text", TypeError, "the value has an unsupported type: got <U4, expected numbers"),
    ([["a", "b"]] * 3, TypeError, "the value has an unsupported type: got <U1, expected numbers"),
    (np.array([["a", "b"]] * 3), TypeError, "the value has an unsupported type: got <U1, expected numbers"),
    (np.full((3, 2), None), TypeError, "the value has an unsupported type: got object, expected numbers"),
    (VALUE.astype(object), TypeError, "the value has an unsupported type: got object, expected numbers"),
    (None, TypeError, "the value has an unsupported type: got object, expected numbers"),
    ({}, TypeError, "the value has an unsupported type: got object, expected numbers"),
    (10**400, ValueError, "a number does not fit float32: got 1000000000"),
    (-(10**400), ValueError, "a number does not fit float32: got -100000000"),
    ([[10**400, 1]] * 3, ValueError, "a number does not fit float32: got [[1000"),
]


@pytest.mark.parametrize("op", DENSE)
@pytest.mark.parametrize(("value", "error", "sentence"), DENSE_MISUSES, ids=range(len(DENSE_MISUSES)))
def test_misuse_of_a_dense_update(variable, op, value, error, sentence, use_locking):
    sentence = re.escape(f"{op}: ") + ".*" + re.escape(sentence)
    refused(variable, lambda: getattr(variable, op)(value, use_locking=use_locking), error, sentence)
    refused(variable, lambda: getattr(tf, op)(variable, value, use_locking=use_locking), error, sentence)


@pytest.mark.parametrize("op", DENSE)
@pytest.mark.parametrize(
    ("dtype", "value", "error", "sentence"),
    [
        ("int8", 128, ValueError, "a number does not fit int8: got 128, expected int8"),
        ("int8", -129, ValueError, "a number does not fit int8: got -129, expected int8"),
        ("int8", [1, 128], ValueError, "a number does not fit int8: got [1, 128], expected int8"),
        ("uint8", -1, ValueError, "a number does not fit uint8: got -1, expected uint8"),
        ("int32", 2**31, ValueError, f"a number does not fit int32: got {2**31}, expected int32"),
        ("int64", 2**63, ValueError, f"a number does not fit int64: got {2**63}, expected int64"),
        ("int64", 10**400, ValueError, "a number does not fit int64: got 1000000000"),
        ("uint64", 2**64, ValueError, f"a number does not fit uint64: got {2**64}, expected uint64"),
        ("uint64", -1, ValueError, "a number does not fit uint64: got -1, expected uint64"),
        ("int32", 1.0, TypeError, "the value has the wrong dtype: got float, expected int32; use cast"),
        ("int32", np.float32(1), TypeError, "the value has the wrong dtype: got float32, expected int32"),
        ("int32", [1.0, 2.0], TypeError, "the value has the wrong dtype: got float, expected int32; use cast"),
        ("int32", np.ones(2), TypeError, "got float64, expected int32; convert the array with astype first"),
        ("uint8", np.ones(2, int), TypeError, "got int64, expected uint8; convert the array with astype first"),
        ("float32", float, TypeError, "the value has an unsupported type: got object, expected numbers"),
    ],
    ids=str,
)
def test_dense_update_refuses_a_number_that_does_not_fit_the_dtype(op, dtype, value, error, sentence):
    variable = tf.Variable([3, 4], dtype=dtype)
    refused(variable, lambda: getattr(variable, op)(value), error, f"{op}: .*" + re.escape(sentence))


@pytest.mark.parametrize(
    ("op", "sentence"),
    [
        ("assign_add", "assign_add: ref has the wrong dtype: got bool, expected one of"),
        ("assign_sub", "assign_sub: ref has the wrong dtype: got bool, expected one of"),
    ],
)
def test_bool_variables_do_not_add(op, sentence):
    variable = tf.Variable([True, False])
    for value in (True, [True, True], np.ones(2, bool), tf.constant([True, False])):
        refused(variable, lambda value=value: getattr(variable, op)(value), TypeError, sentence)
    refused(variable, lambda: variable.assign(1), TypeError, "got int, expected bool; use cast")


@pytest.mark.parametrize("op", ["scatter_min", "scatter_max"])
def test_complex_variables_have_no_order(op):
    variable = tf.Variable([1j, 2j])
    slices = tf.IndexedSlices(np.array([1j]), [0])
    refused(variable, lambda: getattr(variable, op)(slices), TypeError, f"{op}: .* got complex128, expected one of")


ROWS = np.ones((2, 2), np.float32)
SCATTER_MISUSES = [
    ([0, 3], ROWS, InvalidArgumentError, "indices[1] = 3 is not in [0, 3); nothing was written"),
    ([-1, 0], ROWS, InvalidArgumentError, "indices[0] = -1 is not in [0, 3); nothing was written"),
    ([[0, 1], [2, 99]], 1.0, InvalidArgumentError, "indices[1,1] = 99 is not in [0, 3); nothing was written"),
    (3, 1.0, InvalidArgumentError, " = 3 is not in [0, 3); nothing was written"),
    (np.array([2**63, 0], np.uint64), ROWS, InvalidArgumentError, "indices[0] = "),
    (np.array([0, -(2**63)]), ROWS, InvalidArgumentError, f"indices[1] = {-(2**63)} is not in [0, 3)"),
    ([0.0, 1.0], ROWS, TypeError, "indices has the wrong dtype: got float64, expected an integer dtype"),
    (np.zeros(2, np.float32), ROWS, TypeError, "indices has the wrong dtype: got float32, expected an integer dtype"),
    (tf.constant([0.0, 1.0]), ROWS, TypeError, "indices has the wrong dtype: got float32, expected an integer dtype"),
    (1.0, ROWS[0], TypeError, "indices has the wrong dtype: got float64, expected an integer dtype"),
    ([True, False], ROWS, TypeError, "indices has the wrong dtype: got bool, expected an integer dtype"),
    ([1j, 0], ROWS, TypeError, "indices has the wrong dtype: got complex128, expected an integer dtype"),
    (["a", "b"], ROWS, TypeError, "indices has the wrong dtype: got <U1, expected an integer dtype"),
    (None, 1.0, TypeError, "indices has the wrong dtype: got object, expected an integer dtype"),
    ([0, 2**70], ROWS, TypeError, "indices has the wrong dtype: got object, expected an integer dtype of 64 bits"),
    ([[0], [0, 1]], 1.0, ValueError, "got [[0], [0, 1]], expected lists of equal lengths"),
    ([0, 1], ROWS[:1], ValueError, "the update has the wrong shape: got (1, 2), expected (2, 2)"),
    ([0, 1], np.ones((2, 3), np.float32), ValueError, "the update has the wrong shape: got (2, 3), expected (2, 2)"),
    ([0, 1], np.ones(2, np.float32), ValueError, "the update has the wrong shape: got (2,), expected (2, 2)"),
    ([[0, 1]], ROWS, ValueError, "the update has the wrong shape: got (2, 2), expected (1, 2, 2)"),
    (0, ROWS, ValueError, "the update has the wrong shape: got (2, 2), expected (2,)"),
    ([], ROWS, ValueError, "the update has the wrong shape: got (2, 2), expected (0, 2)"),
    ([0, 1], tf.cast(ROWS, "float64"), TypeError, "got float64, expected float32; use cast"),
    ([0, 1], ROWS.astype(complex), TypeError, "got complex128, expected float32; convert the array with astype"),
    ([0, 1], ROWS.astype(str), TypeError, "the value has an unsupported type: got <U32, expected numbers"),
    ([0, 1], ROWS.astype(object), TypeError, "the value has an unsupported type: got object, expected numbers"),
]


@pytest.mark.parametrize("op", SCATTERS)
@pytest.mark.parametrize(("indices", "updates", "error", "sentence"), SCATTER_MISUSES, ids=range(len(SCATTER_MISUSES)))
def test_misuse_of_a_scatter(variable, op, indices, updates, error, sentence, use_locking):
    sentence = f"{op}: .*" + re.escape(sentence)
    scatter = getattr(tf, op)
    raised = refused(variable, lambda: scatter(variable, indices, updates, use_locking=use_locking), error, sentence)
    assert isinstance(raised, OpError) == (error is InvalidArgumentError)


@pytest.mark.parametrize("op", SCATTERS)
@pytest.mark.parametrize("num_good", [0, 1, 1000])
def test_scatter_writes_nothing_before_all_indices_are_checked(op, num_good):
    variable = tf.Variable(np.ones((5, 40), np.float32))
    indices = np.append(np.arange(num_good) % 5, 5)
    slices = tf.IndexedSlices(np.full((num_good + 1, 40), 3, np.float32), indices)
    sentence = re.escape(f"{op}: an index is out of range: indices[{num_good}] = 5 is not in [0, 5)")
    refused(variable, lambda: getattr(variable, op)(slices), InvalidArgumentError, sentence)


@pytest.mark.parametrize("op", [*SCATTERS, "batch_scatter_update"])
@pytest.mark.parametrize("delta", [np.ones((3, 2)), [1.0], 1.0, None, (ROWS, [0, 1]), tf.constant(ROWS)], ids=range(6))
def test_scatter_by_something_else_than_slices_is_a_value_error(variable, op, delta, use_locking):
    kind = type(delta).__name__
    sentence = f"{op}: the update is no IndexedSlices: got {kind}, expected IndexedSlices"
    refused(variable, lambda: getattr(variable, op)(delta, use_locking=use_locking), ValueError, sentence)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (([[1.0, 2.0]], [0, 1]), ValueError, "values have the wrong shape: got (1, 2), expected (2, ...)"),
        (([1.0, 2.0], [[0], [1]]), ValueError, "values have the wrong shape: got (2,), expected (2, 1, ...)"),
        ((1.0, [0]), ValueError, "values have the wrong shape: got (), expected (1, ...)"),
        ((ROWS, [0.0, 1.0]), TypeError, "indices has the wrong dtype: got float32, expected an integer dtype"),
        ((ROWS, [True, False]), TypeError, "indices has the wrong dtype: got bool, expected an integer dtype"),
        ((ROWS, [0, 1], [3]), ValueError, "dense_shape does not fit values: got (3,), expected (n, 2)"),
        ((ROWS, [0, 1], [3, 5]), ValueError, "dense_shape does not fit values: got (3, 5), expected (n, 2)"),
        ((ROWS, [0, 1], [-1, 2]), ValueError, "dense_shape is no shape: got [-1, 2], expected a list of sizes"),
        ((ROWS.astype(str), [0, 1]), TypeError, "unsupported type: got <U32, expected numbers"),
        ((ROWS.astype(object), [0, 1]), TypeError, "unsupported type: got object, expected numbers"),
    ],
    ids=str,
)
def test_slices_whose_parts_disagree_are_refused(arguments, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        tf.IndexedSlices(*arguments)


def test_scatter_div_of_integers_by_zero_is_refused(use_locking):
    variable = tf.Variable([6, 7, 8])
    slices = tf.IndexedSlices(np.array([2, 0], np.int32), [0, 1])
    sentence = "scatter_div: values divides integers by zero: got 0, expected no zero"
    refused(variable, lambda: variable.scatter_div(slices, use_locking=use_locking), InvalidArgumentError, sentence)


@pytest.mark.parametrize("op", SCATTERS)
def test_scalars_have_no_rows(op):
    variable = tf.Variable(3.0)
    sentence = f"{op}: ref has no rows: got shape .., expected at least one dimension"
    refused(variable, lambda: getattr(tf, op)(variable, 0, 1.0), ValueError, sentence)


@pytest.mark.parametrize("op", SCATTERS_ND)
@pytest.mark.parametrize(
    ("indices", "updates", "error", "sentence"),
    [
        ([[0], [3]], ROWS, InvalidArgumentError, "indices[1] = [3] is not in shape (3,); nothing was written"),
        ([[0, 2]], 1.0, InvalidArgumentError, "indices[0] = [0, 2] is not in shape (3, 2); nothing was written"),
        ([2, -1], 1.0, InvalidArgumentError, "indices = [2, -1] is not in shape (3, 2); nothing was written"),
        ([[[0, 0]], [[1, 9]]], 1.0, InvalidArgumentError, "indices[1,0] = [1, 9] is not in shape (3, 2)"),
        (np.array([[2**63]], np.uint64), 1.0, InvalidArgumentError, f"indices[0] = [{2**63}] is not in shape (3,)"),
        ([[0.0]], 1.0, TypeError, "indices has the wrong dtype: got float64, expected an integer dtype"),
        (0, 1.0, ValueError, "indices has the wrong shape: got (), expected shape (..., k) with k from 1 to 2"),
        ([[0, 0, 0]], 1.0, ValueError, "indices has the wrong shape: got (1, 3), expected shape (..., k)"),
        (np.zeros((2, 0), int), 1.0, ValueError, "indices has the wrong shape: got (2, 0), expected shape (..., k)"),
        ([[0], [1]], ROWS[:1], ValueError, "the update has the wrong shape: got (1, 2), expected (2, 2)"),
        ([[0, 0]], ROWS, ValueError, "the update has the wrong shape: got (2, 2), expected (1,)"),
        ([[0], [1]], tf.cast(ROWS, "float64"), TypeError, "got float64, expected float32; use cast"),
    ],
    ids=str,
)
def test_misuse_of_scatter_nd(variable, op, indices, updates, error, sentence, use_locking):
    sentence = f"{op}: .*" + re.escape(sentence)
    update = getattr(variable, op)
    refused(variable, lambda: update(indices, updates, use_locking=use_locking), error, sentence)


@pytest.mark.parametrize(
    ("indices", "updates", "error", "sentence"),
    [
        ([[0, 2]], [[1.0, 1.0]], ValueError, "the batch axes of indices has the wrong shape: got (1,), expected (3,)"),
        ([[0], [1], [2]], [[1.0]] * 3, InvalidArgumentError, "indices[2, 0] = 2 is not in [0, 2)"),
        ([[0], [-1], [0]], [[1.0]] * 3, InvalidArgumentError, "indices[1, 0] = -1 is not in [0, 2)"),
        ([[[0]]] * 3, [[[1.0]]] * 3, ValueError, "indices has the wrong rank: got 3, expected 1 to 2 axes"),
        (0, 1.0, ValueError, "indices has the wrong rank: got 0, expected 1 to 2 axes"),
        ([[0.0]] * 3, [[1.0]] * 3, TypeError, "indices has the wrong dtype: got float64, expected an integer dtype"),
        ([[0]] * 3, [[1.0, 1.0]] * 3, ValueError, "the update has the wrong shape: got (3, 2), expected (3, 1)"),
    ],
    ids=str,
)
def test_misuse_of_batch_scatter_update(variable, indices, updates, error, sentence):
    sentence = "batch_scatter_update: .*" + re.escape(sentence)
    refused(variable, lambda: tf.batch_scatter_update(variable, indices, updates), error, sentence)


@pytest.mark.parametrize(
    ("read", "indices", "error", "sentence"),
    [
        ("gather_nd", [[0], [3]], InvalidArgumentError, "gather_nd: indices[1] = [3] is not in shape (3,)"),
        ("gather_nd", [[0, -1]], InvalidArgumentError, "gather_nd: indices[0] = [0, -1] is not in shape (3, 2)"),
        ("gather_nd", [[0, 0, 0]], ValueError, "got 3, expected at most 2"),
        ("gather_nd", [[0.5]], TypeError, "got float32, expected an integer dtype"),
        ("sparse_read", [0, 3], InvalidArgumentError, "gather: indices[1] = 3 is not in [0, 3)"),
        ("sparse_read", -1, InvalidArgumentError, "= -1 is not in [0, 3)"),
        ("sparse_read", [0.5], TypeError, "gather: indices has the wrong dtype: got float32, expected an integer"),
    ],
    ids=str,
)
def test_misuse_of_reads(variable, read, indices, error, sentence):
    refused(variable, lambda: getattr(variable, read)(indices), error, re.escape(sentence))


@pytest.mark.parametrize(
    ("initial", "dtype", "got"),
    [
        (0.0, None, "float32 of shape ()"),
        ([0], None, "int32 of shape (1,)"),
        ([[1, 2]], "int64", "int64 of shape (1, 2)"),
        (0, "int16", "int16 of shape ()"),
        (0, "uint32", "uint32 of shape ()"),
        (True, None, "bool of shape ()"),
    ],
    ids=str,
)
def test_only_integer_scalars_count(initial, dtype, got):
    variable = tf.Variable(initial, dtype=dtype)
    sentence = re.escape(f"count_up_to: ref cannot count: got {got}, expected an int32 or int64 scalar")
    for _ in range(2):
        refused(variable, lambda: variable.count_up_to(10), TypeError, sentence)
        refused(variable, lambda: tf.count_up_to(variable, 10), TypeError, sentence)


@pytest.mark.parametrize(
    ("limit", "error", "sentence"),
    [
        (2.0, TypeError, "limit has the wrong type: got float, expected an integer"),
        ("2", TypeError, "limit has the wrong type: got str, expected an integer"),
        (None, TypeError, "limit has the wrong type: got NoneType, expected an integer"),
        (True, TypeError, "limit has the wrong type: got bool, expected an integer"),
        ([2], TypeError, "limit has the wrong type: got list, expected an integer"),
        (np.float32(2), TypeError, "limit has the wrong type: got float32, expected an integer"),
        (2**31, ValueError, f"the limit does not fit the counter: got {2**31}, expected int32"),
        (-(2**31) - 1, ValueError, f"the limit does not fit the counter: got {-(2**31) - 1}, expected int32"),
        (2**80, ValueError, f"the limit does not fit the counter: got {2**80}, expected int32"),
        (np.int64(2**40), ValueError, f"the limit does not fit the counter: got {2**40}, expected int32"),
        (1, OutOfRangeError, "Reached limit of 1: got 1, expected less than 1"),
        (-5, OutOfRangeError, "Reached limit of -5: got 1, expected less than -5"),
    ],
    ids=str,
)
def test_count_up_to_refuses_a_limit(limit, error, sentence):
    counter = tf.Variable(0)
    counter.count_up_to(1)  # from now on the fast path answers
    refused(counter, lambda: counter.count_up_to(limit), error, f"count_up_to: .*{re.escape(sentence)}")
    assert counter.count_up_to(2) == 1


@pytest.mark.parametrize("ref", [np.zeros(3, np.float32), [1.0], 3.0, tf.constant([1.0]), None, "v"], ids=range(6))
def test_only_variables_are_updated(ref):
    got = re.escape(f"ref cannot be updated: got {type(ref).__name__}, expected a Variable")
    calls = [(op, (1.0,)) for op in DENSE]
    calls += [(op, ([0], [1.0])) for op in [*SCATTERS, *SCATTERS_ND, "batch_scatter_update"]]
    calls += [("count_up_to", (3,)), ("is_variable_initialized", ())]
    for op, arguments in calls:
        with pytest.raises(TypeError, match=f"{op}: {got}"):
            getattr(tf, op)(ref, *arguments)


def test_items_cannot_be_assigned(variable):
    def set_item():
        variable[0] = 1.0

    sentence = r"items cannot be assigned: got v\[...\] = value, expected an update method; use assign, scatter_update"
    refused(variable, set_item, TypeError, sentence)


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^"])
def test_in_place_operators_are_refused_with_advice(operator):
    variable = tf.Variable([1, 2, 3])
    names = {"v": variable}
    sentence = r"in-place operators are ambiguous: got .*, expected an update method; v.assign_add\(x\) changes"
    refused(variable, lambda: exec(f"v {operator}= 1", names), TypeError, sentence)
    assert names["v"] is variable


def test_an_error_in_a_callable_initial_value_comes_through():
    def initial_value():
        raise KeyError("of the user")

    with pytest.raises(KeyError, match="of the user"):
        tf.Variable(initial_value)


def test_what_an_index_array_raises_while_it_is_read_comes_through(variable):
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("broken array")

    refused(variable, lambda: tf.scatter_add(variable, Broken(), 1.0), RuntimeError, "broken array")
    refused(variable, lambda: variable.assign(Broken()), RuntimeError, "broken array")
