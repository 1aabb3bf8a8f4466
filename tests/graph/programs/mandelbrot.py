"""Draw the Mandelbrot set in an InteractiveSession: a group of assigns that all see the state before the step."""

from __future__ import annotations

import numpy as np

import nbvars as tf

STEPS = 20
Y, X = np.mgrid[-1.3:1.3:0.2, -2:1:0.2]
Z = (X + 1j * Y).astype(np.complex64)

sess = tf.InteractiveSession()
xs = tf.constant(Z)
zs = tf.Variable(xs)
ns = tf.Variable(tf.zeros_like(xs, tf.float32))
tf.initialize_all_variables().run()

new_zs = tf.where(tf.abs(zs) < 4, zs * zs + xs, zs)
not_diverged = tf.abs(new_zs) < 4
step = tf.group(zs.assign(new_zs), ns.assign_add(tf.cast(not_diverged, tf.float32)))

expected_zs, expected_ns = Z.copy(), np.zeros(Z.shape, np.float32)
for _ in range(STEPS):
    step.run()
    expected_zs = np.where(np.abs(expected_zs) < 4, expected_zs * expected_zs + Z, expected_zs)
    expected_ns += np.abs(expected_zs) < 4

counts = ns.eval()
np.testing.assert_array_equal(counts, expected_ns)
np.testing.assert_allclose(zs.eval(), expected_zs, rtol=1e-4)
assert counts[6, 10] == STEPS  # close to 0: within the set
assert counts.min() < 2
sess.close()
