"""Products of matrices and tensors, and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbvars.checks import expect_dtype_in, message
from nbvars.graph.tensor import Symbolic, Tensor, TensorValue
from nbvars.ops.legacy_arguments import renamed
from nbvars.ops.rows import FLOATING_OR_COMPLEX, NUMERIC, reduced_shape, widened
from nbvars.ops.shape_rules import (
    as_int,
    as_sizes,
    broadcast_shapes,
    check_rank_at_least,
    check_same_dtype,
    normal_axes,
)
from nbvars.runtime.constants import fixed_value
from nbvars.runtime.conversion import match
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op


def _infer_matmul(a: TensorSpec, b: TensorSpec, transpose_a: bool, transpose_b: bool) -> TensorSpec:
    expect_dtype_in("matmul", "a", a.dtype, NUMERIC, NUMERIC.described)
    check_same_dtype("matmul", "b", b.dtype, a.dtype)
    check_rank_at_least("matmul", "a", a.shape, 2)
    check_rank_at_least("matmul", "b", b.shape, 2)
    if a.shape is None or b.shape is None:
        return TensorSpec(None, a.dtype)
    rows, inner = a.shape[:-3:-1] if transpose_a else a.shape[-2:]
    other_inner, columns = b.shape[:-3:-1] if transpose_b else b.shape[-2:]
    if inner is not None and other_inner is not None and inner != other_inner:
        raise ValueError(message("matmul", "the inner sizes differ", other_inner, inner))
    batch = broadcast_shapes("matmul", a.shape[:-2], b.shape[:-2])
    return TensorSpec((*(batch or ()), rows, columns), a.dtype)


def _matmul(a: Array, b: Array, transpose_a: bool, transpose_b: bool) -> Any:
    left = np.swapaxes(a, -1, -2) if transpose_a else a
    right = np.swapaxes(b, -1, -2) if transpose_b else b
    return np.matmul(left, right)


MATMUL = OpDefinition("MatMul", _infer_matmul, widened(_matmul))


def matmul(
    a: TensorValue,
    b: TensorValue,
    transpose_a: bool = False,
    transpose_b: bool = False,
    name: str | None = None,
) -> Tensor:
    """Multiply matrices, or batches of them, each of them transposed first if asked for.

    Raises:
        TypeError: The dtypes differ, or are bool.
        ValueError: The inner sizes differ, or an input has fewer than two axes.

    Source: TensorFlow 1 API pages, ``tf.matmul``.
    """
    inputs = match("matmul", a, b)
    return apply_op(MATMUL, *inputs, name=name, transpose_a=bool(transpose_a), transpose_b=bool(transpose_b))


_AxisPairs = tuple[tuple[int, ...], tuple[int, ...]] | int


def _contracted(a_rank: int, b_rank: int, axes: _AxisPairs) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of both tensors that are summed over."""
    if isinstance(axes, int):
        if not 0 <= axes <= min(a_rank, b_rank):
            expected = f"[0, {min(a_rank, b_rank)}]"
            raise ValueError(message("tensordot", "the number of axes is out of range", axes, expected))
        return tuple(range(a_rank - axes, a_rank)), tuple(range(axes))
    return normal_axes("tensordot", axes[0], a_rank), normal_axes("tensordot", axes[1], b_rank)


def _infer_tensordot(a: TensorSpec, b: TensorSpec, axes: _AxisPairs) -> TensorSpec:
    expect_dtype_in("tensordot", "a", a.dtype, NUMERIC, NUMERIC.described)
    check_same_dtype("tensordot", "b", b.dtype, a.dtype)
    if a.shape is None or b.shape is None:
        return TensorSpec(None, a.dtype)
    a_axes, b_axes = _contracted(len(a.shape), len(b.shape), axes)
    summed, other = [a.shape[i] for i in a_axes], [b.shape[i] for i in b_axes]
    pairs = zip(summed, other, strict=False)
    if len(summed) != len(other) or any(m != n for m, n in pairs if m is not None and n is not None):
        raise ValueError(message("tensordot", "the sizes of the summed axes differ", other, summed))
    a_rest = [size for i, size in enumerate(a.shape) if i not in a_axes]
    b_rest = [size for i, size in enumerate(b.shape) if i not in b_axes]
    return TensorSpec((*a_rest, *b_rest), a.dtype)


def _tensordot(a: Array, b: Array, axes: _AxisPairs) -> Any:
    return np.tensordot(a, b, axes)


TENSORDOT = OpDefinition("Tensordot", _infer_tensordot, widened(_tensordot))


