"""The functions of neural networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.checks import expect_dtype_in
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.rows import FLOATING, FLOATING_OR_COMPLEX, REAL, unary, widened
from nbvars.ops.shape_rules import as_int, check_rank_at_least, normal_axis
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op


def _sigmoid(x: Array) -> Any:
    """Return ``1 / (1 + exp(-x))``, by an exponential that cannot overflow."""
    if x.dtype.kind == "c":
        return 1 / (1 + np.exp(-x))
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, x.dtype.type(1)) / (1 + small)


def _relu(x: Array) -> Any:
    return np.maximum(x, x.dtype.type(0))


def _softmax(x: Array, axis: int) -> Any:
    powers = np.exp(x - np.max(x, axis, keepdims=True, initial=-np.inf))
    return powers / np.sum(powers, axis, keepdims=True)


def _log_softmax(x: Array, axis: int) -> Any:
    shifted = x - np.max(x, axis, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True))


sigmoid = unary("sigmoid", "Sigmoid", widened(_sigmoid), FLOATING_OR_COMPLEX, "Compute 1 / (1 + e**-x).")
relu = unary("relu", "Relu", _relu, REAL, "Return ``max(x, 0)``.")


def _softmax_definition(name: str, op_type: str, compute: Callable[..., Any]) -> OpDefinition:
    """Return the definition of softmax or log_softmax."""

    def infer(logits: TensorSpec, axis: int) -> TensorSpec:
        expect_dtype_in(name, "logits", logits.dtype, FLOATING, FLOATING.described)
        check_rank_at_least(name, "logits", logits.shape, 1)
        if logits.shape is not None:
            normal_axis(name, axis, len(logits.shape))
        return logits

    return OpDefinition(op_type, infer, widened(compute))


SOFTMAX = _softmax_definition("softmax", "Softmax", _softmax)
LOG_SOFTMAX = _softmax_definition("log_softmax", "LogSoftmax", _log_softmax)


def softmax(logits: TensorValue, axis: int = -1, name: str | None = None) -> Tensor:
    """Compute ``exp(logits) / sum(exp(logits))`` along an axis, without overflow.

    Source: TensorFlow 1 API pages, ``tf.nn.softmax``.
    """
    return apply_op(SOFTMAX, logits, name=name, axis=as_int("softmax", "axis", axis))


def log_softmax(logits: TensorValue, axis: int = -1, name: str | None = None) -> Tensor:
    """Compute ``logits - log(sum(exp(logits)))`` along an axis, without overflow.

    Source: TensorFlow 1 API pages, ``tf.nn.log_softmax``.
    """
    return apply_op(LOG_SOFTMAX, logits, name=name, axis=as_int("log_softmax", "axis", axis))
