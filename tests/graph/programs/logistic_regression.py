"""Tell two clouds of points apart: a sigmoid, minibatches through feed_dict, and the accuracy."""

from __future__ import annotations

import numpy as np

import nbvars as tf

RATE, BATCH = 0.5, 20
rng = np.random.default_rng(2)
labels = np.repeat([0.0, 1.0], 100).astype(np.float32)
points = (rng.normal(size=(200, 2)) + np.where(labels == 1, 1.5, -1.5)[:, None]).astype(np.float32)
order = rng.permutation(200)
points, labels = points[order], labels[order]

x = tf.placeholder(tf.float32, [None, 2])
y = tf.placeholder(tf.float32, [None])
weights = tf.Variable([0.0, 0.0], name="weights")
bias = tf.Variable(0.0, name="bias")

logits = tf.reduce_sum(x * weights, 1) + bias
probability = tf.sigmoid(logits)
difference = probability - y
step = tf.group(
    tf.assign_sub(weights, RATE * tf.reduce_mean(x * tf.expand_dims(difference, 1), 0)),
    tf.assign_sub(bias, RATE * tf.reduce_mean(difference)),
)
is_right = tf.equal(probability > 0.5, y > 0.5)
accuracy = tf.reduce_mean(tf.cast(is_right, tf.float32))


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


expected_weights, expected_bias = np.zeros(2), 0.0
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    everything = {x: points, y: labels}
    assert sess.run(accuracy, everything) == 0.5  # all are 0.5, which is "no"
    for first in range(0, 200, BATCH):
        batch_x, batch_y = points[first : first + BATCH], labels[first : first + BATCH]
        sess.run(step, feed_dict={x: batch_x, y: batch_y})
        expected = sigmoid(batch_x @ expected_weights + expected_bias) - batch_y
        expected_weights -= RATE * (batch_x * expected[:, None]).mean(0)
        expected_bias -= RATE * expected.mean()
        got_weights, got_bias = sess.run([weights, bias])
        np.testing.assert_allclose(got_weights, expected_weights, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(got_bias, expected_bias, rtol=1e-3, atol=1e-6)
    expected_answer = sigmoid(points @ expected_weights + expected_bias) > 0.5
    got_accuracy = accuracy.eval(everything)
    assert got_accuracy == np.float32(np.mean(expected_answer == (labels > 0.5)))
    assert got_accuracy > 0.95
