"""Train one graph in several sessions, from different beginnings: they share operations, and not one value."""

from __future__ import annotations

import numpy as np

import nbvars as tf

goal = np.array([1.0, -2.0, 3.0], np.float32)
by_chance = tf.Variable(tf.random_normal([3]), name="by_chance")
by_seed = tf.Variable(tf.random_normal([3], seed=17), name="by_seed")
train = by_chance.assign_sub(0.25 * (by_chance - goal))
distance = tf.norm(by_chance - goal)
init = tf.initialize_all_variables()

sessions = [tf.Session() for _ in range(3)]
starts, seeded = [], []
for sess in sessions:
    sess.run(init)
    starts.append(sess.run(by_chance))
    seeded.append(sess.run(by_seed))
assert len({start.tobytes() for start in starts}) == len(sessions)
assert len({start.tobytes() for start in seeded}) == 1

expected = [start.copy() for start in starts]
for _ in range(20):
    for number, sess in enumerate(sessions):
        expected[number] -= np.float32(0.25) * (expected[number] - goal)
        np.testing.assert_array_equal(sess.run(train), expected[number])
for sess, value in zip(sessions, expected, strict=True):
    np.testing.assert_array_equal(sess.run(by_chance), value)
    assert sess.run(distance) < 0.1

by_chance.load(goal, sessions[0])
assert sessions[0].run(distance) == 0
assert sessions[1].run(distance) > 0
sessions[0].close()
assert sessions[1].run(distance) > 0
for sess in sessions[1:]:
    sess.close()
