"""Update rows of an embedding by scatter_sub of IndexedSlices: a word that comes twice counts twice."""

from __future__ import annotations

import numpy as np

import nbvars as tf

RATE = np.float32(0.5)
rng = np.random.default_rng(6)
start = rng.normal(size=(12, 4)).astype(np.float32)

embedding = tf.Variable(start, name="embedding")
words = tf.placeholder(tf.int32, [None], name="words")
targets = tf.placeholder(tf.float32, [None, 4], name="targets")

rows = tf.gather(embedding, words)
loss = tf.reduce_sum(tf.square(rows - targets))
gradient = tf.IndexedSlices(values=2.0 * (rows - targets), indices=words)
update = embedding.scatter_sub(tf.IndexedSlices(RATE * gradient.values, gradient.indices))

expected = start.copy()
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    for _ in range(10):
        batch = rng.integers(12, size=8, dtype=np.int32)
        batch[1] = batch[0]
        wanted = rng.normal(size=(8, 4)).astype(np.float32)
        slices, table = sess.run([gradient, update], feed_dict={words: batch, targets: wanted})

        values = 2 * (expected[batch] - wanted)
        assert isinstance(slices, tf.IndexedSlicesValue)
        np.testing.assert_array_equal(slices.indices, batch)
        np.testing.assert_array_equal(slices.values, values)
        np.subtract.at(expected, batch, RATE * values)  # slice by slice, in order: the very same bits
        np.testing.assert_array_equal(table, expected)

    before = sess.run(embedding)
    try:
        sess.run(update, {words: [0, 12], targets: np.ones((2, 4))})
    except tf.errors.InvalidArgumentError as error:
        assert "indices[1] = 12 is not in [0, 12)" in str(error)  # noqa: PT017 - a program, not a test
        assert error.op is rows.op  # noqa: PT017
    else:
        raise AssertionError("row 12 of 12 was updated")
    np.testing.assert_array_equal(sess.run(embedding), before)
