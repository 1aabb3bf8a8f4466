"""Rank pages by where a random surfer is found: the iteration stops by a tolerance that the graph measures."""

from __future__ import annotations

import numpy as np

import nbvars as tf

DAMPING = 0.85
links = {0: [1, 2], 1: [2], 2: [0], 3: [0, 2], 4: [3]}
num_pages = len(links)
moves = np.zeros((num_pages, num_pages))
for page, goals in links.items():
    moves[goals, page] = 1 / len(goals)

rank = tf.Variable(tf.fill([num_pages], 1.0 / num_pages), name="rank")
transition = tf.placeholder(tf.float32, [num_pages, num_pages])
new_rank = DAMPING * tf.reduce_sum(transition * rank, 1) + (1 - DAMPING) / num_pages
change = tf.reduce_sum(tf.abs(new_rank - rank))
with tf.control_dependencies([change]):
    update = tf.assign(rank, new_rank)

with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    iterate = sess.make_callable([change, update], feed_list=[transition])
    changes = []
    while not changes or changes[-1] > 1e-6:
        moved, got = iterate(moves.astype(np.float32))
        changes.append(moved)
        np.testing.assert_allclose(got.sum(), 1, rtol=1e-5)
        assert len(changes) < 200

exact = np.linalg.solve(np.eye(num_pages) - DAMPING * moves, np.full(num_pages, (1 - DAMPING) / num_pages))
np.testing.assert_allclose(got, exact, rtol=1e-4)
assert got.argmax() == exact.argmax()
