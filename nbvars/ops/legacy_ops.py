"""Functions by the names that they had in TensorFlow 0.x, each a call of the newer one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from nbvars import dtypes
from nbvars.checks import message
from nbvars.graph.tensor import Tensor, TensorLike, TensorValue
from nbvars.ops.cast_ops import cast
from nbvars.ops.indexing_ops import where
from nbvars.ops.joining_ops import concat, stack, unstack
from nbvars.ops.linalg_ops import matmul
from nbvars.ops.math_ops import abs, floordiv, multiply, negative, reciprocal, subtract, truediv
from nbvars.ops.reduction_ops import argmax, argmin
from nbvars.runtime.conversion import borrow, match


def mul(x: TensorValue, y: TensorValue, name: str | None = "Mul") -> Tensor:
    """Multiply two tensors; newer programs say ``multiply``.

    Source: TensorFlow 0.x API pages, ``tf.mul``.
    """
    return multiply(x, y, name)


def sub(x: TensorValue, y: TensorValue, name: str | None = "Sub") -> Tensor:
    """Subtract ``y`` from ``x``; newer programs say ``subtract``.

    Source: TensorFlow 0.x API pages, ``tf.sub``.
    """
    return subtract(x, y, name)


def neg(x: TensorValue, name: str | None = None) -> Tensor:
    """Return ``-x``; newer programs say ``negative``.

    Source: TensorFlow 0.x API pages, ``tf.neg``.
    """
    return negative(x, name)


def div(x: TensorValue, y: TensorValue, name: str | None = "div") -> Tensor:
    """Divide as Python 2 did, integers to integers; newer programs say ``divide`` or ``floordiv``.

    Integers round down, as in TensorFlow 1.

    Source: TensorFlow 1 API pages, ``tf.div``.
    """
    x, y = match("div", x, y)
    return floordiv(x, y, name) if borrow(x).dtype.base_dtype.is_integer else truediv(x, y, name)


def inv(x: TensorValue, name: str | None = "Inv") -> Tensor:
    """Return ``1 / x``; newer programs say ``reciprocal``.

    Source: TensorFlow 0.x API pages, ``tf.inv``.
    """
    return reciprocal(x, name)


def complex_abs(x: TensorValue, name: str | None = "ComplexAbs") -> Tensor:
    """Return the absolute value of complex numbers; newer programs say ``abs``.

    Source: TensorFlow 0.x API pages, ``tf.complex_abs``.
    """
    return abs(x, name)


def batch_matmul(
    x: TensorValue, y: TensorValue, adj_x: bool = False, adj_y: bool = False, name: str | None = None
) -> Tensor:
    """Multiply batches of matrices, each transposed first if asked for; newer programs say ``matmul``.

    Raises:
        TypeError: The adjoint of complex matrices is asked for, which ``matmul`` does not have.

    Source: TensorFlow 0.x API pages, ``tf.batch_matmul``.
    """
    x, y = match("batch_matmul", x, y)
    dtype = borrow(x).dtype.base_dtype
    if dtype.is_complex and (adj_x or adj_y):
        raise TypeError(message("batch_matmul", "complex matrices have no adjoint here", dtype, "a real dtype"))
    return matmul(x, y, adj_x, adj_y, name)


def select(condition: TensorValue, t: TensorValue, e: TensorValue, name: str | None = None) -> Tensor:
    """Return ``t`` where ``condition`` is true, else ``e``; newer programs say ``where``.

    Source: TensorFlow 0.x API pages, ``tf.select``.
    """
    return where(condition, t, e, name)


def pack(values: Sequence[TensorValue], axis: int = 0, name: str | None = "pack") -> Tensor:
    """Join tensors of one shape and dtype along a new axis; newer programs say ``stack``.

    Source: TensorFlow 0.x API pages, ``tf.pack``.
    """
    return stack(values, axis, name)


def unpack(value: TensorValue, num: int | None = None, axis: int = 0, name: str | None = "unpack") -> list[Tensor]:
    """Take a tensor apart into its slices along an axis; newer programs say ``unstack``.

    Source: TensorFlow 0.x API pages, ``tf.unpack``.
    """
    return unstack(value, num, axis, name)


def concat_v2(values: Sequence[TensorValue], axis: int, name: str | None = "concat_v2") -> Tensor:
    """Join tensors of one dtype along an axis that they have; newer programs say ``concat``.

    Source: TensorFlow 0.12 API pages, ``tf.concat_v2``.
    """
    return concat(values, axis, name)


def arg_max(input: TensorValue, dimension: int, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """Return the position of the largest element along an axis; newer programs say ``argmax``.

    Source: TensorFlow 1 API pages, ``tf.arg_max``.
    """
    return argmax(input, dimension, name, output_type=output_type)


def arg_min(input: TensorValue, dimension: int, output_type: Any = dtypes.int64, name: str | None = None) -> Tensor:
    """Return the position of the smallest element along an axis; newer programs say ``argmin``.

    Source: TensorFlow 1 API pages, ``tf.arg_min``.
    """
    return argmin(input, dimension, name, output_type=output_type)


def to_float(x: TensorLike | ArrayLike, name: str | None = "ToFloat") -> Tensor:
    """Convert to float32; newer programs say ``cast(x, tf.float32)``.

    Source: TensorFlow 1 API pages, ``tf.to_float``.
    """
    return cast(x, dtypes.float32, name)


def to_double(x: TensorLike | ArrayLike, name: str | None = "ToDouble") -> Tensor:
    """Convert to float64; newer programs say ``cast(x, tf.float64)``.

    Source: TensorFlow 1 API pages, ``tf.to_double``.
    """
    return cast(x, dtypes.float64, name)


def to_int32(x: TensorLike | ArrayLike, name: str | None = "ToInt32") -> Tensor:
    """Convert to int32; newer programs say ``cast(x, tf.int32)``.

    Source: TensorFlow 1 API pages, ``tf.to_int32``.
    """
    return cast(x, dtypes.int32, name)


def to_int64(x: TensorLike | ArrayLike, name: str | None = "ToInt64") -> Tensor:
    """Convert to int64; newer programs say ``cast(x, tf.int64)``.

    Source: TensorFlow 1 API pages, ``tf.to_int64``.
    """
    return cast(x, dtypes.int64, name)


def to_bfloat16(x: TensorLike | ArrayLike, name: str | None = "ToBFloat16") -> Tensor:
    """Convert to bfloat16; newer programs say ``cast(x, tf.bfloat16)``.

    Source: TensorFlow 1 API pages, ``tf.to_bfloat16``.
    """
    return cast(x, dtypes.bfloat16, name)
