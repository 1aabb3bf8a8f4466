"""The shape of tensors: reading it, and changing it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.legacy_arguments import renamed
from nbvars.ops.rows import INTEGER
from nbvars.ops.shape_rules import (
    Sizes,
    as_int,
    as_sizes,
    broadcast_shapes,
    checked_shape,
    merge_shapes,
    normal_axes,
    normal_axis,
    num_elements,
    same_spec,
)
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op

IDENTITY = OpDefinition("Identity", same_spec, lambda x: x)


def identity(input: TensorValue, name: str | None = None) -> Tensor:
    """Return a tensor of the same value; of a variable, its value now.

    Source: TensorFlow 1 API pages, ``tf.identity``.
    """
    return apply_op(IDENTITY, input, name=name)


STOP_GRADIENT = OpDefinition("StopGradient", same_spec, lambda x: x)


def stop_gradient(input: TensorValue, name: str | None = None) -> Tensor:
    """Return a tensor of the same value, which gradients take for a constant.

    Source: TensorFlow 1 API pages, ``tf.stop_gradient``.
    """
    return apply_op(STOP_GRADIENT, input, name=name)


def _infer_shape(x: TensorSpec, out_type: DType) -> TensorSpec:
    expect_dtype_in("shape", "out_type", out_type, INTEGER, INTEGER.described)
    return TensorSpec((None if x.shape is None else len(x.shape),), out_type)


SHAPE = OpDefinition("Shape", _infer_shape, lambda x, out_type: np.array(x.shape, out_type.numpy_dtype))


def shape(input: TensorValue, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """Return the shape as a tensor of integers.

    Source: TensorFlow 1 API pages, ``tf.shape``.
    """
    return apply_op(SHAPE, input, name=name, out_type=as_numeric_dtype(out_type))


def _infer_size(x: TensorSpec, out_type: DType) -> TensorSpec:
    expect_dtype_in("size", "out_type", out_type, INTEGER, INTEGER.described)
    return TensorSpec((), out_type)


SIZE = OpDefinition("Size", _infer_size, lambda x, out_type: np.array(x.size, out_type.numpy_dtype))


def size(input: TensorValue, name: str | None = None, out_type: Any = dtypes.int32) -> Tensor:
    """Return the number of elements as a tensor.

    Source: TensorFlow 1 API pages, ``tf.size``.
    """
    return apply_op(SIZE, input, name=name, out_type=as_numeric_dtype(out_type))


RANK = OpDefinition("Rank", lambda x: TensorSpec((), dtypes.int32), lambda x: np.array(x.ndim, np.int32))


def rank(input: TensorValue, name: str | None = None) -> Tensor:
    """Return the number of axes as a tensor of int32.

    Source: TensorFlow 1 API pages, ``tf.rank``.
    """
    return apply_op(RANK, input, name=name)


def _infer_reshape(x: TensorSpec, shape: tuple[int, ...] | None) -> TensorSpec:
    if shape is None:
        return TensorSpec(None, x.dtype)
    elements = num_elements(x.shape)
    known = math.prod(size for size in shape if size != -1)
    if any(size < -1 for size in shape) or shape.count(-1) > 1:
        raise ValueError(message("reshape", "shape is no shape", shape, "sizes, of which one may be -1"))
    if -1 not in shape:
        is_possible, missing = elements in (None, known), None
    else:
        is_possible = elements is None or (elements % known == 0 if known else False)
        missing = elements // known if elements is not None and is_possible else None
    if not is_possible:
        raise ValueError(message("reshape", "shape has the wrong number of elements", shape, f"{elements} elements"))
    return TensorSpec(tuple(missing if size == -1 else size for size in shape), x.dtype)


RESHAPE = OpDefinition("Reshape", _infer_reshape, lambda x, shape: x.reshape(shape), run_attrs=("shape",))


def reshape(tensor: TensorValue, shape: Sizes, name: str | None = None) -> Tensor:
    """Return the elements in another shape; one size may be -1, which is then what is left.

    Source: TensorFlow 1 API pages, ``tf.reshape``.
    """
    return apply_op(RESHAPE, tensor, name=name, shape=as_sizes("reshape", "shape", shape))


def _infer_transpose(x: TensorSpec, perm: tuple[int, ...] | None) -> TensorSpec:
    if x.shape is None:
        return TensorSpec(None if perm is None else (None,) * len(perm), x.dtype)
    if perm is None:
        return TensorSpec(x.shape[::-1], x.dtype)
    if len(perm) != len(x.shape):
        raise ValueError(message("transpose", "perm has the wrong length", len(perm), len(x.shape)))
    return TensorSpec(tuple(x.shape[axis] for axis in normal_axes("transpose", perm, len(perm))), x.dtype)


TRANSPOSE = OpDefinition("Transpose", _infer_transpose, lambda x, perm: x.transpose(perm), "transpose")


def transpose(a: TensorValue, perm: Sizes | None = None, name: str | None = None) -> Tensor:
    """Reorder the axes: axis ``i`` of the result is axis ``perm[i]``; without ``perm`` they are reversed.

    Source: TensorFlow 1 API pages, ``tf.transpose``.
    """
    axes = None if perm is None else as_sizes("transpose", "perm", perm)
    return apply_op(TRANSPOSE, a, name=name, perm=axes)


def _infer_expand_dims(x: TensorSpec, axis: int) -> TensorSpec:
    if x.shape is None:
        return x
    at = normal_axis("expand_dims", axis, len(x.shape) + 1)
    return TensorSpec((*x.shape[:at], 1, *x.shape[at:]), x.dtype)


def _expand_dims(x: Array, axis: int) -> Array:
    at = axis if axis >= 0 else axis + x.ndim + 1
    return x.reshape(*x.shape[:at], 1, *x.shape[at:])


EXPAND_DIMS = OpDefinition("ExpandDims", _infer_expand_dims, _expand_dims)


def expand_dims(input: TensorValue, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Tensor:
    """Insert an axis of size 1, which is then the axis ``axis``; ``dim`` is its older name.

    Source: TensorFlow 1 API pages, ``tf.expand_dims``.
    """
    if dim is not None:
        axis = renamed("expand_dims", "axis", axis, "dim", dim)
    return apply_op(EXPAND_DIMS, input, name=name, axis=as_int("expand_dims", "axis", axis))


def _infer_squeeze(x: TensorSpec, axis: tuple[int, ...] | None) -> TensorSpec:
    if x.shape is None or (axis is None and None in x.shape):
        return TensorSpec(None, x.dtype)
    if axis is None:
        return TensorSpec(tuple(size for size in x.shape if size != 1), x.dtype)
    axes = normal_axes("squeeze", axis, len(x.shape))
    for i in axes:
        if x.shape[i] not in (1, None):
            raise ValueError(message("squeeze", f"axis {i} cannot be removed", f"size {x.shape[i]}", "size 1"))
    return TensorSpec(tuple(size for i, size in enumerate(x.shape) if i not in axes), x.dtype)


SQUEEZE = OpDefinition("Squeeze", _infer_squeeze, lambda x, axis: np.squeeze(x, axis or None))


def squeeze(
    input: TensorValue, axis: Sizes | None = None, name: str | None = None, squeeze_dims: Sizes | None = None
) -> Tensor:
    """Remove axes of size 1: all of them, or those given; ``squeeze_dims`` is the older name of ``axis``.

    Source: TensorFlow 1 API pages, ``tf.squeeze``.
    """
    if squeeze_dims is not None:
        axis = renamed("squeeze", "axis", axis, "squeeze_dims", squeeze_dims)
    # As on TensorFlow's page, an empty list means all, like None.
    axes = None if axis is None else as_sizes("squeeze", "axis", axis)
    return apply_op(SQUEEZE, input, name=name, axis=None if axes == () else axes)


def _infer_broadcast_to(x: TensorSpec, shape: tuple[int, ...] | None) -> TensorSpec:
    wanted = checked_shape("broadcast_to", "shape", shape)
    if wanted is not None:
        fitted = broadcast_shapes("broadcast_to", wanted, x.shape)
        merge_shapes("broadcast_to", "the result", wanted, fitted)
    return TensorSpec(wanted, x.dtype)


BROADCAST_TO = OpDefinition(
    "BroadcastTo", _infer_broadcast_to, lambda x, shape: np.broadcast_to(x, shape).copy(), run_attrs=("shape",)
)


def broadcast_to(input: TensorValue, shape: Sizes, name: str | None = None) -> Tensor:
    """Repeat a tensor along axes of size 1, and new ones in front, until it has ``shape``.

    Source: TensorFlow 1 API pages, ``tf.broadcast_to``.
    """
    return apply_op(BROADCAST_TO, input, name=name, shape=as_sizes("broadcast_to", "shape", shape))
