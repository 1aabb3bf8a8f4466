"""Arrays for ops on a GPU: those of other libraries that are there already, and values of the host that go there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbvars.checks import message
from nbvars.devices import find_gpus
from nbvars.dtypes import DType
from nbvars.errors import InvalidArgumentError
from nbvars.runtime.arrays import can_become, wrong_dtype
from nbvars.runtime.cuda_tensor import BorrowedCudaTensor, CudaTensor

if TYPE_CHECKING:
    from nbvars.kernels.cuda.memory import DeviceArray

_CUDA = 2
"""A GPU, in DLPack's numbers."""


def is_on_gpu(value: Any) -> bool:
    """Tell whether ``value``, of another library, is an array in the memory of a GPU."""
    has_interface = getattr(value, "__cuda_array_interface__", None) is not None and find_gpus().num_devices > 0
    return has_interface or gives_cuda_dlpack(value)


def gives_cuda_dlpack(value: Any) -> bool:
    """Tell whether ``value`` gives memory of a GPU by DLPack."""
    device = getattr(value, "__dlpack_device__", None)
    return device is not None and int(device()[0]) == _CUDA and find_gpus().num_devices > 0


def tensor_from_cuda_dlpack(where: str, value: Any) -> CudaTensor:
    """Return a tensor on the memory that ``value`` gives by DLPack."""
    from nbvars.kernels.cuda.importing import from_dlpack

    return BorrowedCudaTensor._wrap(from_dlpack(where, value))


def borrow_on_gpu(where: str, value: Any, dtype: DType | None = None) -> CudaTensor:
    """Return a tensor on the memory of what ``is_on_gpu``; a copy, if ``dtype`` is another and it can become that.

    Raises:
        TypeError: It has a dtype that cannot become ``dtype``, or that nbvars has not.
        ValueError: It is not C-contiguous, or was freed.
    """
    from nbvars.kernels.cuda.importing import from_interface

    array = from_interface(where, value)
    tensor = BorrowedCudaTensor._wrap(array) if array is not None else tensor_from_cuda_dlpack(where, value)
    if dtype is None or dtype is tensor._dtype:
        return tensor
    if not can_become(tensor._dtype, dtype):
        raise TypeError(wrong_dtype(where, tensor._dtype, dtype, "use cast"))
    return CudaTensor._wrap(cast_on_gpu(tensor._array, dtype.numpy_dtype))


def cast_on_gpu(array: DeviceArray, numpy_dtype: np.dtype[Any]) -> DeviceArray:
    """Return ``array`` in another dtype, as ``cast`` converts it."""
    from nbvars.kernels import find_kernel

    made: DeviceArray = find_kernel("cast", "gpu")(array, numpy_dtype)
    return made


def on_another_device(where: str, got: str, expected: str) -> InvalidArgumentError:
    """Return the error for a value that is not where an op runs."""
    remedy = f"copy it by `with device({expected!r}): identity(x)`"
    return InvalidArgumentError(None, None, message(where, "a value is on another device", got, expected, remedy))
