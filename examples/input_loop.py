"""Let workers share a session: a counter in the graph deals out batches, and OutOfRangeError ends the loop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

import nbvars as tf

NUM_RECORDS, BATCH, NUM_WORKERS = 20_000, 10, 4

with tf.Graph().as_default() as graph:
    records = tf.constant(np.arange(NUM_RECORDS), name="records")
    next_batch = tf.Variable(0, name="next_batch", trainable=False)
    total = tf.Variable(np.int64(0), name="total", trainable=False)

    # One run takes a number, which no other run gets, reads the records of that batch and adds them up.
    number = next_batch.count_up_to(NUM_RECORDS // BATCH)
    batch = tf.gather(records, number * BATCH + tf.range(BATCH))
    add = total.assign_add(tf.reduce_sum(batch), use_locking=True)
    init = tf.global_variables_initializer()

sess = tf.Session(graph=graph)
sess.run(init)


def work(worker: int) -> int:
    num_batches = 0
    try:
        while True:
            sess.run(add)
            num_batches += 1
    except tf.errors.OutOfRangeError:
        return num_batches  # the records are used up


with ThreadPoolExecutor(NUM_WORKERS) as pool:
    counts = list(pool.map(work, range(NUM_WORKERS)))

print(f"{sum(counts)} batches by {NUM_WORKERS} workers: {counts}")
print(f"the sum of all records is {sess.run(total):,}, and should be {sum(range(NUM_RECORDS)):,}")
sess.close()
