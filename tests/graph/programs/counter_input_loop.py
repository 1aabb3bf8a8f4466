"""Read a file of records by a counter in the session, for two epochs: the loop ends by OutOfRangeError."""

from __future__ import annotations

import numpy as np

import nbvars as tf

NUM_RECORDS = 25
records = np.arange(NUM_RECORDS, dtype=np.float32) ** 2

data = tf.constant(records)
counter = tf.Variable(0, name="counter", trainable=False)
total = tf.Variable(0.0, name="total")
position = counter.count_up_to(NUM_RECORDS)
record = tf.gather(data, position)
add_record = total.assign_add(record)

with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    for epoch in (1, 2):
        seen = []
        try:
            while True:
                where, value, so_far = sess.run([position, record, add_record])
                seen.append(where)
                assert value == records[where]
                assert so_far == (epoch - 1) * records.sum() + records[: where + 1].sum()
        except tf.errors.OutOfRangeError as error:
            assert f"Reached limit of {NUM_RECORDS}" in error.message  # noqa: PT017 - a program, not a test
            assert error.op is position.op  # noqa: PT017
        assert seen == list(range(NUM_RECORDS))
        assert sess.run(counter) == NUM_RECORDS
        assert sess.run(total) == epoch * records.sum()  # the failed run has added nothing
        sess.run(counter.initializer)
