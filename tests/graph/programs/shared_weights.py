"""Apply one layer to two inputs: variable_scope and get_variable share its weights."""

from __future__ import annotations

import numpy as np

import nbvars as tf

rng = np.random.default_rng(9)


def layer(x, num_outputs):
    weights = tf.get_variable("weights", [int(x.get_shape()[1]), num_outputs], initializer=tf.ones_initializer())
    biases = tf.get_variable("biases", [num_outputs], initializer=tf.constant_initializer(0.5))
    return tf.tanh(tf.matmul(x, weights) + biases)


def network(x):
    with tf.variable_scope("first"):
        hidden = layer(x, 3)
    with tf.variable_scope("second"):
        return layer(hidden, 1)


left = tf.placeholder(tf.float32, [None, 2])
right = tf.placeholder(tf.float32, [None, 2])
with tf.variable_scope("network") as scope:
    left_out = network(left)
    scope.reuse_variables()
    right_out = network(right)

names = ["network/first/weights:0", "network/first/biases:0", "network/second/weights:0", "network/second/biases:0"]
assert [variable.name for variable in tf.all_variables()] == names
with tf.variable_scope("network/first", reuse=True):
    assert tf.get_variable("weights", [2, 3]) is tf.all_variables()[0]
try:
    with tf.variable_scope("network"):
        network(left)
except ValueError as error:
    assert "already exists" in str(error)  # noqa: PT017 - a program, not a test
else:
    raise AssertionError("a variable was made twice")


def expected(x, slope):
    hidden = np.tanh(x @ np.full((2, 3), slope) + 0.5)
    return np.tanh(hidden @ np.ones((3, 1)) + 0.5)


with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    a, b = rng.normal(size=(4, 2)).astype(np.float32), rng.normal(size=(5, 2)).astype(np.float32)
    for slope in (1.0, -0.5):
        sess.run(tf.all_variables()[0].assign(np.full((2, 3), slope, np.float32)))
        got_left, got_right = sess.run([left_out, right_out], {left: a, right: b})
        np.testing.assert_allclose(got_left, expected(a, slope), rtol=1e-5)
        np.testing.assert_allclose(got_right, expected(b, slope), rtol=1e-5)
