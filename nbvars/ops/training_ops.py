"""Steps of optimizers as ops: a variable, its slots, a gradient and settings; in both modes by the same kernels.

The settings are numbers, tensors or variables. A gradient that is ``IndexedSlices`` touches the rows that it names.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbvars.capturing import expect_no_capture, recording
from nbvars.checks import expect_dtype, expect_integer, message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor, Symbolic
from nbvars.kernels import find_kernel
from nbvars.kernels.cpu.optimizer_steps import step, step_rows
from nbvars.kernels.step_rules import STEPS, slot_dtype_of
from nbvars.ops.variable_nodes import reference_of
from nbvars.runtime.building import entered
from nbvars.runtime.conversion import array_on_gpu, graph_tensor_of, value_of
from nbvars.runtime.cuda_arrays import on_another_device
from nbvars.runtime.cuda_tensor import HasDeviceValue
from nbvars.runtime.definition import NodeDefinition
from nbvars.runtime.plan import CPU, PlanBuilder
from nbvars.runtime.steps import Slots, raise_uninitialized
from nbvars.shapes import TensorShape
from nbvars.storage import CpuStorage

if TYPE_CHECKING:
    from nbvars.cuda_storage import CudaStorage


class TrainingOp(NamedTuple):
    """An optimizer's step as an op.

    Attributes:
        op_type: TensorFlow's name; ``Sparse`` comes before it for gradients that are slices.
        kernel: The step among ``STEPS``.
        settings: The names of what the op is given.
        arrange: Makes of those, as floats, what the kernel takes.
    """

    op_type: str
    kernel: str
    settings: tuple[str, ...]
    arrange: Callable[..., tuple[float, ...]]


def _adam_settings(
    beta1_power: float, beta2_power: float, rate: float, beta1: float, beta2: float, *others: float
) -> tuple[float, ...]:
    corrected = rate * math.sqrt(1 - beta2_power) / (1 - beta1_power)
    return corrected, 1 - beta1, 1 - beta2, *others


def _as_given(*settings: float) -> tuple[float, ...]:
    return settings


def _with_fresh(rate: float, decay: float, *others: float) -> tuple[float, ...]:
    """Return settings with ``1 - decay`` in the place of ``decay``."""
    return rate, 1 - decay, *others


_ADAM = ("beta1_power", "beta2_power", "learning_rate", "beta1", "beta2", "epsilon")
_RMSPROP = ("learning_rate", "decay", "momentum", "epsilon")
_FTRL = ("learning_rate", "learning_rate_power", "l1", "l2", "l2_shrinkage")
TRAINING_OPS = {
    made.kernel: made
    for made in (
        TrainingOp("ApplyAdadelta", "adadelta", ("learning_rate", "rho", "epsilon"), _with_fresh),
        TrainingOp("ApplyAdagrad", "adagrad", ("learning_rate",), _as_given),
        TrainingOp("ApplyAdam", "adam", _ADAM, _adam_settings),
        TrainingOp("ApplyAdamW", "adamw", (*_ADAM, "weight_decay"), _adam_settings),
        TrainingOp("ApplyCenteredRMSProp", "centered_rmsprop", _RMSPROP, _with_fresh),
        TrainingOp("ApplyFtrl", "ftrl", _FTRL, _as_given),
        TrainingOp("ApplyGradientDescent", "gradient_descent", ("learning_rate",), _as_given),
        TrainingOp("ApplyMomentum", "momentum", ("learning_rate", "momentum"), _as_given),
        TrainingOp("ApplyNesterovMomentum", "nesterov", ("learning_rate", "momentum"), _as_given),
        TrainingOp("ApplyRMSProp", "rmsprop", _RMSPROP, _with_fresh),
    )
}
"""By the name of the kernel."""


def apply_step(
    kernel: str,
    var: Any,
    slots: Sequence[Any],
    grad: Any,
    settings: Sequence[Any],
    use_locking: bool = False,
    name: str | None = None,
) -> Any:
    """Make one step of an optimizer: update ``var`` and its ``slots`` in one pass.

    Args:
        kernel: A name of ``TRAINING_OPS``.
        var: A floating variable.
        slots: Variables in its shape; float32 for a 16-bit ``var``, else of its dtype.
        grad: In shape and dtype of ``var``, or ``IndexedSlices`` of it; the values of a row that is named twice are
            added up first.
        settings: Numbers, scalar tensors or variables, in the order of ``TRAINING_OPS[kernel].settings``.
        use_locking: Hold the lock of ``var`` during the step.
        name: Name of the op in graph mode.

    Returns:
        ``var``; in graph mode the reference after the step.

    Raises:
        TypeError: ``var`` is not floating, or ``grad`` of another dtype.
        ValueError: The shapes do not agree, or a setting is no scalar.
        InvalidArgumentError: An index is out of range; nothing is written.
    """
    op = TRAINING_OPS[kernel]
    if isinstance(var, Symbolic):
        return _add_step(op, var, slots, grad, settings, use_locking, name)
    is_sparse = isinstance(grad, IndexedSlices)
    given = (grad.values if is_sparse else grad, var.dtype.base_dtype, op.op_type)
    storage, where = var._storage, op.op_type
    rows: Any
    values: Any
    if isinstance(storage, CpuStorage):
        values = value_of(*given)._array
        rows = value_of(grad.indices, None, where)._array if is_sparse else None
    else:
        storage.raise_pending()
        values = array_on_gpu(*given, storage.array.device)
        rows = array_on_gpu(grad.indices, None, where, storage.array.device) if is_sparse else None
    numbers = _numbers(op, settings, var.dtype.base_dtype.numpy_dtype)
    _run(op, storage, [slot._storage for slot in slots], rows, values, numbers, use_locking)
    return var


def apply_group_step(
    kernel: str,
    variables: Sequence[Any],
    slots: Sequence[Sequence[Any]],
    grads: Sequence[Any],
    settings: Sequence[Any],
    use_locking: bool = False,
) -> None:
    """Make one step of many variables on GPUs, all with the same settings: one launch for those of a dtype on a GPU.

    Arguments and errors as those of ``apply_step``, a list of each; the gradients are dense.
    """
    op = TRAINING_OPS[kernel]
    groups = _grouped(op, variables, slots, grads)
    from nbvars.kernels.cuda.groups import group_step  # takes long, and needs an extra

    for (_, dtype), members in groups.items():
        numbers = _numbers(op, settings, dtype)
        with contextlib.ExitStack() as locks:
            for storage, _, _ in members if use_locking else ():
                locks.enter_context(storage.locked())
            storages, of_each, values = zip(*members, strict=True)
            params = [storage.array for storage in storages]
            group_step(op.op_type, kernel, params, of_each, values, op.arrange(*numbers))


def capture_group_step(
    kernel: str,
    variables: Sequence[Any],
    slots: Sequence[Sequence[Any]],
    grads: Sequence[Any],
    settings: Callable[[], Sequence[Any]],
) -> None:
    """Capture one step of many variables on GPUs: each replay calls ``settings`` for its own.

    Arguments and errors as those of ``apply_group_step``; this thread captures.
    """
    op, found = TRAINING_OPS[kernel], recording()
    assert found is not None
    groups = _grouped(op, variables, slots, grads)
    from nbvars.kernels.cuda.captured_steps import SettingsInMemory, captured_group_step

    for (device, dtype), members in groups.items():
        memory = SettingsInMemory(dtype, device)
        storages, of_each, values = zip(*members, strict=True)
        params = [storage.array for storage in storages]
        captured_group_step(op.op_type, kernel, params, of_each, values, memory)

        def send(memory: Any = memory, dtype: Any = dtype) -> None:
            memory.send(op.arrange(*_numbers(op, settings(), dtype)))

        found.before_replay.append(send)


def _grouped(
    op: TrainingOp, variables: Sequence[Any], slots: Sequence[Sequence[Any]], grads: Sequence[Any]
) -> dict[Any, list[tuple[CudaStorage, list[Any], Any]]]:
    """Return the storage, the slots and the gradient of each variable, by GPU and dtype."""
    groups: dict[Any, list[tuple[CudaStorage, list[Any], Any]]] = {}
    for var, of_var, grad in zip(variables, slots, grads, strict=True):
        storage = var._storage
        storage.raise_pending()
        value = array_on_gpu(grad, var.dtype.base_dtype, op.op_type, storage.array.device)
        arrays = _on_one_device(op, storage, [slot._storage.array for slot in of_var])
        groups.setdefault((storage.array.device, storage.array.dtype), []).append((storage, arrays, value))
    return groups


def _numbers(op: TrainingOp, settings: Sequence[Any], dtype: np.dtype[Any]) -> list[float]:
    """Return the settings of the step of a variable of ``dtype``."""
    precision = slot_dtype_of(dtype)
    return [_number(op, key, each, precision) for key, each in zip(op.settings, settings, strict=True)]


def _number(op: TrainingOp, key: str, setting: Any, precision: np.dtype[Any]) -> float:
    """Return a setting in the precision of the slots: 1 - beta is then what it is for a power that a variable holds."""
    if type(setting) is float or type(setting) is int:
        return float(precision.type(setting))
    remedy = "give dense gradients to apply_gradients, or make it a number"
    expect_no_capture(op.op_type, f"{key} would be the same at each replay", remedy)
    if isinstance(setting, str):
        raise TypeError(message(op.op_type, f"{key} is no number", repr(setting), "a number or a scalar tensor"))
    storage = getattr(setting, "_storage", None)  # that of a variable, such as the powers of Adam
    if isinstance(storage, CpuStorage):
        array = storage.array
    else:
        array = setting.numpy() if isinstance(setting, HasDeviceValue) else value_of(setting, None, op.op_type)._array
    if array.ndim:
        raise ValueError(message(op.op_type, f"{key} is no scalar", f"shape {array.shape}", "shape ()"))
    return float(array)


def _run(
    op: TrainingOp,
    storage: CpuStorage | CudaStorage,
    slots: Sequence[CpuStorage | CudaStorage],
    rows: Any,
    values: Any,
    numbers: Sequence[float],
    use_locking: bool,
) -> None:
    if use_locking:
        with storage.locked():
            _run(op, storage, slots, rows, values, numbers, False)
        return
    settings = op.arrange(*numbers)
    if not isinstance(storage, CpuStorage):
        _run_on_gpu(op, storage, [slot.array for slot in slots], rows, values, settings)
        return
    arrays: list[Any] = [slot.array for slot in slots]
    if rows is None:
        step(op.op_type, op.kernel, storage.array, arrays, values, settings)
    else:
        step_rows(op.op_type, op.kernel, storage.array, arrays, rows, values, settings)


def _run_on_gpu(
    op: TrainingOp, storage: CudaStorage, slots: list[Any], rows: Any, values: Any, settings: Sequence[float]
) -> None:
    """Make the step by the launcher of the GPU; an error names the variable's place where a slot is on another."""
    _on_one_device(op, storage, slots)
    if rows is None:
        find_kernel(f"{op.kernel}_step", "gpu")(storage.array, slots, values, settings)
    else:
        find_kernel(f"{op.kernel}_step_rows", "gpu")(storage.array, slots, rows, values, settings)


