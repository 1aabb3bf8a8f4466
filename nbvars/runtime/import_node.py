"""Nodes of a ``GraphDef`` as operations that no graph has yet."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from nbvars.checks import expect_type, message
from nbvars.devices import DeviceSpec
from nbvars.dtypes import DType
from nbvars.graph.attr_value import from_attr_value, with_makers
from nbvars.graph.control_flow import ControlFlowContext, check_reaches
from nbvars.graph.graph import Graph
from nbvars.graph.implied_attrs import implied_attrs
from nbvars.graph.node_def import COLOCATION, CONTEXT, OUTPUT_SHAPES, OUTPUT_TYPES
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.runtime.building import infer_outputs
from nbvars.runtime.definition import DEFINITIONS, NodeDefinition, OpDefinition
from nbvars.runtime.import_order import parse_input
from nbvars.shapes import TensorShape

_WHERE = "import_graph_def"
# What definitions raise on inputs and attributes that the functions of the ops would never have given them.
_UNFIT = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, StopIteration)


class NodeReader:
    """Makes operations of nodes, each after its inputs.

    Attributes:
        operations: The operations so far, by the names of their nodes.
        used: The keys of ``replaced`` that were an input.
        contexts: The branches and loops so far, by the names that the message gives them.
    """

    def __init__(self, graph: Graph, replaced: Mapping[tuple[str, int], Any]) -> None:
        self.operations: dict[str, Operation] = {}
        self.used: set[tuple[str, int]] = set()
        self._graph = graph
        self._context = graph._entered.context
        self.contexts: dict[str, ControlFlowContext] = {}
        self._makers = with_makers(self._element, self._context_of)
        self._replaced = replaced
        self._colocations: list[tuple[Operation, list[str]]] = []

    def add(self, node: Any) -> None:
        """Make the operation of a node; ``ValueError`` if the node is malformed or does not fit its type."""
        if not node.op:
            raise ValueError(message(_WHERE, f"Node {node.name!r} has no op", "''", "the type of an operation"))
        try:
            self._add(node)
        except _UNFIT as error:
            wrong = f"Node {node.name!r} of type {node.op} cannot be imported ({error})"
            expected = "inputs and attributes of that type"
            raise ValueError(message(_WHERE, wrong, f"{len(node.input)} inputs", expected)) from error

    def _add(self, node: Any) -> None:
        sources = [parse_input(_WHERE, text) for text in node.input]
        inputs = [self._input(*key) for key in sources if key[1] >= 0]
        controls = list(dict.fromkeys(self._control(key) for key in sources if key[1] < 0))
        attrs = {key: from_attr_value(value, self._makers) for key, value in node.attr.items()}
        colocations = attrs.pop(COLOCATION, ())
        shapes, types = attrs.pop(OUTPUT_SHAPES, None), attrs.pop(OUTPUT_TYPES, None)
        context = attrs.pop(CONTEXT, self._context)
        definition = DEFINITIONS.get(node.op)
        if definition is not None:
            attrs = _own_attrs(definition, inputs, attrs)
        outputs = _outputs(definition, inputs, attrs, types)
        for dtype, _ in outputs:
            expect_type(_WHERE, "the dtype of an output", dtype, DType, "a DType")
        op = Operation(self._graph, node.op, node.name, tuple(inputs), controls, attrs, definition, context)
        op._outputs = tuple(
            GraphTensor(op, i, dtype, shape) for i, (dtype, shape) in enumerate(_merged(outputs, shapes))
        )
        scope_controls = self._graph._controls_for({tensor._op for tensor in inputs} | set(controls))
        op._control_inputs += [] if op._context is not self._context else scope_controls
        for tensor in inputs:
            check_reaches(_WHERE, context, tensor._op, tensor)
        for control in op._control_inputs:
            check_reaches(_WHERE, context, control, control)
        self._graph._record(op)
        op._device = DeviceSpec.from_string(node.device).to_string()
        self._colocations.append((op, [str(each) for each in colocations]))
        self.operations[node.name] = op

    def _input(self, name: str, index: int) -> GraphTensor:
        """Return the tensor of an input, or the one that takes its place."""
        op = self.operations.get(name)
        if op is not None and index >= len(op._outputs):
            wrong = f"the input {name}:{index} does not exist"
            raise ValueError(message(_WHERE, wrong, index, f"an output of {len(op._outputs)}"))
        own = None if op is None else op._outputs[index]
        tensor: GraphTensor | None = self._replaced.get((name, index), own)
        if tensor is None:  # an attribute names what comes later; of inputs, in_order has found what is missing
            raise ValueError(message(_WHERE, f"{name}:{index} is not there yet", "a later node", "an earlier one"))
        if tensor is not own:
            self.used.add((name, index))
            if own is not None and own._dtype.base_dtype is not tensor._dtype.base_dtype:
                wrong = f"the value for {name}:{index} in input_map has the wrong dtype"
                raise ValueError(message(_WHERE, wrong, tensor._dtype, own._dtype))
        return tensor

    def _control(self, key: tuple[str, int]) -> Operation:
        """Return the operation of a control input, or the one that takes its place."""
        if key not in self._replaced:
            return self.operations[key[0]]
        self.used.add(key)
        op: Operation = self._replaced[key]
        return op

    def _element(self, name: str) -> Operation | GraphTensor:
        """Return the operation or tensor that an attribute names."""
        source, index = parse_input(_WHERE, name)
        return self._input(source, index) if ":" in name else self._control((source, -1))

    def _context_of(self, name: str, is_loop: bool, outer: ControlFlowContext | None) -> ControlFlowContext:
        """Return the branch or loop that an attribute describes; each is made once."""
        expect_type(_WHERE, "the name of a branch", name, str, "a string")
        if name not in self.contexts:
            self.contexts[name] = ControlFlowContext(name, outer or self._context, is_loop)
        return self.contexts[name]

    def finished(self) -> list[Operation]:
        """Return the operations in their order, each with those on whose device it is.

        Raises:
            ValueError: One is colocated with a node that is not there.
        """
        for op, groups in self._colocations:
            names = [group.removeprefix("loc:@") for group in groups]
            missing = [name for name in names if name not in self.operations]
            if missing:
                wrong = f"Node {op._name!r} expects to be colocated with unknown node {missing[0]!r}"
                raise ValueError(message(_WHERE, wrong, missing, "nodes of graph_def"))
            op._colocated_with = tuple(self.operations[name] for name in names if name != op._name)
        return list(self.operations.values())


def _own_attrs(
    definition: OpDefinition | NodeDefinition, inputs: list[GraphTensor], attrs: dict[str, Any]
) -> dict[str, Any]:
    """Return the attributes that an operation has here, without those that only TensorFlow's nodes have."""
    implied = implied_attrs(definition.op_type, inputs)
    own = {key: value for key, value in attrs.items() if not (key in implied and implied[key] == value)}
    if isinstance(definition, NodeDefinition):
        return own
    parameters = _parameters(definition)
    foreign = [] if "attrs" in parameters else [key for key in own if key not in parameters and key[0] != "_"]
    for key in foreign:
        if own[key] and not isinstance(own[key], DType):
            raise ValueError(message(_WHERE, f"the attribute {key!r} is not known", own[key], list(parameters)))
    return {key: value for key, value in own.items() if key not in foreign}


