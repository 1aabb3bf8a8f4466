"""Fit a line by stochastic gradient descent: dense updates of small variables."""

from __future__ import annotations

import numpy as np

import nbvars

LEARNING_RATE = 0.1

rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, 1000).astype(np.float32)
y = 3 * x + 2 + rng.normal(0, 0.1, x.size).astype(np.float32)

slope = nbvars.Variable(0.0, name="slope")
intercept = nbvars.Variable(0.0, name="intercept")

for _ in range(300):
    batch = rng.integers(x.size, size=32)
    error = slope.numpy() * x[batch] + intercept.numpy() - y[batch]
    slope.assign_sub(LEARNING_RATE * float(np.mean(error * x[batch])))
    intercept.assign_sub(LEARNING_RATE * float(np.mean(error)))

print(f"y = {slope:.2f} x + {intercept:.2f}; the data were made with y = 3 x + 2")
