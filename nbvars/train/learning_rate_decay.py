"""Learning rates that fall with the steps.

In graph mode each function returns a tensor. In eager mode it returns a function without arguments, as in TensorFlow,
so that an optimizer asks for the rate at every step.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from nbvars.checks import message
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Symbolic, Tensor
from nbvars.ops.cast_ops import cast
from nbvars.ops.indexing_ops import where
from nbvars.ops.math_ops import ceil, equal, floor, less_equal, minimum
from nbvars.ops.math_ops import pow as power
from nbvars.runtime.conversion import convert_to_tensor


def _now_or_later(compute: Callable[[], Tensor], global_step: Any) -> Any:
    return compute if executing_eagerly() and not isinstance(global_step, Symbolic) else compute()


def _check_step(where_: str, global_step: Any) -> None:
    if global_step is None:
        raise ValueError(message(where_, "global_step is required", None, "the variable that counts the steps"))


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Any:
    """Return ``learning_rate * decay_rate ** (global_step / decay_steps)``; ``staircase`` rounds the exponent down.

    Source: TensorFlow 1 API pages, ``tf.train.exponential_decay``.
    """
    _check_step("exponential_decay", global_step)

    def compute() -> Tensor:
        rate = convert_to_tensor(learning_rate)
        exponent = cast(global_step, rate.dtype.base_dtype) / decay_steps
        return rate * power(
            convert_to_tensor(decay_rate, rate.dtype.base_dtype), floor(exponent) if staircase else exponent
        )

    return _now_or_later(compute, global_step)


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Any:
    """Return a rate that falls from ``learning_rate`` to ``end_learning_rate`` in ``decay_steps``, by a power.

    With ``cycle`` it starts again from a lower rate each time that the end is reached.

    Source: TensorFlow 1 API pages, ``tf.train.polynomial_decay``.
    """
    _check_step("polynomial_decay", global_step)
    return _now_or_later(
        functools.partial(_polynomial, learning_rate, global_step, decay_steps, end_learning_rate, power, cycle),
        global_step,
    )


def _polynomial(learning_rate: Any, global_step: Any, decay_steps: Any, end: Any, exponent: Any, cycle: bool) -> Tensor:
    rate = convert_to_tensor(learning_rate)
    dtype = rate.dtype.base_dtype
    step, steps = cast(global_step, dtype), cast(convert_to_tensor(decay_steps), dtype)
    if cycle:
        # The first cycle from step 0 on is a whole one, too.
        rounds = ceil(step / steps)
        steps = steps * where(equal(step, 0), rounds + 1, rounds)
    else:
        step = minimum(step, steps)
    share = 1 - step / steps
    current: Tensor = (rate - end) * power(share, convert_to_tensor(exponent, dtype)) + end
    return current


def piecewise_constant(x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None) -> Any:
    """Return ``values[0]`` while ``x <= boundaries[0]``, ``values[1]`` while ``x <= boundaries[1]``, and so on.

    Args:
        x: An integer or floating scalar, such as the global step.
        boundaries: Rising numbers.
        values: One more than ``boundaries``.
        name: Name of the op.

    Raises:
        ValueError: The numbers of boundaries and values do not fit, or the boundaries do not rise.

    Source: TensorFlow 1 API pages, ``tf.train.piecewise_constant``.
    """
    if len(boundaries) != len(values) - 1:
        wrong = "The length of boundaries should be 1 less than the length of values"
        raise ValueError(message("piecewise_constant", wrong, len(boundaries), len(values) - 1))
    if list(boundaries) != sorted(boundaries):
        raise ValueError(
            message("piecewise_constant", "the boundaries do not rise", list(boundaries), "rising numbers")
        )

    def compute() -> Tensor:
        at = convert_to_tensor(x)
        rates = [convert_to_tensor(value) for value in values]
        found = rates[-1]
        for boundary, rate in zip(reversed(boundaries), reversed(rates[:-1]), strict=True):
            found = where(less_equal(at, convert_to_tensor(boundary, at.dtype.base_dtype)), rate, found)
        return found

    return _now_or_later(compute, x)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Any:
    """Return ``learning_rate * exp(-decay_rate * global_step / decay_steps)``.

    Source: TensorFlow 1 API pages, ``tf.train.natural_exp_decay``.
    """
    return exponential_decay(learning_rate, global_step, decay_steps, math.exp(-decay_rate), staircase, name)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Any:
    """Return ``learning_rate / (1 + decay_rate * global_step / decay_steps)``.

    Source: TensorFlow 1 API pages, ``tf.train.inverse_time_decay``.
    """
    _check_step("inverse_time_decay", global_step)

    def compute() -> Tensor:
        rate = convert_to_tensor(learning_rate)
        share = cast(global_step, rate.dtype.base_dtype) / decay_steps
        grown: Tensor = 1 + decay_rate * (floor(share) if staircase else share)
        return rate / grown

    return _now_or_later(compute, global_step)
