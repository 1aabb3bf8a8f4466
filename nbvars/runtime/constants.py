"""``Const``, the op of a value that is known when the graph is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nbvars.checks import expect_dtype, message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.graph import get_default_graph
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.runtime.definition import NodeDefinition
from nbvars.shapes import TensorShape


def add_constant(value: npt.NDArray[Any], dtype: DType, name: str) -> GraphTensor:
    """Add ``value``, which nobody changes any more, to the default graph."""
    attrs = {"dtype": dtype, "value": value}
    outputs = [(dtype, TensorShape(value.shape))]
    return get_default_graph()._add_op("Const", (), outputs, name, attrs, CONST)._outputs[0]


def _prepare(op: Operation, plan: Any) -> None:
    plan.set_constant(op._outputs[0], op._attrs["value"])


def _outputs(inputs: list[GraphTensor], attrs: dict[str, Any]) -> list[tuple[DType, TensorShape]]:
    value = attrs["value"]
    expect_dtype("Const", "value", as_dtype(value.dtype), attrs["dtype"])
    return [(attrs["dtype"], TensorShape(value.shape))]


CONST = NodeDefinition("Const", _prepare, _outputs)


Sizes: TypeAlias = tuple[int | None, ...] | int | None


def static_value(tensor: GraphTensor) -> Sizes:
    """Return what is known of a vector (or scalar) of sizes before a run; ``None`` if nothing is, not even its length.

    A tensor that is known, and all on which it rests, cannot be fed any more: what was made of it would be wrong.
    """
    op = tensor._op
    rule = _RULES.get(op._type)
    value = rule(op) if rule is not None and (op._inputs or op._type == "Const") else None
    if is_known(value):
        tensor.graph.prevent_feeding(tensor)
    elif value is None and tensor._shape.ndims == 1:
        length = tensor._shape.as_list()[0]
        return None if length is None else (None,) * length
    return value


def is_known(value: Sizes) -> bool:
    """Return whether no size is missing in what ``static_value`` returned."""
    return value is not None and (not isinstance(value, tuple) or None not in value)


def fixed_value(where: str, argument: str, value: Any) -> Any:
    """Return an argument that must be known when the graph is built, with numbers in the place of known tensors.

    Raises:
        TypeError: It holds a tensor that only a run knows.
    """
    if isinstance(value, tuple):
        return tuple(fixed_value(where, argument, each) for each in value)
    if not isinstance(value, GraphTensor):
        return value
    known = static_value(value)
    if not is_known(known):
        wrong = f"{argument} must be known when the graph is built"
        raise TypeError(message(where, wrong, repr(value), "integers"))
    return known


def _of_constant(op: Operation) -> Any:
    value = op._attrs.get("value")
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu" or value.ndim > 1:
        return None
    return tuple(value.tolist()) if value.ndim else value.item()


def _of_shape(op: Operation) -> Sizes:
    shape = op._inputs[0]._shape
    return None if shape.ndims is None else tuple(shape.as_list())


def _of_size(op: Operation) -> Sizes:
    shape = op._inputs[0]._shape
    return shape.num_elements() if shape.is_fully_defined() else None


def _of_pack(op: Operation) -> Sizes:
    if op._inputs[0]._shape.ndims != 0:
        return None
    sizes = [static_value(each) for each in op._inputs]
    return tuple(size if isinstance(size, int) else None for size in sizes)


def _of_concat(op: Operation) -> Sizes:
    parts = [static_value(each) for each in op._inputs]
    if not all(isinstance(part, tuple) for part in parts):
        return None
    return tuple(size for part in parts if isinstance(part, tuple) for size in part)


def _of_item(op: Operation) -> Sizes:
    """Return an element or a part of a vector, if the key is known."""
    key, value = op._attrs.get("key", ()), static_value(op._inputs[0])
    if len(op._inputs) > 1 or len(key) != 1 or not isinstance(value, tuple) or not isinstance(key[0], (int, slice)):
        return None
    return value[key[0]]


def _of_same(op: Operation) -> Sizes:
    """Return the value of the only input, if it is one of integers that the output can hold."""
    source, result = op._inputs[0]._dtype, op._outputs[0]._dtype
    if not (source.is_integer and result.is_integer) or source.is_ref_dtype:
        return None
    value = static_value(op._inputs[0])
    sizes = value if isinstance(value, tuple) else (value,)
    return value if all(size is None or result.min <= size <= result.max for size in sizes) else None


def _of_reshape(op: Operation) -> Sizes:
    """Return a scalar, a vector, or the rows of a constant, as a vector."""
    source = op._inputs[0]
    if op._outputs[0]._shape.ndims != 1:
        return None
    known = source._op._attrs.get("value") if source._op._type == "Const" else None
    if isinstance(known, np.ndarray) and known.dtype.kind in "iu":
        return tuple(known.reshape(-1).tolist())
    value = static_value(source)
    return (value,) if isinstance(value, int) else value


_RULES: dict[str, Callable[[Operation], Sizes]] = {
    "Cast": _of_same,
    "ConcatV2": _of_concat,
    "Const": _of_constant,
    "Identity": _of_same,
    "Pack": _of_pack,
    "Rank": lambda op: op._inputs[0]._shape.ndims,
    "Reshape": _of_reshape,
    "Shape": _of_shape,
    "Size": _of_size,
    "StridedSlice": _of_item,
}
