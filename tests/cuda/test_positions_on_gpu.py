"""Updates at positions over several axes, and within batches, whose indices are on the GPU."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError

SHAPE = (3, 4, 2, 5)
ND = ["scatter_nd_add", "scatter_nd_sub", "scatter_nd_update"]


def on_gpu(value):
    with tf.device("/gpu:0"):
        return tf.Variable(value)


def constant_on_gpu(value):
    with tf.device("/gpu:0"):
        return tf.constant(value)


def table():
    return np.arange(120, dtype=np.float32).reshape(SHAPE)


def positions(depth, count, dtype, seed=0):
    random = np.random.default_rng(seed)
    return np.stack([random.integers(0, size, count) for size in SHAPE[:depth]], -1).astype(dtype)


def slices(depth, count):
    return np.arange(count * np.prod(SHAPE[depth:], dtype=int), dtype=np.float32).reshape(count, *SHAPE[depth:])


@pytest.fixture
def checking():
    """Let the test choose how indices are checked."""
    yield tf.cuda.set_index_checking
    tf.cuda.set_index_checking("deferred")


@pytest.mark.parametrize("op", ND)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_positions_of_the_gpu_change_what_those_of_the_host_do(op, depth, dtype):
    indices, updates = positions(depth, 6, dtype), slices(depth, 6)
    there, here = on_gpu(table()), tf.Variable(table())
    getattr(tf, op)(there, constant_on_gpu(indices), constant_on_gpu(updates))
    getattr(tf, op)(here, indices, updates)
    np.testing.assert_array_equal(there.numpy(), here.numpy())


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("updates", [2.0, 3])
def test_a_number_and_a_position_that_is_named_twice(deterministic, updates):
    indices = np.array([[[2, 3], [0, 1]], [[2, 3], [1, 0]]], np.int32)
    there, here = on_gpu(table()), tf.Variable(table())
    tf.scatter_nd_add(there, constant_on_gpu(indices), updates, deterministic=deterministic)
    tf.scatter_nd_add(here, indices, updates)
    np.testing.assert_array_equal(there.numpy(), here.numpy())


def test_indices_of_other_dtypes_and_of_a_variable():
    there, here = on_gpu(table()), tf.Variable(table())
    for dtype in (np.uint8, np.int16, np.uint64):
        indices = positions(2, 5, dtype)
        tf.scatter_nd_sub(there, on_gpu(indices), constant_on_gpu(slices(2, 5)))
        tf.scatter_nd_sub(here, indices, slices(2, 5))
    np.testing.assert_array_equal(there.numpy(), here.numpy())


def test_positions_over_more_axes_than_a_launch_takes():
    shape = (2, 3, 1, 2, 2, 3)
    there, here = on_gpu(np.zeros(shape, np.int64)), tf.Variable(np.zeros(shape, np.int64))
    indices = np.stack([np.random.default_rng(1).integers(0, size, 9) for size in shape], -1)
    tf.scatter_nd_add(there, constant_on_gpu(indices), constant_on_gpu(np.arange(1, 10)))
    tf.scatter_nd_add(here, indices, np.arange(1, 10))
    np.testing.assert_array_equal(there.numpy(), here.numpy())
    tf.scatter_nd_add(there, constant_on_gpu([[0, 0, 1, 0, 0, 9]]), [1])
    with pytest.raises(InvalidArgumentError, match=r"slice 0 of indices has 1 on axis 2, not in \[0, 1\)"):
        tf.synchronize()
    np.testing.assert_array_equal(there.numpy(), here.numpy())


def test_no_positions_change_nothing():
    there = on_gpu(table())
    for op in ND:
        getattr(tf, op)(there, constant_on_gpu(np.empty((0, 2), np.int32)), constant_on_gpu(slices(2, 0)))
    tf.batch_scatter_update(there, constant_on_gpu(np.empty((3, 0), np.int32)), np.empty((3, 0, 2, 5), np.float32))
    np.testing.assert_array_equal(there.numpy(), table())


def test_row_numbers_go_beyond_int32():
    from nbvars.kernels.cuda.memory import DeviceArray, to_device
    from nbvars.kernels.cuda.positions import rows_of_batches, rows_of_positions

    large = DeviceArray((70000, 70000), np.dtype(np.float32), 0, 0, None)  # no memory: it is not looked at
    flat, rows = rows_of_positions("op", large, to_device(np.array([[69999, 69998], [1, 0]], np.int32), 0))
    assert flat.shape == (70000**2,)
    assert rows.copy_to_host().tolist() == [69999 * 70000 + 69998, 70000]
    tall = DeviceArray((2, 2**40), np.dtype(np.float32), 0, 0, None)
    flat, rows = rows_of_batches("op", tall, to_device(np.array([[5], [2**40 - 1]]), 0))
    assert flat.shape == (2**41,)
    assert rows.copy_to_host().tolist() == [[5], [2**41 - 1]]


@pytest.mark.parametrize("bad", [-1, 4, 2**40, -(2**63)])
@pytest.mark.parametrize("op", ND)
def test_a_position_out_of_range_is_reported_and_its_slice_left_out(op, bad, checking):
    indices, updates = np.array([[0, 1], [2, bad], [1, 3]]), slices(2, 3)
    sentence = (
        f"{op}: an index is out of range: slice 1 of indices has {bad} on axis 1, not in [0, 4); the slice was left out"
    )
    there, here = on_gpu(table()), tf.Variable(table())

    def run():
        getattr(tf, op)(there, constant_on_gpu(indices), constant_on_gpu(updates))
        getattr(tf, op)(here, indices[[0, 2]], updates[[0, 2]])

    run()
    with pytest.raises(InvalidArgumentError, match=re.escape(sentence)):
        tf.synchronize()
    tf.synchronize()  # it is raised once: the scatter does not report what was left out
    checking("sync")
    with pytest.raises(InvalidArgumentError, match=re.escape(sentence)):
        getattr(tf, op)(there, constant_on_gpu(indices), constant_on_gpu(updates))
    getattr(tf, op)(here, indices[[0, 2]], updates[[0, 2]])
    checking("off")
    run()
    tf.synchronize()
    np.testing.assert_array_equal(there.numpy(), here.numpy())


def test_the_first_bad_axis_of_a_position_is_named():
    there = on_gpu(table())
    tf.scatter_nd_add(there, constant_on_gpu([[3, 9, 9]]), constant_on_gpu([[1.0] * 5]))
    with pytest.raises(InvalidArgumentError, match=r"slice 0 of indices has 3 on axis 0, not in \[0, 3\)"):
        there.numpy()
    np.testing.assert_array_equal(there.numpy(), table())


def test_what_was_reported_before_is_raised_and_nothing_done():
    there, one = on_gpu(table()), on_gpu([1.0, 2.0])
    tf.scatter_add(one, constant_on_gpu([7]), constant_on_gpu([1.0]))
    with pytest.raises(InvalidArgumentError, match=r"scatter_add: .*indices\[0\] = 7"):
        tf.scatter_nd_add(there, constant_on_gpu([[0, 1]]), constant_on_gpu(slices(2, 1)))
    np.testing.assert_array_equal(there.numpy(), table())


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("num_axes", [1, 2, 3])
def test_batches_of_the_gpu_change_what_those_of_the_host_do(num_axes, dtype):
    shape = (*SHAPE[: num_axes - 1], 6)
    indices = np.stack([np.random.default_rng(i).permutation(SHAPE[num_axes - 1])[:2] for i in range(12)])
    indices = np.resize(indices, (*shape[:-1], 2)).astype(dtype)
    updates = np.arange(indices.size * np.prod(SHAPE[num_axes:], dtype=int), dtype=np.float32)
    updates = -updates.reshape(indices.shape + SHAPE[num_axes:])
    there, here = on_gpu(table()), tf.Variable(table())
    tf.batch_scatter_update(there, constant_on_gpu(indices), constant_on_gpu(updates))
    tf.batch_scatter_update(here, indices, updates)
    np.testing.assert_array_equal(there.numpy(), here.numpy())


@pytest.mark.parametrize("bad", [-1, 4])
def test_an_index_out_of_range_in_a_batch_is_reported_and_its_slice_left_out(bad):
    there, here = on_gpu(table()), tf.Variable(table())
    updates = np.ones((3, 1, 2, 5), np.float32)
    tf.batch_scatter_update(there, constant_on_gpu([[0], [bad], [2]]), constant_on_gpu(updates))
    here.assign(table())
    expected = table()
    expected[0, 0] = expected[2, 2] = 1
    sentence = f"batch_scatter_update: an index is out of range: indices[1] = {bad} is not in [0, 4)"
    with pytest.raises(InvalidArgumentError, match=re.escape(sentence)):
        tf.synchronize()
    np.testing.assert_array_equal(there.numpy(), expected)


def test_a_graph_updates_at_positions_it_computes_on_the_gpu():
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.device("/gpu:0"):
            variable = tf.Variable(table(), name="table")
            indices = tf.constant([[0, 1], [2, 2]]) + tf.constant([[1, 1], [0, 0]])
        update = tf.scatter_nd_add(variable, indices, slices(2, 2))
        session.run(tf.global_variables_initializer())
        session.run(update)
        expected = table()
        expected[1, 2] += slices(2, 2)[0]
        expected[2, 2] += slices(2, 2)[1]
        np.testing.assert_array_equal(session.run(variable), expected)


def test_gathers_take_positions_of_the_gpu():
    there = on_gpu(table())
    for depth in (1, 2, 4):
        indices = positions(depth, 6, np.int32)
        made = tf.gather_nd(there, constant_on_gpu(indices))
        assert made.device == "/gpu:0"
        np.testing.assert_array_equal(made.numpy(), table()[tuple(indices.T)])
