"""``Const``, the op of a value that is known when the graph is built."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from nbvars.dtypes import DType
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


CONST = NodeDefinition("Const", _prepare)


def static_value(tensor: GraphTensor) -> tuple[int | None, ...] | int | None:
    """Return what is known of a vector (or scalar) of sizes before a run; ``None`` if nothing is, not even its length.

    The answer is right unless somebody feeds the tensors on which it rests.
    """
    op = tensor._op
    if op._type == "Const":
        known = op._attrs["value"].tolist()
        return tuple(known) if isinstance(known, list) else known
    if op._type == "Shape" and op._inputs[0]._shape.ndims is not None:
        return tuple(op._inputs[0]._shape.as_list())
    if op._type == "Pack" and op._inputs[0]._shape.ndims == 0:
        sizes = [static_value(each) for each in op._inputs]
        return tuple(size if isinstance(size, int) else None for size in sizes)
    if op._type == "Identity" and not op._inputs[0]._dtype.is_ref_dtype:
        return static_value(op._inputs[0])
    if tensor._shape.ndims == 1:
        length = tensor._shape.as_list()[0]
        return None if length is None else (None,) * length
    return None
