"""Rules of the optimizers: one element of the parameter, of its slots and of the gradient, before and after a step.

Every rule takes ``(param, slots, grad, settings)`` and returns ``(param, slots)``: ``slots`` are three numbers, of
which it uses as many as the optimizer has, and ``settings`` are ``NUM_SETTINGS`` numbers, in the order that it names.
A decay comes as ``1 - decay``: no rule has a constant, which would make all of its arithmetic float64.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numba import njit

NUM_SETTINGS = 6


@njit(error_model="numpy")
def gradient_descent_step(param, slots, grad, settings):
    """Settings: learning rate."""
    return param - settings[0] * grad, slots


@njit(error_model="numpy")
def momentum_step(param, slots, grad, settings):
    """Slots: velocity. Settings: learning rate, momentum (Polyak 1964, heavy ball)."""
    velocity = settings[1] * slots[0] + grad
    return param - settings[0] * velocity, (velocity, slots[1], slots[2])


@njit(error_model="numpy")
def nesterov_step(param, slots, grad, settings):
    """Slots: velocity. Settings: learning rate, momentum (Sutskever et al. 2013)."""
    velocity = settings[1] * slots[0] + grad
    return param - settings[0] * (grad + settings[1] * velocity), (velocity, slots[1], slots[2])


@njit(error_model="numpy")
def adagrad_step(param, slots, grad, settings):
    """Slots: sum of squares. Settings: learning rate (Duchi, Hazan and Singer 2011)."""
    total = slots[0] + grad * grad
    return param - settings[0] * grad / sqrt(total), (total, slots[1], slots[2])


@njit(error_model="numpy")
def adadelta_step(param, slots, grad, settings):
    """Slots: mean square of gradients, and of updates. Settings: learning rate, 1 - decay, epsilon (Zeiler 2012)."""
    rate, fresh, epsilon = settings[0], settings[1], settings[2]
    mean = slots[0] + fresh * (grad * grad - slots[0])
    update = sqrt(slots[1] + epsilon) / sqrt(mean + epsilon) * grad
    updates = slots[1] + fresh * (update * update - slots[1])
    return param - rate * update, (mean, updates, slots[2])


@njit(error_model="numpy")
def rmsprop_step(param, slots, grad, settings):
    """Slots: mean square, velocity. Settings: learning rate, 1 - decay, momentum, epsilon (Hinton 2012)."""
    rate, fresh, momentum, epsilon = settings[0], settings[1], settings[2], settings[3]
    mean_square = slots[0] + fresh * (grad * grad - slots[0])
    velocity = momentum * slots[1] + rate * grad / sqrt(mean_square + epsilon)
    return param - velocity, (mean_square, velocity, slots[2])


@njit(error_model="numpy")
def centered_rmsprop_step(param, slots, grad, settings):
    """Slots: mean square, mean, velocity. Settings: as ``rmsprop_step`` (Graves 2013)."""
    rate, fresh, momentum, epsilon = settings[0], settings[1], settings[2], settings[3]
    mean_square = slots[0] + fresh * (grad * grad - slots[0])
    mean = slots[1] + fresh * (grad - slots[1])
    velocity = momentum * slots[2] + rate * grad / sqrt(mean_square - mean * mean + epsilon)
    return param - velocity, (mean_square, mean, velocity)


@njit(error_model="numpy")
def adam_step(param, slots, grad, settings):
    """Slots: mean, mean square. Settings: corrected learning rate, 1 - betas, epsilon (Kingma and Ba 2015)."""
    rate, fresh, fresh_square, epsilon = settings[0], settings[1], settings[2], settings[3]
    mean = slots[0] + fresh * (grad - slots[0])
    mean_square = slots[1] + fresh_square * (grad * grad - slots[1])
    return param - rate * mean / (sqrt(mean_square) + epsilon), (mean, mean_square, slots[2])


@njit(error_model="numpy")
def adamw_step(param, slots, grad, settings):
    """Slots: as ``adam_step``. Settings: the same, then the weight decay (Loshchilov and Hutter 2019)."""
    return adam_step(param - settings[4] * param, slots, grad, settings)


@njit(error_model="numpy")
def ftrl_step(param, slots, grad, settings):
    """Slots: sum of squares, linear term. Settings: learning rate, its power, l1, l2, l2 shrinkage (McMahan 2013)."""
    rate, power, l1, l2, shrinkage = settings[0], settings[1], settings[2], settings[3], settings[4]
    total = slots[0] + grad * grad
    if power == -0.5:
        before, after = sqrt(slots[0]), sqrt(total)
    else:
        before, after = slots[0] ** -power, total**-power
    linear = slots[1] + grad + (shrinkage + shrinkage) * param - (after - before) / rate * param
    shrunk = (l1 if linear > 0 else -l1) - linear
    param = shrunk / (after / rate + l2 + l2) if abs(linear) > l1 else l1 - l1
    return param, (total, linear, slots[2])


class StepRule(NamedTuple):
    """A rule, how many slots it has, and its settings by name."""

    rule: Callable[..., Any]
    num_slots: int
    settings: tuple[str, ...]


STEPS: dict[str, StepRule] = {
    "adadelta": StepRule(adadelta_step, 2, ("learning_rate", "1 - rho", "epsilon")),
    "adagrad": StepRule(adagrad_step, 1, ("learning_rate",)),
    "adam": StepRule(adam_step, 2, ("learning_rate", "1 - beta1", "1 - beta2", "epsilon")),
    "adamw": StepRule(adamw_step, 2, ("learning_rate", "1 - beta1", "1 - beta2", "epsilon", "weight_decay")),
    "centered_rmsprop": StepRule(centered_rmsprop_step, 3, ("learning_rate", "1 - decay", "momentum", "epsilon")),
    "ftrl": StepRule(ftrl_step, 2, ("learning_rate", "learning_rate_power", "l1", "l2", "l2_shrinkage")),
    "gradient_descent": StepRule(gradient_descent_step, 0, ("learning_rate",)),
    "momentum": StepRule(momentum_step, 1, ("learning_rate", "momentum")),
    "nesterov": StepRule(nesterov_step, 1, ("learning_rate", "momentum")),
    "rmsprop": StepRule(rmsprop_step, 2, ("learning_rate", "1 - decay", "momentum", "epsilon")),
}
"""The steps by name."""


def slot_dtype_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the slots of a parameter of ``dtype``."""
    return np.dtype(np.float32) if dtype.itemsize == 2 else dtype
