"""Ops that reduce axes, find an extreme, or accumulate along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.array_functions import extreme, highest, lowest
from nbvars.ops.legacy_arguments import renamed
from nbvars.ops.rows import BOOL, FLOATING, INTEGER, NUMERIC, REAL, Dtypes, Reduction, reduced_shape, reduction, widened
from nbvars.ops.shape_rules import as_int, normal_axis
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op

_Axes = tuple[int, ...] | None


def _reduce(ufunc: Any, x: Array, axis: _Axes, keepdims: bool, dtype: np.dtype[Any]) -> Any:
    """Return ``ufunc.reduce`` of ``x``, whose annotations do not foresee an ``axis`` that may be ``None``."""
    return ufunc.reduce(x, axis=axis, keepdims=keepdims, dtype=dtype)


def _sum(x: Array, axis: _Axes, keepdims: bool) -> Any:
    return _reduce(np.add, x, axis, keepdims, x.dtype)


def _prod(x: Array, axis: _Axes, keepdims: bool) -> Any:
    return _reduce(np.multiply, x, axis, keepdims, x.dtype)


def _mean(x: Array, axis: _Axes, keepdims: bool) -> Any:
    """Return the mean; that of integers is an integer, rounded towards zero."""
    count = math.prod(x.shape if axis is None else (x.shape[i] for i in axis))
    if x.dtype.kind not in "iu":
        return np.divide(_sum(x, axis, keepdims), x.dtype.type(count))
    if count == 0:
        wrong = message("reduce_mean", "the mean of no integers", f"shape {x.shape}", "one element or more")
        raise InvalidArgumentError(None, None, wrong)
    wide = np.dtype(np.uint64 if x.dtype.kind == "u" else np.int64)
    total = _reduce(np.add, x, axis, keepdims, wide)
    quotient, rest = np.divmod(total, wide.type(count))
    return (quotient + ((total < 0) & (rest != 0)).astype(wide)).astype(x.dtype)


def _max(x: Array, axis: _Axes, keepdims: bool) -> Any:
    """Return the largest; of no elements, what is smaller than any other."""
    return extreme(np.maximum, x, axis, keepdims, lowest(x.dtype))


def _min(x: Array, axis: _Axes, keepdims: bool) -> Any:
    """Return the smallest; of no elements, what is larger than any other."""
    return extreme(np.minimum, x, axis, keepdims, highest(x.dtype))


def _any(x: Array, axis: _Axes, keepdims: bool) -> Any:
    return x.any(axis, keepdims=keepdims)


def _all(x: Array, axis: _Axes, keepdims: bool) -> Any:
    return x.all(axis, keepdims=keepdims)


def _logsumexp(x: Array, axis: _Axes, keepdims: bool) -> Any:
    """Return ``log(sum(exp(x)))``, from which the largest element is taken out so that nothing overflows."""
    largest = _max(x, axis, True)
    largest = np.where(np.isfinite(largest), largest, x.dtype.type(0))
    result = np.log(_sum(np.exp(x - largest), axis, True)) + largest
    return result if keepdims else result.reshape(reduced_shape("reduce_logsumexp", x.shape, axis, False))


reduce_sum: Reduction = reduction(
    "reduce_sum", "Sum", widened(_sum), NUMERIC, "Add up the elements of some axes, or of all."
)
reduce_prod: Reduction = reduction(
    "reduce_prod", "Prod", widened(_prod), NUMERIC, "Multiply the elements of some axes, or of all."
)
reduce_mean: Reduction = reduction(
    "reduce_mean",
    "Mean",
    widened(_mean),
    NUMERIC,
    "Average some axes, or all; that of integers rounds towards zero.",
)
reduce_max: Reduction = reduction(
    "reduce_max", "Max", _max, REAL, "Return the largest element of some axes, or of all."
)
reduce_min: Reduction = reduction(
    "reduce_min", "Min", _min, REAL, "Return the smallest element of some axes, or of all."
)
reduce_any: Reduction = reduction(
    "reduce_any", "Any", _any, BOOL, "Return whether any element of some axes, or of all, is true."
)
reduce_all: Reduction = reduction(
    "reduce_all", "All", _all, BOOL, "Return whether all elements of some axes, or of all, are true."
)
reduce_logsumexp: Reduction = reduction(
    "reduce_logsumexp",
    "LogSumExp",
    widened(_logsumexp),
    FLOATING,
    "Compute log(sum(exp(x))) without overflow.",
)

_ORDERED = Dtypes(REAL | BOOL, "a real dtype or bool")


def _arg_definition(name: str, op_type: str, find: Callable[..., Any]) -> OpDefinition:
    """Return the definition of argmax or argmin."""

    def infer(x: TensorSpec, axis: int, output_type: DType) -> TensorSpec:
        expect_dtype_in(name, "input", x.dtype, _ORDERED, _ORDERED.described)
        expect_dtype_in(name, "output_type", output_type, INTEGER, INTEGER.described)
        if x.shape is not None and x.shape[normal_axis(name, axis, len(x.shape))] == 0:
            raise ValueError(message(name, f"axis {axis} has no elements", x.shape, "one element or more"))
        return TensorSpec(reduced_shape(name, x.shape, (axis,), False), output_type)

    def compute(x: Array, axis: int, output_type: DType) -> Any:
        return find(x, axis).astype(output_type.numpy_dtype, copy=False)

    return OpDefinition(op_type, infer, compute)


ARGMAX = _arg_definition("argmax", "ArgMax", np.argmax)
ARGMIN = _arg_definition("argmin", "ArgMin", np.argmin)


def _find(
    op: str, definition: OpDefinition, x: TensorValue, axis: Any, name: Any, dimension: Any, output_type: Any
) -> Tensor:
    """Run argmax or argmin, whose arguments are in the order of TensorFlow 1: the name before the dtype."""
    if name is not None and not isinstance(name, str):
        raise TypeError(message(op, "name has the wrong type", repr(name), "a string", "pass a dtype as output_type="))
    if dimension is not None:
        axis = renamed(op, "axis", axis, "dimension", dimension)
    at = as_int(op, "axis", 0 if axis is None else axis)
    return apply_op(definition, x, name=name, axis=at, output_type=as_numeric_dtype(output_type))


def argmax(
    input: TensorValue,
    axis: int | None = None,
    name: str | None = None,
    dimension: int | None = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """Return the position of the largest element along an axis (by default 0), the first of equal ones.

    ``dimension`` is the older name of ``axis``.

    Source: TensorFlow 1 API pages, ``tf.argmax``.
    """
    return _find("argmax", ARGMAX, input, axis, name, dimension, output_type)


def argmin(
    input: TensorValue,
    axis: int | None = None,
    name: str | None = None,
    dimension: int | None = None,
    output_type: Any = dtypes.int64,
) -> Tensor:
    """Return the position of the smallest element along an axis (by default 0), the first of equal ones.

    ``dimension`` is the older name of ``axis``.

    Source: TensorFlow 1 API pages, ``tf.argmin``.
    """
    return _find("argmin", ARGMIN, input, axis, name, dimension, output_type)


def _infer_cumsum(x: TensorSpec, axis: int, exclusive: bool, reverse: bool) -> TensorSpec:
    expect_dtype_in("cumsum", "x", x.dtype, NUMERIC, NUMERIC.described)
    if x.shape is not None:
        normal_axis("cumsum", axis, len(x.shape))
    return x


def _cumsum(x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
    ordered = np.flip(x, axis) if reverse else x
    sums = np.add.accumulate(ordered, axis=axis, dtype=x.dtype)
    if exclusive:
        before = [slice(None)] * x.ndim
        after = list(before)
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        shifted = np.zeros_like(sums)
        shifted[tuple(after)] = sums[tuple(before)]
        sums = shifted
    return np.flip(sums, axis) if reverse else sums


CUMSUM = OpDefinition("Cumsum", _infer_cumsum, widened(_cumsum))


def cumsum(
    x: TensorValue, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """Return the sums of the elements so far along an axis.

    Args:
        x: The tensor.
        axis: The axis.
        exclusive: Leave out the element itself: the first sum is 0.
        reverse: Sum from the end.
        name: Name of the op.

    Source: TensorFlow 1 API pages, ``tf.cumsum``.
    """
    attrs = {"exclusive": bool(exclusive), "reverse": bool(reverse)}
    return apply_op(CUMSUM, x, name=name, axis=as_int("cumsum", "axis", axis), **attrs)
