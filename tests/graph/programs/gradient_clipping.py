"""Clip steps that are too long by cond, and count them: the branch that is not taken changes nothing."""

from __future__ import annotations

import numpy as np

import nbvars as tf

LIMIT = 1.0
rng = np.random.default_rng(10)

delta = tf.placeholder(tf.float32, [2])
position = tf.Variable(tf.zeros([2]), name="position")
num_clipped = tf.Variable(0, name="num_clipped", trainable=False)
length = tf.norm(delta)


def clipped():
    with tf.control_dependencies([num_clipped.assign_add(1)]):
        return delta * (LIMIT / length)


step = position.assign_add(tf.cond(length > LIMIT, clipped, lambda: tf.identity(delta)))

expected, expected_clipped = np.zeros(2), 0
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    for move in rng.normal(0, 1, (20, 2)).astype(np.float32):
        got = sess.run(step, {delta: move})
        size = np.linalg.norm(move)
        expected_clipped += size > LIMIT
        expected += move * min(1, LIMIT / size)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
        assert sess.run(num_clipped) == expected_clipped
assert 0 < expected_clipped < 20
