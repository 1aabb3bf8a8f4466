"""Losses of classifiers, computed from logits without overflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbvars.checks import expect_dtype_in, expect_integer, message
from nbvars.errors import InvalidArgumentError
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.array_functions import extreme
from nbvars.ops.rows import FLOATING, widened
from nbvars.ops.shape_rules import check_rank_at_least, check_same_dtype, merge_shapes
from nbvars.runtime.conversion import borrow, match
from nbvars.runtime.definition import Array, OpDefinition, Shape, TensorSpec
from nbvars.runtime.dispatch import apply_op, apply_op_to_many
from nbvars.runtime.indices import snapshot

_SOFTMAX = "softmax_cross_entropy_with_logits"
_SPARSE = "sparse_softmax_cross_entropy_with_logits"
_SIGMOID = "sigmoid_cross_entropy_with_logits"


def _log_softmax(logits: Array) -> tuple[Array, Array]:
    """Return the logarithms of the probabilities, and the probabilities."""
    shifted = logits - extreme(np.maximum, logits, -1, True, -np.inf)
    probabilities = np.exp(shifted)
    total = np.add.reduce(probabilities, -1, keepdims=True)
    probabilities /= total
    shifted -= np.log(total)
    return shifted, probabilities


def _check_logits(op: str, logits: TensorSpec) -> None:
    expect_dtype_in(op, "logits", logits.dtype, FLOATING, FLOATING.described)
    check_rank_at_least(op, "logits", logits.shape, 1)


def _infer_softmax_loss(logits: TensorSpec, labels: TensorSpec) -> tuple[TensorSpec, TensorSpec]:
    _check_logits(_SOFTMAX, logits)
    check_same_dtype(_SOFTMAX, "labels", labels.dtype, logits.dtype)
    shape = merge_shapes(_SOFTMAX, "labels", logits.shape, labels.shape)
    return TensorSpec(shape and shape[:-1], logits.dtype), TensorSpec(shape, logits.dtype)


def _softmax_loss(logits: Array, labels: Array) -> tuple[Array, Array]:
    logarithms, probabilities = _log_softmax(logits)
    # A label of 0 has no part in the loss, however small the probability.
    terms = np.where(labels == 0, logits.dtype.type(0), labels * logarithms)
    # The labels of one row need not add up to 1.
    return -np.sum(terms, -1), probabilities * np.sum(labels, -1, keepdims=True) - labels


# Both losses have a second output, as in TensorFlow: the derivatives of each row's loss by its logits, which cost
# little beside the loss itself.
SOFTMAX_LOSS = OpDefinition("SoftmaxCrossEntropyWithLogits", _infer_softmax_loss, widened(_softmax_loss), _SOFTMAX)


def _check_keyword(op: str, sentinel: Any, **arguments: Any) -> None:
    """Raise unless labels and logits came by name: their order has changed in the course of TensorFlow's versions."""
    if sentinel is not None:
        raise ValueError(
            message(op, "only call with named arguments", "arguments by position", "labels=..., logits=...")
        )
    for name, value in arguments.items():
        if value is None:
            raise ValueError(message(op, f"{name} must be provided", None, "a tensor"))


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: TensorValue | None = None,
    logits: TensorValue | None = None,
    dim: int = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Tensor:
    """Return ``-sum(labels * log(softmax(logits)))`` along the last axis.

    Gradients flow to both, as in TensorFlow's ``_v2``; ``stop_gradient(labels)`` keeps them from the labels.

    Args:
        _sentinel: Nothing: the others are given by name.
        labels: Probabilities of shape ``[..., num_classes]``, dtype of ``logits``.
        logits: Floating numbers of shape ``[..., num_classes]``.
        dim: The axis of the classes: the last.
        name: Name of the op.
        axis: A newer name of ``dim``.

    Returns:
        The losses, of shape ``[...]``.

    Raises:
        ValueError: An argument came by position, or the shapes differ.

    Source: TensorFlow 1 API pages, ``tf.nn.softmax_cross_entropy_with_logits``.
    """
    _check_keyword(_SOFTMAX, _sentinel, labels=labels, logits=logits)
    at = dim if axis is None else axis
    logits, labels = match(_SOFTMAX, logits, labels)
    rank = borrow(logits).shape.ndims
    if at not in (-1, None if rank is None else rank - 1):
        raise ValueError(message(_SOFTMAX, "the classes are not the last axis", at, -1, "use transpose"))
    return apply_op_to_many(SOFTMAX_LOSS, logits, labels, name=name)[0]


