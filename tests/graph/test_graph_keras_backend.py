"""The functions of tf.keras.backend in graph mode: values come from, and go to, the default session."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import FailedPreconditionError
from nbvars.keras import backend as K  # noqa: N812 - TensorFlow's name


@pytest.fixture
def graph():
    graph = tf.Graph()
    with graph.as_default():
        yield graph


@pytest.fixture
def sess(graph):
    with tf.Session() as sess:
        yield sess


def test_a_variable_is_one_of_the_graph(graph):
    v = K.variable([[1, 2], [3, 4]], dtype="float64", name="v")
    assert v.graph is graph
    assert v.name == "v:0"
    assert tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES) == [v]
    assert (K.dtype(v), K.int_shape(v), K.ndim(v), K.count_params(v)) == ("float64", (2, 2), 2, 4)
    assert K.variable(3).dtype.base_dtype == K.floatx()


def test_get_value_and_eval_read_the_default_session(sess):
    v = K.variable([1.0, 2.0])
    with pytest.raises(FailedPreconditionError, match="Attempting to use uninitialized value Variable"):
        K.get_value(v)
    sess.run(v.initializer)
    for read in (K.get_value, K.eval, v.eval):
        np.testing.assert_array_equal(read(v) if read != v.eval else read(), [1, 2])
    assert K.eval(v * 2).tolist() == [2, 4]
    assert K.eval(K.update_add(v, [1.0, 1.0])).tolist() == [2, 3]
    assert [value.tolist() for value in K.batch_get_value([v, v + 1])] == [[2, 3], [3, 4]]
    assert K.batch_get_value([]) == []


def test_get_value_returns_a_copy(sess):
    v = K.variable([1.0, 2.0])
    sess.run(v.initializer)
    K.get_value(v)[:] = 9
    assert K.get_value(v).tolist() == [1, 2]


def test_set_value_loads_without_growing_the_graph(graph, sess):
    v = K.variable([1.0, 2.0])
    version = graph.version
    K.set_value(v, [5, 6.5])
    assert K.get_value(v).tolist() == [5, 6.5]
    K.batch_set_value([(v, np.array([7, 8], np.int64))])
    assert K.get_value(v).tolist() == [7, 8]
    assert graph.version == version


def test_set_value_refuses_another_shape_and_what_is_no_variable(sess):
    v = K.variable([1.0, 2.0])
    with pytest.raises(ValueError, match=r"set_value: value has the wrong shape: got \(3,\), expected \(2,\)"):
        K.set_value(v, [1, 2, 3])
    with pytest.raises(TypeError, match="set_value: x has the wrong type: got GraphTensor, expected a Variable"):
        K.set_value(v + 1, [1, 2])


@pytest.mark.parametrize(
    "call", [K.get_value, K.eval, lambda v: K.set_value(v, 1.0), lambda v: K.batch_get_value([v]), lambda v: K.eval(-v)]
)
def test_values_need_a_default_session(graph, call):
    with pytest.raises(ValueError, match="No default session is registered"):
        call(K.variable(1.0))


def test_values_need_a_session_of_the_same_graph(sess):
    with tf.Graph().as_default():
        v = K.variable(1.0)
        with pytest.raises(ValueError, match="graph"):
            K.get_value(v)


def test_values_of_eager_variables_are_at_hand_inside_a_graph():
    v = K.variable([1.0, 2.0])
    with tf.Graph().as_default() as graph:
        K.set_value(v, [3, 4])
        assert K.get_value(v).tolist() == [3, 4]
        assert graph.version == 0


def test_updates_are_operations(sess):
    v = K.variable(1.0)
    sess.run(v.initializer)
    updates = [K.update(v, 5.0), K.update_add(v, 2.0), K.update_sub(v, 1.0)]
    assert K.get_value(v) == 1
    assert [sess.run(update) for update in updates] == [5, 7, 6]


def test_new_tensors_and_variables(sess):
    for make, expected in [
        (lambda: K.zeros([2]), [0, 0]),
        (lambda: K.ones([2], "int32"), [1, 1]),
        (lambda: K.constant(3, shape=[2]), [3, 3]),
        (lambda: K.zeros_like([1, 2]), [0, 0]),
        (lambda: K.ones_like([1.5, 2.0]), [1, 1]),
        (lambda: K.shape(K.ones([4, 5])), [4, 5]),
        (lambda: K.cast([1.5, 2.5], "int32"), [1, 2]),
    ]:
        assert K.eval(make()).tolist() == expected
    identity, uniform = K.eye(2), K.random_uniform_variable([3], 1.0, 2.0, seed=1)
    normal = K.random_normal_variable([3], 10.0, 0.01, seed=1)
    sess.run([v.initializer for v in (identity, uniform, normal)])
    assert K.get_value(identity).tolist() == [[1, 0], [0, 1]]
    assert np.all((K.get_value(uniform) >= 1) & (K.get_value(uniform) < 2))
    assert np.allclose(K.get_value(normal), 10, atol=0.1)


def test_cast_to_floatx_gives_arrays_for_arrays_and_tensors_for_tensors(graph):
    array = K.cast_to_floatx(np.array([1, 2]))
    assert type(array) is np.ndarray
    assert array.dtype == np.float32
    assert graph.version == 0
    assert K.cast_to_floatx(tf.constant([1, 2])).dtype == tf.float32


def test_static_shapes_may_be_unknown(graph):
    x, y = tf.placeholder("float32", [None, 2]), tf.placeholder("string")
    assert (K.int_shape(x), K.ndim(x), K.dtype(x)) == ((None, 2), 2, "float32")
    assert (K.int_shape(y), K.ndim(y), K.dtype(y)) == (None, None, "string")
    for unknown in (x, y):
        with pytest.raises(ValueError, match="count_params: the shape is not fully known"):
            K.count_params(unknown)
