"""Learn what people like from their ratings: two tables, of which a step changes the rows of its batch alone."""

from __future__ import annotations

import numpy as np

import nbvars as tf

NUM_USERS, NUM_FILMS, WIDTH, BATCH = 5_000, 1_000, 8, 1_000

rng = np.random.default_rng(0)
true_users = rng.normal(size=(NUM_USERS, WIDTH)).astype(np.float32)
true_films = rng.normal(size=(NUM_FILMS, WIDTH)).astype(np.float32)

tf.set_random_seed(0)
users = tf.Variable(tf.random_normal([NUM_USERS, WIDTH], stddev=0.3), name="users")
films = tf.Variable(tf.random_normal([NUM_FILMS, WIDTH], stddev=0.3), name="films")
optimizer = tf.train.LazyAdamOptimizer(learning_rate=0.02)


def train(user: np.ndarray, film: np.ndarray) -> float:
    """Make one step by the ratings that some users gave some films; return the mean squared error before it."""
    rating = np.sum(true_users[user] * true_films[film], axis=1)
    with tf.GradientTape() as tape:
        guess = tf.reduce_sum(tf.nn.embedding_lookup(users, user) * tf.nn.embedding_lookup(films, film), axis=1)
        loss = tf.reduce_mean(tf.square(guess - rating))
    # The gradients are IndexedSlices: a row for each id, and nothing of the size of a table.
    gradients = tape.gradient(loss, [users, films])
    optimizer.apply_gradients(zip(gradients, [users, films], strict=True))
    return float(loss)


for step in range(2_001):
    error = train(rng.integers(NUM_USERS, size=BATCH), rng.integers(NUM_FILMS, size=BATCH))
    if step % 400 == 0:
        print(f"step {step:4}: mean squared error {error:.3f}")

before = users.numpy()
train(np.array([7, 42, 7]), np.array([1, 2, 3]))
changed = np.flatnonzero((users.numpy() != before).any(axis=1))
print(f"a step by ratings of the users 7 and 42 changed the rows {changed.tolist()} of {NUM_USERS}")
