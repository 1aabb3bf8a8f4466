"""Find the middles of clusters: one_hot and matmul sum the members up, an assign moves the middles."""

from __future__ import annotations

import numpy as np

import nbvars as tf

NUM_CLUSTERS = 3
rng = np.random.default_rng(5)
true_middles = np.array([[0, 0], [6, 0], [0, 6]])
points = (np.repeat(true_middles, 40, 0) + rng.normal(size=(120, 2))).astype(np.float32)

vectors = tf.constant(points)
centroids = tf.Variable(tf.gather(vectors, [0, 50, 100]), name="centroids")
assignments = tf.Variable(tf.zeros([len(points)], dtype=tf.int64), trainable=False)

differences = tf.expand_dims(vectors, 0) - tf.expand_dims(centroids, 1)
nearest = tf.argmin(tf.reduce_sum(tf.square(differences), 2), 0)
members = tf.one_hot(nearest, NUM_CLUSTERS)
sizes = tf.expand_dims(tf.reduce_sum(members, 0), 1)
means = tf.matmul(members, vectors, transpose_a=True) / sizes
did_change = tf.reduce_any(tf.not_equal(nearest, assignments))
with tf.control_dependencies([did_change]):
    update = tf.group(centroids.assign(means), assignments.assign(nearest))

expected = points[[0, 50, 100]].astype(np.float64)
expected_assignments = np.zeros(len(points))
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    changed, rounds = True, 0
    while changed and rounds < 50:
        changed, _ = sess.run([did_change, update])
        rounds += 1
        distances = ((points[None] - expected[:, None]) ** 2).sum(2)
        assert changed == np.any(distances.argmin(0) != expected_assignments)
        expected_assignments = distances.argmin(0)
        expected = np.stack([points[expected_assignments == k].mean(0) for k in range(NUM_CLUSTERS)])
        np.testing.assert_allclose(sess.run(centroids), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(sess.run(assignments), expected_assignments)
    assert not changed
    np.testing.assert_allclose(sorted(map(tuple, sess.run(centroids))), sorted(map(tuple, true_middles)), atol=1)
