"""Functions, arguments and argument orders of TensorFlow 0.x give what the newer ones do, in both modes."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf

X = np.array([[[7.0, -1.5, 2.0], [3.0, 8.0, -0.75]]], np.float32)
Y = np.array([[[2.0, 4.0, -0.5], [1.0, -2.0, 3.0]]], np.float32)
I = np.array([7, -7, 7, -7], np.int32)  # noqa: E741 - the letters name the kinds of arrays
J = np.array([2, 2, -2, -2], np.int32)
C = np.array([3 + 4j, -1j], np.complex64)


def in_eager_mode(call, arrays):
    return call(*map(tf.constant, arrays))


def in_a_session(call, arrays):
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [tf.placeholder(array.dtype, array.shape) for array in arrays]
        return session.run(call(*inputs), dict(zip(inputs, arrays, strict=True)))


def _check(got, expected):
    if isinstance(expected, list):
        assert len(got) == len(expected)
        for one, wanted in zip(got, expected, strict=True):
            _check(one, wanted)
        return
    got = np.asarray(got)
    assert got.dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(got, expected)


FUNCTIONS = [
    (tf.mul, [X, Y], X * Y),
    (tf.sub, [X, Y], X - Y),
    (tf.neg, [X], -X),
    (tf.div, [X, Y], X / Y),
    (tf.div, [I, J], np.array([3, -4, -4, 3], np.int32)),
    (lambda x: tf.div(x, 2), [I], np.array([3, -4, 3, -4], np.int32)),
    (lambda x: tf.div(1, x), [Y], 1 / Y),
    (tf.inv, [Y], 1 / Y),
    (tf.complex_abs, [C], np.array([5, 1], np.float32)),
    (tf.batch_matmul, [X, Y.swapaxes(1, 2)], X @ Y.swapaxes(1, 2)),
    (lambda x, y: tf.batch_matmul(x, y, adj_x=True), [X, Y], X.swapaxes(1, 2) @ Y),
    (lambda x, y: tf.batch_matmul(x, y, adj_y=True), [X, Y], X @ Y.swapaxes(1, 2)),
    (lambda x, y: tf.select(tf.less(x, y), x, y), [X, Y], np.minimum(X, Y)),
    (lambda x, y: tf.pack([x, y]), [X, Y], np.stack([X, Y])),
    (lambda x, y: tf.pack([x, y], axis=1), [X, Y], np.stack([X, Y], 1)),
    (tf.unpack, [I], [np.int32(7), np.int32(-7), np.int32(7), np.int32(-7)]),
    (lambda x: tf.unpack(x, 2, axis=1), [X], [X[:, 0], X[:, 1]]),
    (lambda x, y: tf.concat_v2([x, y], 1), [X, Y], np.concatenate([X, Y], 1)),
    (lambda x: tf.arg_max(x, 2), [X], np.array([[0, 1]])),
    (lambda x: tf.arg_min(x, 2, tf.int32), [X], np.array([[1, 2]], np.int32)),
    (tf.to_float, [I], I.astype(np.float32)),
    (tf.to_double, [I], I.astype(np.float64)),
    (tf.to_int32, [X], np.trunc(X).astype(np.int32)),
    (tf.to_int64, [X], np.trunc(X).astype(np.int64)),
    (tf.to_bfloat16, [X], X.astype(tf.bfloat16.as_numpy_dtype)),
]

ARGUMENTS = [
    (lambda x: tf.reduce_sum(x, reduction_indices=[1]), [X], X.sum(1)),
    (lambda x: tf.reduce_sum(x, None, None, None, [0, 2]), [X], X.sum((0, 2))),
    (lambda x: tf.reduce_mean(x, reduction_indices=1, keep_dims=True), [X], X.mean(1, keepdims=True)),
    (lambda x: tf.reduce_max(x, 0, keep_dims=True), [X], X.max(0, keepdims=True)),
    (lambda x: tf.reduce_min(x, 0, keep_dims=False), [X], X.min(0)),
    (lambda x: tf.norm(x, 1, 1, keep_dims=True), [X], np.abs(X).sum(1, keepdims=True)),
    (lambda x: tf.argmax(x, dimension=2), [X], np.array([[0, 1]])),
    (lambda x: tf.argmin(x, 2, "position"), [X], np.array([[1, 2]])),
    (lambda x: tf.squeeze(x, squeeze_dims=[0]), [X], X[0]),
    (lambda x: tf.expand_dims(x, dim=-1), [X], X[..., None]),
    (lambda x: tf.softmax(x, dim=0), [X], np.ones_like(X)),
    (lambda x: tf.log_softmax(x, dim=0), [X], np.zeros_like(X)),
    (lambda x, y: tf.concat(0, [x, y]), [X, Y], np.concatenate([X, Y])),
    (lambda x, y: tf.concat(np.int64(-1), (x, y)), [X, Y], np.concatenate([X, Y], 2)),
    (lambda x, y: tf.concat(concat_dim=1, values=[x, y]), [X, Y], np.concatenate([X, Y], 1)),
    (lambda x: tf.split(1, 2, x), [X], [X[:, :1], X[:, 1:]]),
    (lambda x: tf.split(2, [1, -1], x, "parts"), [X], [X[..., :1], X[..., 1:]]),
    (lambda x: tf.split(split_dim=2, num_split=3, value=x), [X], [X[..., i : i + 1] for i in range(3)]),
    (lambda x: tf.split(x, 2, 1), [X], [X[:, :1], X[:, 1:]]),
    (lambda x: tf.split(x, 4), [I], [I[i : i + 1] for i in range(4)]),
]


@pytest.mark.parametrize("run", [in_eager_mode, in_a_session])
@pytest.mark.parametrize(("call", "arrays", "expected"), FUNCTIONS)
def test_old_function_does_what_the_newer_one_does(run, call, arrays, expected):
    _check(run(call, arrays), expected)


@pytest.mark.parametrize("run", [in_eager_mode, in_a_session])
@pytest.mark.parametrize(("call", "arrays", "expected"), ARGUMENTS)
def test_old_argument_does_what_the_newer_one_does(run, call, arrays, expected):
    _check(run(call, arrays), expected)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min", "logsumexp", "any", "all"])
def test_every_reduction_takes_the_old_arguments(name):
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    values = x > 2 if name in ("any", "all") else x
    reduce = getattr(tf, f"reduce_{name}")
    _check(reduce(values, reduction_indices=0, keep_dims=True), reduce(values, 0, True).numpy())


@pytest.mark.parametrize(
    ("call", "old", "new"),
    [
        (lambda: tf.reduce_sum(X, 0, reduction_indices=0), "reduction_indices", "axis"),
        (lambda: tf.reduce_sum(X, 0, False, keep_dims=False), "keep_dims", "keepdims"),
        (lambda: tf.norm(X, keepdims=True, keep_dims=True), "keep_dims", "keepdims"),
        (lambda: tf.argmax(X, 0, dimension=0), "dimension", "axis"),
        (lambda: tf.argmin(X, axis=0, dimension=0), "dimension", "axis"),
        (lambda: tf.squeeze(X, 0, squeeze_dims=[0]), "squeeze_dims", "axis"),
        (lambda: tf.expand_dims(X, 0, dim=0), "dim", "axis"),
        (lambda: tf.softmax(X, 0, dim=0), "dim", "axis"),
        (lambda: tf.log_softmax(X, 0, dim=0), "dim", "axis"),
        (lambda: tf.concat([X, X], 0, concat_dim=0), "concat_dim", "axis"),
        (lambda: tf.split(X, 1, 0, split_dim=0), "split_dim", "axis"),
        (lambda: tf.split(X, 1, num_split=1), "num_split", "num_or_size_splits"),
    ],
)
def test_old_and_new_name_of_an_argument_exclude_each_other(call, old, new):
    expected = f"Cannot specify both '{old}' and '{new}': got both, expected {new} alone; {old} is its older name"
    with pytest.raises(ValueError, match=expected):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tf.concat([X, X]), "concat: axis has the wrong type: got None, expected an integer"),
        (lambda: tf.concat(True, [X, X]), "concat: axis has the wrong type"),
        (lambda: tf.split(X), "split: num_or_size_splits has the wrong type: got None"),
        (lambda: tf.expand_dims(X), "expand_dims: axis has the wrong type: got None, expected an integer"),
        (lambda: tf.argmax(X, 0, tf.int32), "got nbvars.int32, expected a string; pass a dtype as output_type="),
        (lambda: tf.batch_matmul(C[None], C[:, None], adj_x=True), "got complex64, expected a real dtype"),
    ],
)
def test_what_neither_order_means_is_a_type_error(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_integer_division_by_zero_is_an_error_and_that_of_floats_is_not():
    with pytest.raises(tf.errors.InvalidArgumentError, match="integer division by zero"):
        tf.div(I, 0)
    _check(tf.div(np.float32(1), np.float32(0)), np.float32(np.inf))


def test_old_functions_take_variables():
    counts = tf.Variable([4, 9])
    _check(tf.div(counts, 2), np.array([2, 4], np.int32))
    _check(tf.mul(counts, counts), np.array([16, 81], np.int32))
    _check(tf.to_float(counts), np.array([4, 9], np.float32))


def test_conversion_to_the_same_dtype_is_the_tensor_itself():
    x = tf.constant([1.0])
    assert tf.to_float(x) is x


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda x: tf.mul(x, x), "Mul"),
        (lambda x: tf.sub(x, x), "Sub"),
        (tf.neg, "Neg"),
        (lambda x: tf.div(x, x), "div"),
        (lambda x: tf.pack([x, x]), "pack"),
        (lambda x: tf.unpack(x)[0], "unpack"),
        (lambda x: tf.arg_max(x, 0), "ArgMax"),
        (tf.to_double, "ToDouble"),
        (tf.to_int32, "ToInt32"),
        (lambda x: tf.mul(x, x, name="area"), "area"),
        (lambda x: tf.split(0, 1, x, "parts")[0], "parts"),
        (lambda x: tf.argmax(x, 0, "best"), "best"),
    ],
)
def test_operation_has_the_name_that_tensorflow_gives_it(call, name):
    with tf.Graph().as_default():
        assert call(tf.placeholder(tf.float32, [2])).op.name == name


def test_division_adds_one_operation():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2])
        tf.div(x, x)
        assert [op.type for op in graph.get_operations()] == ["Placeholder", "RealDiv"]