def _on_one_device(op: TrainingOp, storage: CudaStorage, slots: list[Any]) -> list[Any]:
    """Return ``slots``, which are on the GPU of the variable, else it is an error."""
    for slot in slots:
        if slot.device != storage.array.device:
            got = f"a slot on {'/cpu:0' if isinstance(slot, np.ndarray) else f'/gpu:{slot.device}'}"
            raise on_another_device(op.op_type, got, f"/gpu:{storage.array.device}")
    return slots


def _add_step(
    op: TrainingOp,
    var: Any,
    slots: Sequence[Any],
    grad: Any,
    settings: Sequence[Any],
    use_locking: bool,
    name: str | None,
) -> GraphTensor:
    references = [reference_of(op.op_type, each) for each in (var, *slots)]
    reference, dtype = references[0], references[0]._dtype.base_dtype
    graph, is_sparse = reference.graph, isinstance(grad, IndexedSlices)
    op_type = f"Sparse{op.op_type}" if is_sparse else op.op_type
    with entered(graph), graph.colocate_with(reference._op):
        with graph.name_scope(name or op_type) as scope:
            given = (grad.values, grad.indices) if is_sparse else (grad,)
            parts = [graph_tensor_of(given[0], "grad", dtype, op_type)]
            parts += [graph_tensor_of(each, "indices", None, op_type) for each in given[1:]]
            precision = as_dtype(slot_dtype_of(dtype.numpy_dtype))
            numbers = [
                _scalar_tensor(op, key, each, precision) for key, each in zip(op.settings, settings, strict=True)
            ]
        inputs = [*references, *parts, *numbers]
        attrs = {"use_locking": bool(use_locking)}
        outputs = _outputs(op, is_sparse, inputs, attrs)
        return graph._add_op(op_type, inputs, outputs, scope, attrs, _NODES[op.kernel, is_sparse])._outputs[0]


