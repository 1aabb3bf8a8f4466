"""What gradients need beyond the public ops: the adjoints of broadcasting, of slicing and of picking elements.

They take the tensor whose shape the result has as an input, so that no sizes need be known before a run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.graph.tensor import GraphTensor, Tensor
from nbvars.ops.array_functions import add_at, array_of_ones
from nbvars.ops.getitem_ops import GETITEM, Key
from nbvars.ops.rows import HALVES, widened
from nbvars.ops.shape_rules import normal_axes
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op


def _shape_of_like(x: TensorSpec, like: TensorSpec, **attrs: Any) -> TensorSpec:
    return TensorSpec(like.shape, x.dtype)


def _sum_like(x: Array, like: Array) -> Array:
    if x.shape == like.shape:
        return x
    extra = x.ndim - like.ndim
    axes = tuple(i for i in range(x.ndim) if i < extra or (like.shape[i - extra] == 1 and x.shape[i] != 1))
    return np.add.reduce(x, axis=axes, dtype=x.dtype).reshape(like.shape) if axes else x.reshape(like.shape)


SUM_LIKE = OpDefinition("SumLike", _shape_of_like, widened(_sum_like), "sum_like")


def sum_like(x: Tensor, like: Tensor) -> Tensor:
    """Return ``x`` summed over the axes along which ``like`` was broadcast to its shape."""
    return x if same_static_shape(x, like) else apply_op(SUM_LIKE, x, like)


def same_static_shape(x: Tensor, y: Tensor) -> bool:
    """Return whether both shapes are fully known and equal."""
    if not isinstance(x, GraphTensor) or not isinstance(y, GraphTensor):
        return bool(x.shape == y.shape)
    return x.shape.is_fully_defined() and y.shape.is_fully_defined() and x.shape == y.shape


def _repeated(x: Array, like: Array) -> Array:
    repeated = np.empty(like.shape, x.dtype, like=like)  # x may be one of NumPy's numbers
    repeated[...] = x
    return repeated


BROADCAST_LIKE = OpDefinition("BroadcastLike", _shape_of_like, _repeated, "broadcast_like")


def broadcast_like(x: Tensor, like: Tensor) -> Tensor:
    """Return ``x`` repeated to the shape of ``like``."""
    return x if same_static_shape(x, like) else apply_op(BROADCAST_LIKE, x, like)


def _unreduce(x: Array, like: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    if not keepdims and x.ndim:
        reduced = normal_axes("unreduce", axis or (), like.ndim)
        x = x.reshape([1 if i in reduced else size for i, size in enumerate(like.shape)])
    return _repeated(x, like)


UNREDUCE = OpDefinition("Unreduce", _shape_of_like, _unreduce, "unreduce")


def unreduce(x: Tensor, like: Tensor, axis: tuple[int, ...] | None, keepdims: bool) -> Tensor:
    """Return ``x``, which a reduction of ``like`` made, repeated along the reduced axes."""
    return apply_op(UNREDUCE, x, like, axis=axis, keepdims=keepdims)


def _unmean(x: Array, like: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    # How many elements one mean is of. None at all have a gradient without elements.
    count = max(1, like.size // max(1, x.size))
    return _unreduce(x / x.dtype.type(count), like, axis, keepdims)


UNMEAN = OpDefinition("Unmean", _shape_of_like, widened(_unmean), "unmean")


def unmean(x: Tensor, like: Tensor, axis: tuple[int, ...] | None, keepdims: bool) -> Tensor:
    """Return ``x``, which a mean over axes of ``like`` made, in equal parts along those axes."""
    return apply_op(UNMEAN, x, like, axis=axis, keepdims=keepdims)


def _put_item(values: Array, like: Array, *inputs: Array, key: Key) -> Array:
    """Return zeros like ``like``, with ``values`` added to its items ``key``."""
    exact = np.dtype(np.float32) if values.dtype in HALVES else values.dtype
    places = GETITEM.compute(np.arange(like.size, like=like).reshape(like.shape), *inputs, key=key)
    total = np.zeros(like.size, exact, like=values)
    if inputs:
        add_at(total, places.reshape(-1), values.reshape(-1).astype(exact, copy=False))
    else:  # no element twice
        total[places] = values
    return total.reshape(like.shape).astype(values.dtype, copy=False)


def _infer_put_item(values: TensorSpec, like: TensorSpec, *inputs: TensorSpec, key: Key) -> TensorSpec:
    return TensorSpec(like.shape, values.dtype)


PUT_ITEM = OpDefinition("PutItem", _infer_put_item, _put_item, "put_item")


def put_item(values: Tensor, like: Tensor, inputs: tuple[Tensor, ...], key: Key) -> Tensor:
    """Return zeros in the shape of ``like`` with ``values`` added to ``like[key]``."""
    return apply_op(PUT_ITEM, values, like, *inputs, key=key)


def _put_elements(values: Array, places: Array, like: Array) -> Array:
    exact = np.dtype(np.float32) if values.dtype in HALVES else values.dtype
    total, places, values = np.zeros(like.size, exact, like=values), places.reshape(-1), values.reshape(-1)
    if places.size and places.min() < 0:
        is_element = places >= 0
        places, values = places[is_element], values[is_element]
    add_at(total, places, values.astype(exact, copy=False))
    return total.reshape(like.shape).astype(values.dtype, copy=False)


def _infer_put_elements(values: TensorSpec, places: TensorSpec, like: TensorSpec) -> TensorSpec:
    return TensorSpec(like.shape, values.dtype)


PUT_ELEMENTS = OpDefinition("PutElements", _infer_put_elements, _put_elements, "put_elements")


def put_elements(values: Tensor, places: Tensor, like: Tensor) -> Tensor:
    """Return zeros in the shape of ``like`` with ``values`` added at the ``places``, counted through all elements.

    A value whose place is negative belongs to no element.
    """
    return apply_op(PUT_ELEMENTS, values, places, like)


PLACES = OpDefinition(
    "Places",
    lambda like: TensorSpec(like.shape, dtypes.int64),
    lambda like: np.arange(like.size, dtype=np.int64, like=like).reshape(like.shape),
    "places",
)


def places_of(like: Tensor) -> Tensor:
    """Return for each element of ``like`` its place, counted through all elements (int64)."""
    return apply_op(PLACES, like)


def _prod_gradient(grad: Array, x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
    """Return the product of all other elements times ``grad``; right for zeros, where a quotient is not."""
    reduced = tuple(range(x.ndim)) if axis is None else tuple(normal_axes("reduce_prod", axis, x.ndim))
    kept = tuple(i for i in range(x.ndim) if i not in reduced)
    rows: Array = x.transpose(kept + reduced).reshape([x.shape[i] for i in kept] + [-1])
    first = array_of_ones((*rows.shape[:-1], 1), x.dtype, x)
    before = np.multiply.accumulate(np.concatenate([first, rows[..., :-1]], -1), axis=-1)
    after = np.multiply.accumulate(np.concatenate([first, rows[..., :0:-1]], -1), axis=-1)[..., ::-1]
    others = (before * after if rows.shape[-1] else rows).reshape([x.shape[i] for i in kept + reduced])
    return others.transpose(np.argsort(kept + reduced).tolist()) * _unreduce(grad, x, axis, keepdims)


def _infer_prod_gradient(grad: TensorSpec, x: TensorSpec, axis: Any, keepdims: bool) -> TensorSpec:
    return x


PROD_GRADIENT = OpDefinition("ProdGradient", _infer_prod_gradient, widened(_prod_gradient), "prod_gradient")
