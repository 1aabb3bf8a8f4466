"""Gradients of ops that move, repeat or select elements, and of conversions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars.autodiff.node import Gradient, Node, Table
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import GraphTensor, Tensor
from nbvars.ops.adjoint_ops import places_of, put_elements, put_item, same_static_shape, sum_like
from nbvars.ops.array_ops import identity, reshape, shape, transpose
from nbvars.ops.cast_ops import cast
from nbvars.ops.constant_ops import FILL_UP, fill, zeros_like
from nbvars.ops.getitem_ops import GETITEM
from nbvars.ops.indexing_ops import BOOLEAN_MASK, GATHER, GATHER_ND, SLICE, gather, where
from nbvars.ops.joining_ops import PAD, TILE, concat, split, stack, unstack
from nbvars.ops.math_ops import greater_equal
from nbvars.ops.numerics_ops import check_numerics
from nbvars.ops.reduction_ops import reduce_sum
from nbvars.runtime.context import device
from nbvars.runtime.definition import OpDefinition
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.tensor import ValueTensor


def _gradient_of_identity(node: Node, grad: Gradient) -> Gradient:
    source = node.inputs[0]
    if not isinstance(grad, ValueTensor) or grad.device == source.device:
        return grad  # of a copy between devices it goes back to the other one
    with device(source.device):
        return identity(grad)


def sizes_of(tensor: Tensor) -> Any:
    """Return the shape of ``tensor``: a list where it is known, else a tensor."""
    static = tensor.shape
    return static.as_list() if static.is_fully_defined() else shape(tensor)


def _reshaped(node: Node, grad: Tensor) -> Tensor:
    x = node.inputs[0]
    return grad if same_static_shape(grad, x) else reshape(grad, sizes_of(x))


def _transpose(node: Node, grad: Tensor) -> Tensor:
    perm = node.attrs["perm"]
    return transpose(grad, None if perm is None else np.argsort([axis % len(perm) for axis in perm]).tolist())


def _concat(node: Node, grad: Tensor) -> list[Gradient]:
    values, axis = node.inputs, node.attrs["axis"]
    lengths = [None if value.shape.ndims is None else value.shape.as_list()[axis] for value in values]
    if None not in lengths:
        return list(split(grad, lengths, axis))
    # The places of one input, and no place for those of the others.
    none = [fill(shape(value), np.int64(-1)) for value in values]
    parts = [concat([*none[:i], places_of(value), *none[i + 1 :]], axis) for i, value in enumerate(values)]
    return [put_elements(grad, places, value) for places, value in zip(parts, values, strict=True)]


def _unstack(node: Node, *grads: Tensor) -> Tensor:
    return stack(grads, node.attrs["axis"])


def _split(node: Node, *grads: Tensor) -> Tensor:
    return concat(grads, node.attrs["axis"])


def _of_selection(definition: OpDefinition) -> Callable[[Node, Tensor], list[Gradient]]:
    """Return the gradient of an op that picks elements of its first input: each goes back to its place."""

    def gradient(node: Node, grad: Tensor) -> list[Gradient]:
        x, *others = node.inputs
        places = apply_op(definition, places_of(x), *others, **node.attrs)
        return [put_elements(grad, places, x), *[None] * len(others)]

    return gradient


def _pad(node: Node, grad: Tensor) -> list[Gradient]:
    x, _ = node.inputs
    return [put_elements(grad, apply_op(PAD, places_of(x), np.int64(-1), **node.attrs), x), None]


def _slice(node: Node, grad: Tensor) -> Gradient:
    begin, count = node.attrs["begin"], node.attrs["size"]
    if isinstance(begin, GraphTensor) or isinstance(count, GraphTensor):
        return _of_selection(SLICE)(node, grad)[0]
    pairs = zip(begin, count, strict=True)
    key = tuple(slice(first, None if size == -1 else first + size) for first, size in pairs)
    return put_item(grad, node.inputs[0], (), key)


def _getitem(node: Node, grad: Tensor) -> list[Gradient]:
    x, *inputs = node.inputs
    return [put_item(grad, x, tuple(inputs), node.attrs["key"]), *[None] * len(inputs)]


def _put_item(node: Node, grad: Tensor) -> list[Gradient]:
    inputs = node.inputs[2:]
    return [apply_op(GETITEM, grad, *inputs, key=node.attrs["key"]), None, *[None] * len(inputs)]


def _put_elements(node: Node, grad: Tensor) -> list[Gradient]:
    values, places, _ = node.inputs
    is_element = greater_equal(places, 0)
    found = gather(reshape(grad, [-1]), where(is_element, places, zeros_like(places)))
    return [reshape(where(is_element, found, zeros_like(found)), sizes_of(values)), None, None]


def _gather(node: Node, grad: Tensor) -> list[Gradient]:
    """Return the rows of the gradient as they come: a table's other rows have none."""
    params, indices = node.inputs
    if node.attrs["axis"] != 0:
        return _of_selection(GATHER)(node, grad)
    if indices.shape.ndims != 1:
        row = sizes_of(params)
        row = concat([[-1], row[1:]], 0) if isinstance(row, Tensor) else [-1, *row[1:]]
        # Without elements -1 could be any number.
        is_empty = isinstance(row, list) and 0 in row
        grad = grad if is_empty else reshape(grad, row)
        indices = indices if is_empty else reshape(indices, [-1])
    return [IndexedSlices(grad, indices, sizes_of(params)), None]


def _select(node: Node, grad: Tensor) -> list[Gradient]:
    condition, x, y = node.inputs
    none = zeros_like(grad)
    return [None, sum_like(where(condition, grad, none), x), sum_like(where(condition, none, grad), y)]


def _sum_of_slices(node: Node, grad: Tensor) -> list[Gradient]:
    return [gather(grad, node.inputs[1]), None]


def _cast(node: Node, grad: Tensor) -> Gradient:
    source, target = (tensor.dtype.base_dtype for tensor in (node.inputs[0], node.outputs[0]))
    return cast(grad, source) if source.is_floating and target.is_floating else None


def _check_numerics(node: Node, grad: Tensor) -> Tensor:
    found = "Not a number (NaN) or infinity (Inf) values detected in gradient."
    return check_numerics(grad, f"{found} {node.attrs['message']}")


def _broadcast_to(node: Node, grad: Tensor) -> Tensor:
    return sum_like(grad, node.inputs[0])


TABLE: Table = {
    "Identity": _gradient_of_identity,
    "StopGradient": None,
    "CheckNumerics": _check_numerics,
    "Reshape": _reshaped,
    "ExpandDims": _reshaped,
    "Squeeze": _reshaped,
    "Transpose": _transpose,
    "BroadcastTo": _broadcast_to,
    "Cast": _cast,
    "SaturateCast": None,
    "ConcatV2": _concat,
    "Pack": lambda node, grad: unstack(grad, len(node.inputs), node.attrs["axis"]),
    "Unpack": _unstack,
    "SplitV": _split,
    "Tile": _of_selection(TILE),
    "Pad": _pad,
    "Fill": lambda node, grad: reduce_sum(grad),
    "FillUp": _of_selection(FILL_UP),
    "Slice": _slice,
    "StridedSlice": _getitem,
    "PutItem": _put_item,
    "PutElements": _put_elements,
    "GatherV2": _gather,
    "GatherNd": _of_selection(GATHER_ND),
    "BooleanMask": _of_selection(BOOLEAN_MASK),
    "Select": _select,
    "SumOfSlices": _sum_of_slices,
}
