"""Tell handwritten digits apart by softmax regression: a graph, ``minimize``, and a ``Saver`` for what was learned."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import nbvars as tf

try:
    from sklearn.datasets import load_digits
except ImportError as error:
    raise SystemExit('digits.py needs scikit-learn: install it by pip install "nbvars[examples]"') from error

NUM_KNOWN, NUM_STEPS, BATCH = 1_400, 1_000, 64

pictures, digits = load_digits(return_X_y=True)  # 1797 pictures of 8 x 8 pixels, from 0 to 16
pictures = (pictures / 16).astype(np.float32)
rng = np.random.default_rng(0)

tf.disable_eager_execution()

x = tf.placeholder(tf.float32, [None, 64], name="x")
y = tf.placeholder(tf.int64, [None], name="y")
weights = tf.Variable(tf.zeros([64, 10]), name="weights")
biases = tf.Variable(tf.zeros([10]), name="biases")

logits = tf.nn.bias_add(tf.matmul(x, weights), biases)
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))

global_step = tf.train.get_or_create_global_step()
train = tf.train.AdamOptimizer(0.01).minimize(loss, global_step)
saver = tf.train.Saver()
unseen = {x: pictures[NUM_KNOWN:], y: digits[NUM_KNOWN:]}

with tempfile.TemporaryDirectory() as folder:
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(NUM_STEPS):
            batch = rng.integers(NUM_KNOWN, size=BATCH)
            batch_loss, _ = sess.run([loss, train], {x: pictures[batch], y: digits[batch]})
            if step % 200 == 0:
                print(f"step {step:3}: loss {batch_loss:.3f}")
        path = saver.save(sess, f"{folder}/digits", global_step)

    with tf.Session() as sess:
        saver.restore(sess, path)
        print(f"{Path(path).name} tells {accuracy.eval(unseen):.1%} of {len(digits) - NUM_KNOWN} unseen digits apart")