@functools.cache
def _parameters(definition: OpDefinition) -> Mapping[str, Any]:
    """Return the parameters of ``infer`` by name: the inputs and attributes of an op."""
    return inspect.signature(definition.infer).parameters


def _outputs(
    definition: OpDefinition | NodeDefinition | None, inputs: list[GraphTensor], attrs: dict[str, Any], types: Any
) -> list[tuple[DType, TensorShape]]:
    """Return dtype and static shape of each output, as the type of the node gives them, or else its attributes."""
    if isinstance(definition, OpDefinition):
        return infer_outputs(definition, inputs, attrs)
    if definition is not None and definition.outputs is not None:
        return definition.outputs(inputs, attrs)
    return [(dtype, TensorShape(None)) for dtype in _plain_types(attrs, types)]


# What TensorFlow calls the attribute that is the dtype of all outputs, the surest name first.
_TYPE_ATTRS = ("dtype", "out_type", "output_type", "DstT", "Tout", "T")


def _plain_types(attrs: dict[str, Any], types: Any) -> list[DType]:
    """Return the dtypes of the outputs of a node of unknown type: those it says, or one that its attributes say."""
    if types is None:
        found = (attrs.get(key) for key in _TYPE_ATTRS)
        types = [next((dtype for dtype in found if isinstance(dtype, DType)), None)]
    return [dtype for dtype in types if isinstance(dtype, DType)]


def _merged(outputs: list[tuple[DType, TensorShape]], shapes: Any) -> list[tuple[DType, TensorShape]]:
    """Return the outputs with what the node says of their static shapes."""
    if shapes is None:
        return outputs
    pairs = zip(outputs, shapes, strict=True)
    return [(dtype, shape.merge_with(known)) for (dtype, shape), known in pairs]
