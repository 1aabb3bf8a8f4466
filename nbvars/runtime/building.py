"""Ops of a graph: what graph mode does in the place of running."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterable
from typing import Any, cast

from nbvars.checks import message
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.mode import entered_graph, executing_eagerly
from nbvars.graph.tensor import GraphTensor, Symbolic, Tensor
from nbvars.runtime.constants import static_value
from nbvars.runtime.conversion import graph_tensor_of
from nbvars.runtime.definition import OpDefinition, TensorSpec, check_rank
from nbvars.shapes import TensorShape


def add_op(definition: OpDefinition, inputs: Iterable[Any], name: str | None, attrs: dict[str, Any]) -> Tensor:
    """Add an op to the graph of its inputs, or to the default graph; return its output, or the tuple of them.

    What is wrong whatever a run will bring is an error now, the same that eager mode raises.
    """
    inputs = tuple(inputs)
    graph = graph_of(inputs, attrs.values())
    with entered(graph):
        with graph.name_scope(name or definition.name or definition.op_type) as scope:
            names = input_names(definition, len(inputs))
            tensors = [graph_tensor_of(value, each) for value, each in zip(inputs, names, strict=True)]
        given, known = _split_attrs(definition, attrs)
        specs = definition.infer(*map(spec_of, tensors), **known)
        check_rank(definition.op_type, specs)
        outputs = (specs,) if type(specs) is TensorSpec else cast("tuple[TensorSpec, ...]", specs)
        tensors += given.values()
        fixed = {key: value for key, value in attrs.items() if key not in given}
        shaped = [(spec.dtype, _output_shape(spec, given)) for spec in outputs]
        op = graph._add_op(definition.op_type, tensors, shaped, scope, fixed, definition)
    if type(specs) is TensorSpec:
        return op._outputs[0]
    return cast("Tensor", op._outputs)


def graph_of(*groups: Iterable[Any]) -> Graph:
    """Return the graph of the first value that is of one; else the default graph."""
    for group in groups:
        for value in group:
            if isinstance(value, Symbolic):
                return value._as_tensor().graph
    return get_default_graph()


def entered(graph: Graph) -> contextlib.AbstractContextManager[Any]:
    """Return the scope in which ``graph`` takes ops: none, if it is the default graph in graph mode already."""
    if graph is get_default_graph() and not executing_eagerly():
        return contextlib.nullcontext()
    return entered_graph(graph)


def spec_of(tensor: GraphTensor) -> TensorSpec:
    """Return what is known of ``tensor``."""
    shape = tensor._shape
    return TensorSpec(None if shape.ndims is None else tuple(shape.as_list()), tensor._dtype.base_dtype)


@functools.cache
def _parameters(definition: OpDefinition) -> tuple[list[str], str | None]:
    """Return the names of the inputs of an op, and that of the list that takes all further ones."""
    parameters = inspect.signature(definition.infer).parameters.values()
    single = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    many = [each.name for each in parameters if each.kind is each.VAR_POSITIONAL]
    return single, many[0] if many else None


def input_names(definition: OpDefinition, num_inputs: int) -> list[str]:
    """Return the names that constants get as inputs: ``x`` and ``y``, or ``values_0``, ``values_1``, ..."""
    single, many = _parameters(definition)
    if many is None:
        return single[:num_inputs]
    return single[:num_inputs] + [f"{many}_{i}" for i in range(num_inputs - len(single))]


def _split_attrs(definition: OpDefinition, attrs: dict[str, Any]) -> tuple[dict[str, GraphTensor], dict[str, Any]]:
    """Return the attributes that tensors give, in the order of ``run_attrs``, and all as ``infer`` takes them."""
    given = {key: value for key, value in attrs.items() if isinstance(value, GraphTensor)}
    if not given:
        return given, attrs
    known = dict(attrs)
    for key, tensor in given.items():
        value = static_value(tensor)
        is_known = value is not None and (isinstance(value, int) or None not in value)
        if key not in definition.run_attrs:
            wrong = f"{key} must be known when the graph is built"
            raise TypeError(message(definition.name or definition.op_type, wrong, repr(tensor), "integers"))
        known[key] = value if is_known else None
    return {key: given[key] for key in definition.run_attrs if key in given}, known


def _output_shape(spec: TensorSpec, given: dict[str, GraphTensor]) -> TensorShape:
    """Return the shape of an output; of one that a tensor gives, what is known of that tensor."""
    tensor = given.get("shape", given.get("dims"))
    if spec.shape is None and tensor is not None:
        sizes = static_value(tensor)
        if isinstance(sizes, tuple):
            return TensorShape([None if size == -1 else size for size in sizes])
    return TensorShape(spec.shape)
