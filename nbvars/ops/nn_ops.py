"""The functions of neural networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.checks import expect_dtype_in, message
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.array_functions import extreme
from nbvars.ops.legacy_arguments import renamed
from nbvars.ops.rows import FLOATING, FLOATING_OR_COMPLEX, NUMERIC, REAL, Unary, unary, widened
from nbvars.ops.shape_rules import as_int, check_rank_at_least, check_same_dtype, merge_shapes, normal_axis
from nbvars.runtime.conversion import match
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


def _relu6(x: Array) -> Any:
    return np.minimum(_relu(x), x.dtype.type(6))


def _elu(x: Array) -> Any:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _softplus(x: Array) -> Any:
    return np.logaddexp(x, x.dtype.type(0))


def _softmax(x: Array, axis: int) -> Any:
    powers = np.exp(x - extreme(np.maximum, x, axis, True, -np.inf))
    return powers / np.add.reduce(powers, axis, keepdims=True)


def _log_softmax(x: Array, axis: int) -> Any:
    shifted = x - extreme(np.maximum, x, axis, True, -np.inf)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis, keepdims=True))


sigmoid: Unary = unary("sigmoid", "Sigmoid", widened(_sigmoid), FLOATING_OR_COMPLEX, "Compute 1 / (1 + e**-x).")
relu: Unary = unary("relu", "Relu", _relu, REAL, "Return ``max(x, 0)``.")
relu6: Unary = unary("relu6", "Relu6", _relu6, REAL, "Return ``min(max(x, 0), 6)``.")
elu: Unary = unary("elu", "Elu", widened(_elu), FLOATING, "Return ``x``, or e**x - 1 below zero.")
softplus: Unary = unary(
    "softplus", "Softplus", widened(_softplus), FLOATING, "Compute log(1 + e**x), without overflow."
)
softsign: Unary = unary(
    "softsign", "Softsign", widened(lambda x: x / (1 + np.abs(x))), FLOATING, "Return x / (1 + abs(x))."
)


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


def _axis(op: str, axis: Any, dim: Any) -> Any:
    """Return the axis of softmax or log_softmax."""
    if dim is not None:
        axis = renamed(op, "axis", axis, "dim", dim)
    return as_int(op, "axis", -1 if axis is None else axis)


def softmax(logits: TensorValue, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Tensor:
    """Compute ``exp(logits) / sum(exp(logits))`` along an axis (by default the last), without overflow.

    ``dim`` is the older name of ``axis``.

    Source: TensorFlow 1 API pages, ``tf.nn.softmax``.
    """
    return apply_op(SOFTMAX, logits, name=name, axis=_axis("softmax", axis, dim))


def log_softmax(
    logits: TensorValue, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """Compute ``logits - log(sum(exp(logits)))`` along an axis (by default the last), without overflow.

    ``dim`` is the older name of ``axis``.

    Source: TensorFlow 1 API pages, ``tf.nn.log_softmax``.
    """
    return apply_op(LOG_SOFTMAX, logits, name=name, axis=_axis("log_softmax", axis, dim))


def _infer_l2_loss(t: TensorSpec) -> TensorSpec:
    expect_dtype_in("l2_loss", "t", t.dtype, FLOATING, FLOATING.described)
    return TensorSpec((), t.dtype)


L2_LOSS = OpDefinition("L2Loss", _infer_l2_loss, widened(lambda t: np.square(t).sum() / t.dtype.type(2)))


def l2_loss(t: TensorValue, name: str | None = None) -> Tensor:
    """Return half the sum of the squares of all elements.

    Source: TensorFlow 1 API pages, ``tf.nn.l2_loss``.
    """
    return apply_op(L2_LOSS, t, name=name)


def _infer_bias_add(value: TensorSpec, bias: TensorSpec, data_format: str) -> TensorSpec:
    expect_dtype_in("bias_add", "value", value.dtype, NUMERIC, NUMERIC.described)
    check_same_dtype("bias_add", "bias", bias.dtype, value.dtype)
    check_rank_at_least("bias_add", "value", value.shape, 2)
    if bias.shape is not None and len(bias.shape) != 1:
        raise ValueError(message("bias_add", "bias has the wrong rank", len(bias.shape), 1))
    if value.shape is None:
        return value
    axis = _channels(data_format, len(value.shape))
    wanted = (value.shape[axis],)
    size = merge_shapes("bias_add", "bias", wanted, bias.shape)
    return TensorSpec((*value.shape[:axis], *(size or wanted), *value.shape[axis + 1 :]), value.dtype)


def _bias_add(value: Array, bias: Array, data_format: str) -> Any:
    axes_after = value.ndim - 1 - _channels(data_format, value.ndim)
    return value + bias.reshape(bias.shape + (1,) * axes_after)


def _channels(data_format: str, rank: int) -> int:
    """Return the axis of the channels."""
    return 1 if data_format == "NCHW" else rank - 1


BIAS_ADD = OpDefinition("BiasAdd", _infer_bias_add, _bias_add)


def bias_add(value: TensorValue, bias: TensorValue, data_format: str | None = None, name: str | None = None) -> Tensor:
    """Add a vector along the channels of ``value``.

    Args:
        value: Numbers of two axes or more.
        bias: A vector of as many numbers as there are channels.
        data_format: ``"NHWC"``, the default: the channels are the last axis; ``"NCHW"``: they are axis 1.
        name: Name of the op.

    Raises:
        TypeError: The dtypes differ.
        ValueError: ``bias`` is no vector, or has not one number for each channel.

    Source: TensorFlow 1 API pages, ``tf.nn.bias_add``.
    """
    if data_format not in (None, "NHWC", "NCHW"):
        raise ValueError(message("bias_add", "unknown data_format", repr(data_format), "'NHWC' or 'NCHW'"))
    return apply_op(BIAS_ADD, *match("bias_add", value, bias), name=name, data_format=data_format or "NHWC")
