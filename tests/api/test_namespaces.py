"""``tf.nn``, ``tf.math``, ``tf.random``, ``tf.linalg`` and ``tf.compat.v1``."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from tests.conftest import run_python

X = np.array([[0.5, -1.5, 7.0], [3.0, -0.25, -100.0]], np.float32)
BIAS = np.array([1.0, -2.0, 0.5], np.float32)
FLOATS = ["float16", "bfloat16", "float32", "float64"]
RELATIVE_ERROR = {"float16": 1e-3, "bfloat16": 8e-3, "float32": 1e-6, "float64": 1e-14}

# Each of tf.nn by its formula; the rest are tested elsewhere, or functions of the library.
ELSEWHERE = (
    "bias_add",
    "embedding_lookup",
    "sigmoid_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits",
    "sparse_softmax_cross_entropy_with_logits",
)
FORMULAS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "l2_loss": lambda x: np.sum(x * x) / 2,
}


def _session_run(call, *arrays):
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [tf.placeholder(array.dtype) for array in arrays]
        return session.run(call(*inputs), dict(zip(inputs, arrays, strict=True)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", FORMULAS)
def test_function_of_nn_follows_its_formula_in_both_modes(name, dtype):
    function = getattr(tf.nn, name)
    x = X.astype(tf.as_dtype(dtype).as_numpy_dtype)
    got = function(x)
    assert got.dtype == dtype
    error = RELATIVE_ERROR[dtype]
    np.testing.assert_allclose(got.numpy().astype(np.float64), FORMULAS[name](x.astype(np.float64)), error, error)
    np.testing.assert_array_equal(_session_run(function, x), got.numpy())


def test_every_function_of_nn_is_tested_or_public_by_that_name():
    for name in tf.nn.__all__:
        assert name in (*FORMULAS, *ELSEWHERE) or getattr(tf.nn, name) is getattr(tf, name), name


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "relu", "sigmoid"])
def test_function_of_nn_is_the_one_of_the_library(name):
    assert getattr(tf.nn, name) is getattr(tf, name)


def test_relu6_takes_integers_and_elu_does_not():
    np.testing.assert_array_equal(tf.nn.relu6([-1, 3, 7]).numpy(), [0, 3, 6])
    with pytest.raises(TypeError, match="elu: x has the wrong dtype: got int32, expected a floating dtype"):
        tf.nn.elu([-1, 3])


@pytest.mark.parametrize("name", ["relu6", "elu", "softplus"])
def test_nan_and_infinity_go_through(name):
    got = getattr(tf.nn, name)([np.nan, np.inf, -np.inf]).numpy()
    assert np.isnan(got[0])
    np.testing.assert_array_equal(got[1:], {"relu6": [6, 0], "elu": [np.inf, -1], "softplus": [np.inf, 0]}[name])


def test_l2_loss_of_halves_is_rounded_once():
    assert tf.nn.l2_loss(tf.ones([5000], tf.float16)).numpy() == np.float16(2500)
    assert tf.nn.l2_loss(np.zeros((0, 2), np.float32)).numpy() == 0
    with pytest.raises(TypeError, match="l2_loss: t has the wrong dtype: got int32"):
        tf.nn.l2_loss([1, 2])


@pytest.mark.parametrize("x", [X, X[:, None], X[:0], X.astype(np.int32)])
def test_bias_is_added_along_the_last_axis(x):
    bias = BIAS.astype(x.dtype)
    np.testing.assert_array_equal(tf.nn.bias_add(x, bias).numpy(), x + bias)
    np.testing.assert_array_equal(tf.nn.bias_add(x, bias, "NHWC").numpy(), x + bias)
    np.testing.assert_array_equal(_session_run(tf.nn.bias_add, x, bias), x + bias)


def test_bias_is_added_along_axis_1_if_the_channels_are_there():
    images = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    got = tf.nn.bias_add(images, BIAS, data_format="NCHW")
    np.testing.assert_array_equal(got.numpy(), images + BIAS[None, :, None])


def test_bias_tells_the_static_shape():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, None])
        assert tf.nn.bias_add(x, BIAS).shape.as_list() == [None, 3]


@pytest.mark.parametrize(
    ("value", "bias", "message"),
    [
        (X, BIAS[:2], r"bias has the wrong shape: got \(2,\), expected \(3,\)"),
        (X, BIAS[:1], r"bias has the wrong shape: got \(1,\), expected \(3,\)"),
        (X, BIAS[None], "bias has the wrong rank: got 2, expected 1"),
        (X[0], BIAS, "value has the wrong rank: got 1, expected 2 or more"),
    ],
)
def test_bias_that_does_not_fit_is_an_error_in_both_modes(value, bias, message):
    with pytest.raises(ValueError, match=message):
        tf.nn.bias_add(value, bias)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        _session_run(tf.nn.bias_add, value, bias)


def test_bias_of_another_dtype_or_layout_is_an_error():
    with pytest.raises(TypeError, match="bias has the wrong dtype: got float64, expected float32"):
        tf.nn.bias_add(X, BIAS.astype(np.float64))
    with pytest.raises(ValueError, match="unknown data_format: got 'CHWN', expected 'NHWC' or 'NCHW'"):
        tf.nn.bias_add(X, BIAS, "CHWN")


NAMESPACES = [tf.math, tf.random, tf.linalg]


@pytest.mark.parametrize("namespace", NAMESPACES, ids=lambda namespace: namespace.__name__)
def test_names_of_a_namespace_are_documented_functions(namespace):
    assert namespace.__doc__
    for name in namespace.__all__:
        assert getattr(namespace, name).__doc__, name


@pytest.mark.parametrize("name", tf.math.__all__)
def test_function_of_math_is_that_of_the_library(name):
    assert getattr(tf.math, name) is getattr(tf, {"floormod": "mod"}.get(name, name), getattr(tf.nn, name, None))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (tf.random.normal, tf.random_normal),
        (tf.random.uniform, tf.random_uniform),
        (tf.random.truncated_normal, tf.truncated_normal),
        (tf.random.shuffle, tf.random_shuffle),
        (tf.random.set_random_seed, tf.set_random_seed),
        (tf.linalg.eye, tf.eye),
        (tf.linalg.matmul, tf.matmul),
        (tf.linalg.norm, tf.norm),
        (tf.linalg.tensordot, tf.tensordot),
    ],
)
def test_function_of_a_namespace_is_that_of_the_library(function, expected):
    assert function is expected


def test_linalg_qr_gives_the_factors():
    q, r = tf.linalg.qr(X[:, :2])
    np.testing.assert_allclose(tf.linalg.matmul(q, r).numpy(), X[:, :2], rtol=1e-5)
    np.testing.assert_allclose(q.numpy().T @ q.numpy(), np.eye(2), atol=1e-6)


def test_compat_v1_is_the_library():
    assert tf.compat.v1 is tf


def test_a_program_of_compat_v1_switches_to_graph_mode_and_back():
    code = """
import nbvars.compat.v1 as tf
from nbvars.compat.v1 import Session
import nbvars

assert tf is nbvars
tf.disable_v2_behavior()
assert not tf.executing_eagerly()
print(Session().run(tf.add(tf.constant(20), 22)))
tf.compat.v1.enable_v2_behavior()
assert tf.executing_eagerly()
tf.compat.v1.disable_eager_execution()
assert not tf.executing_eagerly()
"""
    assert run_python(code) == "42"
