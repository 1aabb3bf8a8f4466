"""Graph mode: variables and ops that ask for a GPU, and what goes to and fro."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError


@pytest.fixture
def graph():
    with tf.Graph().as_default() as made:
        yield made


def gpu():
    return tf.device("/gpu:0")


def storage_types(session):
    return {op.name: storage.device_type for op, storage in session.storages.items()}


def test_a_variable_lives_where_it_asks_to(graph):
    with gpu():
        on_gpu = tf.Variable(np.arange(6.0), name="on_gpu")
    on_cpu = tf.Variable(np.ones(2), name="on_cpu")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert storage_types(session) == {"on_gpu": "gpu", "on_cpu": "cpu"}
        np.testing.assert_array_equal(session.run(on_gpu), np.arange(6.0))
        np.testing.assert_array_equal(on_gpu.eval(), np.arange(6.0))
    assert on_gpu.device == "/device:GPU:0"
    assert on_cpu.device == ""


def test_updates_take_numbers_constants_feeds_and_values_of_other_devices(graph):
    with gpu():
        variable = tf.Variable(np.zeros(3, np.float32))
    other = tf.Variable(np.full(3, 4, np.float32))
    fed = tf.placeholder(tf.float32, [3])
    updates = [
        variable.assign_add(1.0),
        variable.assign_add(np.array([1, 2, 3], np.float32)),
        variable.assign_sub(fed),
        variable.assign(other),
        variable.assign_add(variable),
    ]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        seen = [session.run(update, {fed: [0.5, 0.5, 0.5]}).tolist() for update in updates]
    assert seen == [[1, 1, 1], [2, 3, 4], [1.5, 2.5, 3.5], [4, 4, 4], [8, 8, 8]]


def test_ops_compute_on_the_gpu_and_what_they_make_goes_where_it_is_needed(graph):
    with gpu():
        x = tf.Variable(np.arange(6, dtype=np.float32).reshape(2, 3))
        product = tf.matmul(x, x, transpose_b=True)
        total = tf.reduce_sum(product * 2.0)
    on_host = tf.sqrt(total) + 1.0
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        value = np.arange(6, dtype=np.float32).reshape(2, 3)
        got = session.run([product, total, on_host])
    np.testing.assert_array_equal(got[0], value @ value.T)
    assert got[1] == 2 * (value @ value.T).sum()
    assert got[2] == np.sqrt(got[1]) + 1


def test_a_fetched_value_stays_what_it_was(graph):
    with gpu():
        variable = tf.Variable(np.zeros(2))
        read = variable.read_value()
    with tf.Session() as session:
        session.run(variable.initializer)
        before = session.run(read)
        session.run(variable.assign_add(5.0))
        assert before.tolist() == [0, 0]
        assert session.run(read).tolist() == [5, 5]


def test_branches_and_loops_use_variables_on_a_gpu(graph):
    with gpu():
        variable = tf.Variable(np.full(2, 3.0))
        doubled = variable * 2.0
    flag = tf.placeholder(tf.bool, [])
    chosen = tf.cond(flag, lambda: doubled + 1.0, lambda: tf.identity(variable))
    _, summed = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + doubled), [0, np.zeros(2)])
    with tf.Session() as session:
        session.run(variable.initializer)
        assert session.run(chosen, {flag: True}).tolist() == [7, 7]
        assert session.run(chosen, {flag: False}).tolist() == [3, 3]
        assert session.run(summed).tolist() == [18, 18]


def test_initial_values_that_are_random_are_those_of_the_cpu(graph):
    def drawn(device):
        with tf.Graph().as_default(), tf.device(device), tf.Session() as session:
            tf.set_random_seed(7)
            variable = tf.get_variable("v", [50], initializer=tf.random_normal_initializer())
            session.run(variable.initializer)
            return session.run(variable)

    np.testing.assert_array_equal(drawn("/gpu:0"), drawn("/cpu:0"))


def test_a_gpu_that_is_not_there_is_an_error_or_the_cpu(graph):
    with tf.device("/gpu:7"):
        variable = tf.Variable(np.ones(2), name="far")
    with tf.Session() as session, pytest.raises(InvalidArgumentError, match=r"operation 'far.*/gpu:7"):
        session.run(variable.initializer)
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as session:
        session.run(variable.initializer)
        assert set(storage_types(session).values()) == {"cpu"}


def test_a_variable_that_was_not_initialized_says_so(graph):
    with gpu():
        variable = tf.Variable(np.ones(2), name="empty")
    with tf.Session() as session:
        for target in (variable, variable.assign_add(1.0), variable + 1.0):
            with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value empty"):
                session.run(target)
        assert not session.run(tf.is_variable_initialized(variable))


@pytest.mark.parametrize("asked", [True, False])
def test_a_scatter_is_in_order_where_its_operation_asks_for_that(graph, asked, monkeypatch):
    from nbvars.kernels.cuda import KERNELS

    seen, launch = [], KERNELS["scatter_sub"]
    monkeypatch.setitem(KERNELS, "scatter_sub", lambda *a, **k: (seen.append(k["deterministic"]), launch(*a, **k)))
    with gpu():
        table = tf.Variable(np.zeros((3, 2), np.float32))
    slices = tf.IndexedSlices(np.ones((3, 2), np.float32), np.array([1, 1, 2]))
    update = table.scatter_sub(slices, deterministic=asked)
    with tf.Session() as session:
        session.run(table.initializer)
        assert session.run(update).tolist() == [[0, 0], [-2, -2], [-1, -1]]
    assert seen == [asked]
