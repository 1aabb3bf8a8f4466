"""Elements of a tensor by position: ``tensor[...]``, slice, gather, masks, and the positions themselves."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype, expect_dtype_in, expect_integer, message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.array_functions import add_at
from nbvars.ops.rows import HALVES, INTEGER
from nbvars.ops.shape_rules import (
    Sizes,
    are_compatible,
    as_int,
    as_sizes,
    broadcast_shapes,
    check_number,
    check_rank_at_least,
    check_same_dtype,
    check_scalar,
    normal_axis,
)
from nbvars.runtime.conversion import borrow, match
from nbvars.runtime.definition import Array, OpDefinition, Shape, TensorSpec
from nbvars.runtime.dispatch import apply_op, apply_op_to_many
from nbvars.runtime.indices import check_indices, snapshot


def _infer_slice(x: TensorSpec, begin: tuple[int, ...] | None, size: tuple[int, ...] | None) -> TensorSpec:
    if x.shape is None or begin is None or size is None:
        known = next((sizes for sizes in (x.shape, begin, size) if sizes is not None), None)
        counts = (None,) * len(known or ()) if size is None else tuple(None if n == -1 else n for n in size)
        return TensorSpec(None if known is None else counts, x.dtype)
    if not len(begin) == len(size) == len(x.shape):
        got = f"{len(begin)} and {len(size)}"
        raise ValueError(message("slice", "begin and size have the wrong lengths", got, len(x.shape)))
    sizes = []
    for i, (length, first, count) in enumerate(zip(x.shape, begin, size, strict=True)):
        rest = None if length is None else length - first
        if first < 0 or count < -1 or (rest is not None and (rest < 0 or count > rest)):
            got = f"begin {first} and size {count}"
            raise ValueError(message("slice", f"the slice leaves axis {i}", got, f"a part of [0, {length})"))
        sizes.append(rest if count == -1 else count)
    return TensorSpec(tuple(sizes), x.dtype)


def _slice(x: Array, begin: tuple[int, ...], size: tuple[int, ...]) -> Array:
    pairs = zip(begin, size, strict=True)
    return x[tuple(builtins.slice(first, None if count == -1 else first + count) for first, count in pairs)]


SLICE = OpDefinition("Slice", _infer_slice, _slice, run_attrs=("begin", "size"))


def slice(input_: TensorValue, begin: Sizes, size: Sizes, name: str | None = None) -> Tensor:
    """Return the part that starts at ``begin`` and has the shape ``size``; -1 is the rest of an axis.

    Source: TensorFlow 1 API pages, ``tf.slice``.
    """
    first, count = as_sizes("slice", "begin", begin), as_sizes("slice", "size", size)
    return apply_op(SLICE, input_, name=name, begin=first, size=count)


def _infer_gather(params: TensorSpec, indices: TensorSpec, axis: int) -> TensorSpec:
    expect_integer("gather", "indices", indices.dtype)
    check_rank_at_least("gather", "params", params.shape, 1)
    if params.shape is None or indices.shape is None:
        return TensorSpec(None, params.dtype)
    at = normal_axis("gather", axis, len(params.shape))
    return TensorSpec((*params.shape[:at], *indices.shape, *params.shape[at + 1 :]), params.dtype)


def _gather(params: Array, indices: Array, axis: int) -> Array:
    indices = snapshot(indices)
    check_indices("gather", indices, params.shape[axis])
    taken = params.take(indices.astype(np.intp, copy=False), axis)
    # The dtype keeps a string an object.
    return taken if hasattr(taken, "dtype") else np.asarray(taken, params.dtype)


GATHER = OpDefinition("GatherV2", _infer_gather, _gather)


def gather(params: TensorValue, indices: TensorValue, axis: int = 0, name: str | None = None) -> Tensor:
    """Return the slices of ``params`` along an axis that ``indices``, of any shape, name.

    Raises:
        InvalidArgumentError: An index lies outside ``[0, n)``.

    Source: TensorFlow 1 API pages, ``tf.gather``.
    """
    if isinstance(indices, (list, tuple)) and not indices:
        indices = np.empty(0, np.int32)
    return apply_op(GATHER, params, indices, name=name, axis=as_int("gather", "axis", axis))


def _infer_gather_nd(params: TensorSpec, indices: TensorSpec) -> TensorSpec:
    expect_integer("gather_nd", "indices", indices.dtype)
    check_rank_at_least("gather_nd", "indices", indices.shape, 1)
    if params.shape is None or not indices.shape or indices.shape[-1] is None:
        return TensorSpec(None, params.dtype)
    depth = indices.shape[-1]
    if depth > len(params.shape):
        expected = f"at most {len(params.shape)}"
        raise ValueError(message("gather_nd", "the last axis of indices is too long", depth, expected))
    return TensorSpec(indices.shape[:-1] + params.shape[depth:], params.dtype)


def _gather_nd(params: Array, indices: Array) -> Array:
    indices, depth = snapshot(indices), indices.shape[-1]
    outside = ((indices < 0) | (indices >= np.array(params.shape[:depth], np.int64, like=indices))).any(-1)
    if outside.any():
        position = tuple(int(i) for i in np.unravel_index(np.argmax(outside), outside.shape))
        wrong = f"gather_nd: indices{list(position)} = {indices[position].tolist()} is not in shape"
        raise InvalidArgumentError(None, None, f"{wrong} {params.shape[:depth]}")
    if depth == 0:
        return np.broadcast_to(params, indices.shape[:-1] + params.shape).copy()
    item = params[tuple(np.moveaxis(indices, -1, 0))]
    return item if hasattr(item, "dtype") else np.asarray(item, params.dtype)


GATHER_ND = OpDefinition("GatherNd", _infer_gather_nd, _gather_nd)


def gather_nd(params: TensorValue, indices: TensorValue, name: str | None = None) -> Tensor:
    """Return the slices of ``params`` at positions: each last row of ``indices`` is one, over the first axes.

    Raises:
        InvalidArgumentError: A position lies outside ``params``.

    Source: TensorFlow 1 API pages, ``tf.gather_nd``.
    """
    return apply_op(GATHER_ND, params, indices, name=name)


def _infer_boolean_mask(x: TensorSpec, mask: TensorSpec, axis: int) -> TensorSpec:
    expect_dtype("boolean_mask", "mask", mask.dtype, dtypes.bool_)
    check_rank_at_least("boolean_mask", "mask", mask.shape, 1)
    if x.shape is None or mask.shape is None:
        return TensorSpec(None, x.dtype)
    at = normal_axis("boolean_mask", axis, len(x.shape))
    end = at + len(mask.shape)
    if end > len(x.shape) or not are_compatible(x.shape[at:end], mask.shape):
        raise ValueError(message("boolean_mask", "mask has the wrong shape", mask.shape, x.shape[at:end]))
    return TensorSpec((*x.shape[:at], None, *x.shape[end:]), x.dtype)


def _boolean_mask(x: Array, mask: Array, axis: int) -> Array:
    return x[(builtins.slice(None),) * (axis % x.ndim) + (snapshot(mask),)]


BOOLEAN_MASK = OpDefinition("BooleanMask", _infer_boolean_mask, _boolean_mask, "boolean_mask")


def boolean_mask(tensor: TensorValue, mask: TensorValue, name: str | None = None, axis: int | None = None) -> Tensor:
    """Return the elements where ``mask`` is true; its axes are those of ``tensor`` from ``axis`` on.

    Source: TensorFlow 1 API pages, ``tf.boolean_mask``.
    """
    at = as_int("boolean_mask", "axis", axis or 0)
    return apply_op(BOOLEAN_MASK, tensor, mask, name=name, axis=at)


def _infer_nonzero(condition: TensorSpec) -> TensorSpec:
    check_number("where", "condition", condition.dtype)
    return TensorSpec((None, None if condition.shape is None else len(condition.shape)), dtypes.int64)


def _nonzero(condition: Array) -> Array:
    return np.argwhere(snapshot(condition)).astype(np.int64, copy=False)


NONZERO = OpDefinition("Where", _infer_nonzero, _nonzero)


def _condition_shape(condition: Shape, x: Shape, y: Shape) -> Shape:
    """Return the shape in which the condition is broadcast: a vector selects whole rows."""
    if condition is not None and x is not None and len(x) > 1 and x == y and condition == x[:1]:
        return (x[0],) + (1,) * (len(x) - 1)
    return condition


def _infer_select(condition: TensorSpec, x: TensorSpec, y: TensorSpec) -> TensorSpec:
    expect_dtype("where", "condition", condition.dtype, dtypes.bool_)
    check_same_dtype("where", "y", y.dtype, x.dtype)
    if None in (condition.shape, x.shape, y.shape):
        return TensorSpec(None, x.dtype)
    by = _condition_shape(condition.shape, x.shape, y.shape)
    # An unknown number may turn out to be the number of rows.
    if condition.shape == (None,) and x.shape is not None and len(x.shape) > 1:
        return TensorSpec((None,) * len(x.shape), x.dtype)
    return TensorSpec(broadcast_shapes("where", broadcast_shapes("where", x.shape, y.shape), by), x.dtype)


def _select(condition: Array, x: Array, y: Array) -> Array:
    by = _condition_shape(condition.shape, x.shape, y.shape)
    return np.where(condition.reshape(by), x, y)  # type: ignore[arg-type]


SELECT = OpDefinition("Select", _infer_select, _select)


def where(
    condition: TensorValue,
    x: TensorValue | None = None,
    y: TensorValue | None = None,
    name: str | None = None,
) -> Tensor:
    """Return ``x`` where ``condition`` is true, else ``y``; without them, the positions where it is true.

    The three are broadcast; but if ``x`` and ``y`` are of one shape, a vector ``condition`` of as many
    elements as they have rows selects rows. Positions are int64 of shape ``[n, rank]``, in row-major order.

    Raises:
        TypeError: ``condition`` is not bool, or ``x`` and ``y`` differ in dtype.
        ValueError: Only one of ``x`` and ``y`` is given, or the shapes do not fit.

    Source: TensorFlow 1 API pages, ``tf.where``.
    """
    if x is None and y is None:
        return apply_op(NONZERO, condition, name=name)
    if x is None or y is None:
        raise ValueError(message("where", "only one of x and y is given", "None", "both or none"))
    return apply_op(SELECT, condition, *match("where", x, y), name=name)


def _infer_one_hot(
    indices: TensorSpec, on_value: TensorSpec, off_value: TensorSpec, depth: int | None, axis: int
) -> TensorSpec:
    expect_integer("one_hot", "indices", indices.dtype)
    check_number("one_hot", "on_value", on_value.dtype)
    check_same_dtype("one_hot", "off_value", off_value.dtype, on_value.dtype)
    check_scalar("one_hot", "on_value", on_value.shape)
    check_scalar("one_hot", "off_value", off_value.shape)
    if depth is not None and depth < 0:
        raise ValueError(message("one_hot", "depth is negative", depth, "0 or more"))
    if indices.shape is None:
        return TensorSpec(None, on_value.dtype)
    at = normal_axis("one_hot", axis, len(indices.shape) + 1)
    return TensorSpec((*indices.shape[:at], depth, *indices.shape[at:]), on_value.dtype)


def _one_hot(indices: Array, on_value: Array, off_value: Array, depth: int, axis: int) -> Array:
    is_hot = indices[..., None] == np.arange(depth, like=indices)
    return np.where(np.moveaxis(is_hot, -1, axis), on_value, off_value)


ONE_HOT = OpDefinition("OneHot", _infer_one_hot, _one_hot, "one_hot", ("depth",))


def one_hot(
    indices: TensorValue,
    depth: int,
    on_value: TensorValue | None = None,
    off_value: TensorValue | None = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """Return ``on_value`` (1) at each index along a new axis of size ``depth``, elsewhere ``off_value`` (0).

    An index outside ``[0, depth)`` gives ``off_value`` only. The new axis is the last one unless ``axis``
    says otherwise; the dtype is that of the values, float32 without any.

    Source: TensorFlow 1 API pages, ``tf.one_hot``.
    """
    if dtype is None and on_value is None and off_value is None:
        dtype = dtypes.float32
    values = [1 if on_value is None else on_value, 0 if off_value is None else off_value]
    if dtype is not None:
        values = [borrow(value, as_numeric_dtype(dtype), "one_hot") for value in values]
    elif on_value is None:
        values = match("one_hot", *values[::-1])[::-1]
    else:
        values = match("one_hot", *values)
    at = -1 if axis is None else as_int("one_hot", "axis", axis)
    return apply_op(ONE_HOT, indices, *values, name=name, depth=as_int("one_hot", "depth", depth), axis=at)


class Unique(NamedTuple):
    """The distinct elements ``y``, and for each element the place ``idx`` of its value in ``y``."""

    y: Tensor
    idx: Tensor


def _infer_unique(x: TensorSpec, out_idx: DType) -> tuple[TensorSpec, TensorSpec]:
    expect_dtype_in("unique", "out_idx", out_idx, INTEGER, INTEGER.described)
    check_number("unique", "x", x.dtype)
    if x.shape is not None and len(x.shape) != 1:
        raise ValueError(message("unique", "x has the wrong rank", len(x.shape), 1))
    return TensorSpec((None,), x.dtype), TensorSpec(x.shape or (None,), out_idx)


def _unique(x: Array, out_idx: DType) -> tuple[Array, Array]:
    values, first, inverse = np.unique(x, return_index=True, return_inverse=True, equal_nan=False)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), np.int64, like=x)
    place[order] = np.arange(len(order), like=x)
    return values[order], place[inverse].astype(out_idx.numpy_dtype)


UNIQUE = OpDefinition("Unique", _infer_unique, _unique)


def unique(x: TensorValue, out_idx: Any = dtypes.int32, name: str | None = None) -> Unique:
    """Return the distinct elements of a vector in the order of their first occurrence, and where each went.

    Source: TensorFlow 1 API pages, ``tf.unique``.
    """
    return Unique(*apply_op_to_many(UNIQUE, x, name=name, out_idx=as_numeric_dtype(out_idx)))


def _infer_sum_of_slices(values: TensorSpec, indices: TensorSpec, dense_shape: Shape) -> TensorSpec:
    expect_integer("sum_of_slices", "indices", indices.dtype)
    check_number("sum_of_slices", "values", values.dtype)
    if values.shape is None or indices.shape is None:
        return TensorSpec(dense_shape, values.dtype)
    at = len(indices.shape)
    if not are_compatible(values.shape[:at], indices.shape):
        expected = f"({', '.join([*map(str, indices.shape), '...'])})"
        raise ValueError(message("sum_of_slices", "values have the wrong shape", values.shape, expected))
    whole: Shape = (None, *values.shape[at:])
    if not are_compatible(dense_shape, whole) or any(size is not None and size < 0 for size in dense_shape or ()):
        raise ValueError(message("sum_of_slices", "dense_shape does not fit values", dense_shape, whole))
    return TensorSpec(whole if dense_shape is None else dense_shape, values.dtype)


def _sum_of_slices(values: Array, indices: Array, dense_shape: tuple[int, ...]) -> Array:
    indices = snapshot(indices)
    check_indices("sum_of_slices", indices, dense_shape[0])
    # Sums of 16 bits are computed in float32 and rounded once.
    exact = np.dtype(np.float32) if values.dtype in HALVES else values.dtype
    total = np.zeros(dense_shape, exact, like=values)
    add_at(total, indices, values.astype(exact, copy=False))
    return total.astype(values.dtype, copy=False)


SUM_OF_SLICES = OpDefinition(
    "SumOfSlices", _infer_sum_of_slices, _sum_of_slices, "sum_of_slices", run_attrs=("dense_shape",)
)


def sum_of_slices(values: Tensor, indices: Tensor, dense_shape: tuple[int, ...] | Tensor) -> Tensor:
    """Return the tensor of which ``values`` are the only rows that are not zero; repeated rows add up.

    Raises:
        InvalidArgumentError: An index lies outside ``[0, dense_shape[0])``.
    """
    return apply_op(SUM_OF_SLICES, values, indices, dense_shape=dense_shape)
