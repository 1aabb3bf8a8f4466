"""Running an op: at once in eager mode, and in graph mode by adding it to the graph."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from nbvars.dtypes import DType
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import GraphTensor, Tensor
from nbvars.runtime.building import add_op
from nbvars.runtime.context import current_device, device, explicit_device
from nbvars.runtime.conversion import borrow
from nbvars.runtime.cuda_dispatch import OF_HOST, copy_to, device_of_op, run_on_gpu
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec, beyond_memory, check_rank
from nbvars.runtime.quiet import quietly
from nbvars.runtime.recording import listening, record
from nbvars.runtime.tensor import EagerTensor


def apply_op(definition: OpDefinition, *inputs: Any, name: str | None = None, **attrs: Any) -> Tensor:
    """Run an op of one output on ``inputs``, which are converted as ``convert_to_tensor`` does.

    In graph mode, or if an input is a tensor of a graph, add it to the graph instead.
    """
    if not executing_eagerly():
        return add_op(definition, inputs, name, attrs)
    if current_device() != "/cpu:0":
        return _apply_elsewhere(definition, inputs, name, attrs)
    tensors, arrays, specs, lent = [], [], [], []
    outputs: tuple[EagerTensor, ...]
    for value in inputs:
        tensor = value
        if type(value) is not EagerTensor:
            # The memory of a variable or of a user's array may change later: no result may share it.
            tensor = borrow(value)
            if not isinstance(tensor, EagerTensor):
                return _apply_elsewhere(definition, inputs, name, attrs)
            lent.append(tensor._array)
        array = tensor._array
        tensors.append(tensor)
        arrays.append(array)
        specs.append(TensorSpec(array.shape, tensor._dtype))
    if attrs and any(isinstance(value, GraphTensor) for value in attrs.values()):
        return add_op(definition, inputs, name, attrs)
    spec = definition.infer(*specs, **attrs)
    check_rank(definition.op_type, spec)
    try:
        result = quietly(definition.compute, *arrays, **attrs)
    except (MemoryError, ValueError) as error:
        raise beyond_memory(definition.op_type, spec, error) from error
    if type(spec) is TensorSpec:
        outputs = (_as_result(result, spec.dtype, lent),)
    else:
        results = zip(result, cast("tuple[TensorSpec, ...]", spec), strict=True)
        outputs = tuple(_as_result(output, output_spec.dtype, lent) for output, output_spec in results)
    if listening.recorders:
        record(definition, tuple(tensors), attrs, outputs)
    return outputs[0] if type(spec) is TensorSpec else cast("Tensor", outputs)


def _apply_elsewhere(
    definition: OpDefinition, inputs: tuple[Any, ...], name: str | None, attrs: dict[str, Any]
) -> Tensor:
    """Run an op of eager mode that concerns a GPU, or add it to the graph of an input."""
    tensors: list[Any] = [borrow(value) for value in inputs]
    if any(isinstance(value, GraphTensor) for value in (*tensors, *attrs.values())):
        return add_op(definition, inputs, name, attrs)
    if definition.op_type == "Identity":
        return copy_to(explicit_device(), *tensors)
    place = device_of_op(definition.op_type, tensors, explicit_device())
    if place != "/cpu:0":
        return cast("Tensor", run_on_gpu(definition, tensors, attrs, place))
    with device("/cpu:0"):
        made = apply_op(definition, *tensors, name=name, **attrs)
    if definition.op_type in OF_HOST:
        return made
    return cast("Tensor", tuple(map(_at_home, made))) if isinstance(made, tuple) else _at_home(made)


def _at_home(tensor: Any) -> Tensor:
    """Return what an op made of values of the host on the device of this thread's ops."""
    return copy_to(explicit_device(), tensor)


def apply_op_to_many(
    definition: OpDefinition, *inputs: Any, name: str | None = None, **attrs: Any
) -> tuple[Tensor, ...]:
    """Run an op of several outputs, as ``apply_op`` does one of a single output."""
    return cast("tuple[Tensor, ...]", apply_op(definition, *inputs, name=name, **attrs))


def _as_result(result: Any, dtype: DType, lent: list[Array]) -> EagerTensor:
    """Return a tensor of what an op computed."""
    array = result if type(result) is np.ndarray else np.asarray(result)
    # Without a base it is the owner of its memory, which is new: what is lent are views.
    if lent and array.base is not None and any(np.may_share_memory(array, other) for other in lent):
        array = array.copy()
    array.flags.writeable = False
    return EagerTensor(array, dtype)
