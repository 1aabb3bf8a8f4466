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
from nbvars.kernels.cpu.counter import count_up_to_entry
from nbvars.kernels.cpu.fast_scatter import fast_scatter
from nbvars.kernels.cpu.fast_updates import fast_updates
from nbvars.ops.shape_rules import are_compatible
from nbvars.ops.updates import FAMILIES, check_update_shape, update
from nbvars.runtime.cuda_steps import on_device
from nbvars.runtime.plan import ANYWHERE, CPU, PlanBuilder
from nbvars.runtime.steps import Slots, Step, raise_uninitialized
from nbvars.storage import CpuStorage

Storages: TypeAlias = dict[Operation, CpuStorage]
Make: TypeAlias = Callable[[], Any]
"""Returns the entry point of a fast path; that may compile, so the first value of a variable does without."""

_INT64, _INT32 = np.dtype(np.int64), np.dtype(np.int32)
_SCATTERS = ("add", "div", "max", "min", "mul", "sub", "update")


def prepare_update(name: str, op: Operation, plan: PlanBuilder) -> None:
    """Add the step of the update ``name``."""
    reference, *others = op._inputs
    variable = plan.variable_of(reference)
    place, *_ = places = [plan.place_of_variable(variable)] * len(others)
    if place != CPU:
        # Rows are the host's or the GPU's, and one number for every element travels with the launch.
        places = [ANYWHERE] * (len(others) - 1) + [CPU if _fills(op) else place]
    slots = [plan.read(op, tensor, where) for tensor, where in zip(others, places, strict=True)]
    step = _assigning(plan, variable, slots[0], op) if name == "assign" else _updating(plan, name, variable, slots, op)
    plan.add_step(op, _fast(plan, name, variable, op, slots, step) if place == CPU else step)
    plan.refer(op._outputs[0], variable)


def _updating(plan: PlanBuilder, name: str, variable: Operation, inputs: list[int], op: Operation) -> Step:
    storages = plan.session.storages
    fills, use_locking = _fills(op), op._attrs.get("use_locking", False)
    deterministic = op._attrs.get("_deterministic")
    *rows, last = inputs

    def run(slots: Slots) -> None:
        storage = storages.get(variable)
        if storage is None:
            raise_uninitialized(variable)
        update(name, storage, slots[rows[0]] if rows else None, slots[last], use_locking, fills, deterministic)

    return run


def _assigning(plan: PlanBuilder, variable: Operation, slot: int, op: Operation) -> Step:
    """Return the step of ``assign``, which also gives a variable its first value, or a new shape."""
    storages, store = plan.session.storages, plan.session.store
    fills, use_locking, is_free = (
        _fills(op),
        op._attrs.get("use_locking", False),
        not op._attrs.get("validate_shape", True),
    )
    static, place = variable._attrs["shape"], plan.place_of_variable(variable)
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
        # Who works on the old memory meanwhile goes on with that, as if before this.
        store(variable, storage_for(value, place))

    return run


def storage_for(value: Any, place: str) -> Any:
    """Return new memory of a variable on ``place``, with a copy of ``value``, which may be on another device."""
    if place == CPU:
        return CpuStorage(on_device(value, CPU))
    from nbvars.cuda_storage import CudaStorage  # takes long, and needs an extra

    array = on_device(value, place)
    return CudaStorage(array if array is not value else array.copy())


def _fills(op: Operation) -> bool:
    """Return whether the value is a number, for every element."""
    return bool(op._attrs.get("_fills", False))


