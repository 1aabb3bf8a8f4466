"""Mathematics element by element: arithmetic, functions, comparisons and logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import DType
from nbvars.errors import InvalidArgumentError
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Tensor, TensorLike, TensorValue
from nbvars.ops.array_functions import is_of_numpy
from nbvars.ops.cast_ops import cast
from nbvars.ops.rows import (
    ANY,
    BOOL,
    FLOATING,
    FLOATING_OR_COMPLEX,
    INTEGER,
    NUMERIC,
    REAL,
    SIGNED,
    Binary,
    Unary,
    binary,
    check_no_zero,
    unary,
    widened,
)
from nbvars.ops.shape_rules import broadcast_shapes, check_same_dtype, merge_shapes
from nbvars.runtime.building import op_scope
from nbvars.runtime.conversion import borrow, convert_to_tensor, match
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op


def _floordiv(x: Array, y: Array) -> Any:
    """Return ``floor(x / y)``."""
    if x.dtype.kind in "iu":
        check_no_zero("floordiv", y)
        return np.floor_divide(x, y)
    return np.floor(np.divide(x, y))


def _mod(x: Array, y: Array) -> Any:
    """Return the remainder, with the sign of ``y``."""
    if x.dtype.kind in "iu":
        check_no_zero("mod", y)
    elif not is_of_numpy(x):
        return _exact_mod(x, y)
    return np.mod(x, y)


def _exact_mod(x: Array, y: Array) -> Any:
    """Return what NumPy's ``mod`` does of floats; CuPy's is ``x - floor(x / y) * y``, which rounds thrice."""
    rest = np.fmod(x, y)
    with_sign = np.where((rest < 0) == (y < 0), rest, rest + y)
    return np.where(rest == 0, np.copysign(rest, y), with_sign)


def _pow(x: Array, y: Array) -> Any:
    """Return ``x ** y``; integers have no negative powers."""
    if y.dtype.kind == "i" and (y < 0).any():
        wrong = message("pow", "an integer has no negative power", y[y < 0].flat[0], "0 or more", "use cast")
        raise InvalidArgumentError(None, None, wrong)
    return np.power(x, y)


def _round(x: Array) -> Any:
    """Return the nearest integer, halves to the even one, in the dtype of ``x``."""
    return x if x.dtype.kind in "iu" else np.rint(x)


def _real_part(dtype: DType) -> DType:
    return dtype.real_dtype


add: Binary = binary("add", "AddV2", np.add, NUMERIC, "Add two tensors.")
subtract: Binary = binary("subtract", "Sub", np.subtract, NUMERIC, "Subtract ``y`` from ``x``.")
multiply: Binary = binary("multiply", "Mul", np.multiply, NUMERIC, "Multiply two tensors, element by element.")
_real_div: Binary = binary("truediv", "RealDiv", np.divide, FLOATING_OR_COMPLEX, "Divide ``x`` by ``y``.")
floordiv: Binary = binary(
    "floordiv",
    "FloorDiv",
    widened(_floordiv),
    REAL,
    "Divide and round down; 0 as an integer divisor is an error.",
)
mod: Binary = binary("mod", "FloorMod", _mod, REAL, "Return the remainder of ``floordiv``; it has the sign of ``y``.")
pow: Binary = binary("pow", "Pow", _pow, NUMERIC, "Raise ``x`` to the power ``y``; integers have no negative powers.")
maximum: Binary = binary(
    "maximum", "Maximum", np.maximum, REAL, "Return the larger of two elements, NaN if one is NaN."
)
minimum: Binary = binary(
    "minimum", "Minimum", np.minimum, REAL, "Return the smaller of two elements, NaN if one is NaN."
)

equal: Binary = binary("equal", "Equal", np.equal, ANY, "Return where ``x == y``.", dtypes.bool_)
not_equal: Binary = binary("not_equal", "NotEqual", np.not_equal, ANY, "Return where ``x != y``.", dtypes.bool_)
less: Binary = binary("less", "Less", np.less, REAL, "Return where ``x < y``.", dtypes.bool_)
less_equal: Binary = binary("less_equal", "LessEqual", np.less_equal, REAL, "Return where ``x <= y``.", dtypes.bool_)
greater: Binary = binary("greater", "Greater", np.greater, REAL, "Return where ``x > y``.", dtypes.bool_)
greater_equal: Binary = binary(
    "greater_equal", "GreaterEqual", np.greater_equal, REAL, "Return where ``x >= y``.", dtypes.bool_
)

logical_and: Binary = binary("logical_and", "LogicalAnd", np.logical_and, BOOL, "Return where both are true.")
logical_or: Binary = binary("logical_or", "LogicalOr", np.logical_or, BOOL, "Return where one or both are true.")
logical_xor: Binary = binary("logical_xor", "LogicalXor", np.logical_xor, BOOL, "Return where exactly one is true.")
logical_not: Unary = unary("logical_not", "LogicalNot", np.logical_not, BOOL, "Return where ``x`` is false.")
_bitwise_and: Binary = binary("bitwise_and", "BitwiseAnd", np.bitwise_and, INTEGER, "Return the common bits.")
_bitwise_or: Binary = binary("bitwise_or", "BitwiseOr", np.bitwise_or, INTEGER, "Return the bits of both.")
_bitwise_xor: Binary = binary("bitwise_xor", "BitwiseXor", np.bitwise_xor, INTEGER, "Return the bits of one only.")
_bitwise_invert: Unary = unary("invert", "Invert", np.invert, INTEGER, "Flip all bits.")

abs: Unary = unary(
    "abs", "Abs", np.absolute, NUMERIC, "Return the absolute value, real for a complex ``x``.", _real_part
)
negative: Unary = unary("negative", "Neg", np.negative, SIGNED, "Return ``-x``.")
sign: Unary = unary("sign", "Sign", np.sign, SIGNED, "Return -1, 0 or 1, or ``x / abs(x)`` for a complex ``x``.")
square: Unary = unary("square", "Square", np.square, NUMERIC, "Return ``x * x``.")
sqrt: Unary = unary("sqrt", "Sqrt", np.sqrt, FLOATING_OR_COMPLEX, "Return the square root, NaN below zero.")
reciprocal: Unary = unary("reciprocal", "Reciprocal", widened(np.reciprocal), FLOATING_OR_COMPLEX, "Return ``1 / x``.")
rsqrt: Unary = unary(
    "rsqrt", "Rsqrt", widened(lambda x: 1 / np.sqrt(x)), FLOATING_OR_COMPLEX, "Return ``1 / sqrt(x)``."
)
exp: Unary = unary("exp", "Exp", widened(np.exp), FLOATING_OR_COMPLEX, "Compute e**x, element by element.")
expm1: Unary = unary("expm1", "Expm1", widened(np.expm1), FLOATING_OR_COMPLEX, "Compute e**x - 1, exact near 0.")
log: Unary = unary(
    "log", "Log", widened(np.log), FLOATING_OR_COMPLEX, "Compute the natural logarithm; that of 0 is -inf."
)
log1p: Unary = unary("log1p", "Log1p", widened(np.log1p), FLOATING_OR_COMPLEX, "Compute log(1 + x), exact near 0.")
sin: Unary = unary("sin", "Sin", widened(np.sin), FLOATING_OR_COMPLEX, "Compute the sine of ``x`` in radians.")
cos: Unary = unary("cos", "Cos", widened(np.cos), FLOATING_OR_COMPLEX, "Compute the cosine of ``x`` in radians.")
tanh: Unary = unary("tanh", "Tanh", widened(np.tanh), FLOATING_OR_COMPLEX, "Compute the hyperbolic tangent.")
floor: Unary = unary("floor", "Floor", np.floor, FLOATING, "Return the largest integer that is not above ``x``.")
ceil: Unary = unary("ceil", "Ceil", np.ceil, FLOATING, "Return the smallest integer that is not below ``x``.")
round: Unary = unary("round", "Round", _round, REAL, "Round to the nearest integer, halves to the even one.")
is_nan: Unary = unary("is_nan", "IsNan", np.isnan, FLOATING, "Return where ``x`` is NaN.", dtypes.bool_)
is_inf: Unary = unary("is_inf", "IsInf", np.isinf, FLOATING, "Return where ``x`` is infinite.", dtypes.bool_)
is_finite: Unary = unary(
    "is_finite",
    "IsFinite",
    np.isfinite,
    FLOATING,
    "Return where ``x`` is neither infinite nor NaN.",
    dtypes.bool_,
)

# The dtypes in which TensorFlow divides integers.
_QUOTIENTS = {
    dtypes.int8: dtypes.float32,
    dtypes.int16: dtypes.float32,
    dtypes.int32: dtypes.float64,
    dtypes.int64: dtypes.float64,
    dtypes.uint8: dtypes.float32,
    dtypes.uint16: dtypes.float32,
    dtypes.uint32: dtypes.float64,
    dtypes.uint64: dtypes.float64,
}


def truediv(x: TensorValue, y: TensorValue, name: str | None = None) -> Tensor:
    """Divide ``x`` by ``y``; integers as float64, those of 8 and 16 bits as float32.

    Source: TensorFlow 1 API pages, ``tf.truediv``.
    """
    x, y = (borrow(value) for value in match("truediv", x, y))
    dtype = x.dtype.base_dtype
    check_same_dtype("truediv", "y", y.dtype.base_dtype, dtype)
    if dtype not in _QUOTIENTS:
        return _real_div(x, y, name)
    with op_scope(name, "truediv", x, y) as scope:
        if not executing_eagerly():
            x, y = convert_to_tensor(x, name="x"), convert_to_tensor(y, name="y")
        return _real_div(cast(x, _QUOTIENTS[dtype]), cast(y, _QUOTIENTS[dtype]), scope)


def divide(x: TensorValue, y: TensorValue, name: str | None = None) -> Tensor:
    """Divide ``x`` by ``y`` as Python's ``/`` does: ``truediv``.

    Source: TensorFlow 1 API pages, ``tf.divide``.
    """
    return truediv(x, y, name)


def _is_bool(*values: TensorValue) -> bool:
    """Return whether the first tensor among the operands of an operator is of bools."""
    return next((value.dtype.base_dtype for value in values if isinstance(value, TensorLike)), None) is dtypes.bool_


def operator_and(x: TensorValue, y: TensorValue) -> Tensor:
    """Return ``x & y``: ``logical_and`` of bools, the common bits of integers."""
    return logical_and(x, y, "and") if _is_bool(x, y) else _bitwise_and(x, y, "and")


def operator_or(x: TensorValue, y: TensorValue) -> Tensor:
    """Return ``x | y``: ``logical_or`` of bools, the bits of both of integers."""
    return logical_or(x, y, "or") if _is_bool(x, y) else _bitwise_or(x, y, "or")


def operator_xor(x: TensorValue, y: TensorValue) -> Tensor:
    """Return ``x ^ y``: ``logical_xor`` of bools, the bits of one only of integers."""
    return logical_xor(x, y, "xor") if _is_bool(x, y) else _bitwise_xor(x, y, "xor")


def operator_invert(x: TensorValue) -> Tensor:
    """Return ``~x``: ``logical_not`` of bools, all bits flipped of integers."""
    return logical_not(x) if _is_bool(x) else _bitwise_invert(x)


def _infer_add_n(*inputs: TensorSpec) -> TensorSpec:
    shape, dtype = inputs[0]
    expect_dtype_in("add_n", "inputs[0]", dtype, NUMERIC, NUMERIC.described)
    for i, other in enumerate(inputs):
        check_same_dtype("add_n", f"inputs[{i}]", other.dtype, dtype)
        shape = merge_shapes("add_n", f"inputs[{i}]", shape, other.shape)
    return TensorSpec(shape, dtype)


def _add_n(*inputs: Array) -> Array:
    """Return the sum of arrays, in their order."""
    total = inputs[0].copy()
    for other in inputs[1:]:
        np.add(total, other, out=total)
    return total


ADD_N = OpDefinition("AddN", _infer_add_n, widened(_add_n))


def add_n(inputs: Sequence[TensorValue], name: str | None = None) -> Tensor:
    """Add up a list of tensors of one shape and dtype, without broadcasting.

    Raises:
        ValueError: The list is empty, or the shapes differ.

    Source: TensorFlow 1 API pages, ``tf.add_n``.
    """
    if not isinstance(inputs, (list, tuple)):
        raise ValueError(message("add_n", "inputs is no list", type(inputs).__name__, "a list of tensors"))
    if not inputs:
        raise ValueError(message("add_n", "inputs has no elements", repr(inputs), "a list of tensors"))
    return apply_op(ADD_N, *match("add_n", *inputs), name=name)


def _infer_clip(x: TensorSpec, low: TensorSpec, high: TensorSpec) -> TensorSpec:
    expect_dtype_in("clip_by_value", "t", x.dtype, REAL, REAL.described)
    for argument, bound in (("clip_value_min", low), ("clip_value_max", high)):
        check_same_dtype("clip_by_value", argument, bound.dtype, x.dtype)
        shape = broadcast_shapes("clip_by_value", x.shape, bound.shape)
        merge_shapes("clip_by_value", argument, x.shape, shape)
    return x


def _clip(x: Array, low: Array, high: Array) -> Any:
    """Return ``min(max(x, low), high)``; np.clip would turn bfloat16 into float32."""
    return np.minimum(np.maximum(x, low), high)


CLIP_BY_VALUE = OpDefinition("ClipByValue", _infer_clip, _clip, "clip_by_value")


def clip_by_value(
    t: TensorValue, clip_value_min: TensorValue, clip_value_max: TensorValue, name: str | None = None
) -> Tensor:
    """Limit the elements of ``t`` to a range; the bounds are broadcast to the shape of ``t``.

    Source: TensorFlow 1 API pages, ``tf.clip_by_value``.
    """
    return apply_op(CLIP_BY_VALUE, *match("clip_by_value", t, clip_value_min, clip_value_max), name=name)
