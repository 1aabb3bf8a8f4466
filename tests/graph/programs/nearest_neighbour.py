"""Classify by the nearest example in the L1 distance: placeholders alone, not one variable."""

from __future__ import annotations

import numpy as np

import nbvars as tf

rng = np.random.default_rng(4)
known = rng.random((50, 16)).astype(np.float32)
asked = (known[rng.integers(50, size=20)] + rng.normal(0, 0.05, (20, 16))).astype(np.float32)

examples = tf.placeholder("float", [None, 16])
example = tf.placeholder("float", [16])
distance = tf.reduce_sum(tf.abs(tf.add(examples, tf.negative(example))), axis=1)
nearest = tf.argmin(distance, 0)

with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())  # of none, as the old programs do
    for each in asked:
        distances, index = sess.run([distance, nearest], feed_dict={examples: known, example: each})
        expected = np.abs(known - each).sum(1)
        np.testing.assert_allclose(distances, expected, rtol=1e-6)
        assert index == expected.argmin()
        assert index.dtype == np.int64
