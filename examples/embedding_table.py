"""Learn what people like from their ratings: a step changes a few rows of two large tables."""

from __future__ import annotations

import numpy as np

import nbvars

NUM_USERS, NUM_FILMS, WIDTH, BATCH, LEARNING_RATE = 5_000, 1_000, 8, 1_000, 0.02

rng = np.random.default_rng(0)
true_users = rng.normal(size=(NUM_USERS, WIDTH)).astype(np.float32)
true_films = rng.normal(size=(NUM_FILMS, WIDTH)).astype(np.float32)


def start(num_rows: int) -> np.ndarray:
    return rng.normal(0, 0.3, (num_rows, WIDTH)).astype(np.float32)


users = nbvars.Variable(start(NUM_USERS), name="users")
films = nbvars.Variable(start(NUM_FILMS), name="films")

# Live views of the variables' memory: they show every later update, and cost no copy.
user_rows, film_rows = np.asarray(users.value()), np.asarray(films.value())

for step in range(2_001):
    user = rng.integers(NUM_USERS, size=BATCH)
    film = rng.integers(NUM_FILMS, size=BATCH)
    rating = np.sum(true_users[user] * true_films[film], axis=1)

    error = np.sum(user_rows[user] * film_rows[film], axis=1) - rating
    user_slices = LEARNING_RATE * error[:, None] * film_rows[film]
    film_slices = LEARNING_RATE * error[:, None] * user_rows[user]
    # A third of a batch names a film for the second or third time; each of these slices is subtracted, too.
    users.scatter_sub(nbvars.IndexedSlices(user_slices, user))
    films.scatter_sub(nbvars.IndexedSlices(film_slices, film))
    if step % 400 == 0:
        print(f"step {step:4}: mean squared error {np.mean(error**2):.3f}")
