"""Variables in a graph: the operation that stands for the memory, and those that fill, change and ask after it.

An update takes a reference and returns it, so that whoever uses its output sees the value after it.
"""

from __future__ import annotations

import functools
import numbers
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype, expect_integer, message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.graph import Graph
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.kernels.elements import element_of
from nbvars.ops.shape_rules import are_compatible, merge_shapes
from nbvars.ops.update_steps import prepare_count, prepare_update
from nbvars.ops.updates import FAMILIES, check_update_shape
from nbvars.runtime.building import entered, spec_of
from nbvars.runtime.conversion import graph_tensor_of
from nbvars.runtime.definition import NodeDefinition
from nbvars.runtime.plan import PlanBuilder
from nbvars.runtime.steps import Slots
from nbvars.shapes import TensorShape


def add_variable(graph: Graph, shape: TensorShape, dtype: DType, name: str) -> GraphTensor:
    """Add a variable's operation; return the reference to it."""
    attrs = {"shape": shape, "dtype": dtype, "container": "", "shared_name": ""}
    return graph._add_op("VariableV2", (), [(dtype.as_ref, shape)], name, attrs, VARIABLE)._outputs[0]


def reference_of(op: str, ref: Any) -> GraphTensor:
    """Return the reference that ``ref``, a variable of a graph or what its updates return, stands for."""
    tensor: Any = ref._ref() if hasattr(ref, "_ref") else ref
    if not isinstance(tensor, GraphTensor) or not tensor._dtype.is_ref_dtype:
        remedy = "pass the variable itself, or ref()"
        raise TypeError(message(op, "ref cannot be updated", repr(ref), "a variable, or a reference to one", remedy))
    return tensor


def add_update(
    op: str,
    ref: Any,
    indices: Any,
    value: Any,
    use_locking: bool,
    name: str | None,
    validate_shape: bool = True,
    deterministic: bool | None = None,
) -> GraphTensor:
    """Add the update ``op`` to the graph of ``ref``; return the reference after it.

    Raises:
        TypeError: ``ref`` is no reference, or of a dtype without this update, ``indices`` are no integers, or
            ``value`` is of another dtype.
        ValueError: The shapes do not agree, or something is of another graph.
    """
    reference = reference_of(op, ref)
    element_of(op.rpartition("_")[2].replace("assign", "update"), reference._dtype.base_dtype.numpy_dtype, op)
    graph = reference.graph
    with entered(graph), graph.colocate_with(reference._op):
        with graph.name_scope(name or NODE_TYPES[op]) as scope:
            inputs = [reference]
            if FAMILIES[op].rows is not None:
                inputs.append(_indices(op, indices))
            inputs.append(graph_tensor_of(value, "value", reference._dtype.base_dtype, op))
        # A value that brings its own shape is a scalar if it is a number.
        fills = validate_shape and isinstance(value, (numbers.Number, np.generic))
        attrs = {"use_locking": bool(use_locking), "_fills": fills}
        if deterministic is not None:
            attrs["_deterministic"] = bool(deterministic)
        if op == "assign":
            attrs["validate_shape"] = bool(validate_shape)
        outputs = _update_outputs(op, inputs, attrs)
        return graph._add_op(NODE_TYPES[op], inputs, outputs, scope, attrs, UPDATES[op])._outputs[0]


def _indices(op: str, indices: Any) -> GraphTensor:
    if isinstance(indices, (list, tuple)) and not indices:
        indices = np.empty(0, np.int64)
    tensor = graph_tensor_of(indices, "indices", None, op)
    expect_integer(op, "indices", tensor._dtype.base_dtype)
    return tensor


def _update_outputs(op: str, inputs: list[GraphTensor], attrs: dict[str, Any]) -> list[tuple[DType, TensorShape]]:
    """Return dtype and static shape of the reference after an update."""
    num_inputs = 2 + (FAMILIES[op].rows is not None)
    if len(inputs) != num_inputs:
        raise ValueError(message(op, "wrong number of inputs", len(inputs), num_inputs))
    reference, *others = inputs
    expect_dtype(op, "value", others[-1]._dtype.base_dtype, reference_of(op, reference)._dtype.base_dtype)
    if not attrs.get("validate_shape", True):
        return [(reference._dtype, others[-1]._shape)]
    return [(reference._dtype, _static_shape(op, inputs, attrs.get("_fills", False)))]


