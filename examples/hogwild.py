"""Factorise a matrix by one's own compiled loop, in several threads that take no lock (Recht et al. 2011, Hogwild).

The loop is plain Numba: it reads the variables, writes rows back by ``scatter_sub``, and takes its share of the work
from a counter. Threads rarely meet in one row, and what is lost there the next step makes up for.
"""

from __future__ import annotations

from threading import Thread

import numpy as np
from numba import njit

import nbvars

NUM_USERS, NUM_ITEMS, RANK = 2_000, 1_000, 8
NUM_RATINGS, NUM_EPOCHS, BATCH, NUM_THREADS = 200_000, 10, 1_000, 2
RATE, NOISE = np.float32(0.03), 0.1

rng = np.random.default_rng(0)


def factors(num_rows: int, scale: float) -> np.ndarray:
    return rng.normal(0, scale, (num_rows, RANK)).astype(np.float32)


true_users, true_items = factors(NUM_USERS, 0.6), factors(NUM_ITEMS, 0.6)
rated_by, rated = rng.integers(0, NUM_USERS, NUM_RATINGS), rng.integers(0, NUM_ITEMS, NUM_RATINGS)
ratings = (true_users[rated_by] * true_items[rated]).sum(1) + rng.normal(0, NOISE, NUM_RATINGS).astype(np.float32)

users = nbvars.Variable(factors(NUM_USERS, 0.3), name="users")
items = nbvars.Variable(factors(NUM_ITEMS, 0.3), name="items")


@njit(nogil=True)
def learn_one(users, items, user, item, rating):
    """Take a step of gradient descent; return the error before it."""
    p, q = users[user].copy(), items[item].copy()
    error = (p * q).sum() - rating
    users.scatter_sub(user, RATE * error * q)
    items.scatter_sub(item, RATE * error * p)
    return error


@njit(nogil=True)
def learn(users, items, next_rating, squared_error, rated_by, rated, ratings):
    """Learn batches until none is left."""
    first = nbvars.atomic.add(next_rating, (), BATCH)
    while first < ratings.size:
        total = 0.0
        for k in range(first, min(first + BATCH, ratings.size)):
            total += learn_one(users, items, rated_by[k], rated[k], ratings[k]) ** 2
        nbvars.atomic.add(squared_error, (), total)
        first = nbvars.atomic.add(next_rating, (), BATCH)


errors = []
for _ in range(NUM_EPOCHS):
    next_rating, squared_error = nbvars.Variable(0), nbvars.Variable(np.zeros(()))
    work = (users, items, next_rating, squared_error, rated_by, rated, ratings)
    threads = [Thread(target=learn, args=work) for _ in range(NUM_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors.append(float(np.sqrt(squared_error.numpy() / NUM_RATINGS)))

print(f"error of a rating, whose noise is {NOISE}: {errors[0]:.3f} in the first epoch, {errors[-1]:.3f} in the last")
