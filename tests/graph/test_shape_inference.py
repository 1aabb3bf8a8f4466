"""What is wrong in a call is said when the graph is built if it is known then, else by the run, in the words of eager
mode."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nbvars as tf
from nbvars import ops
from nbvars.errors import InvalidArgumentError, OpError

F = np.ones((2, 3), np.float32)
I = np.ones((2, 3), np.int32)  # noqa: E741 - the letters name the kinds of arrays
B = np.ones((2, 3), bool)
V = np.arange(3, dtype=np.int32)
S = np.array(2.0, np.float32)

WRONG_DTYPES = [
    *[(getattr(ops, name), [F, F.astype(np.float64)]) for name in ("add", "maximum", "equal", "matmul", "pow")],
    *[(getattr(ops, name), [F, I]) for name in ("truediv", "floordiv", "where")],
    *[(getattr(ops, name), [B]) for name in ("negative", "square", "reduce_sum", "cumsum", "floor", "norm")],
    *[(getattr(ops, name), [I]) for name in ("exp", "sqrt", "is_nan", "softmax", "logical_not", "reduce_any")],
    *[(getattr(ops, name), [F, F]) for name in ("logical_and", "gather", "gather_nd", "boolean_mask")],
    (lambda x, y: ops.concat([x, y], 0), [F, I]),
    (lambda x, y: ops.stack([x, y]), [F, I]),
    (lambda x: ops.pad(x, [[0, 0], [0, 0]], constant_values=1j), [F]),
    (lambda x: ops.one_hot(x, 3), [F]),
    (lambda x: ops.argmax(x, output_type="float32"), [F]),
    (lambda x: ops.saturate_cast(x, "bool"), [F]),
    (lambda x: ops.cast(x, "string"), [F]),
    (lambda x: ops.clip_by_value(x, np.float64(0), 1.0), [I]),
    (lambda x, y: ops.where(B, x, y), [F, I]),
    (lambda x, y: ops.linspace(x, y, 3), [V[0], V[1]]),
    (lambda x, y: ops.range(x, 3, y), [S > 0, S > 0]),
    (lambda x: x & x, [F]),
    (lambda x: x + "a", [F]),
    (lambda x: ops.reshape(x, [2.0, 3.0]), [F]),
    (lambda x: x[1.5], [F]),
    (lambda x: ops.reduce_sum(x, axis="a"), [F]),
    (lambda x: ops.norm(x, ord=None), [F]),
    (lambda x: ops.random_normal([2], dtype="int32"), [F]),
]

WRONG_SHAPES = [
    *[(getattr(ops, name), [F, F.T]) for name in ("add", "less", "maximum")],
    (ops.matmul, [F, F]),
    (ops.matmul, [F, V.astype(np.float32)]),
    (lambda x, y: ops.add_n([x, y]), [F, F.T]),
    (lambda x, y: ops.concat([x, y], 0), [F, F.T]),
    (lambda x, y: ops.stack([x, y]), [F, F.T]),
    (lambda x: ops.concat([x, x], 2), [F]),
    (lambda x: ops.reshape(x, [4]), [F]),
    (lambda x: ops.reshape(x, [-1, 4]), [F]),
    (lambda x: ops.transpose(x, [0, 1, 2]), [F]),
    (lambda x: ops.expand_dims(x, 4), [F]),
    (lambda x: ops.squeeze(x, [0]), [F]),
    (lambda x: ops.broadcast_to(x, [2, 4]), [F]),
    (lambda x: ops.reduce_sum(x, axis=2), [F]),
    (lambda x: ops.reduce_max(x, axis=[0, 0]), [F]),
    (lambda x: ops.argmax(x, 2), [F]),
    (lambda x: ops.argmax(x, 0), [F[:0]]),
    (lambda x: ops.cumsum(x, 5), [F]),
    (lambda x: ops.softmax(x, 2), [F]),
    (lambda x: ops.slice(x, [0, 0], [3, 1]), [F]),
    (lambda x: ops.slice(x, [0], [1]), [F]),
    (lambda x, i: ops.gather(x, i, axis=2), [F, V]),
    (ops.gather_nd, [F, V]),
    (ops.boolean_mask, [F, B.T]),
    (ops.where, [B.T, F, F]),
    (lambda x: ops.one_hot(V, 3, x, 0.0), [F]),
    (lambda x: ops.tile(x, [1]), [F]),
    (lambda x: ops.pad(x, [[1, 1]]), [F]),
    (lambda x: ops.pad(x, [[2, 0], [0, 0]], "REFLECT"), [F]),
    (lambda x: ops.split(x, 2, axis=1), [F]),
    (lambda x: ops.split(x, [1, 1], axis=1), [F]),
    (lambda x: ops.unstack(x, 3), [F]),
    (ops.unique, [F]),
    (lambda x: ops.fill([2], x), [F]),
    (lambda x, y: ops.linspace(x, y, 3), [F, F]),
    (ops.range, [F]),
    (lambda x: ops.norm(x, axis=2), [F]),
    (lambda x, y: ops.tensordot(x, y, 1), [F, F]),
    (lambda x: ops.clip_by_value(x, F, F), [S]),
    (lambda x: ops.random_normal([2], x), [F]),
    (lambda x: x[5], [F]),
    (lambda x: x[0, 0, 0], [F]),
    (lambda x, m: x[m], [F, B.T]),
]

WRONG_ANYWAY = [
    lambda: ops.zeros([-1]),
    lambda: ops.fill([2, -1], 0.0),
    lambda: ops.zeros([2**62, 2**62]),
    lambda: ops.eye(-1),
    lambda: ops.linspace(0.0, 1.0, 0),
    lambda: ops.constant([1, 2, 3], shape=[2]),
    lambda: ops.constant([1, [2]]),
    lambda: ops.constant(300, "uint8"),
    lambda: ops.constant(1.5, "int32"),
    lambda: ops.constant(1 + 1j, "float32"),
    lambda: ops.concat([], 0),
    lambda: ops.add_n([]),
    lambda: ops.add_n(1.0),
    lambda: ops.pad(F, [1, 2]),
    lambda: ops.pad(F, [[0, 0], [0, 0]], "CIRCULAR"),
    lambda: ops.where(B, F),
    lambda: ops.one_hot(V, -1),
    lambda: ops.tile(F, [1, -1]),
    lambda: ops.reshape(F, [-1, -1]),
    lambda: ops.random_uniform([2], dtype="int32"),
    lambda: ops.random_normal([-1]),
    lambda: ops.range(0, 3, 0),
    lambda: ops.range(3, 0),
    lambda: ops.range(0.0, np.inf),
    lambda: ops.constant(F)[:: 1 - 1],
    lambda: ops.tensordot(F, F, [1, 2, 3]),
    lambda: ops.norm(F, "nuclear"),
]


def _error(call, *arguments):
    with pytest.raises((TypeError, ValueError, OpError)) as caught:
        call(*arguments)
    return type(caught.value), str(caught.value)


def _words(sentence):
    """Leave out how tensors are shown, which differs."""
    return re.sub(r"got (<nbvars.Tensor|nbvars.Tensor).*, expected", "got _, expected", sentence, flags=re.DOTALL)


@pytest.mark.parametrize("know", [tf.constant, lambda x: tf.placeholder(x.dtype, x.shape), tf.Variable])
@pytest.mark.parametrize(("call", "arrays"), WRONG_DTYPES + WRONG_SHAPES)
def test_building_raises_the_error_of_eager_mode(call, arrays, know):
    eager_type, eager_sentence = _error(call, *map(tf.constant, arrays))
    with tf.Graph().as_default():
        graph_type, graph_sentence = _error(call, *map(know, arrays))
    assert graph_type is eager_type
    assert _words(graph_sentence) == _words(eager_sentence)


@pytest.mark.parametrize(("call", "arrays"), WRONG_DTYPES)
def test_wrong_dtypes_need_no_shapes_to_be_found_out(call, arrays):
    eager = _error(call, *map(tf.constant, arrays))
    with tf.Graph().as_default():
        assert _error(call, *[tf.placeholder(x.dtype) for x in arrays])[0] is eager[0]


@pytest.mark.parametrize("call", WRONG_ANYWAY)
def test_what_is_wrong_without_any_tensor_is_an_error_of_building(call):
    eager = _error(call)
    with tf.Graph().as_default():
        assert _error(call) == eager


@pytest.mark.parametrize(("call", "arrays"), WRONG_SHAPES)
def test_a_run_raises_what_only_it_can_know_with_the_operation(call, arrays):
    eager_type, eager_sentence = _error(call, *map(tf.constant, arrays))
    with tf.Graph().as_default(), tf.Session() as sess:
        inputs = [tf.placeholder(array.dtype) for array in arrays]
        output = call(*inputs)
        output = output[0] if isinstance(output, (list, tuple)) else output
        expected = eager_type if issubclass(eager_type, OpError) else InvalidArgumentError
        with pytest.raises(expected) as caught:
            sess.run(output, dict(zip(inputs, arrays, strict=True)))
    assert caught.value.op is output.op
    assert str(caught.value).startswith(eager_sentence)


@pytest.mark.parametrize(
    ("call", "arrays"),
    [
        (ops.gather, [F, np.array([0, 2])]),
        (ops.gather_nd, [F, np.array([[0, 3]])]),
        (ops.floordiv, [I, np.array(0, np.int32)]),
        (ops.mod, [I, np.array(0, np.int32)]),
        (ops.pow, [I, -I]),
        (lambda x, i: x[i], [F, np.array([2])]),
        (lambda x, y: ops.range(x + 0, y), [np.array(1), np.array(0)]),
        (lambda low, high: ops.random_uniform([2], low, high), [S, S - 1]),
        (lambda x: ops.reduce_mean(x, 0), [I[:0]]),
    ],
)
@pytest.mark.parametrize("know", [tf.constant, lambda x: tf.placeholder(x.dtype)])
def test_a_run_raises_what_the_values_are_wrong_in(call, arrays, know):
    eager = _error(call, *map(tf.constant, arrays))
    with tf.Graph().as_default(), tf.Session() as sess:
        inputs = list(map(know, arrays))
        output = call(*inputs)
        feeds = {each: array for each, array in zip(inputs, arrays, strict=True) if each.op.type == "Placeholder"}
        with pytest.raises(InvalidArgumentError) as caught:
            sess.run(output, feeds)
    assert caught.value.op is output.op
    assert eager[0] is InvalidArgumentError
    assert str(caught.value).startswith(eager[1])


def test_unstack_needs_a_number_that_is_known():
    with tf.Graph().as_default():
        x = tf.placeholder("float32", [None, 2])
        with pytest.raises(ValueError, match=r"the number of tensors is not known: got .*; pass num"):
            ops.unstack(x)
        assert len(ops.unstack(x, axis=1)) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.range(5),
        lambda: ops.range(1.0, 2.0, 0.25),
        lambda: ops.eye(2, 3),
        lambda: ops.constant(1, shape=[2, 2]),
        lambda: ops.random_uniform([2, 3]),
    ],
)
def test_a_variable_can_begin_with_new_tensors(call):
    expected = call().shape
    with tf.Graph().as_default():
        assert tf.Variable(call()).shape == expected


def test_shapes_are_inferred_through_unknown_sizes():
    with tf.Graph().as_default():
        x = tf.placeholder("float32", [None, 3])
        y = tf.placeholder("float32")
        assert (x @ x[0][:, None]).shape.as_list() == [None, 1]
        assert ops.reduce_sum(x, 0).shape.as_list() == [3]
        assert ops.reduce_sum(y).shape.as_list() == []
        assert ops.reduce_sum(y, 0).shape.ndims is None
        assert (x + y).shape.ndims is None
        assert (x + 1).shape.as_list() == [None, 3]
        assert (x + np.ones((4, 1, 3), np.float32)).shape.as_list() == [4, None, 3]
        assert ops.concat([x, x], 0).shape.as_list() == [None, 3]
        assert ops.concat([x, y], 1).shape.as_list() == [None, None]
        assert ops.stack([y, x]).shape.as_list() == [2, None, 3]
        assert ops.boolean_mask(x, y > 0).shape.ndims is None
        assert ops.where(y > 0).shape.as_list() == [None, None]
        assert x[1:].shape.as_list() == [None, 3]
        assert x[..., :2].shape.as_list() == [None, 2]
        assert ops.range(ops.shape(x)[1]).shape.as_list() == [3]
        assert ops.range(tf.constant(7), delta=2).shape.as_list() == [4]
        assert ops.range(ops.shape(x)[0]).shape.as_list() == [None]
        assert ops.zeros([ops.cast(tf.constant(257), "uint8")]).shape.as_list() == [None]
        assert ops.shape(x).shape.as_list() == [2]
        assert ops.shape(y).shape.as_list() == [None]
