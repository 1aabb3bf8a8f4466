"""The update methods and functions against the reference: dtypes, layouts, indices of any kind, aliasing, chaining."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import OutOfRangeError
from nbvars.kernels.cpu.header import MOST_HELD_ITEMS
from tests import reference
from tests.conftest import ALL_DTYPES, COMPLEX, FLOATS, LAYOUTS, NUMERIC, assert_same_bits, numpy_dtype

DENSE = ["assign", "assign_add", "assign_sub"]
SCATTERS = [
    "scatter_add",
    "scatter_div",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_sub",
    "scatter_update",
]
SCATTERS_ND = ["scatter_nd_add", "scatter_nd_sub", "scatter_nd_update"]
INDEX_DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]

FORMS = {
    "list": lambda array: (
        array.astype(np.complex128 if array.dtype.kind == "c" else np.float64).tolist()
        if array.dtype.kind in "fcV"
        else array.tolist()
    ),
    "array": lambda array: array.copy(),
    "tensor": tf.constant,
    "variable": tf.Variable,
    "list of arrays": list,
}


def run_reference(op, before, *arguments):
    """Return what the reference makes of a copy of ``before``."""
    expected = before.copy()
    with np.errstate(all="ignore"):
        getattr(reference, op)(expected, *arguments)
    return expected


def number_of(dtype):
    if dtype == "bool":
        return True
    return 2.5 if dtype in FLOATS else 1 + 2j if dtype in COMPLEX else 3


def example(dtype, shape=(2, 3)):
    array = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) % 7 + 1).astype(numpy_dtype(dtype))
    if dtype in COMPLEX:
        array = array * numpy_dtype(dtype).type(1 + 0.5j)
    return array % 2 == 0 if dtype == "bool" else array


@pytest.mark.parametrize(
    ("op", "dtype"), [(op, dtype) for op in DENSE for dtype in (ALL_DTYPES if op == "assign" else NUMERIC)]
)
def test_dense_update_takes_every_form_of_value_for_every_dtype(op, dtype):
    before, value = example(dtype), example(dtype)[::-1]
    expected = run_reference(op, before, value)
    for form, make in FORMS.items():
        variable = tf.Variable(before)
        assert getattr(variable, op)(make(value)) is variable, form
        assert_same_bits(variable.numpy(), expected)
        assert getattr(tf, op)(variable, make(value)) is variable, form
        assert_same_bits(variable.numpy(), run_reference(op, expected, value))


@pytest.mark.parametrize(
    ("op", "dtype"), [(op, dtype) for op in DENSE for dtype in (ALL_DTYPES if op == "assign" else NUMERIC)]
)
def test_dense_update_by_a_number_changes_every_element(op, dtype):
    before, number = example(dtype), number_of(dtype)
    expected = run_reference(op, before, np.array(number).astype(before.dtype))
    for value in (number, before.dtype.type(number)):
        assert_same_bits(getattr(tf.Variable(before), op)(value).numpy(), expected)
        assert_same_bits(getattr(tf, op)(tf.Variable(before), value).numpy(), expected)


@pytest.mark.parametrize("op", DENSE)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 2, 1, 3)], ids=str)
def test_dense_update_reads_any_layout(op, layout, shape):
    before, value = example("float32", shape), example("float32", shape)[::-1]
    variable = tf.Variable(before)
    given = LAYOUTS[layout](value)
    kept = given.copy()
    getattr(variable, op)(given)
    assert_same_bits(variable.numpy(), run_reference(op, before, value))
    np.testing.assert_array_equal(given, kept)


@pytest.mark.parametrize("op", DENSE)
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0), (1,), (1, 1), (1, 5, 1), (2, 3, 1, 2, 2)], ids=str)
def test_dense_update_of_any_shape(op, shape):
    before, value = example("float32", shape), np.full(shape, 3, np.float32)
    for given in (value, value.tolist(), 3, 3.0, tf.constant(value)):
        if np.shape(given) not in (shape, ()):
            continue  # a list of no rows does not tell their shape
        variable = tf.Variable(before)
        getattr(variable, op)(given)
        assert_same_bits(np.asarray(variable), run_reference(op, before, value))


@pytest.mark.parametrize("op", DENSE)
@pytest.mark.parametrize("dtype", ["float32", "int8", "bfloat16", "complex64"])
@pytest.mark.parametrize("num_items", [MOST_HELD_ITEMS, MOST_HELD_ITEMS + 1, 3_000_001])
def test_dense_update_of_a_large_variable(op, dtype, num_items):
    before = example(dtype, (num_items,))
    value, number = before[::-1].copy(), number_of(dtype)
    variable = tf.Variable(before)
    getattr(variable, op)(value)
    expected = run_reference(op, before, value)
    assert_same_bits(variable.numpy(), expected)
    getattr(variable, op)(number)
    assert_same_bits(variable.numpy(), run_reference(op, expected, np.array(number).astype(before.dtype)))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", np.array([1, 2])),
        ("float32", np.array([1.5, 2.5])),
        ("float32", [1, 2]),
        ("float32", [True, False]),
        ("float32", (1, 2.5)),
        ("float32", range(2)),
        ("float32", 7),
        ("float32", True),
        ("float32", np.int64(7)),
        ("float32", np.float64(0.1)),
        ("float16", 0.1),
        ("bfloat16", np.array([0.1, 0.2])),
        ("float64", 0.1),
        ("float64", [0.1, 0.2]),
        ("int8", np.array([1, 2], np.int64)),
        ("int64", np.array([1, 2], np.uint8)),
        ("uint8", [1, 255]),
        ("uint64", 2**64 - 1),
        ("uint64", [2**64 - 1, 2**63]),
        ("int64", -(2**63)),
        ("complex64", 1.5),
        ("complex64", np.array([1, 2], np.float64)),
    ],
    ids=str,
)
def test_assign_converts_by_the_same_kind_rule(dtype, value):
    variable = tf.Variable([0, 0], dtype=dtype)
    variable.assign(value)
    expected = np.broadcast_to(np.asarray(value).astype(numpy_dtype(dtype)), (2,))
    assert_same_bits(variable.numpy(), expected)


def test_integers_wrap():
    assert tf.Variable([127, -128], dtype="int8").assign_add(1).numpy().tolist() == [-128, -127]
    assert tf.Variable([0], dtype="uint64").assign_sub(1).numpy().tolist() == [2**64 - 1]
    assert tf.Variable(2**31 - 1).assign_add([[1, 2]][0][0]).numpy() == -(2**31)


def test_floats_overflow_to_infinity_without_a_warning():
    variable = tf.Variable([65504.0], dtype="float16")
    assert np.isinf(variable.assign_add(65504.0).numpy()).all()
    assert np.isinf(tf.Variable(0.0).assign(1e300).numpy())
    assert np.isinf(tf.Variable([0.0]).assign(np.array([1e300])).numpy()).all()
    assert np.isnan(tf.Variable([0.0]).assign(float("nan")).numpy()).all()


def test_sixteen_bit_updates_are_rounded_once():
    variable = tf.Variable([2048.0], dtype="float16")
    assert variable.assign_add(1.0).numpy()[0] == 2048  # ties to even
    assert variable.assign_add(1.0009765625).numpy()[0] == 2050 or variable.numpy()[0] == 2048
    assert tf.Variable([256.0], dtype="bfloat16").assign_add(1.0).numpy()[0] == 256


@pytest.mark.parametrize("use_locking", [False, True])
def test_update_methods_return_the_variable(use_locking):
    variable = tf.Variable(np.ones((3, 2), np.float32))
    rows = tf.IndexedSlices(np.ones((1, 2), np.float32), [0])
    for op in DENSE:
        assert getattr(variable, op)(np.ones((3, 2), np.float32), use_locking=use_locking, name="op") is variable
        assert getattr(tf, op)(variable, 1.0, use_locking=use_locking, name="op") is variable
    for op in [*SCATTERS, "batch_scatter_update"]:
        delta = tf.IndexedSlices([1.0], [0])
        of_rows = variable if op != "batch_scatter_update" else tf.Variable([1.0, 2.0])
        given = rows if op != "batch_scatter_update" else delta
        assert getattr(of_rows, op)(given, use_locking=use_locking, name="op") is of_rows
        indices, values = given.indices, given.values
        assert getattr(tf, op)(of_rows, indices, values, use_locking=use_locking, name="op") is of_rows
    for op in SCATTERS_ND:
        assert getattr(variable, op)([[0, 1]], [1.0], use_locking=use_locking, name="op") is variable
        assert getattr(tf, op)(variable, [[0, 1]], [1.0], use_locking=use_locking, name="op") is variable


def test_updates_chain():
    variable = tf.Variable([1.0, 2.0, 3.0])
    variable.assign_add(1).assign_sub([1, 0, 0]).scatter_mul(tf.IndexedSlices([10.0], [1])).assign_add(variable)
    assert variable.numpy().tolist() == [2, 60, 8]


def test_validate_shape_changes_nothing_in_eager_mode():
    variable = tf.Variable([1.0, 2.0])
    assert tf.assign(variable, [3.0, 4.0], validate_shape=False).numpy().tolist() == [3, 4]


def test_load_replaces_the_value_and_returns_nothing():
    variable = tf.Variable([1.0, 2.0])
    assert variable.load([3, 4], session=None) is None
    assert variable.numpy().tolist() == [3, 4]


def rows_and_values(op, dtype, indices_shape, row=(2, 2)):
    """Return a table of seven rows, indices with repetitions, and values without zeros."""
    table = example(dtype, (7, *row))
    indices = np.arange(np.prod(indices_shape, dtype=int)).reshape(indices_shape) * 5 % 7 % 4
    return table, indices, example(dtype, (*indices_shape, *row))


@pytest.mark.parametrize(
    ("op", "dtype"),
    [(op, dtype) for op in SCATTERS for dtype in ("float32", "int32")]
    + [(op, dtype) for op in ("scatter_sub", "scatter_update") for dtype in ("bfloat16", "complex64", "uint8")]
    + [("scatter_update", "bool")],
)
def test_scatter_takes_indices_of_any_rank(op, dtype):
    for shape in [(), (1,), (9,), (2, 3), (2, 1, 2), (0,), (2, 0)]:
        table, indices, values = rows_and_values(op, dtype, shape)
        expected = run_reference(op, table, indices, values)
        variable = tf.Variable(table)
        getattr(variable, op)(tf.IndexedSlices(values, indices))
        assert_same_bits(variable.numpy(), expected)
        variable = tf.Variable(table)
        getattr(tf, op)(variable, indices, values)
        assert_same_bits(variable.numpy(), expected)


@pytest.mark.parametrize("op", SCATTERS)
@pytest.mark.parametrize("row", [(), (1,), (3,), (0,), (2, 1, 2, 1)], ids=str)
def test_scatter_updates_rows_of_any_shape(op, row):
    table, indices, values = rows_and_values(op, "float32", (5,), row)
    variable = tf.Variable(table)
    getattr(variable, op)(tf.IndexedSlices(values, indices))
    assert_same_bits(variable.numpy(), run_reference(op, table, indices, values))


@pytest.mark.parametrize("dtype", INDEX_DTYPES)
def test_scatter_takes_indices_of_any_integer_dtype(dtype):
    table, indices, values = rows_and_values("scatter_sub", "float32", (9,))
    expected = run_reference("scatter_sub", table, indices, values)
    for make in (np.asarray, tf.constant, tf.Variable):
        variable = tf.Variable(table)
        variable.scatter_sub(tf.IndexedSlices(values, make(indices.astype(dtype))))
        assert_same_bits(variable.numpy(), expected)


@pytest.mark.parametrize("make_values", FORMS)
@pytest.mark.parametrize("make_indices", FORMS)
def test_scatter_takes_slices_in_every_form(make_values, make_indices):
    table, indices, values = rows_and_values("scatter_sub", "float32", (4,))
    expected = run_reference("scatter_sub", table, indices, values)
    given = FORMS[make_values](values), FORMS[make_indices](indices)
    variable = tf.Variable(table)
    assert_same_bits(variable.scatter_sub(tf.IndexedSlices(*given)).numpy(), expected)
    variable = tf.Variable(table)
    assert_same_bits(tf.scatter_sub(variable, given[1], given[0]).numpy(), expected)


@pytest.mark.parametrize("values_layout", LAYOUTS)
@pytest.mark.parametrize("indices_layout", LAYOUTS)
def test_scatter_reads_any_layout(values_layout, indices_layout):
    table, indices, values = rows_and_values("scatter_sub", "float32", (4, 2))
    variable = tf.Variable(table)
    variable.scatter_sub(tf.IndexedSlices(LAYOUTS[values_layout](values), LAYOUTS[indices_layout](indices)))
    assert_same_bits(variable.numpy(), run_reference("scatter_sub", table, indices, values))


@pytest.mark.parametrize("op", SCATTERS)
def test_scatter_by_a_number_changes_whole_rows(op):
    table = example("float32", (4, 3))
    variable = tf.Variable(table)
    expected = run_reference(op, table, np.array([1, 1, 3]), np.float32(2))
    for number in (2, 2.0, np.float64(2)):
        variable = tf.Variable(table)
        assert_same_bits(getattr(tf, op)(variable, [1, 1, 3], number).numpy(), expected)


def test_scatter_takes_the_first_and_the_last_row():
    variable = tf.Variable([1.0, 2.0, 3.0])
    assert variable.scatter_add(tf.IndexedSlices([10.0, 20.0], [0, 2])).numpy().tolist() == [11, 2, 23]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)], ids=str)
def test_scatter_of_nothing_changes_nothing(shape):
    variable = tf.Variable(np.zeros(shape, np.float32))
    variable.scatter_add(tf.IndexedSlices(np.zeros((0, *shape[1:]), np.float32), np.zeros(0, np.int32)))
    tf.scatter_add(variable, [], np.zeros((0, *shape[1:])))
    tf.scatter_add(variable, [], 1.0)
    assert variable.numpy().shape == shape


def test_indexed_slices_take_empty_lists():
    variable = tf.Variable([1.0, 2.0])
    assert variable.scatter_add(tf.IndexedSlices([], [])).numpy().tolist() == [1, 2]


def test_scatter_converts_values_by_the_same_kind_rule():
    variable = tf.Variable([0.0, 0.0])
    assert variable.scatter_add(tf.IndexedSlices(np.array([0.5]), [1])).numpy().tolist() == [0, 0.5]
    assert variable.scatter_add(tf.IndexedSlices(np.array([2]), [1])).numpy().tolist() == [0, 2.5]
    assert tf.scatter_add(variable, [0], [1]).numpy().tolist() == [1, 2.5]


def test_scatter_update_keeps_the_last_of_several():
    variable = tf.Variable([0.0, 0.0])
    assert variable.scatter_update(tf.IndexedSlices([1.0, 2.0, 3.0], [1, 1, 1])).numpy().tolist() == [0, 3]


def test_scatter_div_of_integers_rounds_towards_zero():
    variable = tf.Variable([7, -7, 7, -7])
    assert tf.scatter_div(variable, [0, 1, 2, 3], [2, 2, -2, -2]).numpy().tolist() == [3, -3, -3, 3]


def test_scatter_ignores_the_dense_shape():
    variable = tf.Variable(np.zeros((3, 2), np.float32))
    slices = tf.IndexedSlices(np.ones((1, 2), np.float32), [1], dense_shape=[3, 2])
    assert variable.scatter_add(slices).numpy().tolist() == [[0, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize("op", SCATTERS_ND)
@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize(
    ("shape", "indices"),
    [
        ((5,), [[4], [0], [4]]),
        ((5,), [2]),
        ((4, 3), [[1], [1], [3]]),
        ((4, 3), [[1, 2], [0, 0], [1, 2]]),
        ((4, 3), [3, 2]),
        ((4, 3, 2), [[[1, 2], [0, 0]], [[3, 1], [1, 2]]]),
        ((2, 3, 1, 2, 2), [[1, 2, 0], [1, 2, 0]]),
        ((4, 3), np.zeros((0, 2), np.int64)),
        ((4, 0), [[1], [2]]),
        ((0, 3), np.zeros((0, 1), np.int32)),
    ],
    ids=str,
)
def test_scatter_nd_equals_the_reference(op, dtype, shape, indices):
    positions = np.asarray(indices)
    table = example(dtype, shape)
    updates = example(dtype, positions.shape[:-1] + shape[positions.shape[-1] :])
    expected = run_reference(op, table, positions, updates)
    for given in (indices, positions.astype(np.int32), positions.astype(">i8"), tf.constant(positions)):
        variable = tf.Variable(table)
        getattr(variable, op)(given, updates)
        assert_same_bits(variable.numpy(), expected)
        variable = tf.Variable(table)
        getattr(tf, op)(variable, given, tf.constant(updates))
        assert_same_bits(variable.numpy(), expected)


def test_scatter_nd_by_a_number_changes_whole_slices():
    variable = tf.Variable(np.zeros((2, 3), np.float32))
    assert variable.scatter_nd_add([[1], [1]], 2).numpy().tolist() == [[0, 0, 0], [4, 4, 4]]


@pytest.mark.parametrize(
    ("shape", "indices"),
    [
        ((5,), [4, 0, 4]),
        ((5, 2), [1, 3]),
        ((2, 4), [[0, 3], [2, 2]]),
        ((2, 4, 3), [[0, 3], [2, 2]]),
        ((2, 2, 3, 2), [[[0], [1]], [[2], [0]]]),
        ((2, 4, 0), [[0, 3], [2, 2]]),
        ((2, 4), np.zeros((2, 0), np.int64)),
        ((0, 4), np.zeros((0, 2), np.int64)),
        ((2, 0), np.zeros((2, 0), np.int64)),
    ],
    ids=str,
)
def test_batch_scatter_update_equals_the_reference(shape, indices):
    places = np.asarray(indices)
    table = example("float32", shape)
    updates = -example("float32", places.shape + shape[places.ndim :])
    expected = run_reference("batch_scatter_update", table, places, updates)
    variable = tf.Variable(table)
    variable.batch_scatter_update(tf.IndexedSlices(updates, places))
    assert_same_bits(variable.numpy(), expected)
    variable = tf.Variable(table)
    tf.batch_scatter_update(variable, places.astype(np.int32), updates)
    assert_same_bits(variable.numpy(), expected)


@pytest.mark.parametrize("indices", [[[1], [0]], [[1, 2], [0, 0]], [1, 2], [[[3, 2]]], np.zeros((0, 2), int)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_gather_nd_equals_the_reference(dtype, indices):
    table = example(dtype, (4, 3))
    variable = tf.Variable(table)
    expected = reference.gather_nd(table, np.asarray(indices))
    for got in (variable.gather_nd(indices), tf.gather_nd(variable, np.asarray(indices, np.int32))):
        assert_same_bits(np.asarray(got), expected)


@pytest.mark.parametrize("indices", [0, [3, 0, 3], [[1, 2], [0, 0]], np.zeros((0, 2), int)], ids=str)
def test_sparse_read_returns_rows(indices):
    table = example("float32", (4, 3))
    variable = tf.Variable(table)
    rows = variable.sparse_read(indices)
    variable.assign(0)
    assert_same_bits(np.asarray(rows), table[np.asarray(indices)])


def test_assign_of_the_reversed_value():
    variable = tf.Variable(np.arange(10_000, dtype=np.float32))
    variable.assign(variable.value()[::-1])
    assert_same_bits(variable.numpy(), np.arange(10_000, dtype=np.float32)[::-1])
    small = tf.Variable([1.0, 2.0, 3.0])
    assert small.assign(np.asarray(small.value())[::-1]).numpy().tolist() == [3, 2, 1]


@pytest.mark.parametrize("size", [3, 200])
def test_assign_of_the_transposed_value(size):
    matrix = np.arange(size * size, dtype=np.float32).reshape(size, size)
    variable = tf.Variable(matrix)
    assert_same_bits(variable.assign(np.asarray(variable.value()).T).numpy(), matrix.T)
    assert_same_bits(variable.assign_add(tf.transpose(variable.value())).numpy(), matrix + matrix.T)


def test_dense_updates_by_the_variable_itself():
    variable = tf.Variable([1.0, 2.0])
    assert variable.assign_add(variable).numpy().tolist() == [2, 4]
    assert variable.assign_add(variable.value()).numpy().tolist() == [4, 8]
    assert variable.assign(variable).numpy().tolist() == [4, 8]
    assert variable.assign_sub(np.asarray(variable)).numpy().tolist() == [0, 0]
    scalar = tf.Variable(3.0)
    assert scalar.assign_add(scalar).numpy() == 6


@pytest.mark.parametrize("op", SCATTERS)
@pytest.mark.parametrize("row", [(), (3,)], ids=str)
def test_scatter_of_rows_of_the_variable_itself(op, row):
    table = example("float32", (5, *row))
    for first, indices in ((0, [1, 2]), (1, [0, 1]), (3, [4, 4]), (0, [0, 1])):
        variable = tf.Variable(table)
        own = variable.value()[first : first + 2]
        getattr(variable, op)(tf.IndexedSlices(own, indices))
        expected = run_reference(op, table, np.array(indices), table[first : first + 2].copy())
        assert_same_bits(variable.numpy(), expected)


def test_scatter_by_the_variable_as_its_own_indices():
    variable = tf.Variable(np.array([2, 0, 1], np.int64))
    assert variable.scatter_add(tf.IndexedSlices(np.array([10, 20, 30]), variable)).numpy().tolist() == [22, 30, 11]
    variable = tf.Variable(np.array([2, 0, 1], np.int64))
    assert tf.scatter_update(variable, variable, variable).numpy().tolist() == [0, 1, 2]


def test_scatter_nd_of_the_variable_itself():
    variable = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    variable.scatter_nd_update([[0], [1]], np.asarray(variable.value())[::-1])
    assert variable.numpy().tolist() == [[3, 4], [1, 2]]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_count_up_to_counts_and_stops_at_its_limit(dtype):
    counter = tf.Variable(0, dtype=dtype)
    assert [counter.count_up_to(3), tf.count_up_to(counter, np.int64(3)), counter.count_up_to(np.int32(3))] == [0, 1, 2]
    assert counter.numpy() == 3
    for _ in range(2):
        with pytest.raises(OutOfRangeError, match="Reached limit of 3: got 3, expected less than 3") as caught:
            counter.count_up_to(3)
        assert isinstance(caught.value, IndexError)
        assert counter.numpy() == 3
    assert counter.count_up_to(4) == 3
    assert type(counter.count_up_to(5)) is int


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_count_up_to_works_at_the_ends_of_the_dtype(dtype):
    limits = np.iinfo(dtype)
    counter = tf.Variable(int(limits.max) - 1, dtype=dtype)
    assert counter.count_up_to(int(limits.max)) == limits.max - 1
    with pytest.raises(OutOfRangeError, match=f"got {limits.max}, expected less than {limits.max}"):
        counter.count_up_to(int(limits.max))
    counter.assign(int(limits.min))
    with pytest.raises(OutOfRangeError, match=f"Reached limit of {limits.min}"):
        counter.count_up_to(int(limits.min))
    assert counter.count_up_to(0) == limits.min
    assert counter.count_up_to(-5) == limits.min + 1


def test_count_up_to_of_a_counter_beyond_its_limit_leaves_it():
    counter = tf.Variable(10)
    with pytest.raises(OutOfRangeError, match="Reached limit of 3: got 10, expected less than 3"):
        counter.count_up_to(3)
    assert counter.numpy() == 10


def test_variable_of_a_foreign_int64_is_updated_like_any_other():
    variable = tf.Variable(np.array([1, 2], np.longlong))
    variable.assign_add(1).assign_add(np.array([1, 1], np.int64)).scatter_sub(tf.IndexedSlices(np.array([1]), [0]))
    assert variable.dtype == "int64"
    assert variable.numpy().tolist() == [2, 4]


def test_updates_keep_no_references():
    variable = tf.Variable(np.zeros((4, 2), np.float32))
    large = tf.Variable(np.zeros(MOST_HELD_ITEMS + 1, np.float32))
    counter = tf.Variable(0)
    delta, values, indices = np.ones((4, 2), np.float32), np.ones((2, 2), np.float32), np.array([1, 3])
    slices, wrong, many = tf.IndexedSlices(values, indices), np.ones((4, 3), np.float32), np.ones(MOST_HELD_ITEMS + 1)
    number = 1.2345

    def update():
        variable.assign(delta).assign_add(delta).assign_sub(delta).assign_add(number).assign_add(delta.T.copy().T)
        variable.scatter_sub(slices).scatter_nd_add([[0, 0]], 1.0)
        large.assign_add(many)
        counter.count_up_to(10_000)
        for refused in (wrong, "text", [1.0]):
            with pytest.raises((TypeError, ValueError)):
                variable.assign_add(refused)

    held = (variable, large, counter, delta, values, indices, slices, wrong, many, number)
    update()
    before = [sys.getrefcount(thing) for thing in held]
    for _ in range(1000):
        update()
    gc.collect()
    assert [sys.getrefcount(thing) for thing in held] == before


def test_updates_leave_no_memory_behind():
    variable = tf.Variable(np.zeros(64, np.float32))
    delta = np.ones(64, np.float32)
    slices = tf.IndexedSlices(np.ones(2, np.float32), np.array([1, 3]))

    def update():
        for _ in range(300):
            variable.assign_add(delta).assign_add(1.5).scatter_sub(slices).assign(variable.value()).numpy()

    update()
    gc.collect()
    tracemalloc.start()
    try:
        update()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(3):
            update()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 3 * 300 * 16  # less than the smallest object for each round


UPDATE_AND_PRINT = """
import sys
import numpy as np
import nbvars as tf
for op in sys.argv[1:]:
    for dtype in ("bfloat16", "float32"):
        variable = tf.Variable([8.0], dtype=dtype)
        print(op, float(getattr(variable, op)(variable.numpy())[0]))
"""


def test_kernels_that_several_processes_cached_do_not_mix(tmp_path):
    # Each process numbers what it compiles from 1: kernels of two of them may hold the same symbol.
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(tf.__file__).parents[1])}
    sums = {"assign_add": "assign_add 16.0", "assign_sub": "assign_sub 0.0"}
    for ops in (["assign_add"], ["assign_sub"], ["assign_add", "assign_sub"], ["assign_sub", "assign_add"]):
        command = [sys.executable, "-c", UPDATE_AND_PRINT, *ops]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [sums[op] for op in ops for _ in range(2)]
