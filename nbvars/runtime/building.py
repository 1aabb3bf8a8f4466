"""Ops of a graph: what graph mode does in the place of running."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from nbvars.dtypes import DType
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.mode import entered_graph, executing_eagerly
from nbvars.graph.tensor import GraphTensor, Symbolic, Tensor
from nbvars.runtime.constants import fixed_value, is_known, static_value
from nbvars.runtime.conversion import graph_tensor_of
from nbvars.runtime.definition import OpDefinition, TensorSpec, check_rank
from nbvars.runtime.streams import seeds_of
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
        if "seed" in attrs:
            attrs["seed"] = seeds_of(graph, attrs["seed"])
        given, fixed, known = _split_attrs(definition, attrs)
        specs = definition.infer(*map(spec_of, tensors), **known)
        shaped = _outputs(definition, specs, given)
        tensors += given.values()
        op = graph._add_op(definition.op_type, tensors, shaped, scope, fixed, definition)
    if type(specs) is TensorSpec:
        return op._outputs[0]
    return cast("Tensor", op._outputs)


def infer_outputs(
    definition: OpDefinition, inputs: Sequence[GraphTensor], attrs: dict[str, Any]
) -> list[tuple[DType, TensorShape]]:
    """Return dtype and static shape of each output of an op with these inputs, those that give attributes included."""
    given = [key for key in definition.run_attrs if key not in attrs]
    num_inputs = len(inputs) - len(given)
    tensors, _, known = _split_attrs(definition, attrs | dict(zip(given, inputs[num_inputs:], strict=True)))
    return _outputs(definition, definition.infer(*map(spec_of, inputs[:num_inputs]), **known), tensors)


def _outputs(
    definition: OpDefinition, specs: TensorSpec | tuple[TensorSpec, ...], given: dict[str, GraphTensor]
) -> list[tuple[DType, TensorShape]]:
    """Return dtype and static shape of each output."""
    check_rank(definition.op_type, specs)
    outputs = (specs,) if type(specs) is TensorSpec else cast("tuple[TensorSpec, ...]", specs)
    return [(spec.dtype, _output_shape(spec, given)) for spec in outputs]


def graph_of(*groups: Iterable[Any]) -> Graph:
    """Return the graph of the first value that is of one; else the default graph."""
    for group in groups:
        symbol = first_symbol(group)
        if symbol is not None:
            return symbol._as_tensor().graph
    return get_default_graph()


def first_symbol(values: Iterable[Any]) -> Symbolic | None:
    """Return the first value that is of a graph, also in nested lists; ``None`` if there is none."""
    for value in values:
        found = first_symbol(value) if isinstance(value, (list, tuple)) else value
        if isinstance(found, Symbolic):
            return found
    return None


def op_scope(name: str | None, default_name: str, *inputs: Tensor) -> contextlib.AbstractContextManager[str | None]:
    """Give the ops of a composed function a scope of their own in a graph; yields the name of the last of them."""
    if executing_eagerly() and GraphTensor not in map(type, inputs):
        return contextlib.nullcontext(name)
    return _scope_in_graph(graph_of(inputs), name or default_name)


@contextlib.contextmanager
def _scope_in_graph(graph: Graph, name: str) -> Iterator[str]:
    with entered(graph), graph.name_scope(name) as scope:
        yield scope


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


def _split_attrs(
    definition: OpDefinition, attrs: dict[str, Any]
) -> tuple[dict[str, GraphTensor], dict[str, Any], dict[str, Any]]:
    """Return the attributes that tensors give, in the order of ``run_attrs``; the others; and all for ``infer``."""
    given = {key: attrs[key] for key in definition.run_attrs if isinstance(attrs[key], GraphTensor)}
    where = definition.name or definition.op_type
    fixed = {key: fixed_value(where, key, value) for key, value in attrs.items() if key not in given}
    values = {key: static_value(tensor) for key, tensor in given.items()}
    return given, fixed, fixed | {key: value if is_known(value) else None for key, value in values.items()}


def _output_shape(spec: TensorSpec, given: dict[str, GraphTensor]) -> TensorShape:
    """Return the shape of an output; of one that a tensor gives, what is known of that tensor."""
    tensor = next((given[key] for key in ("shape", "dims", "size") if key in given), None)
    sizes = None if tensor is None else static_value(tensor)
    if isinstance(sizes, tuple) and (spec.shape is None or not any(spec.shape)):
        return TensorShape([None if size == -1 else size for size in sizes])
    return TensorShape(spec.shape)
