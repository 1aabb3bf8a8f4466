"""Keep running sums as local variables beside a global one; initialize and reset the two kinds apart."""

from __future__ import annotations

import numpy as np

import nbvars as tf

DECAY = 0.9
rng = np.random.default_rng(8)
numbers = rng.normal(3, 1, 30).astype(np.float32)

value = tf.placeholder(tf.float32, [])
average = tf.Variable(0.0, name="average", trainable=False)
total = tf.Variable(0.0, name="total", trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES])
count = tf.Variable(0, name="count", trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES])

decayed = average.assign_sub((1 - DECAY) * (average - value))
update = tf.group(decayed, total.assign_add(value), count.assign_add(1))
with tf.control_dependencies([update]):
    mean = total.read_value() / tf.cast(count.read_value(), tf.float32)

assert tf.local_variables() == [total, count]
assert tf.all_variables() == [average]
assert tf.trainable_variables() == []
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    names = sess.run(tf.report_uninitialized_variables(tf.local_variables()))
    assert list(names) == [b"total", b"count"]
    sess.run(tf.initialize_local_variables())

    expected = 0.0
    for _ in range(2):
        for position, number in enumerate(numbers, 1):
            expected -= (1 - DECAY) * (expected - number)
            np.testing.assert_allclose(sess.run(mean, {value: number}), numbers[:position].mean(), rtol=1e-5)
            np.testing.assert_allclose(sess.run(average), expected, rtol=1e-4)
        assert sess.run(count) == len(numbers)
        sess.run(tf.local_variables_initializer())
        assert sess.run([total, count]) == [0, 0]
    assert sess.run(average) > 2