def tensordot(a: TensorValue, b: TensorValue, axes: Any, name: str | None = None) -> Tensor:
    """Multiply two tensors and sum over axes: the last of ``a`` and first of ``b``, or two lists of axes.

    Args:
        a: A tensor.
        b: A tensor of the same dtype.
        axes: The number ``n`` of axes (the last ``n`` of ``a``, the first ``n`` of ``b``), or a pair: the
            axes of ``a``, and those of ``b``.
        name: Name of the op.

    Source: TensorFlow 1 API pages, ``tf.tensordot``.
    """
    pairs: _AxisPairs
    if isinstance(axes, Symbolic):
        axes = fixed_value("tensordot", "axes", axes._as_tensor())
    if not isinstance(axes, (list, tuple)) and np.ndim(axes) == 0:
        pairs = as_int("tensordot", "axes", axes)
    elif len(axes) == 2:
        pairs = as_sizes("tensordot", "axes", axes[0]), as_sizes("tensordot", "axes", axes[1])
    else:
        raise ValueError(message("tensordot", "axes has the wrong length", len(axes), 2))
    return apply_op(TENSORDOT, *match("tensordot", a, b), name=name, axes=pairs)


def _infer_norm(x: TensorSpec, ord: str | float, axis: tuple[int, ...] | None, keepdims: bool) -> TensorSpec:
    expect_dtype_in("norm", "tensor", x.dtype, FLOATING_OR_COMPLEX, FLOATING_OR_COMPLEX.described)
    if axis is not None and len(axis) not in (1, 2):
        raise ValueError(message("norm", "axis has the wrong number of axes", len(axis), "1 or 2"))
    allowed: Sequence[str | float] = ("euclidean", "fro", 1, 2, np.inf)
    is_positive = not isinstance(ord, str) and ord > 0
    if ord not in allowed and not (is_positive and (axis is None or len(axis) == 1)):
        raise ValueError(message("norm", "ord is not a norm for these axes", repr(ord), f"one of {list(allowed)}"))
    if ord == "fro" and (axis is None or len(axis) == 1):
        raise ValueError(message("norm", "the Frobenius norm is one of matrices", repr(ord), "'euclidean'"))
    return TensorSpec(reduced_shape("norm", x.shape, axis, keepdims), x.dtype)


def _norm(x: Array, ord: str | float, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    if axis is None:
        # The norm of all elements is that of a vector, whatever the shape.
        result = _norm(x.reshape(-1), ord, (0,), False)
        return result.reshape((1,) * x.ndim) if keepdims else result
    order: Any = ord
    if ord in ("euclidean", "fro"):
        order = 2 if len(axis) == 1 else "fro"
    if x.size == 0:
        return np.zeros(reduced_shape("norm", x.shape, axis, keepdims), x.dtype, like=x)  # type: ignore[arg-type]
    if order == 2 and len(axis) == 2:
        # The singular values of what is not finite are NaN; LAPACK would refuse the whole batch.
        is_finite = np.isfinite(x).all(axis, keepdims=True)
        largest = np.linalg.norm(np.where(is_finite, x, 0), 2, axis, keepdims)
        return np.where(is_finite.reshape(largest.shape), largest, np.nan).astype(x.dtype)
    lengths: Array = np.linalg.norm(x, order, axis[0] if len(axis) == 1 else axis, keepdims)
    return lengths.astype(x.dtype)


NORM = OpDefinition("Norm", _infer_norm, widened(_norm), "norm")


def norm(
    tensor: TensorValue,
    ord: str | float = "euclidean",
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """Return the norm of vectors (one axis), of matrices (two axes) or of all elements.

    Args:
        tensor: Floating or complex numbers.
        ord: ``"euclidean"``, 1, 2, ``np.inf``, any positive number for vectors, ``"fro"`` for matrices (where
            2 is the largest singular value).
        axis: One axis, or two; all elements as one vector without.
        keepdims: Keep the axes, with size 1.
        name: Name of the op.
        keep_dims: The older name of ``keepdims``.

    Source: TensorFlow 1 API pages, ``tf.norm``.
    """
    if not isinstance(ord, (str, int, float, np.integer, np.floating)):
        raise TypeError(message("norm", "ord has the wrong type", type(ord).__name__, "a string or a real number"))
    if keep_dims is not None:
        keepdims = renamed("norm", "keepdims", keepdims, "keep_dims", keep_dims)
    axes = None if axis is None else as_sizes("norm", "axis", axis)
    return apply_op(NORM, tensor, name=name, ord=ord, axis=axes, keepdims=bool(keepdims))
