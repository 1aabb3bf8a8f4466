"""``import_graph_def``: the operations of a ``GraphDef`` message, added to a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbvars.checks import message
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.messages import as_message
from nbvars.graph.mode import expect_graph_mode
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.runtime.import_node import NodeReader
from nbvars.runtime.import_order import in_order, parse_input

_WHERE = "import_graph_def"


def import_graph_def(
    graph_def: Any,
    input_map: Mapping[str, Any] | None = None,
    return_elements: Iterable[str] | None = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> list[Any] | None:
    """Add the operations of ``graph_def`` to the default graph.

    Names, attributes, devices, colocation and control inputs stay what they are. Operations keep their order, which is
    the order in which a run takes them; where an input comes later, its operation is moved before its first consumer.
    Those of a type that nbvars does not know become nodes that cannot be run. If anything is wrong, nothing is added.

    Args:
        graph_def: A ``GraphDef``: ours, TensorFlow's, or the bytes of one.
        input_map: Tensors (or variables) of the default graph by the name of the input, such as ``"a:0"``, whose place
            they take; operations by names such as ``"^a"`` for control inputs.
        return_elements: Names in ``graph_def`` of operations and tensors.
        name: Name scope of the operations, made unique: ``"import"`` if not given; ``""`` for none.
        op_dict: Accepted for TensorFlow's sake.
        producer_op_list: Accepted for TensorFlow's sake.

    Returns:
        The operations and tensors that ``return_elements`` names, in that order; ``None`` if it is not given.

    Raises:
        RuntimeError: The mode is eager, or the graph is finalized.
        TypeError: ``graph_def`` is no ``GraphDef``, or a key or value of ``input_map`` is of the wrong kind.
        ValueError: ``graph_def`` is malformed: an input is missing, a name is there twice or taken, a node does not
            fit its type; or a key of ``input_map`` or a name of ``return_elements`` is not in it.
        ImportError: protobuf is not installed.

    Source: TensorFlow 1 API pages, ``tf.import_graph_def``.
    """
    expect_graph_mode(_WHERE)
    graph = get_default_graph()
    graph._check_not_finalized()
    nodes = as_message(_WHERE, "GraphDef", graph_def).node
    replaced = _replacements(graph, input_map or {})
    reader = NodeReader(graph, replaced)
    for node in in_order(nodes, replaced):
        reader.add(node)
    _check_used(replaced, reader)
    elements = [_element(reader, replaced, each) for each in return_elements or ()]
    operations = reader.finished()
    with graph.name_scope("import" if name is None else name) as scope:
        for context in reader.contexts.values():
            context.name = scope + context.name
        _add(graph, operations, scope)
    return None if return_elements is None else elements


def _replacements(graph: Graph, input_map: Mapping[str, Any]) -> dict[tuple[str, int], Any]:
    """Return what takes the place of an input, by the name of its operation and the index of the output."""
    found: dict[tuple[str, int], Any] = {}
    for key, value in input_map.items():
        if not isinstance(key, str):
            raise TypeError(message(_WHERE, "All keys for argument `input_map` must be strings", repr(key), "a name"))
        source, index = parse_input(_WHERE, key)
        if isinstance(value, str):
            wrong = f"the value for {key!r} in input_map is no tensor"
            raise TypeError(message(_WHERE, wrong, repr(value), "a tensor", "use convert_to_tensor"))
        is_control = index < 0
        found[source, index] = graph.as_graph_element(value, allow_tensor=not is_control, allow_operation=is_control)
    return found


def _check_used(replaced: Mapping[tuple[str, int], Any], reader: NodeReader) -> None:
    unknown = [key for key in replaced if key not in reader.used and key[0] not in reader.operations]
    if unknown:
        names = [f"^{name}" if index < 0 else f"{name}:{index}" for name, index in unknown]
        wrong = "Attempted to map inputs that were not found in graph_def"
        raise ValueError(message(_WHERE, wrong, names, "names of inputs"))


def _element(reader: NodeReader, replaced: Mapping[tuple[str, int], Any], name: Any) -> Operation | GraphTensor:
    """Return the operation or tensor of a name in ``return_elements``."""
    if not isinstance(name, str):
        raise TypeError(message(_WHERE, "return_elements holds no name", repr(name), "a string"))
    source, index = parse_input(_WHERE, name)
    if ":" in name and (source, index) in replaced:
        tensor: GraphTensor = replaced[source, index]
        return tensor
    op = reader.operations.get(source)
    if op is None or index < 0 or index >= max(1, len(op._outputs)) or (":" in name and not op._outputs):
        wrong = f"Requested return_element {name!r} not found in graph_def"
        expected = "the name of a node" if op is None else f"an output of {len(op._outputs)}"
        raise ValueError(message(_WHERE, wrong, repr(name), expected))
    return op._outputs[index] if ":" in name else op


def _add(graph: Graph, operations: Sequence[Operation], scope: str) -> None:
    """Give the operations their full names and devices, and add them to the graph."""
    for op in operations:
        graph.unique_name(op._name, mark_as_used=False)  # raises if the name is not valid
        op._name = scope + op._name
        colocated_with = op._colocated_with
        with graph.device(op._device):
            graph._place(op)
        op._colocated_with = colocated_with or op._colocated_with
    graph._adopt(operations)
