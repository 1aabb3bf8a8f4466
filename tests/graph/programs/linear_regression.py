"""Fit a plane by gradient descent: gradients by hand, updates in a group; NumPy takes the same steps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

import nbvars as tf

RATE, STEPS = 0.2, 40
rng = np.random.default_rng(1)
inputs = rng.uniform(-1, 1, (64, 3)).astype(np.float32)
targets = inputs @ np.float32([[1.0], [-2.0], [0.5]]) + np.float32(0.25)

x = tf.placeholder(tf.float32, [None, 3], name="x")
y = tf.placeholder(tf.float32, [None, 1], name="y")
w = tf.Variable(tf.zeros([3, 1]), name="w")
b = tf.Variable(tf.zeros([1]), name="b")

error = tf.matmul(x, w) + b - y
loss = tf.reduce_mean(tf.square(error))
count = tf.cast(tf.shape(x)[0], tf.float32)
w_gradient = 2.0 * tf.matmul(x, error, transpose_a=True) / count
b_gradient = 2.0 * tf.reduce_mean(error, 0)
train = tf.group(w.assign_sub(RATE * w_gradient), b.assign_sub(RATE * b_gradient))

expected_w, expected_b = np.zeros((3, 1)), np.zeros(1)
losses = []
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    for _ in range(STEPS):
        loss_value, nothing = sess.run([loss, train], feed_dict={x: inputs, y: targets})
        losses.append(loss_value)
        assert nothing is None

        expected_error = inputs @ expected_w + expected_b - targets
        np.testing.assert_allclose(loss_value, np.mean(expected_error**2), rtol=1e-4, atol=1e-9)
        expected_w -= RATE * 2 * inputs.T @ expected_error / len(inputs)
        expected_b -= RATE * 2 * expected_error.mean(0)
        np.testing.assert_allclose(w.eval(), expected_w, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(b.eval(), expected_b, rtol=1e-4, atol=1e-6)

assert all(later < earlier for earlier, later in pairwise(losses))
assert losses[-1] < 0.01 * losses[0]
