"""The steps of a plan: functions of the slots of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np

from nbvars.checks import message
from nbvars.errors import FailedPreconditionError, InvalidArgumentError, OpError, ResourceExhaustedError
from nbvars.graph.operation import Operation
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec, beyond_memory, check_rank
from nbvars.runtime.quiet import quietly

Slots: TypeAlias = list[Any]
Step: TypeAlias = Callable[[Slots], None]
Reader: TypeAlias = Callable[[Slots], Any]

_ndarray = np.ndarray


def raise_for(op: Operation, error: OpError | ValueError | MemoryError) -> NoReturn:
    """Raise what a step of ``op`` has raised, as an ``OpError`` that carries ``op``."""
    if not isinstance(error, OpError):
        kind = ResourceExhaustedError if isinstance(error, MemoryError) else InvalidArgumentError
        raise kind(None, op, f"{str(error) or 'out of memory'}; in the operation {op._name!r}") from error
    if error.op is None:
        error.op = op
        error.message = f"{error.message}; in the operation {op._name!r}"
    raise error


def raise_uninitialized(variable: Operation) -> NoReturn:
    """Raise the error of who reads a variable before its initializer has run."""
    wrong = f"Attempting to use uninitialized value {variable._name}"
    remedy = "run its initializer, or global_variables_initializer(), first"
    sentence = message("Session.run", wrong, "no value", "an initialized variable", remedy)
    raise FailedPreconditionError(None, variable, sentence)


def sequence(steps: list[Step], ops: list[Operation]) -> Step:
    """Return the step that runs ``steps``, with errors that carry their operations."""

    def run(slots: Slots) -> None:
        for step in steps:
            try:
                step(slots)
            except (OpError, ValueError, MemoryError) as error:
                raise_for(ops[steps.index(step)], error)

    return run


def quiet(step: Step) -> Step:
    """Return ``step`` without the warnings of NumPy."""
    return lambda slots: quietly(step, slots)


def forgetting(forgotten: list[int]) -> Step:
    """Return the step that empties slots."""

    def run(slots: Slots) -> None:
        for slot in forgotten:
            slots[slot] = None

    return run


def computation(
    definition: OpDefinition,
    specs: Sequence[TensorSpec],
    inputs: list[int],
    attrs: dict[str, Any],
    outputs: list[int],
    is_lent: bool,
) -> Step:
    """Return the step of an op of arrays.

    Args:
        definition: The op.
        specs: What is known of its inputs.
        inputs: The slots of the inputs, and behind them those of the attributes that only the run knows.
        attrs: The other attributes.
        outputs: The slots to fill.
        is_lent: Whether an input lies in memory that others have, or may change: no output may.
    """
    compute = _computing(definition, specs, attrs)
    # Every op of a run comes by here, so the usual case has no loop.
    single = outputs[0] if len(outputs) == 1 else None

    def run(slots: Slots) -> None:
        arrays = [slots[slot] for slot in inputs]
        results = compute(arrays)
        if single is not None and type(results) is not tuple:
            slots[single] = _own(results, arrays, is_lent)
            return
        for slot, result in zip(outputs, results, strict=True):
            slots[slot] = _own(result, arrays, is_lent)

    return run


def _computing(
    definition: OpDefinition, specs: Sequence[TensorSpec], attrs: dict[str, Any]
) -> Callable[[list[Array]], Any]:
    """Return the computation of an op, with the checks that only a run can make."""
    given = [key for key in definition.run_attrs if key not in attrs]
    is_known = not given and all(spec.shape is not None and None not in spec.shape for spec in specs)
    definition_compute = definition.compute

    checked: Any = None

    def check(arrays: Sequence[Array], known: dict[str, Any]) -> None:
        actual = [TensorSpec(array.shape, spec.dtype) for array, spec in zip(arrays, specs, strict=True)]
        check_rank(definition.op_type, definition.infer(*actual, **known))

    def compute(arrays: list[Array]) -> Any:
        nonlocal checked
        known = attrs
        if given:
            values = [array.tolist() for array in arrays[len(specs) :]]
            sizes = [tuple(value) if isinstance(value, list) else value for value in values]
            known, arrays = attrs | dict(zip(given, sizes, strict=True)), arrays[: len(specs)]
        if not is_known:
            # Most runs are of the same shapes as the one before.
            shapes = [array.shape for array in arrays]
            if given or shapes != checked:
                check(arrays, known)
                checked = shapes
        try:
            return definition_compute(*arrays, **known)
        except (MemoryError, ValueError, IndexError) as error:
            # An assign without validate_shape may have given a variable another shape than is known of it.
            check(arrays, known)
            raise beyond_memory(definition.op_type, specs, error) from error

    return compute


def _own(result: Any, arrays: list[Array], is_lent: bool) -> Array:
    """Return what an op computed as an array: not one of its inputs itself, nor in the memory of lent ones."""
    if type(result) is not _ndarray:
        return np.asarray(result)
    array: Array = result
    for other in arrays:
        if array is other:
            array = array.view()
            break
    if is_lent and array.base is not None and any(np.may_share_memory(array, other) for other in arrays):
        array = array.copy()
    return array
