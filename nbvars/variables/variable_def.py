"""Variables of a graph as protobuf messages, ``VariableDef``, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

from nbvars import proto
from nbvars.checks import message
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.graph.messages import as_message, is_in_scope, prepend_name_scope, strip_name_scope
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.variables.arguments import Recorded
from nbvars.variables.distribution import VariableAggregation, VariableSynchronization
from nbvars.variables.save_slice_info import SaveSliceInfo

_WHERE = "Variable.from_proto"


def to_variable_def(variable: Any, export_scope: str | None) -> Any:
    """Return the ``VariableDef`` of a variable of a graph; ``None`` if it lies outside ``export_scope``."""
    if not is_in_scope(variable.name, export_scope):
        return None
    made = proto.message_class("VariableDef")(
        variable_name=strip_name_scope(variable.name, export_scope),
        initializer_name=strip_name_scope(variable.initializer.name, export_scope),
        snapshot_name=strip_name_scope(variable.value().name, export_scope),
        trainable=variable.trainable,
        synchronization=variable.synchronization.value,
        aggregation=variable.aggregation.value,
    )
    start = variable.initial_value
    # Outside the scope the name would lead nowhere; the reader then takes what the initializer assigns.
    if start is not None and is_in_scope(start.name, export_scope):
        made.initial_value_name = strip_name_scope(start.name, export_scope)
    slice_info = None if variable._save_slice_info is None else variable._save_slice_info.to_proto(export_scope)
    if slice_info is not None:
        made.save_slice_info_def.CopyFrom(slice_info)
    return made


class Parts(NamedTuple):
    """What a ``VariableDef`` names, in a graph."""

    reference: GraphTensor
    initializer: Operation
    snapshot: GraphTensor
    start: GraphTensor | None
    trainable: bool
    recorded: Recorded
    save_slice_info: SaveSliceInfo | None


def parts_of(variable_def: Any, import_scope: str | None) -> Parts:
    """Find in the default graph what ``variable_def`` names.

    A message without ``trainable``, older than this field or of TensorFlow, which leaves out false, means a variable
    that is in ``GraphKeys.TRAINABLE_VARIABLES`` of the graph.

    Raises:
        TypeError: ``variable_def`` is no ``VariableDef``.
        ValueError: It is malformed, or what it names is no variable.
        KeyError: The graph has nothing of a name.
    """
    made = as_message(_WHERE, "VariableDef", variable_def)
    graph = get_default_graph()
    if made.is_resource:
        wrong = f"{made.variable_name!r} is a resource variable, which graphs here do not have"
        raise ValueError(message(_WHERE, wrong, "is_resource true", "false"))
    reference = _tensor(graph, "variable_name", made.variable_name, import_scope)
    if not reference.dtype.is_ref_dtype:
        raise ValueError(message(_WHERE, f"{reference.name} is no variable", reference.dtype, "a reference dtype"))
    initializer = _operation(graph, made.initializer_name, import_scope)
    info = made.save_slice_info_def if made.HasField("save_slice_info_def") else None
    return Parts(
        reference,
        initializer,
        _tensor(graph, "snapshot_name", made.snapshot_name, import_scope),
        _start(graph, made, initializer, import_scope),
        made.trainable if made.HasField("trainable") else _is_trainable(graph, reference),
        _recorded(made),
        None if info is None else SaveSliceInfo(save_slice_info_def=info, import_scope=import_scope),
    )


def _tensor(graph: Graph, field: str, name: str, scope: str | None) -> GraphTensor:
    _check_given(field, name)
    return graph.get_tensor_by_name(prepend_name_scope(name, scope))


def _operation(graph: Graph, name: str, scope: str | None) -> Operation:
    _check_given("initializer_name", name)
    return graph.get_operation_by_name(prepend_name_scope(name, scope))


def _check_given(field: str, name: str) -> None:
    if not name:
        raise ValueError(message(_WHERE, f"the VariableDef has no {field}", "''", "a name"))


def _start(graph: Graph, made: Any, initializer: Operation, scope: str | None) -> GraphTensor | None:
    """Return the initial value: what the message names, or, where it is older than that, what is assigned."""
    if made.initial_value_name:
        return _tensor(graph, "initial_value_name", made.initial_value_name, scope)
    return initializer.inputs[1] if len(initializer.inputs) > 1 else None


def _is_trainable(graph: Graph, reference: GraphTensor) -> bool:
    trained = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES)
    return any(getattr(variable, "name", None) == reference.name for variable in trained)


def _recorded(made: Any) -> Recorded:
    try:
        synchronization = VariableSynchronization(made.synchronization)
        return Recorded(False, synchronization, VariableAggregation(made.aggregation))
    except ValueError as error:
        got = f"synchronization {made.synchronization}, aggregation {made.aggregation}"
        raise ValueError(message(_WHERE, f"a number is unknown ({error})", got, "those of the enums")) from error
