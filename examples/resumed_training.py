"""Stop halfway and go on from the checkpoint: the variables end with the same bits as without the stop."""

from __future__ import annotations

import tempfile

import numpy as np

import nbvars as tf

NUM_STEPS, BATCH = 400, 32


def train(until: int, folder: str) -> dict[str, np.ndarray]:
    """Train up to a step, from the latest checkpoint if there is one; return all variables."""
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(0)
        x = tf.placeholder(tf.float32, [None, 2])
        hidden = tf.tanh(tf.matmul(x, tf.get_variable("inner", [2, 16])))
        guess = tf.squeeze(tf.matmul(hidden, tf.get_variable("outer", [16, 1])), axis=1)
        loss = tf.reduce_mean(tf.square(guess - tf.sin(3.0 * x[:, 0] + x[:, 1])))

        step = tf.train.create_global_step()
        learning_rate = tf.train.exponential_decay(0.05, step, decay_steps=100, decay_rate=0.7)
        minimize = tf.train.AdamOptimizer(learning_rate).minimize(loss, step)

        saver = tf.train.Saver()  # of all variables: the slots of the optimizer and the step, too
        checkpoint = tf.train.latest_checkpoint(folder)
        if checkpoint is None:
            sess.run(tf.global_variables_initializer())
        else:
            saver.restore(sess, checkpoint)
        start = int(sess.run(step))
        for number in range(start, until):
            # Batches follow from the number of the step alone, so a resumed run goes on with those that were to come.
            batch = np.random.default_rng(number).uniform(-1, 1, (BATCH, 2))
            batch_loss, _ = sess.run([loss, minimize], {x: batch})
        print(f"trained from step {start:3} to {until}: loss {batch_loss:.5f}")
        saver.save(sess, f"{folder}/model", step)
        return {variable.op.name: sess.run(variable) for variable in tf.global_variables()}


with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
    at_once = train(NUM_STEPS, folder)
    train(NUM_STEPS // 2, other)
    resumed = train(NUM_STEPS, other)

for name, value in at_once.items():
    assert value.tobytes() == resumed[name].tobytes(), name
print(f"the same bits in all {len(at_once)} variables: {', '.join(at_once)}")
