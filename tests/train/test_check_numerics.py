"""check_numerics, and what becomes of gradients that are no numbers."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError

NAN, INF = np.nan, np.inf
WRONG = [([NAN, 1], "NaN"), ([1, INF], "Inf"), ([-INF], "Inf"), ([NAN, -INF, 0], "Inf and NaN")]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(("values", "found"), WRONG)
def test_the_error_tells_what_was_found(values, found, dtype):
    tensor = tf.constant(values, dtype)
    with pytest.raises(InvalidArgumentError, match=f"^the loss : Tensor had {found} values$"):
        tf.check_numerics(tensor, "the loss")
    with tf.Graph().as_default(), tf.Session() as session:
        checked = tf.check_numerics(tf.constant(values, dtype), "the loss")
        assert checked.name == "CheckNumerics:0"
        with pytest.raises(InvalidArgumentError, match=f"^the loss : Tensor had {found} values"):
            session.run(checked)


def test_finite_numbers_pass_as_they_are():
    values = np.array([-0.0, 1e-45, -3.4e38], np.float32)
    got = tf.check_numerics(values, "here").numpy()
    np.testing.assert_array_equal(got.view(np.int32), values.view(np.int32))


def test_what_cannot_be_nan_and_a_message_that_is_no_text_are_refused():
    with pytest.raises(TypeError, match="tensor has the wrong dtype: got int32, expected a floating dtype"):
        tf.check_numerics([1], "here")
    with pytest.raises(TypeError, match="message is no text: got 1, expected a str"):
        tf.check_numerics([1.0], 1)


def test_a_gradient_on_its_way_back_is_checked():
    x = tf.Variable([0.0, 4.0])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sqrt(tf.check_numerics(x, "the roots")))
    expected = r"detected in gradient\. the roots : Tensor had Inf values"
    with pytest.raises(InvalidArgumentError, match=expected):
        tape.gradient(loss, x)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant([0.0, 4.0])
        loss = tf.sqrt(tf.check_numerics(x, "the roots"))
        gradient = tf.gradients(loss, x)
        assert session.run(loss).tolist() == [0.0, 2.0]
        with pytest.raises(InvalidArgumentError, match=expected):
            session.run(gradient)


OPTIMIZERS = [
    lambda: tf.train.GradientDescentOptimizer(0.1),
    lambda: tf.train.MomentumOptimizer(0.1, 0.9),
    lambda: tf.train.AdagradOptimizer(0.1),
    lambda: tf.train.AdamOptimizer(0.1),
]


@pytest.mark.parametrize("make", OPTIMIZERS, ids=["sgd", "momentum", "adagrad", "adam"])
def test_a_gradient_of_nan_goes_into_the_variable_at_its_place_alone(make):
    v = tf.Variable([1.0, 2.0, 3.0])
    make().apply_gradients([(tf.constant([1.0, NAN, 1.0]), v)])
    assert np.isnan(v.numpy()).tolist() == [False, True, False]


@pytest.mark.parametrize("make", OPTIMIZERS, ids=["sgd", "momentum", "adagrad", "adam"])
def test_a_checked_gradient_of_nan_leaves_variable_and_slots_alone_in_a_graph(make):
    with tf.Graph().as_default(), tf.Session() as session:
        v, step = tf.Variable([1.0, 2.0]), tf.train.create_global_step()
        x = tf.placeholder(tf.float32, [2])
        optimizer = make()
        pairs = optimizer.compute_gradients(tf.reduce_sum(v * x), [v])
        train = optimizer.apply_gradients([(tf.check_numerics(grad, var.name), var) for grad, var in pairs], step)
        session.run(tf.global_variables_initializer())
        session.run(train, {x: [1.0, 1.0]})
        state = [v, step, *optimizer.variables()]
        before = session.run(state)
        with pytest.raises(InvalidArgumentError, match=r"Variable:0 : Tensor had NaN values"):
            session.run(train, {x: [1.0, NAN]})
        for one, other in zip(session.run(state), before, strict=True):
            np.testing.assert_array_equal(one, other)


def test_checked_slices_of_nan_leave_a_table_alone_and_others_do_not():
    table = tf.Variable(np.ones((3, 2), np.float32))
    optimizer = tf.train.GradientDescentOptimizer(0.5)

    def step(values):
        optimizer.apply_gradients([(tf.IndexedSlices(values, [1], [3, 2]), table)])

    with pytest.raises(InvalidArgumentError, match="rows : Tensor had NaN values"):
        step(tf.check_numerics([[1.0, NAN]], "rows"))
    assert (table.numpy() == 1).all()
    step([[1.0, NAN]])
    np.testing.assert_array_equal(table.numpy(), [[1, 1], [0.5, NAN], [1, 1]])


def test_checks_of_a_whole_graph_name_the_first_tensor_that_is_wrong():
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        v = tf.Variable([2.0], name="v")
        tf.sqrt(tf.log(x, name="logarithm") * v, name="root")
        tf.constant(3)
        checks = tf.add_check_numerics_ops()
        session.run(v.initializer)
        session.run(checks, {x: [1.0]})
        v.load([5.0], session)
        session.run(checks, {x: [1.0]})
        assert session.run(v).tolist() == [5.0]
        with pytest.raises(InvalidArgumentError, match=r"^logarithm:0 : Tensor had Inf values"):
            session.run(checks, {x: [0.0]})
        with pytest.raises(InvalidArgumentError, match=r"^root:0 : Tensor had NaN values"):
            session.run(checks, {x: [0.5]})


def test_checks_of_a_whole_graph_need_a_graph_without_branches():
    with pytest.raises(RuntimeError, match="eager mode has no graph"):
        tf.add_check_numerics_ops()
    with tf.Graph().as_default() as graph:
        x = tf.constant(1.0)
        tf.cond(x > 0, lambda: x * 2.0, lambda: x)
        before = len(graph.get_operations())
        with pytest.raises(ValueError, match="a tensor belongs to control flow"):
            tf.add_check_numerics_ops()
        assert len(graph.get_operations()) == before