def _static_shape(op: str, inputs: list[GraphTensor], fills: bool) -> TensorShape:
    """Return what is known of the variable's shape after an update; ``ValueError`` if it cannot fit."""
    table, value = spec_of(inputs[0]).shape, spec_of(inputs[-1]).shape
    expected = FAMILIES[op].shape(op, table, spec_of(inputs[1]).shape)
    if not fills and not are_compatible(expected, value):
        check_update_shape(op, value, expected)  # type: ignore[arg-type]
    is_dense = FAMILIES[op].rows is None and not fills
    return TensorShape(merge_shapes(op, "the update", table, value) if is_dense else table)


def _prepare_variable(op: Operation, plan: PlanBuilder) -> None:
    plan.refer(op._outputs[0], op)


def _variable_outputs(inputs: list[GraphTensor], attrs: dict[str, Any]) -> list[tuple[DType, TensorShape]]:
    return [(as_dtype(attrs["dtype"]).as_ref, TensorShape(attrs["shape"]))]


VARIABLE = NodeDefinition("VariableV2", _prepare_variable, _variable_outputs)


NODE_TYPES = {name: "".join(part.capitalize() for part in name.split("_")) for name in FAMILIES}
"""The type of the operation of each update: ``ScatterSub`` for ``scatter_sub``."""

UPDATES = {
    name: NodeDefinition(op_type, functools.partial(prepare_update, name), functools.partial(_update_outputs, name))
    for name, op_type in NODE_TYPES.items()
}


def add_count_up_to(ref: Any, limit: int, name: str | None) -> GraphTensor:
    """Add the operation that counts; return the count before it."""
    reference = reference_of("count_up_to", ref)
    dtype, shape = reference._dtype.base_dtype, reference._shape
    if dtype not in (dtypes.int32, dtypes.int64):
        raise TypeError(message("count_up_to", "ref has the wrong dtype", dtype, "int32 or int64"))
    if shape.ndims not in (0, None):
        raise ValueError(message("count_up_to", "ref is no scalar", shape, "()"))
    if not dtype.min <= limit <= dtype.max:
        raise ValueError(message("count_up_to", "limit does not fit the dtype", limit, dtype))
    graph = reference.graph
    with graph.colocate_with(reference._op):
        attrs = {"limit": limit}
        outputs = [(dtype, TensorShape(()))]
        return graph._add_op("CountUpTo", (reference,), outputs, name or "CountUpTo", attrs, COUNT_UP_TO)._outputs[0]


def _count_outputs(inputs: list[GraphTensor], attrs: dict[str, Any]) -> list[tuple[DType, TensorShape]]:
    return [(reference_of("count_up_to", inputs[0])._dtype.base_dtype, TensorShape(()))]


COUNT_UP_TO = NodeDefinition("CountUpTo", prepare_count, _count_outputs)


def add_is_initialized(ref: Any, name: str | None) -> GraphTensor:
    """Add the operation that tells whether a variable has a value."""
    reference = reference_of("is_variable_initialized", ref)
    outputs = [(dtypes.bool_, TensorShape(()))]
    graph, op_type = reference.graph, "IsVariableInitialized"
    with graph.colocate_with(reference._op):
        return graph._add_op(op_type, (reference,), outputs, name or op_type, {}, IS_INITIALIZED)._outputs[0]


def _prepare_is_initialized(op: Operation, plan: PlanBuilder) -> None:
    variable, storages = plan.variable_of(op._inputs[0]), plan.session.storages
    slot = plan.new_slot(op._outputs[0])

    def run(slots: Slots) -> None:
        slots[slot] = np.array(variable in storages)

    plan.add_step(op, run)


def _is_initialized_outputs(inputs: list[GraphTensor], attrs: dict[str, Any]) -> list[tuple[DType, TensorShape]]:
    reference_of("is_variable_initialized", inputs[0])
    return [(dtypes.bool_, TensorShape(()))]


IS_INITIALIZED = NodeDefinition("IsVariableInitialized", _prepare_is_initialized, _is_initialized_outputs)
