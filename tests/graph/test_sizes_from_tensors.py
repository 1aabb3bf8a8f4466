"""Sizes, bounds and indices that tensors give: known to the run only, or inferred before it."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars import ops
from nbvars.errors import InvalidArgumentError, OutOfRangeError
from tests.conftest import assert_same_bits

F = np.arange(6, dtype=np.float32).reshape(2, 3)

# A call with sizes, those sizes, and the static shape if only the number of sizes is known.
CALLS = [
    (ops.zeros, [2, 3], [None, None]),
    (lambda n: ops.ones(n, "int32"), [4], [None]),
    (lambda n: ops.fill(n, 2.5), [2, 0], [None, None]),
    (lambda n: ops.reshape(F, n), [3, -1], [None, None]),
    (lambda n: ops.broadcast_to(F, n), [2, 2, 3], [None, None, None]),
    (lambda n: ops.tile(F, n), [2, 1], [None, None]),
    (lambda n: ops.slice(F, n, [1, 2]), [0, 1], [1, 2]),
    (lambda n: ops.slice(F, n, [-1, 2]), [1, 1], [None, 2]),
    (lambda n: ops.slice(F, [0, 1], n), [1, -1], [None, None]),
    (lambda n: ops.pad(F, n), [[1, 0], [0, 2]], [None, None]),
    (lambda n: ops.eye(2, batch_shape=n), [3], None),
]
SCALAR_CALLS = [
    (lambda n: ops.one_hot([0, 2], n), 3, [2, None]),
    (lambda n: ops.linspace(0.0, 1.0, n), 5, [None]),
    (ops.range, 4, [None]),
    (lambda n: ops.range(1, n, 2), 6, [None]),
    (lambda n: ops.zeros([n, 3]), 2, [None, 3]),
    (lambda n: ops.zeros((3, n)), 2, [3, None]),
    (ops.zeros, 2, [None]),
    (lambda n: ops.fill([n], n), 2, [None]),
    (lambda n: ops.reshape(F, [-1, n]), 2, [None, None]),
    (ops.eye, 2, [None, None]),
    (lambda n: ops.eye(2, n), 3, [2, None]),
    (lambda n: ops.tile(F, [n, 1]), 3, [None, None]),
    (lambda n: ops.slice(F, [0, n], [n, 1]), 2, [None, 1]),
    (lambda n: ops.pad(F, [[n, 0], [0, 0]]), 2, [None, None]),
]


def _check(call, sizes, static_shape):
    expected = call(tf.constant(sizes)).numpy()
    rank = np.ndim(sizes)
    with tf.Graph().as_default(), tf.Session() as sess:
        known = call(tf.constant(sizes))
        placeholder = tf.placeholder("int32", np.shape(sizes))
        unknown = tf.placeholder("int32", None if rank else ())
        from_placeholder, from_unknown = call(placeholder), call(unknown)
        if rank < 2 and not (isinstance(sizes, list) and -1 in sizes):
            assert known.shape.is_compatible_with(expected.shape)
        if static_shape is not None:
            assert from_placeholder.shape.as_list() == static_shape
        assert_same_bits(sess.run(known), expected)
        assert_same_bits(sess.run(from_placeholder, {placeholder: sizes}), expected)
        assert_same_bits(sess.run(from_unknown, {unknown: sizes}), expected)


@pytest.mark.parametrize(("call", "sizes", "static_shape"), CALLS)
def test_a_tensor_gives_sizes(call, sizes, static_shape):
    _check(call, sizes, static_shape)


@pytest.mark.parametrize(("call", "size", "static_shape"), SCALAR_CALLS)
def test_a_tensor_gives_one_size(call, size, static_shape):
    _check(call, size, static_shape)


@pytest.mark.parametrize("draw", [ops.random_normal, ops.truncated_normal, ops.random_uniform])
def test_random_tensors_take_shapes_from_tensors(draw):
    with tf.Graph().as_default(), tf.Session() as sess:
        n = tf.placeholder("int64", [])
        numbers = draw([n, 2])
        assert numbers.shape.as_list() == [None, 2]
        assert sess.run(numbers, {n: 5}).shape == (5, 2)
        assert sess.run(numbers, {n: 0}).shape == (0, 2)


def test_sizes_from_the_shape_of_another_tensor():
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder("float32", [None, 3])
        rows = ops.reshape(x, [-1, ops.shape(x)[1] * 1])
        like = ops.zeros(ops.shape(x))
        got = sess.run([rows, like], {x: np.ones((4, 3))})
    assert [array.shape for array in got] == [(4, 3), (4, 3)]
    assert like.shape.as_list() == [None, 3]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (ops.shape, [None, 3, 5]),
        (lambda x: ops.shape(x)[1:], [3, 5]),
        (lambda x: ops.shape(x)[::-1], [5, 3, None]),
        (lambda x: [ops.shape(x)[0], 2], [None, 2]),
        (lambda x: [ops.shape(x)[-1], ops.shape(x)[1]], [5, 3]),
        (lambda x: ops.concat([ops.shape(x)[:1], [7]], 0), [None, 7]),
        (lambda x: ops.concat([[4], tf.placeholder("int32", [2])], 0), [4, None, None]),
        (lambda x: ops.cast(ops.shape(x), "int64"), [None, 3, 5]),
        (lambda x: ops.shape(x, out_type="int64"), [None, 3, 5]),
        (lambda x: ops.identity(ops.shape(x)), [None, 3, 5]),
        (lambda x: ops.reshape(tf.constant(3), [-1]), [3]),
        (ops.rank, [3]),
        (lambda x: ops.size(x[0]), [15]),
        (lambda x: [ops.rank(x), 2], [3, 2]),
        (lambda x: tf.placeholder("int32", [2]), [None, None]),
        (lambda x: tf.placeholder("int32", [None]), None),
    ],
)
def test_static_shapes_follow_from_what_is_known_of_the_sizes(sizes, expected):
    with tf.Graph().as_default():
        x = tf.placeholder("float32", [None, 3, 5])
        shape = ops.zeros(sizes(x)).shape
    assert (None if shape.ndims is None else shape.as_list()) == expected


def test_a_constant_from_which_a_shape_was_inferred_cannot_be_fed():
    with tf.Graph().as_default(), tf.Session() as sess:
        n, m = tf.constant(3), tf.constant(4)
        zeros = ops.zeros([n, 2])
        assert zeros.shape.as_list() == [3, 2]
        with pytest.raises(ValueError, match="may not be fed"):
            sess.run(zeros, {n: 5})
        assert sess.run(m + 1, {m: 5}) == 6


@pytest.mark.parametrize(
    ("call", "sizes", "sentence"),
    [
        (ops.zeros, [2, -1], "fill: dims has a negative size: got (2, -1), expected 0 or more"),
        (lambda n: ops.reshape(F, n), [4, 2], "reshape: shape has the wrong number of elements: got (4, 2)"),
        (lambda n: ops.tile(F, n), [1, -1], "tile: multiples has a negative number: got (1, -1)"),
        (lambda n: ops.slice(F, n, [1, 1]), [0, 3], "slice: the slice leaves axis 1: got begin 3 and size 1"),
        (lambda n: ops.broadcast_to(F, n), [3, 3], "broadcast_to: the shapes cannot be broadcast: got (2, 3)"),
        (lambda n: ops.pad(F, [n, [0, 0]]), [-1, 0], "pad: paddings has a negative number: got (-1, 0, 0, 0)"),
        (ops.random_normal, [-1, 2], "random_normal: shape has a negative size: got (-1, 2)"),
        (lambda n: ops.one_hot([1], n[0]), [-1, 2], "one_hot: depth is negative: got -1"),
        (lambda n: ops.linspace(0.0, 1.0, n[0]), [0, 2], "linspace: num is not positive: got 0"),
    ],
)
def test_wrong_sizes_are_errors_of_the_run(call, sizes, sentence):
    with tf.Graph().as_default(), tf.Session() as sess:
        n = tf.placeholder("int32", [2])
        output = call(n)
        with pytest.raises(InvalidArgumentError) as caught:
            sess.run(output, {n: sizes})
    assert str(caught.value).startswith(sentence)
    assert caught.value.op is output.op


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda x, n: ops.reduce_sum(x, axis=n), "axis"),
        (lambda x, n: ops.concat([x, x], n), "axis"),
        (ops.expand_dims, "axis"),
        (ops.squeeze, "axis"),
        (lambda x, n: ops.squeeze(x, [n]), "axis"),
        (lambda x, n: ops.transpose(x, [n, 0]), "perm"),
        (ops.split, "num_or_size_splits"),
        (lambda x, n: ops.split(x, [n, 1]), "num_or_size_splits"),
        (ops.unstack, "num"),
        (ops.softmax, "axis"),
        (lambda x, n: ops.norm(x, axis=n), "axis"),
        (lambda x, n: ops.tensordot(x, x, n), "axes"),
        (lambda x, n: ops.tensordot(x, x, [[n], [0]]), "axes"),
        (lambda x, n: ops.gather(x, [0], axis=n), "axis"),
        (lambda x, n: ops.constant(1.0, shape=[n]), "shape"),
        (ops.random_shuffle, "seed"),
    ],
)
def test_other_arguments_must_be_known_when_the_graph_is_built(call, argument):
    with tf.Graph().as_default():
        x, n = tf.placeholder("float32", [2, 2]), tf.placeholder("int32", [])
        with pytest.raises(TypeError, match=f"{argument} must be known when the graph is built: got <nbvars.Tensor"):
            call(x, n)
        with pytest.raises(TypeError, match=f"got <nbvars.Tensor .*, expected integers|{argument} must be known"):
            call(x, tf.Variable(1, name=argument))


@pytest.mark.parametrize(
    "call",
    [
        lambda x, n: ops.reduce_sum(x, axis=n),
        lambda x, n: ops.concat([x, x], n),
        lambda x, n: ops.transpose(x, [n, 0]),
        lambda x, n: ops.split(x, [n, 1])[0],
        lambda x, n: ops.unstack(x, n + 1 if isinstance(n, int) else 2)[0],
        lambda x, n: ops.tensordot(x, x, n),
        lambda x, n: ops.tensordot(x, x, [[n], [0]]),
        lambda x, n: ops.squeeze(x[:, :1], [n]),
        lambda x, n: ops.constant(1.0, shape=[n, 2]),
    ],
)
def test_a_constant_serves_where_a_number_must_be_known(call):
    x = np.arange(4.0, dtype=np.float32).reshape(2, 2)
    expected = call(tf.constant(x), 1).numpy()
    with tf.Graph().as_default(), tf.Session() as sess:
        assert_same_bits(sess.run(call(tf.constant(x), tf.constant(1))), expected)


KEYS = [
    (lambda x, i, j: x[i], 1, 0),
    (lambda x, i, j: x[i, :], -1, 0),
    (lambda x, i, j: x[:, i], 2, 0),
    (lambda x, i, j: x[i, j], 1, 2),
    (lambda x, i, j: x[i:j], 0, 1),
    (lambda x, i, j: x[:, i:j], 1, -1),
    (lambda x, i, j: x[..., j:i:-1], 2, 0),
    (lambda x, i, j: x[::i, None, j], 2, 1),
    (lambda x, i, j: x[i:, [0, 2, 1]], 1, 0),
    (lambda x, i, j: x[[i, j]], 1, 0),
    (lambda x, i, j: x[[[i, j], [j, 0]], j], 1, 0),
    (lambda x, i, j: x[i, [True, False, True], None], 1, 0),
    (lambda x, i, j: x[None, i, None, [0, 1]], 1, 0),
    (lambda x, i, j: x[:, i, ..., None], 1, 0),
    (lambda x, i, j: x[[0, 1], i:j], 0, 2),
]


@pytest.mark.parametrize(("call", "i", "j"), KEYS)
@pytest.mark.parametrize(
    "know", [lambda n: tf.placeholder("int32", []), lambda n: tf.placeholder("int64"), tf.constant]
)
@pytest.mark.parametrize("shape", [(2, 3), (None, None), None])
def test_tensors_are_indices_and_bounds(call, i, j, know, shape):
    expected = call(F, i, j)
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder("float32", shape)
        first, second = know(i), know(j)
        output = call(x, first, second)
        feeds = {key: value for key, value in ((first, i), (second, j)) if key.op.type == "Placeholder"}
        assert output.shape.is_compatible_with(expected.shape)
        assert_same_bits(sess.run(output, {x: F, **feeds}), np.asarray(expected))


def test_static_shapes_of_items_by_tensors():
    with tf.Graph().as_default():
        x, i = tf.placeholder("float32", [2, 3, 4]), tf.placeholder("int32", [])
        indices, mask = tf.placeholder("int32", [None, 5]), tf.placeholder("bool", [None])
        assert x[i].shape.as_list() == [3, 4]
        assert x[:, i, 1:].shape.as_list() == [2, 3]
        assert x[i:, 0].shape.as_list() == [None, 4]
        assert x[indices].shape.as_list() == [None, 5, 3, 4]
        assert x[mask].shape.as_list() == [None, 3, 4]
        assert x[tf.placeholder("bool")].shape.ndims is None


def test_masks_and_indices_of_unknown_shape():
    with tf.Graph().as_default(), tf.Session() as sess:
        x, key, mask = tf.constant(F), tf.placeholder("int32"), tf.placeholder("bool")
        for value in (1, [1], [[1, 0], [0, 1]]):
            assert_same_bits(sess.run(x[key], {key: value}), F[np.array(value)])
        for value in ([True, False], F > 2):
            assert_same_bits(sess.run(x[mask], {mask: value}), F[np.array(value)])
        with pytest.raises(InvalidArgumentError, match="the mask has the wrong shape: got"):
            sess.run(x[mask], {mask: [True]})


@pytest.mark.parametrize("shape", [(2, 3), None])
def test_an_index_out_of_range_is_an_error_of_the_run(shape):
    with tf.Graph().as_default(), tf.Session() as sess:
        x, i = tf.placeholder("float32", shape), tf.placeholder("int32", [])
        item, step = x[0, i], x[::i]
        with pytest.raises(
            OutOfRangeError, match=r"the index of axis 1 is out of range: got 3, expected \[-3, 3\)"
        ) as e:
            sess.run(item, {x: F, i: 3})
        assert e.value.op is item.op
        with pytest.raises(InvalidArgumentError, match="the step of a slice is zero") as caught:
            sess.run(step, {x: F, i: 0})
        assert caught.value.op is step.op


@pytest.mark.parametrize("key", [lambda: tf.constant(1.0), lambda: tf.constant(True), lambda: slice(tf.constant([1]))])
def test_a_key_of_the_wrong_type_is_refused(key):
    with tf.Graph().as_default(), pytest.raises(TypeError, match="getitem: the key has the wrong type"):
        tf.constant(F)[key()]


def test_a_bound_of_unknown_rank_must_be_a_scalar():
    with tf.Graph().as_default(), tf.Session() as sess:
        n = tf.placeholder("int32")
        part = tf.constant(F)[:n]
        assert sess.run(part, {n: 1}).shape == (1, 3)
        with pytest.raises(InvalidArgumentError, match="has the wrong shape"):
            sess.run(part, {n: [1]})


def test_tensors_of_a_graph_are_sizes_outside_of_it():
    graph = tf.Graph()
    with graph.as_default():
        n = tf.placeholder("int32", [])
        x = tf.placeholder("float32", [None, 2])
    outputs = [ops.zeros([n, 2]), ops.range(n), x[n], ops.reshape([1.0, 2.0], [n]), ops.stack([n, 3]), ops.eye(n)]
    outputs += [ops.random_normal([n], seed=1), ops.random_shuffle(x, seed=1), ops.reduce_sum([x, x]), 2 / n]
    assert all(output.graph is graph for output in outputs)
    shapes = [np.shape(value) for value in tf.Session(graph=graph).run(outputs, {n: 2, x: np.ones((3, 2))})]
    assert shapes == [(2, 2), (2,), (2,), (2,), (2,), (2, 2), (2,), (3, 2), (), ()]
