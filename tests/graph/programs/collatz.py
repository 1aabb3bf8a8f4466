"""Count the steps of Collatz sequences by while_loop, and keep the record in variables."""

from __future__ import annotations

import nbvars as tf

start = tf.placeholder(tf.int64, [])
longest = tf.Variable(tf.constant(0, tf.int64), name="longest", trainable=False)


def half_or_triple(number, steps):
    even = tf.equal(number % 2, 0)
    return tf.cond(even, lambda: number // 2, lambda: 3 * number + 1), steps + 1


last, length = tf.while_loop(lambda number, steps: number > 1, half_or_triple, [start, tf.constant(0, tf.int64)])
record = longest.assign(tf.maximum(longest, length))


def collatz(number):
    steps = 0
    while number > 1:
        number, steps = (3 * number + 1 if number % 2 else number // 2), steps + 1
    return steps


with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    for number in range(1, 31):
        assert sess.run([last, length], {start: number}) == [1, collatz(number)]
        assert sess.run(record, {start: number}) == max(map(collatz, range(1, number + 1)))
    assert sess.run(longest) == collatz(27) == 111