def _fast(plan: PlanBuilder, name: str, variable: Operation, op: Operation, slots: list[int], otherwise: Step) -> Step:
    """Return the step that tries the fast path of an update first; ``otherwise`` if there is none."""
    storages, dtype = plan.session.storages, op._inputs[0]._dtype.base_dtype
    number = plan.constant_value(op._inputs[-1]) if _fills(op) else None
    use_locking = bool(op._attrs.get("use_locking", False))
    if FAMILIES[name].rows is None:
        kind = "array" if number is None else "number"
        make = functools.partial(_dense_entry, name, dtype.numpy_dtype, kind)
        if number is None:
            return _by_array(storages, variable, dtype.numpy_dtype, make, slots[0], use_locking, otherwise)
        if not _fits(dtype, number):
            return otherwise
        return _by_number(storages, variable, number.item(), make, use_locking, otherwise)
    _, _, operation = name.partition("scatter_")
    if not name.startswith("scatter_") or operation not in _SCATTERS or _fills(op):
        return otherwise
    make = functools.partial(_scatter_entry, operation, dtype.numpy_dtype)
    return _by_rows(storages, variable, dtype.numpy_dtype, make, slots, otherwise)


def _fits(dtype: DType, number: Any) -> bool:
    return dtype.is_floating or (dtype.is_integer and -(2**63) <= number < 2**63)


def _dense_entry(name: str, numpy_dtype: np.dtype[Any], kind: str) -> Any:
    return fast_updates(numpy_dtype).entry(f"{name.rpartition('_')[2]}_{kind}")


def _scatter_entry(operation: str, numpy_dtype: np.dtype[Any]) -> Any:
    return fast_scatter(operation, numpy_dtype) or (lambda address, indices, values: False)


# Each step has the whole of its fast path: a call of another function takes a tenth of the run of one update.


def _by_number(
    storages: Storages, variable: Operation, number: Any, make: Make, use_locking: bool, otherwise: Step
) -> Step:
    entry = None

    def run(slots: Slots) -> None:
        nonlocal entry
        storage = storages.get(variable)
        if storage is not None:
            entry = entry or make()
            if entry(storage.address, number, use_locking):
                return
        otherwise(slots)

    return run


def _by_array(
    storages: Storages,
    variable: Operation,
    numpy_dtype: np.dtype[Any],
    make: Make,
    slot: int,
    use_locking: bool,
    otherwise: Step,
) -> Step:
    entry = None

    def run(slots: Slots) -> None:
        nonlocal entry
        storage, value = storages.get(variable), slots[slot]
        if storage is not None and value.dtype is numpy_dtype:
            entry = entry or make()
            if entry(storage.address, value, use_locking):
                return
        otherwise(slots)

    return run


def _by_rows(
    storages: Storages, variable: Operation, numpy_dtype: np.dtype[Any], make: Make, inputs: list[int], otherwise: Step
) -> Step:
    entry, (indices_slot, values_slot) = None, inputs

    def run(slots: Slots) -> None:
        nonlocal entry
        storage, values = storages.get(variable), slots[values_slot]
        if storage is not None and values.dtype is numpy_dtype:
            entry, indices = entry or make(), slots[indices_slot]
            if indices.dtype is not _INT64 and indices.dtype is not _INT32:
                indices = indices.astype(_INT64)
            if entry(storage.address, indices, values):
                return
        otherwise(slots)

    return run


def prepare_count(op: Operation, plan: PlanBuilder) -> None:
    """Add the step of ``count_up_to``."""
    variable, storages = plan.variable_of(op._inputs[0]), plan.session.storages
    limit, slot = op._attrs["limit"], plan.new_slot(op._outputs[0])
    numpy_dtype = op._outputs[0]._dtype.numpy_dtype
    on_cpu = plan.place_of_variable(variable) == CPU
    entry = count_up_to_entry(numpy_dtype) if on_cpu else None

    def run(slots: Slots) -> None:
        storage = storages.get(variable)
        if storage is None:
            raise_uninitialized(variable)
        if storage.array.ndim:
            raise ValueError(message("count_up_to", "ref is no scalar", storage.array.shape, "()"))
        before = entry(storage.data_address, limit) if entry else limit
        if before == limit:  # the launcher has the words for it
            before = find_kernel("count_up_to", storage.device_type)(storage.array, limit)
        slots[slot] = np.array(before, numpy_dtype)

    plan.add_step(op, run)
