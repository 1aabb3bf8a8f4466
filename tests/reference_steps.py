"""The oracle of the steps of optimizers: the published formulas in plain NumPy. It shares no code with nbvars.

A formula takes parameter, slots, gradient and settings, and returns parameter and slots. ``step`` and ``step_rows``
work in place on whatever is in order: nothing is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests import reference

Array = np.ndarray[Any, Any]
After = tuple[Array, list[Array]]


def gradient_descent(p: Array, s: list[Array], g: Array, rate: Any) -> After:
    return p - rate * g, []


def momentum(p: Array, s: list[Array], g: Array, rate: Any, decay: Any) -> After:
    velocity = decay * s[0] + g
    return p - rate * velocity, [velocity]


def nesterov(p: Array, s: list[Array], g: Array, rate: Any, decay: Any) -> After:
    velocity = decay * s[0] + g
    return p - rate * (g + decay * velocity), [velocity]


def adagrad(p: Array, s: list[Array], g: Array, rate: Any) -> After:
    total = s[0] + g * g
    return p - rate * g / np.sqrt(total), [total]


def adadelta(p: Array, s: list[Array], g: Array, rate: Any, fresh: Any, epsilon: Any) -> After:
    mean = s[0] + fresh * (g * g - s[0])
    update = np.sqrt(s[1] + epsilon) / np.sqrt(mean + epsilon) * g
    return p - rate * update, [mean, s[1] + fresh * (update * update - s[1])]


def rmsprop(p: Array, s: list[Array], g: Array, rate: Any, fresh: Any, decay: Any, epsilon: Any) -> After:
    mean_square = s[0] + fresh * (g * g - s[0])
    velocity = decay * s[1] + rate * g / np.sqrt(mean_square + epsilon)
    return p - velocity, [mean_square, velocity]


def centered_rmsprop(p: Array, s: list[Array], g: Array, rate: Any, fresh: Any, decay: Any, epsilon: Any) -> After:
    mean_square = s[0] + fresh * (g * g - s[0])
    mean = s[1] + fresh * (g - s[1])
    velocity = decay * s[2] + rate * g / np.sqrt(mean_square - mean * mean + epsilon)
    return p - velocity, [mean_square, mean, velocity]


def adam(p: Array, s: list[Array], g: Array, rate: Any, fresh: Any, fresh_square: Any, epsilon: Any) -> After:
    mean = s[0] + fresh * (g - s[0])
    mean_square = s[1] + fresh_square * (g * g - s[1])
    return p - rate * mean / (np.sqrt(mean_square) + epsilon), [mean, mean_square]


def adamw(p: Array, s: list[Array], g: Array, rate: Any, fresh: Any, square: Any, epsilon: Any, decay: Any) -> After:
    return adam(p - decay * p, s, g, rate, fresh, square, epsilon)


def ftrl(p: Array, s: list[Array], g: Array, rate: Any, power: Any, l1: Any, l2: Any, shrinkage: Any) -> After:
    assert power == -0.5  # whose powers are roots, which have the same bits everywhere
    total = s[0] + g * g
    linear = s[1] + g + (shrinkage + shrinkage) * p - (np.sqrt(total) - np.sqrt(s[0])) / rate * p
    shrunk = (np.where(linear > 0, l1, -l1) - linear) / (np.sqrt(total) / rate + l2 + l2)
    return np.where(np.abs(linear) > l1, shrunk, p.dtype.type(0)), [total, linear]


FORMULAS: dict[str, tuple[Callable[..., After], int, tuple[float, ...]]] = {
    "adadelta": (adadelta, 2, (0.5, 0.05, 1e-6)),
    "adagrad": (adagrad, 1, (0.1,)),
    "adam": (adam, 2, (0.1, 0.1, 0.01, 1e-8)),
    "adamw": (adamw, 2, (0.1, 0.1, 0.01, 1e-8, 0.02)),
    "centered_rmsprop": (centered_rmsprop, 3, (0.01, 0.1, 0.5, 1.0)),
    "ftrl": (ftrl, 2, (0.1, -0.5, 0.3, 0.02, 0.1)),
    "gradient_descent": (gradient_descent, 0, (0.1,)),
    "momentum": (momentum, 1, (0.1, 0.9)),
    "nesterov": (nesterov, 1, (0.1, 0.9)),
    "rmsprop": (rmsprop, 2, (0.01, 0.1, 0.5, 1e-10)),
}
"""By the name of the kernel: the formula, the number of slots, and settings to test it with."""


def step(name: str, param: Array, slots: Sequence[Array], grad: Array, settings: Sequence[float]) -> None:
    """Make a step, computed in the dtype of the slots: float32 for 16-bit parameters."""
    precision = np.dtype(np.float32) if param.dtype.itemsize == 2 else param.dtype
    with np.errstate(all="ignore"):
        after, changed = FORMULAS[name][0](
            param.astype(precision), list(slots), grad.astype(precision), *map(precision.type, settings)
        )
        param[...] = after.astype(param.dtype)
    for slot, value in zip(slots, changed, strict=True):
        slot[...] = value


def step_rows(
    name: str, param: Array, slots: Sequence[Array], indices: Array, values: Array, settings: Sequence[float]
) -> None:
    """Make a step of every row that ``indices`` name, by the sum of the values that are there for it."""
    sums, is_named = np.full_like(param, -0.0), np.zeros(len(param), bool)
    reference.scatter_add(sums, indices, values)
    is_named[indices.reshape(-1).astype(np.int64)] = True
    for row in np.flatnonzero(is_named):
        step(name, param[row, ...], [slot[row, ...] for slot in slots], sums[row, ...], settings)