def _scalar_tensor(op: TrainingOp, key: str, setting: Any, precision: DType) -> GraphTensor:
    if hasattr(setting, "_ref"):
        tensor: GraphTensor = setting._ref()
    else:
        dtype = None if isinstance(setting, Symbolic) else precision
        tensor = graph_tensor_of(setting, key, dtype, op.op_type)
    if tensor._shape.ndims not in (0, None):
        raise ValueError(message(op.op_type, f"{key} is no scalar", f"shape {tensor._shape}", "shape ()"))
    return tensor


def _outputs(
    op: TrainingOp, is_sparse: bool, inputs: list[GraphTensor], attrs: dict[str, Any]
) -> list[tuple[DType, TensorShape]]:
    """Check dtypes and static shapes; return those of the reference after the step."""
    num_slots = STEPS[op.kernel].num_slots
    expected = 2 + num_slots + is_sparse + len(op.settings)
    if len(inputs) != expected:
        raise ValueError(message(op.op_type, "wrong number of inputs", len(inputs), expected))
    reference, slots, grad = inputs[0], inputs[1 : 1 + num_slots], inputs[1 + num_slots]
    dtype = reference_of(op.op_type, reference)._dtype.base_dtype
    if not dtype.is_floating:
        raise TypeError(message(op.op_type, "var has the wrong dtype", dtype, "a floating dtype"))
    expect_dtype(op.op_type, "grad", grad._dtype.base_dtype, dtype)
    for slot in slots:
        expect_dtype(op.op_type, "a slot", slot._dtype.base_dtype, as_dtype(slot_dtype_of(dtype.numpy_dtype)))
        slot._shape.assert_is_compatible_with(reference._shape)
    if not is_sparse:
        if not grad._shape.is_compatible_with(reference._shape):
            raise ValueError(message(op.op_type, "grad has the wrong shape", grad._shape, reference._shape))
    else:
        expect_integer(op.op_type, "indices", inputs[2 + num_slots]._dtype.base_dtype)
    return [(reference._dtype, reference._shape)]


