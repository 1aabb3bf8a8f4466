"""Ops on a GPU: dense mathematics by CuPy, casts by a kernel, and copies between devices.

An op runs where its tensors are. Nothing moves by itself but numbers, arrays and lists of the host and tensors of rank
0, which go to the GPU. A device scope says where an op without tensors runs; with some, it must be where they are.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nbvars.capturing import expect_no_capture
from nbvars.checks import message
from nbvars.dtypes import DType, bfloat16, float32
from nbvars.errors import OpError, UnimplementedError
from nbvars.runtime.cuda_arrays import cast_on_gpu, on_another_device
from nbvars.runtime.cuda_tensor import CudaTensor, number_of, upload
from nbvars.runtime.definition import DEFINITIONS, OpDefinition, TensorSpec, beyond_memory, check_rank
from nbvars.runtime.quiet import quietly
from nbvars.runtime.recording import listening, record
from nbvars.runtime.tensor import BorrowedTensor, EagerTensor, ValueTensor

if TYPE_CHECKING:
    from nbvars.kernels.cuda.memory import DeviceArray

OF_HOST = frozenset(("Shape", "Size", "Rank"))
"""Ops whose results are known to the host and belong to it."""

MADE_ON_HOST = frozenset(("Range", "LinSpace", "RandomStandardNormal", "TruncatedNormal", "RandomUniform"))
"""Ops that the host computes of a few numbers, for which it waits: the same numbers as on the CPU."""


def device_of_op(op_type: str, tensors: Sequence[Any], explicit: str | None) -> str:
    """Return the device on which an op runs that has these inputs: ``"/cpu:0"`` for one of values of the host.

    Raises:
        InvalidArgumentError: The inputs are on several devices, or not where the scope says.
    """
    places = {each.device for each in tensors if isinstance(each, CudaTensor) or _is_bound_to_host(each)}
    expected = explicit or next(iter(sorted(places, reverse=True)), "/cpu:0")
    for place in places:
        if place != expected:
            raise on_another_device(op_type, place, expected)
    return expected if places else "/cpu:0"


def _is_bound_to_host(tensor: EagerTensor) -> bool:
    """Tell whether ``tensor`` is one of the CPU that only the user may move."""
    return not isinstance(tensor, BorrowedTensor) and tensor._array.ndim > 0


def copy_to(device: str | None, tensor: ValueTensor) -> ValueTensor:
    """Return the value that ``tensor`` has now on ``device``, on its own one if that is ``None``: ``Identity``."""
    made: ValueTensor
    if device in (None, tensor.device):
        made = type(tensor)._wrap(tensor._array) if type(tensor) in (EagerTensor, CudaTensor) else tensor._snapshot()  # type: ignore[attr-defined]
    elif device == "/cpu:0":
        made = EagerTensor._wrap(np.asarray(tensor._array_of()))
    elif isinstance(tensor, CudaTensor):
        made = CudaTensor._wrap(tensor._array.copy_to_device(number_of(device)))
    else:
        made = upload(cast(EagerTensor, tensor), device)
    if listening.recorders:
        record(cast(OpDefinition, DEFINITIONS["Identity"]), (tensor,), {}, (made,))
    return made


def run_on_gpu(definition: OpDefinition, inputs: Sequence[ValueTensor], attrs: dict[str, Any], place: str) -> Any:
    """Run an op on the GPU ``place``, and return its output, or a tuple of them."""
    tensors = [each if isinstance(each, CudaTensor) else cast(CudaTensor, copy_to(place, each)) for each in inputs]
    specs = [TensorSpec(each._array.shape, each._dtype) for each in tensors]
    # The memory of a variable or of another library's array may change later: no result may share it.
    lent = [each._array for each in tensors if type(each) is not CudaTensor]
    results = compute_on_gpu(definition, [each._array for each in tensors], specs, attrs, lent)
    outputs = tuple(
        EagerTensor._wrap(each) if isinstance(each, np.ndarray) else CudaTensor._wrap(each) for each in results
    )
    if listening.recorders:
        record(definition, tuple(tensors), attrs, outputs)
    return outputs[0] if type(definition.infer(*specs, **attrs)) is TensorSpec else outputs


def compute_on_gpu(
    definition: OpDefinition,
    arrays: list[DeviceArray],
    specs: Sequence[TensorSpec],
    attrs: dict[str, Any],
    lent: Sequence[DeviceArray] = (),
) -> list[Any]:
    """Return the outputs of an op of ``arrays``, all on one GPU: arrays there, or of the host if the op is ``OF_HOST``.

    No output lies in the memory of ``lent`` ones.
    """
    spec = definition.infer(*specs, **attrs)
    check_rank(definition.op_type, spec)
    if definition.op_type in OF_HOST:
        return [definition.compute(*arrays, **attrs)]
    if definition.op_type == "Cast":
        return [cast_on_gpu(arrays[0], attrs["dtype"].numpy_dtype)]
    if definition.op_type in MADE_ON_HOST:
        return [_made_on_host(definition, arrays, attrs)]
    expected = (spec,) if type(spec) is TensorSpec else cast("tuple[TensorSpec, ...]", spec)
    if any(each.shape is None or None in each.shape for each in expected):
        expect_no_capture(definition.op_type, "the shape of the result depends on values", "leave it out of the step")
    return [_apart(array, lent) for array in _computed(definition, arrays, attrs, expected)]


_UNABLE = (TypeError, ValueError, LookupError, AttributeError, NotImplementedError)
"""What CuPy raises for what it has not. Other errors are those of the GPU, and have their own words."""


def _made_on_host(definition: OpDefinition, arrays: list[DeviceArray], attrs: dict[str, Any]) -> DeviceArray:
    from nbvars.kernels.cuda.memory import to_device

    made = quietly(definition.compute, *[array.copy_to_host() for array in arrays], **attrs)
    return to_device(np.asarray(made), arrays[0].device)


def _computed(
    definition: OpDefinition, arrays: list[DeviceArray], attrs: dict[str, Any], specs: tuple[TensorSpec, ...]
) -> list[DeviceArray]:
    """Return what ``definition.compute`` makes of arrays, run by CuPy."""
    from nbvars.kernels.cuda.dense import compute_on

    op_type, device = definition.op_type, arrays[0].device
    wide = [_widened(array) for array in arrays]
    try:
        results = compute_on(device, functools.partial(quietly, definition.compute), wide, attrs)
    except OpError:
        raise
    except MemoryError as error:
        raise beyond_memory(op_type, specs, error) from error
    except _UNABLE as error:  # all that may be wrong with the arguments, ``infer`` has found
        expect_no_capture(op_type, f"CuPy cannot be captured: {error}", "leave it out of the step")
        remedy = "compute it on the CPU: `with nbvars.device('/cpu:0')`, of `identity(x)` of each input there"
        got = f"{type(error).__name__}: {error}"
        text = message(op_type, "CuPy cannot compute this on a GPU", got, "an op that it has", remedy)
        raise UnimplementedError(None, None, text) from error
    made = results if isinstance(results, list) else [results]
    return [_narrowed(array, each.dtype) for array, each in zip(made, specs, strict=True)]


def _widened(array: DeviceArray) -> DeviceArray:
    """Return bfloat16, which CuPy does not know, as float32."""
    return array if array.dtype != bfloat16.numpy_dtype else cast_on_gpu(array, float32.numpy_dtype)


def _narrowed(array: DeviceArray, dtype: DType) -> DeviceArray:
    return array if array.dtype == dtype.numpy_dtype else cast_on_gpu(array, dtype.numpy_dtype)


def _apart(array: DeviceArray, lent: Sequence[DeviceArray]) -> DeviceArray:
    """Return ``array``, copied if it lies in lent memory."""
    return array.copy() if any(array.overlaps(each) for each in lent) else array