def _infer_sparse_loss(logits: TensorSpec, labels: TensorSpec) -> tuple[TensorSpec, TensorSpec]:
    _check_logits(_SPARSE, logits)
    expect_integer(_SPARSE, "labels", labels.dtype)
    rows: Shape = None if logits.shape is None else logits.shape[:-1]
    return TensorSpec(merge_shapes(_SPARSE, "labels", rows, labels.shape), logits.dtype), logits


def _sparse_loss(logits: Array, labels: Array) -> tuple[Array, Array]:
    num_classes = logits.shape[-1]
    places = _checked_labels(labels, num_classes).ravel()
    logarithms, derivatives = _log_softmax(logits.reshape(-1, num_classes))
    rows = np.arange(places.size, like=places)
    losses = -logarithms[rows, places]
    derivatives[rows, places] -= 1
    return losses.reshape(labels.shape), derivatives.reshape(logits.shape)


def _checked_labels(labels: Array, num_classes: int) -> Array:
    labels = snapshot(labels).astype(np.int64, copy=False)
    outside = labels.view(np.uint64) >= num_classes  # huge where it is negative
    if outside.any():
        wrong = message(_SPARSE, "a label is out of range", labels[outside].flat[0], f"[0, {num_classes})")
        raise InvalidArgumentError(None, None, wrong)
    return labels


SPARSE_LOSS = OpDefinition("SparseSoftmaxCrossEntropyWithLogits", _infer_sparse_loss, widened(_sparse_loss), _SPARSE)


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: TensorValue | None = None,
    logits: TensorValue | None = None,
    name: str | None = None,
) -> Tensor:
    """Return ``-log(softmax(logits))`` at the label of each row.

    Args:
        _sentinel: Nothing: the others are given by name.
        labels: Integers of shape ``[...]``, each in ``[0, num_classes)``.
        logits: Floating numbers of shape ``[..., num_classes]``.
        name: Name of the op.

    Raises:
        InvalidArgumentError: A label is out of range.

    Source: TensorFlow 1 API pages, ``tf.nn.sparse_softmax_cross_entropy_with_logits``.
    """
    _check_keyword(_SPARSE, _sentinel, labels=labels, logits=logits)
    return apply_op_to_many(SPARSE_LOSS, logits, labels, name=name)[0]


def _infer_sigmoid_loss(logits: TensorSpec, labels: TensorSpec) -> TensorSpec:
    _check_logits(_SIGMOID, TensorSpec(None, logits.dtype))
    check_same_dtype(_SIGMOID, "labels", labels.dtype, logits.dtype)
    return TensorSpec(merge_shapes(_SIGMOID, "labels", logits.shape, labels.shape), logits.dtype)


def _sigmoid_loss(logits: Array, labels: Array) -> Any:
    zero = logits.dtype.type(0)
    return np.maximum(logits, zero) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


SIGMOID_LOSS = OpDefinition(
    "SigmoidCrossEntropyWithLogits", _infer_sigmoid_loss, widened(_sigmoid_loss), "logistic_loss"
)


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: TensorValue | None = None,
    logits: TensorValue | None = None,
    name: str | None = None,
) -> Tensor:
    """Return ``-labels * log(sigmoid(logits)) - (1 - labels) * log(1 - sigmoid(logits))``, element by element.

    Args:
        _sentinel: Nothing: the others are given by name.
        labels: Probabilities, shape and dtype of ``logits``.
        logits: Floating numbers.
        name: Name of the op.

    Source: TensorFlow 1 API pages, ``tf.nn.sigmoid_cross_entropy_with_logits``.
    """
    _check_keyword(_SIGMOID, _sentinel, labels=labels, logits=logits)
    return apply_op(SIGMOID_LOSS, *match(_SIGMOID, logits, labels), name=name)
