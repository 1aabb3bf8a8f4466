"""Updates of rows, counting and steps of optimizers through variables on a GPU."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError, OutOfRangeError
from tests.conftest import assert_same_bits

ROWS = ["scatter_sub", "scatter_add", "scatter_update", "scatter_mul", "scatter_div", "scatter_min", "scatter_max"]


def table():
    return np.arange(1, 13, dtype=np.float32).reshape(4, 3)


def on_gpu(value):
    with tf.device("/gpu:0"):
        return tf.Variable(value)


def constant_on_gpu(value):
    with tf.device("/gpu:0"):
        return tf.constant(value)


@pytest.fixture
def checking():
    """Let the test choose how indices are checked."""
    yield tf.cuda.set_index_checking
    tf.cuda.set_index_checking("deferred")


@pytest.mark.parametrize("op", ROWS)
@pytest.mark.parametrize("deterministic", [False, True])
def test_rows_are_updated_as_on_the_cpu(op, deterministic):
    values = np.array([[2, 3, 4], [5, 6, 7], [8, 9, 10]], np.float32)
    for indices in ([3, 0, 2], np.array([3, 0, 2], np.int32), constant_on_gpu([3, 0, 2])):
        there, here = on_gpu(table()), tf.Variable(table())
        for updates in (values, constant_on_gpu(values), 2.0):
            assert getattr(tf, op)(there, indices, updates, deterministic=deterministic) is there
            getattr(tf, op)(here, [3, 0, 2], values if isinstance(updates, tf.Tensor) else updates)
        np.testing.assert_array_equal(there.numpy(), here.numpy())


def test_methods_take_slices():
    there = on_gpu(table())
    slices = tf.IndexedSlices(constant_on_gpu([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), [1, 1])
    assert there.scatter_add(slices, use_locking=True, deterministic=True) is there
    there.scatter_sub(tf.IndexedSlices([[2.0, 2.0, 2.0]], [0]))
    assert (there.numpy() - table())[:2].tolist() == [[-2, -2, -2], [2, 2, 2]]


def test_positions_and_batches_are_updated_as_on_the_cpu():
    there, here = on_gpu(table()), tf.Variable(table())
    for each in (there, here):
        each.scatter_nd_add([[0, 1], [3, 2]], [10.0, 20.0])
        each.scatter_nd_sub([[1]], [[1.0, 2.0, 3.0]])
        each.scatter_nd_update([[2, 0]], [7.0])
        tf.batch_scatter_update(each, [[0], [1], [2], [0]], [[9.0], [8.0], [7.0], [6.0]])
    np.testing.assert_array_equal(there.numpy(), here.numpy())
    there.scatter_nd_add(constant_on_gpu([[1]]), [[1.0, 2.0, 3.0]])
    here.scatter_nd_add([[1]], [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(there.numpy(), here.numpy())


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda v: tf.scatter_add(v, [0, 4], np.ones((2, 3), np.float32)),
            InvalidArgumentError,
            "scatter_add: an index is out of range: indices[1] = 4 is not in [0, 4); nothing was written",
        ),
        (
            lambda v: v.scatter_nd_add([[0, 3]], [1.0]),
            InvalidArgumentError,
            "scatter_nd_add: an index is out of range: indices[0] = [0, 3] is not in shape (4, 3); nothing was written",
        ),
        (lambda v: tf.scatter_add(v, [0.5], [[1.0] * 3]), TypeError, "scatter_add: indices has the wrong dtype"),
        (lambda v: tf.scatter_add(v, constant_on_gpu([0.5]), [[1.0] * 3]), TypeError, "scatter_add: indices has the"),
        (lambda v: tf.scatter_add(v, [0], [[1.0] * 2]), ValueError, "got (1, 2), expected (1, 3)"),
        (lambda v: tf.scatter_add(v, tf.constant([0, 1]), 1.0), InvalidArgumentError, "a value is on another device"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(call, error, sentence):
    variable = on_gpu(table())
    with pytest.raises(error, match=re.escape(sentence)):
        call(variable)
    np.testing.assert_array_equal(variable.numpy(), table())


def test_a_bad_index_on_the_gpu_is_raised_at_a_later_call(checking):
    variable = on_gpu(table())

    def update():
        tf.scatter_add(variable, constant_on_gpu([1, 9]), np.ones((2, 3), np.float32))

    sentence = re.escape(
        "scatter_add: an index is out of range: indices[1] = 9 is not in [0, 4); the slice was left out"
    )
    update()
    with pytest.raises(InvalidArgumentError, match=sentence):
        tf.synchronize()
    tf.synchronize()
    update()
    with pytest.raises(InvalidArgumentError, match=sentence):
        variable.numpy()
    update()
    with pytest.raises(InvalidArgumentError, match=sentence):
        variable.assign_add(100.0)
    checking("sync")
    with pytest.raises(InvalidArgumentError, match=sentence):
        update()
    checking("off")
    update()
    tf.synchronize("/gpu:0")
    expected = table()
    expected[1] += 5  # once for each update, of which only the bad slices are left out
    np.testing.assert_array_equal(variable.numpy(), expected)
    with pytest.raises(ValueError, match="no such mode"):
        checking("later")


def test_a_counter_counts_up_to_its_limit():
    for dtype in (np.int32, np.int64):
        counter = on_gpu(dtype(0))
        assert [counter.count_up_to(3), tf.count_up_to(counter, 3), counter.count_up_to(3)] == [0, 1, 2]
        with pytest.raises(OutOfRangeError, match="Reached limit"):
            counter.count_up_to(3)
        assert counter.numpy() == 3
    with pytest.raises(TypeError, match="limit has the wrong type"):
        counter.count_up_to(1.5)


def test_casts_stay_on_the_gpu_and_have_the_bits_of_the_cpu():
    value = np.array([np.nan, -1.5, 300.7, 1e30, -0.0], np.float32)
    for dtype in (tf.int8, tf.bfloat16, tf.float64, tf.bool):
        made = tf.cast(constant_on_gpu(value), dtype)
        assert (made.device, made.dtype) == ("/gpu:0", dtype)
        assert_same_bits(made.numpy(), tf.cast(value, dtype).numpy())


def test_bfloat16_is_computed_in_float32():
    value = np.array([1.0, 3.14159, -2.5]).astype(tf.bfloat16.numpy_dtype)
    got, expected = constant_on_gpu(value) * 3.0, tf.constant(value) * 3.0
    assert got.dtype is tf.bfloat16
    np.testing.assert_array_equal(got.numpy(), expected.numpy())


def test_arrays_of_another_dtype_are_converted_on_the_gpu():
    class Theirs:
        def __init__(self, variable):
            self.__cuda_array_interface__ = variable.__cuda_array_interface__
            self.variable = variable

    variable = on_gpu([1.0, 2.0])
    assert variable.assign_add(Theirs(on_gpu(np.array([1, 2], np.int16)))).numpy().tolist() == [2, 4]
    with pytest.raises(TypeError, match="the value has the wrong dtype: got complex64, expected float32; use cast"):
        variable.assign(Theirs(on_gpu(np.array([1, 2], np.complex64))))
