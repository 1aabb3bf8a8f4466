"""Find the largest eigenvalue of a matrix: a run hands the vector from assign to assign."""

from __future__ import annotations

import numpy as np

import nbvars as tf

rng = np.random.default_rng(7)
half = rng.normal(size=(5, 5))
matrix = half @ half.T

a = tf.constant(matrix)
vector = tf.Variable(tf.ones([5, 1], tf.float64), name="vector")
product = tf.matmul(a, vector)
step = vector.assign(product / tf.norm(product))
eigenvalue = tf.reduce_sum(vector * tf.matmul(a, vector)) / tf.reduce_sum(tf.square(vector))

expected = np.ones((5, 1))
with tf.Session() as sess:
    sess.run(vector.initializer)
    before = sess.run(eigenvalue)
    for _ in range(200):
        got = sess.run(step)
        expected = matrix @ expected / np.linalg.norm(matrix @ expected)
        np.testing.assert_allclose(got, expected, rtol=1e-9)
    np.testing.assert_allclose(sess.run(eigenvalue), np.linalg.eigvalsh(matrix)[-1], rtol=1e-9)
    assert before < sess.run(eigenvalue)
