"""Fit a line in graph mode, as programs for TensorFlow 1 do: build a graph once, then run it step by step."""

from __future__ import annotations

import numpy as np

import nbvars as tf

LEARNING_RATE, BATCH = 0.1, 32

rng = np.random.default_rng(0)
x_data = rng.uniform(-1, 1, 1000).astype(np.float32)
y_data = 3 * x_data + 2 + rng.normal(0, 0.1, x_data.size).astype(np.float32)

tf.disable_eager_execution()

x = tf.placeholder(tf.float32, [None], name="x")
y = tf.placeholder(tf.float32, [None], name="y")
slope = tf.Variable(0.0, name="slope")
intercept = tf.Variable(0.0, name="intercept")

error = slope * x + intercept - y
loss = tf.reduce_mean(tf.square(error))
train = tf.group(
    slope.assign_sub(LEARNING_RATE * tf.reduce_mean(error * x)),
    intercept.assign_sub(LEARNING_RATE * tf.reduce_mean(error)),
)
init = tf.global_variables_initializer()

with tf.Session() as sess:
    sess.run(init)
    for step in range(301):
        batch = rng.integers(x_data.size, size=BATCH)
        batch_loss, _ = sess.run([loss, train], feed_dict={x: x_data[batch], y: y_data[batch]})
        if step % 100 == 0:
            print(f"step {step:3}: loss {batch_loss:.3f}")
    print(f"y = {slope.eval():.2f} x + {intercept.eval():.2f}; the data were made with y = 3 x + 2")