def _prepare(op: TrainingOp, is_sparse: bool, node: Operation, plan: PlanBuilder) -> None:
    num_slots = STEPS[op.kernel].num_slots
    variables = [plan.variable_of(each) for each in node._inputs[: 1 + num_slots]]
    given = plan.reads(node, node._inputs[1 + num_slots : 2 + num_slots + is_sparse])
    places = [plan.read(node, each, CPU) for each in node._inputs[2 + num_slots + is_sparse :]]
    storages, use_locking = plan.session.storages, node._attrs.get("use_locking", False)

    def run(slots: Slots) -> None:
        found = [storages.get(variable) for variable in variables]
        for variable, storage in zip(variables, found, strict=True):
            if storage is None:
                raise_uninitialized(variable)
        if not isinstance(found[0], CpuStorage):
            wrong = "the settings would be the same at each replay"
            expect_no_capture(op.op_type, wrong, "capture apply_gradients in eager mode")
        rows = slots[given[1]] if is_sparse else None
        numbers = [float(slots[place]) for place in places]
        _run(op, found[0], found[1:], rows, slots[given[0]], numbers, use_locking)

    plan.add_step(node, run)
    plan.refer(node._outputs[0], variables[0])


_NODES = {
    (op.kernel, is_sparse): NodeDefinition(
        f"Sparse{op.op_type}" if is_sparse else op.op_type,
        functools.partial(_prepare, op, is_sparse),
        functools.partial(_outputs, op, is_sparse),
    )
    for op in TRAINING_OPS.values()
    for is_sparse in (False, True)
}
