"""Operations and graphs as protobuf messages, ``NodeDef`` and ``GraphDef``."""

from __future__ import annotations

from typing import Any

from nbvars import proto
from nbvars.checks import message
from nbvars.graph.attr_value import to_attr_value
from nbvars.graph.graph import Graph
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor

COLOCATION = "_class"
"""The attribute that names the operations on whose device a node is: ``loc:@name``."""
OUTPUT_SHAPES = "_output_shapes"
OUTPUT_TYPES = "_output_types"
"""The attribute of the dtypes of the outputs, where the type of the operation does not tell them."""
CONTEXT = "_context"
"""The attribute of the branch or loop that a node belongs to."""

# TensorFlow reads older graphs in other ways; this is the version of its release 1.15.
_PRODUCER = 134


def node_def_of(op: Operation, add_shapes: bool = False) -> Any:
    """Return the ``NodeDef`` of an operation."""
    node = proto.message_class("NodeDef")(name=op._name, op=op._type, device=op._device)
    node.input.extend(input_name(tensor) for tensor in op._inputs)
    node.input.extend(f"^{control._name}" for control in op._control_inputs)
    for key, value in _attrs_of(op, add_shapes).items():
        try:
            node.attr[key].CopyFrom(to_attr_value(value))
        except (TypeError, ValueError) as error:
            wrong = f"attribute {key!r} of operation {op._name!r} cannot be written ({error})"
            raise type(error)(message("node_def", wrong, repr(value), "a value that AttrValue can hold")) from error
    return node


def input_name(tensor: GraphTensor) -> str:
    """Return the name of a tensor as inputs have it: that of the operation for its first output."""
    return f"{tensor._op._name}:{tensor._value_index}" if tensor._value_index else tensor._op._name


def _attrs_of(op: Operation, add_shapes: bool) -> dict[str, Any]:
    """Return all that is written as attributes."""
    attrs = op._attrs_with_implied()
    if op._outputs and getattr(op._definition, "outputs", op._definition) is None:
        # No rule says what the outputs are.
        attrs[OUTPUT_TYPES] = tuple(tensor._dtype for tensor in op._outputs)
    if op._colocated_with:
        attrs[COLOCATION] = tuple(group.decode() for group in op.colocation_groups())
    if add_shapes or OUTPUT_TYPES in attrs:
        attrs[OUTPUT_SHAPES] = tuple(tensor._shape for tensor in op._outputs)
    if op._context is not None:
        attrs[CONTEXT] = op._context
    return attrs


def graph_def_of(graph: Graph, from_version: int, add_shapes: bool) -> Any:
    """Return the ``GraphDef`` of the operations that came after ``from_version``."""
    message = proto.message_class("GraphDef")(versions={"producer": _PRODUCER})
    operations = graph.get_operations()
    message.node.extend(node_def_of(op, add_shapes) for op in operations if op._id >= from_version)
    return message
