"""Ops that only order others: ``group``, ``tuple``, ``no_op``."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Any

from nbvars.checks import message
from nbvars.graph.graph import Graph, control_dependencies, get_default_graph
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import Symbolic
from nbvars.ops.array_ops import identity
from nbvars.runtime.building import entered
from nbvars.runtime.conversion import convert_to_tensor
from nbvars.runtime.definition import NodeDefinition

NO_OP = NodeDefinition("NoOp", lambda op, plan: None)


def no_op(name: str | None = None) -> Any:
    """Return an operation that does nothing, for control dependencies; ``None`` in eager mode.

    Source: TensorFlow 1 API pages, ``tf.no_op``.
    """
    if executing_eagerly():
        return None
    return get_default_graph()._add_op("NoOp", (), (), name or "NoOp", {}, NO_OP)


def group(*inputs: Any, name: str | None = None) -> Any:
    """Return an operation that runs all of ``inputs``; ``None`` in eager mode, where they have run already.

    Args:
        *inputs: Operations, tensors, variables, and lists of those.
        name: Name of the operation.

    Raises:
        TypeError: One is something else.
        ValueError: One is of another graph.

    Source: TensorFlow 1 API pages, ``tf.group``.
    """
    targets = builtins.list(_flat(inputs))
    graph = _graph_of(targets)
    if graph is None:
        return no_op(name)
    with entered(graph), graph.control_dependencies(targets):
        return no_op(name or "group_deps")


def _flat(inputs: Any) -> Iterable[Any]:
    """Yield the elements of nested lists, without ``None``."""
    for each in inputs:
        if isinstance(each, (list, builtins.tuple)):
            yield from _flat(each)
        elif isinstance(each, (str, bytes)):
            expected = "operations, tensors, variables, and lists of those"
            raise TypeError(message("group", "a name stands for no operation here", repr(each), expected))
        elif each is not None:
            yield each


def _graph_of(targets: Iterable[Any]) -> Graph | None:
    """Return the graph of the first of ``targets`` that has one; ``None`` where there are only eager values."""
    for each in targets:
        if isinstance(each, (Operation, Symbolic)):
            return each.graph  # type: ignore[union-attr]
    return None if executing_eagerly() else get_default_graph()


def tuple(tensors: Iterable[Any], name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """Return tensors of the same values, none of which is there before all of ``tensors`` are.

    Args:
        tensors: Tensors, ``IndexedSlices``, operations, in the place of which comes one that runs after all, or
            ``None``, which stays ``None``.
        name: Name of the scope.
        control_inputs: More operations that come first.

    Raises:
        TypeError: ``tensors`` is no list.
        ValueError: It holds no tensor.

    Source: TensorFlow 1 API pages, ``tf.tuple``.
    """
    values = builtins.list(tensors)
    graph = _graph_of([value for value in values if value is not None])
    if not any(value is not None for value in values):
        raise ValueError(message("tuple", "there are no tensors", values, "at least one tensor"))
    if graph is None:
        return [None if value is None else convert_to_tensor(value) for value in values]
    with entered(graph), graph.name_scope(name or "tuple"):
        gated = [value if value is None or isinstance(value, _GATED) else convert_to_tensor(value) for value in values]
        gate = group(*[value for value in gated if value is not None], *(control_inputs or ()))
        with control_dependencies([gate]):
            return [_through(graph, value) for value in gated]


_GATED = (Symbolic, IndexedSlices, Operation)


def _through(graph: Graph, value: Any) -> Any:
    """Return what has the value of ``value`` behind the current control dependencies."""
    if value is None:
        return None
    if isinstance(value, Operation):
        return group(value)
    if isinstance(value, IndexedSlices):
        return IndexedSlices(_through(graph, value.values), value.indices, value._dense_shape)
    with graph.colocate_with(value):
        return identity(value, name="control_dependency")
