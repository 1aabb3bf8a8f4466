"""Which ways gradients take: several, none, through slices, branches and tapes; and what is refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import nbvars as tf


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


def initialized(session, value, **options):
    variable = tf.Variable(value, **options)
    session.run(variable.initializer)
    return variable


def test_several_ways_add_up(session):
    x = tf.constant([1.0, 2.0])
    y = x * x + 3.0 * x
    expected = 2 * np.array([1, 2]) + 3 + np.exp([1, 2])
    np.testing.assert_allclose(session.run(tf.gradients([y, tf.exp(x)], [x])[0]), expected, rtol=1e-6)


def test_what_ys_do_not_depend_on_has_no_gradient(session):
    x, y = tf.constant(1.0), tf.constant([2.0, 3.0])
    assert tf.gradients(x * 2.0, [y, x])[0] is None
    zero = tf.gradients(x * 2.0, [y], unconnected_gradients=tf.UnconnectedGradients.ZERO)[0]
    assert session.run(zero).tolist() == [0.0, 0.0]


def test_stop_gradient_and_stop_gradients_make_constants(session):
    x = tf.constant(3.0)
    assert session.run(tf.gradients(x * tf.stop_gradient(x), [x])[0]) == 3.0
    y = x * x
    assert session.run(tf.gradients(x + y, [x, y], stop_gradients=[y])) == [1.0, 1.0]


def test_gradients_by_an_intermediate_tensor(session):
    x = tf.constant(3.0)
    y = x * x
    assert session.run(tf.gradients(y * x, [y, x])) == [3.0, 27.0]


def test_every_read_of_a_variable_counts(session):
    v = initialized(session, [1.0, 2.0])
    loss = tf.reduce_sum(v * 2.0 + v.value() * v.read_value() + tf.identity(v.ref()))
    assert session.run(tf.gradients(loss, v)[0]).tolist() == [5.0, 7.0]


def test_the_gradient_of_gather_stays_slices(session):
    table = initialized(session, np.arange(6, dtype=np.float32).reshape(3, 2))
    ids = tf.placeholder(tf.int64, [None, 2])
    (gradient,) = tf.gradients(tf.reduce_sum(tf.square(tf.gather(table, ids))), [table])
    assert isinstance(gradient, tf.IndexedSlices)
    values, indices, shape = session.run(gradient, {ids: [[2, 0], [2, 2]]})
    assert (indices.tolist(), shape.tolist()) == ([2, 0, 2, 2], [3, 2])
    np.testing.assert_array_equal(values, 2 * np.array([[4, 5], [0, 1], [4, 5], [4, 5]], np.float32))


def test_slices_of_several_ways_are_joined_and_with_a_tensor_become_one(session):
    table = initialized(session, np.ones((3, 2), np.float32))
    rows = tf.reduce_sum(tf.gather(table, [0])) + 2.0 * tf.reduce_sum(tf.gather(table, [0, 1]))
    (joined,) = tf.gradients(rows, [table])
    assert isinstance(joined, tf.IndexedSlices)
    (whole,) = tf.gradients(rows + tf.reduce_sum(table), [table])
    assert not isinstance(whole, tf.IndexedSlices)
    expected = np.array([[3, 3], [2, 2], [0, 0]], np.float32)
    np.testing.assert_array_equal(session.run(tf.convert_to_tensor(joined)), expected)
    np.testing.assert_array_equal(session.run(whole), expected + 1)


@pytest.mark.parametrize("pred", [True, False])
def test_through_the_branch_that_a_run_takes(session, pred):
    p, x, y = tf.placeholder(tf.bool, []), tf.constant([1.0, 2.0]), tf.constant(3.0)

    def squares():
        z = tf.exp(x)
        return z * z * y

    result = tf.cond(p, squares, lambda: x * 2.0)
    by_x, by_y = session.run(tf.gradients(result, [x, y]), {p: pred})
    e = np.exp(2 * np.array([1.0, 2.0]))
    np.testing.assert_allclose(by_x, 6 * e if pred else [2.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(by_y, e.sum() if pred else 0.0, rtol=1e-6)


def test_through_nested_branches_and_large_values(session):
    n = 1 << 15
    p, q = tf.placeholder(tf.bool, []), tf.placeholder(tf.bool, [])
    x = tf.placeholder(tf.float32, [n])
    result = tf.cond(p, lambda: tf.cond(q, lambda: tf.square(tf.exp(x)), lambda: 3.0 * x), lambda: -x)
    (gradient,) = tf.gradients(tf.reduce_sum(result), [x])
    zeros = np.zeros(n, np.float32)
    for taken, expected in (((True, True), 2.0), ((True, False), 3.0), ((False, True), -1.0)):
        assert (session.run(gradient, {p: taken[0], q: taken[1], x: zeros}) == expected).all()


def test_a_loop_has_no_gradient(session):
    x = tf.constant(1.0)
    result = tf.while_loop(lambda i: i < 9.0, lambda i: i * 2.0, [x])
    with pytest.raises(LookupError, match=r"No gradient defined for operation 'while' \(op type: While\)"):
        tf.gradients(result, [x])


def test_what_gradients_refuses(session):
    x = tf.constant([1.0, 2.0])
    with pytest.raises(TypeError, match="ys has the wrong dtype: got int32, expected a floating dtype"):
        tf.gradients(tf.constant(1), [x])
    with pytest.raises(ValueError, match="grad_ys has the wrong length: got 2, expected 1"):
        tf.gradients(x, [x], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"grad_ys has the wrong shape: got \(3,\), expected \(2,\)"):
        tf.gradients(x, [x], np.ones(3))
    with pytest.raises(ValueError, match="unknown value of unconnected_gradients: got 'no'"):
        tf.gradients(x, [x], unconnected_gradients="no")
    with tf.eager_mode():
        value = tf.constant(1.0)
    with pytest.raises(RuntimeError, match="use GradientTape in eager mode"):
        tf.gradients(value, [x])


def test_a_tape_keeps_the_values_of_the_forward_pass():
    v, w = tf.Variable([2.0, 3.0]), tf.Variable([5.0, 7.0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(v * w)
    v.assign([0.0, 0.0])
    w.assign([0.0, 0.0])
    by_v, by_w = tape.gradient(loss, [v, w])
    assert (by_v.numpy().tolist(), by_w.numpy().tolist()) == ([5.0, 7.0], [2.0, 3.0])


def test_a_tape_watches_trainable_variables_only():
    v, w = tf.Variable(2.0), tf.Variable(3.0, trainable=False)
    with tf.GradientTape(persistent=True) as tape:
        loss = v * w
    assert tape.gradient(loss, {"v": v, "w": w})["w"] is None
    assert tape.watched_variables() == (v,)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(w)
        loss = v * w
    assert [each if each is None else float(each) for each in tape.gradient(loss, [v, w])] == [None, 2.0]


def test_every_way_to_read_a_variable_is_recorded():
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(v.value() * v.read_value() + tf.convert_to_tensor(v) + v[0] + tf.identity(v) * 2.0)
    assert tape.gradient(loss, v).numpy().tolist() == [2 * 1 + 1 + 2 + 2.0, 2 * 2 + 1 + 2]


def test_the_tape_of_gather_gives_slices():
    table = tf.Variable(np.ones((1000, 2), np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.gather(table, [[3, 3], [7, 1]]))
    gradient = tape.gradient(loss, table)
    assert isinstance(gradient, tf.IndexedSlices)
    assert (gradient.indices.numpy().tolist(), gradient.values.shape) == ([3, 3, 7, 1], (4, 2))


def test_a_tape_gives_gradients_once_unless_it_is_persistent():
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert float(tape.gradient(y, x)) == 4.0
    with pytest.raises(RuntimeError, match=r"gives gradients once: got a second call, expected GradientTape\(persis"):
        tape.gradient(y, x)


def test_recording_can_be_stopped_and_nested():
    x = tf.constant(2.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x * x * x
            with tape.stop_recording():
                z = y * x
        first = tape.gradient([y, z], x)
    assert float(first) == 12.0
    assert float(outer.gradient(first, x)) == 12.0


def test_a_tape_hears_only_its_own_thread():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        thread = threading.Thread(target=lambda: v * v)
        thread.start()
        thread.join()
    assert tape.watched_variables() == ()


def test_what_a_tape_refuses():
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        loss = v * v
        with pytest.raises(ValueError, match="already recording"):
            tape.__enter__()
        with pytest.raises(ValueError, match="this cannot be watched: got float, expected an eager tensor"):
            tape.watch(1.0)
    with pytest.raises(TypeError, match="the target is no eager tensor: got 1"):
        tape.gradient(1.0, v)
    with pytest.raises(TypeError, match="the target has the wrong dtype: got int32"):
        tape.gradient(tf.constant(1), v)
    with pytest.raises(ValueError, match="output_gradients has the wrong shape"):
        tape.gradient(loss, v, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="the tape is not recording"), tape.stop_recording():
        pass


def test_a_tape_hears_of_casts_of_tensors():
    x = tf.constant([1.5, -2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.cast(x, tf.float64) * 3.0
    grad = tape.gradient(y, x)
    assert grad.dtype == tf.float32
    assert grad.numpy().tolist() == [3.0, 3.0]


def test_arrays_that_change_later_do_not_change_the_gradient():
    x, factors, rows = tf.Variable([1.0, 2.0, 3.0]), np.array([1, 2, 3], np.float32), np.array([0, 1])
    with tf.GradientTape(persistent=True) as tape:
        product, gathered = x * factors, tf.gather(x, rows)
    factors[:], rows[:] = 100, 2
    assert tape.gradient(product, x).numpy().tolist() == [1.0, 2.0, 3.0]
    assert tape.gradient(gathered, x).indices.numpy().tolist() == [0, 1]


def test_a_variable_that_indexes_and_changes_later_does_not_change_the_gradient():
    x, rows = tf.Variable([1.0, 2.0, 3.0]), tf.Variable([0, 1], trainable=False)
    with tf.GradientTape() as tape:
        gathered = tf.gather(x, rows)
    rows.assign([2, 2])
    assert tape.gradient(gathered, x).indices.numpy().tolist() == [0, 1]


def test_a_source_that_is_no_tensor_is_an_error_and_the_tape_still_gives_gradients():
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x * x
    with pytest.raises(TypeError, match=r"GradientTape.gradient: a source is none: got 'x', expected a tensor"):
        tape.gradient(y, ["x"])
    assert float(tape.gradient(y, x)) == 4.0
