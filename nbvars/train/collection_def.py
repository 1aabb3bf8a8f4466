"""Collections of a graph as protobuf messages, ``CollectionDef``, and back."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from nbvars import proto
from nbvars.checks import message
from nbvars.graph.graph import Graph
from nbvars.graph.keys import GraphKeys
from nbvars.graph.messages import is_in_scope, prepend_name_scope, strip_name_scope
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.variables.graph_variable import GraphVariable
from nbvars.variables.variable import Variable

_log = logging.getLogger("nbvars")

VARIABLE_COLLECTIONS = (
    GraphKeys.GLOBAL_VARIABLES,
    GraphKeys.TRAINABLE_VARIABLES,
    GraphKeys.LOCAL_VARIABLES,
    GraphKeys.MODEL_VARIABLES,
    GraphKeys.MOVING_AVERAGE_VARIABLES,
    GraphKeys.GLOBAL_STEP,
)
"""The collections that are written as ``VariableDef`` messages, as TensorFlow does."""


def collection_defs(graph: Graph, keys: Iterable[Any] | None, export_scope: str | None) -> Iterator[tuple[str, Any]]:
    """Yield key and ``CollectionDef`` of the collections that can be written."""
    for key in graph.get_all_collection_keys() if keys is None else keys:
        values = [value for value in graph.get_collection(key) if not _is_outside(value, export_scope)]
        if not values:
            continue
        try:
            yield _checked_key(key), _collection_def(key, values, export_scope)
        except (TypeError, ValueError) as error:
            _log.warning("export_meta_graph: the collection %r is left out: %s", key, error)


def _is_outside(value: Any, export_scope: str | None) -> bool:
    return isinstance(value, (GraphVariable, GraphTensor, Operation)) and not is_in_scope(value.name, export_scope)


def _checked_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(message("CollectionDef", "the key is no string", repr(key), "a string"))
    return key


def _collection_def(key: str, values: list[Any], export_scope: str | None) -> Any:
    """Return the ``CollectionDef`` of values of one kind; ``TypeError`` for any others."""
    made = proto.message_class("CollectionDef")()
    if key in VARIABLE_COLLECTIONS and _are(values, GraphVariable):
        made.bytes_list.value.extend(value.to_proto(export_scope).SerializeToString() for value in values)
    elif _are(values, (GraphVariable, GraphTensor, Operation)):
        made.node_list.value.extend(strip_name_scope(value.name, export_scope) for value in values)
    elif _are(values, int):
        made.int64_list.value.extend(values)
    elif _are(values, float):
        made.float_list.value.extend(values)
    elif _are(values, (str, bytes)):
        made.bytes_list.value.extend(value.encode() if isinstance(value, str) else value for value in values)
    else:
        kinds = sorted({type(value).__name__ for value in values})
        expected = "variables, tensors and operations of the graph; or integers, floats, or strings"
        raise TypeError(message("CollectionDef", "values of these types cannot be written", kinds, expected))
    return made


def _are(values: list[Any], kinds: type | tuple[type, ...]) -> bool:
    return all(isinstance(value, kinds) and not isinstance(value, bool) for value in values)


def _variable_defs(meta_graph: Any) -> Iterator[tuple[str, Any]]:
    """Yield each ``VariableDef`` with the key of its collection."""
    for key in VARIABLE_COLLECTIONS:
        if key in meta_graph.collection_def:
            for data in meta_graph.collection_def[key].bytes_list.value:
                yield key, proto.parse("VariableDef", data)


def check_collections(meta_graph: Any) -> None:
    """Raise ``ValueError`` if a collection names what the graph does not have, before anything is added to a graph."""
    nodes = {node.name for node in meta_graph.graph_def.node}
    for key, made in _variable_defs(meta_graph):
        named = [made.variable_name, made.initializer_name, made.snapshot_name]
        _check_names(key, [*named, made.initial_value_name or made.variable_name], nodes)
    for key, collection in meta_graph.collection_def.items():
        _check_names(key, collection.node_list.value, nodes)


def _check_names(key: str, names: Iterable[str], nodes: set[str]) -> None:
    for name in names:
        if name.partition(":")[0] not in nodes:
            wrong = f"the collection {key!r} names what is not in the graph"
            raise ValueError(message("import_meta_graph", wrong, repr(name), "a node, or an output of one"))


def add_collections(graph: Graph, meta_graph: Any, import_scope: str) -> None:
    """Fill the collections of ``graph`` with what ``meta_graph`` says; its operations are there."""
    variables = _variables(meta_graph, import_scope)
    for key, collection in meta_graph.collection_def.items():
        kind = collection.WhichOneof("kind")
        if key in VARIABLE_COLLECTIONS and kind == "bytes_list":
            names = [proto.parse("VariableDef", data).variable_name for data in collection.bytes_list.value]
            values: list[Any] = [variables[name] for name in names]
        elif kind == "node_list":
            values = [_named(graph, variables, name, import_scope) for name in collection.node_list.value]
        elif kind == "bytes_list":
            values = [_text(value) for value in collection.bytes_list.value]
        elif kind in ("int64_list", "float_list"):
            values = list(getattr(collection, kind).value)
        else:
            _log.warning("import_meta_graph: the collection %r is left out: its items are of kind %s", key, kind)
            continue
        for value in values:
            graph.add_to_collection(key, value)


def _named(graph: Graph, variables: dict[str, Variable], name: str, import_scope: str) -> Any:
    """Return the variable, tensor or operation of a name in the message."""
    found = variables.get(name)
    return graph.as_graph_element(prepend_name_scope(name, import_scope)) if found is None else found


def _variables(meta_graph: Any, import_scope: str) -> dict[str, Variable]:
    """Return the variables by their names in the message, one object for all definitions of a name."""
    trainable = {made.variable_name for key, made in _variable_defs(meta_graph) if key == GraphKeys.TRAINABLE_VARIABLES}
    variables: dict[str, Variable] = {}
    for _, made in _variable_defs(meta_graph):
        if made.variable_name not in variables:
            if not made.HasField("trainable"):
                made.trainable = made.variable_name in trainable
            variables[made.variable_name] = Variable.from_proto(made, import_scope or None)
    return variables


def _text(value: bytes) -> str | bytes:
    """Return a string; what is not UTF-8 stays bytes."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
