"""The steps of a run that change variables: a fast path for small values, then the way that eager mode takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.graph.operation import Operation
from nbvars.kernels import find_kernel
from nbvars.kernels.cpu.assign import fast_updates
from nbvars.kernels.cpu.counter import count_up_to_entry
from nbvars.kernels.cpu.fast_scatter import fast_scatter
from nbvars.ops.shape_rules import are_compatible
from nbvars.ops.updates import FAMILIES, check_update_shape, update
from nbvars.runtime.plan import PlanBuilder, Slots, Step, raise_uninitialized
from nbvars.storage import CpuStorage

Attempt: TypeAlias = Callable[[CpuStorage, Slots], bool]
"""Makes an update, if it is one for the fast path, and tells whether it did."""

_INT64 = np.dtype(np.int64)
_SCATTERS = ("add", "div", "max", "min", "mul", "sub", "update")


def prepare_update(name: str, op: Operation, plan: PlanBuilder) -> None:
    """Add the step of the update ``name``."""
    reference, *others = op._inputs
    variable = plan.variable_of(reference)
    slots = plan.reads(op, others)
    step = _assigning(plan, variable, slots[0], op) if name == "assign" else _updating(plan, name, variable, slots, op)
    make = functools.partial(_attempt, name, reference._dtype.base_dtype, slots, op, plan)
    plan.add_step(op, _trying(plan, variable, make, step))
    plan.refer(op._outputs[0], variable)


def _trying(plan: PlanBuilder, variable: Operation, make: Callable[[], Attempt | None], otherwise: Step) -> Step:
    """Return a step that attempts the fast path. Making that may compile, so the first value does without."""
    storages = plan.session.storages
    attempt: Attempt | None = None

    def run(slots: Slots) -> None:
        nonlocal attempt
        storage = storages.get(variable)
        if storage is None:
            otherwise(slots)
            return
        if attempt is None:
            attempt = make() or _never
        if not attempt(storage, slots):
            otherwise(slots)

    return run


def _never(storage: CpuStorage, slots: Slots) -> bool:
    return False


def _updating(plan: PlanBuilder, name: str, variable: Operation, inputs: list[int], op: Operation) -> Step:
    storages = plan.session.storages
    fills, use_locking = _fills(op), op._attrs.get("use_locking", False)
    *rows, last = inputs

    def run(slots: Slots) -> None:
        storage = storages.get(variable)
        if storage is None:
            raise_uninitialized(variable)
        update(name, storage, slots[rows[0]] if rows else None, slots[last], use_locking, fills)

    return run


def _assigning(plan: PlanBuilder, variable: Operation, slot: int, op: Operation) -> Step:
    """Return the step of ``assign``, which also gives a variable its first value, or a new shape."""
    storages, lock = plan.session.storages, plan.session.lock
    fills, use_locking, is_free = (
        _fills(op),
        op._attrs.get("use_locking", False),
        not op._attrs.get("validate_shape", True),
    )
    static = variable._attrs["shape"]
    known = None if static.ndims is None else tuple(static.as_list())

    def run(slots: Slots) -> None:
        value = slots[slot]
        storage = storages.get(variable)
        if storage is not None and (fills or storage.array.shape == value.shape):
            update("assign", storage, None, value, use_locking, fills)
            return
        if fills and static.is_fully_defined():
            value = np.broadcast_to(value, known)  # type: ignore[arg-type]
        if not is_free and (storage is not None or not are_compatible(known, value.shape)):
            check_update_shape("assign", value.shape, known if storage is None else storage.array.shape)
        with lock:
            # Whoever has the old memory goes on reading it; nobody writes to it any more.
            storages[variable] = CpuStorage(value)

    return run


def _fills(op: Operation) -> bool:
    """Return whether the value is a number, for every element."""
    return bool(op._attrs.get("_fills", False))


def _attempt(name: str, dtype: DType, slots: list[int], op: Operation, plan: PlanBuilder) -> Attempt | None:
    """Return the fast path of an update; ``None`` if there is none."""
    number = plan.constant_value(op._inputs[-1]) if _fills(op) else None
    if FAMILIES[name].rows is None:
        if number is not None:
            return _by_number(name, dtype, number.item())
        return _by_array(name, dtype, slots[0])
    _, _, operation = name.partition("scatter_")
    if not name.startswith("scatter_") or operation not in _SCATTERS or _fills(op):
        return None
    return _by_rows(operation, dtype, *slots)


def _entry(name: str, dtype: DType, kind: str) -> Any:
    return getattr(fast_updates(dtype.numpy_dtype), f"{name.rpartition('_')[2]}_{kind}")


def _by_number(name: str, dtype: DType, number: Any) -> Attempt | None:
    fits = dtype.is_floating or (dtype.is_integer and -(2**63) <= number < 2**63)
    if not fits:
        return None
    entry = _entry(name, dtype, "number")
    return lambda storage, slots: entry(storage.address, number)


def _by_array(name: str, dtype: DType, slot: int) -> Attempt:
    numpy_dtype, entry = dtype.numpy_dtype, _entry(name, dtype, "array")

    def attempt(storage: CpuStorage, slots: Slots) -> bool:
        value = slots[slot]
        return value.dtype is numpy_dtype and entry(storage.address, value)

    return attempt


def _by_rows(operation: str, dtype: DType, indices_slot: int, values_slot: int) -> Attempt | None:
    numpy_dtype, entry = dtype.numpy_dtype, fast_scatter(operation, dtype.numpy_dtype)
    if entry is None:
        return None

    def attempt(storage: CpuStorage, slots: Slots) -> bool:
        indices, values = slots[indices_slot], slots[values_slot]
        if indices.dtype is not _INT64:
            indices = indices.astype(_INT64)
        return values.dtype is numpy_dtype and entry(storage.address, indices, values)

    return attempt


def prepare_count(op: Operation, plan: PlanBuilder) -> None:
    """Add the step of ``count_up_to``."""
    variable, storages = plan.variable_of(op._inputs[0]), plan.session.storages
    limit, slot = op._attrs["limit"], plan.new_slot(op._outputs[0])
    numpy_dtype = op._outputs[0]._dtype.numpy_dtype
    entry = count_up_to_entry(numpy_dtype)

    def run(slots: Slots) -> None:
        storage = storages.get(variable)
        if storage is None:
            raise_uninitialized(variable)
        if storage.array.ndim:
            raise ValueError(message("count_up_to", "ref is no scalar", storage.array.shape, "()"))
        before = entry(storage.data_address, limit)
        if before == limit:  # the launcher has the words for it
            before = find_kernel("count_up_to", "cpu")(storage.array, limit)
        slots[slot] = np.array(before, numpy_dtype)

    plan.add_step(op, run)
