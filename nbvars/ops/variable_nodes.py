"""Variables in a graph: the operation that stands for the memory, and those that fill, change and ask after it.

An update takes a reference and returns it, so that whoever uses its output sees the value after it.
"""

from __future__ import annotations

import functools
import numbers
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_integer, message
from nbvars.dtypes import DType
from nbvars.graph.graph import Graph
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.kernels import find_kernel
from nbvars.kernels.cpu.assign import fast_updates
from nbvars.ops.shape_rules import are_compatible, merge_shapes
from nbvars.ops.updates import FAMILIES, check_update_shape, update
from nbvars.runtime.building import entered, spec_of
from nbvars.runtime.conversion import graph_tensor_of
from nbvars.runtime.definition import NodeDefinition
from nbvars.runtime.plan import PlanBuilder, Slots, Step, raise_uninitialized
from nbvars.shapes import TensorShape
from nbvars.storage import CpuStorage

Array = np.ndarray[Any, Any]


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
) -> GraphTensor:
    """Add the update ``op`` to the graph of ``ref``; return the reference after it.

    Raises:
        TypeError: ``ref`` is no reference, ``indices`` no integers, or ``value`` of another dtype.
        ValueError: The shapes do not agree, or something is of another graph.
    """
    reference = reference_of(op, ref)
    graph = reference.graph
    with entered(graph), graph.colocate_with(reference._op):
        with graph.name_scope(name or NODE_TYPES[op]) as scope:
            inputs = [reference]
            if FAMILIES[op].rows is not None:
                inputs.append(_indices(op, indices))
            inputs.append(graph_tensor_of(value, "value", reference._dtype.base_dtype, op))
        fills = isinstance(value, (numbers.Number, np.generic))
        shape = _static_shape(op, inputs, fills) if validate_shape else inputs[-1]._shape
        attrs = {"use_locking": bool(use_locking), "_fills": fills}
        if op == "assign":
            attrs["validate_shape"] = bool(validate_shape)
        outputs = [(reference._dtype, shape)]
        return graph._add_op(NODE_TYPES[op], inputs, outputs, scope, attrs, UPDATES[op])._outputs[0]


def _indices(op: str, indices: Any) -> GraphTensor:
    if isinstance(indices, (list, tuple)) and not indices:
        indices = np.empty(0, np.int64)
    tensor = graph_tensor_of(indices, "indices", None, op)
    expect_integer(op, "indices", tensor._dtype.base_dtype)
    return tensor


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


VARIABLE = NodeDefinition("VariableV2", _prepare_variable)


def _prepare_update(name: str, op: Operation, plan: PlanBuilder) -> None:
    """Add the step of an update."""
    reference, *others = op._inputs
    variable = plan.variable_of(reference)
    slots = plan.reads(op, others)
    fills, use_locking = op._attrs.get("_fills", False), op._attrs["use_locking"]
    if name == "assign":
        step = _assigning(plan, variable, slots[0], op)
    else:
        step = _updating(plan.session.storages, name, variable, slots, use_locking, fills)
        number = plan.constant_value(others[-1]) if fills else None
        if name in _FAST:
            dtype = reference._dtype.base_dtype
            step = _fast_update(plan.session.storages, name, variable, slots[0], dtype, number, step)
    plan.add_step(op, step)
    plan.refer(op._outputs[0], variable)


def _updating(
    storages: dict[Operation, Any], name: str, variable: Operation, inputs: list[int], use_locking: bool, fills: bool
) -> Step:
    *rows, last = inputs

    def run(slots: Slots) -> None:
        storage = storages.get(variable)
        if storage is None:
            raise_uninitialized(variable)
        update(name, storage, slots[rows[0]] if rows else None, slots[last], use_locking, fills)

    return run


_FAST = {"assign_add": "add", "assign_sub": "sub"}


def _fast_update(
    storages: dict[Operation, Any],
    name: str,
    variable: Operation,
    slot: int,
    dtype: DType,
    number: Array | None,
    otherwise: Step,
) -> Step:
    """Return a step that tries the fast path of small variables first."""
    numpy_dtype = dtype.numpy_dtype
    if number is not None and not (dtype.is_floating or dtype.is_integer):
        return otherwise
    entry = getattr(fast_updates(numpy_dtype), f"{_FAST[name]}_{'array' if number is None else 'number'}")
    if number is not None:
        value = number.item()

        def add_number(slots: Slots) -> None:
            storage = storages.get(variable)
            if storage is None or not entry(storage.address, value):
                otherwise(slots)

        return add_number

    def add_array(slots: Slots) -> None:
        storage = storages.get(variable)
        delta = slots[slot]
        if storage is None or delta.dtype is not numpy_dtype or not entry(storage.address, delta):
            otherwise(slots)

    return add_array


def _assigning(plan: PlanBuilder, variable: Operation, slot: int, op: Operation) -> Step:
    """Return the step of ``assign``, which also gives a variable its first value, or a new shape."""
    storages, lock = plan.session.storages, plan.session.lock
    fills, use_locking = op._attrs.get("_fills", False), op._attrs["use_locking"]
    is_free = not op._attrs["validate_shape"]
    static: TensorShape = variable._attrs["shape"]

    def run(slots: Slots) -> None:
        value = slots[slot]
        storage = storages.get(variable)
        if storage is not None and (fills or storage.array.shape == value.shape):
            update("assign", storage, None, value, use_locking, fills)
            return
        with lock:
            if fills and static.is_fully_defined():
                value = np.broadcast_to(value, static.as_list())  # type: ignore[arg-type]
            known = None if static.ndims is None else tuple(static.as_list())
            if not is_free and (storage is not None or not are_compatible(known, value.shape)):
                check_update_shape("assign", value.shape, known if storage is None else storage.array.shape)
            # Whoever has the old memory goes on reading it; nobody writes to it any more.
            storages[variable] = CpuStorage(value)

    return run


NODE_TYPES = {name: "".join(part.capitalize() for part in name.split("_")) for name in FAMILIES}
"""The type of the operation of each update: ``ScatterSub`` for ``scatter_sub``."""

UPDATES = {
    name: NodeDefinition(op_type, functools.partial(_prepare_update, name)) for name, op_type in NODE_TYPES.items()
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


def _prepare_count(op: Operation, plan: PlanBuilder) -> None:
    variable, storages = plan.variable_of(op._inputs[0]), plan.session.storages
    limit, slot = op._attrs["limit"], plan.new_slot(op._outputs[0])
    numpy_dtype = op._outputs[0]._dtype.numpy_dtype

    def run(slots: Slots) -> None:
        storage = storages.get(variable)
        if storage is None:
            raise_uninitialized(variable)
        slots[slot] = np.array(find_kernel("count_up_to", "cpu")(storage.array, limit), numpy_dtype)

    plan.add_step(op, run)


COUNT_UP_TO = NodeDefinition("CountUpTo", _prepare_count)


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


IS_INITIALIZED = NodeDefinition("IsVariableInitialized", _prepare_is_initialized)
