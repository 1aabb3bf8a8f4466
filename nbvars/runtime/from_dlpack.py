"""``from_dlpack``: the values of other libraries as tensors."""

from __future__ import annotations

from typing import Any

from nbvars.checks import message
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Tensor
from nbvars.runtime.arrays import from_array
from nbvars.runtime.conversion import convert_to_tensor
from nbvars.runtime.cuda_arrays import gives_cuda_dlpack, tensor_from_cuda_dlpack
from nbvars.runtime.dlpack import array_from_dlpack
from nbvars.runtime.tensor import BorrowedTensor, EagerTensor


def from_dlpack(x: Any, copy: bool | None = None) -> Tensor:
    """Return the value of ``x``, an array of any library that knows DLPack, as a tensor on the device of ``x``.

    Without ``copy=True`` the tensor lies in the memory of ``x`` where ``x`` can give it, and then shows what is written
    there later; it never writes there itself. bfloat16 stays bfloat16. In a graph the value becomes a constant.

    Args:
        x: An array or tensor of NumPy, torch, JAX, CuPy, ..., or a variable: in memory of the CPU or of a GPU.
        copy: ``True`` for memory of the tensor's own; ``False`` for an error where the memory cannot be shared.

    Raises:
        TypeError: ``x`` does not know DLPack, or has a dtype that nbvars does not.
        BufferError: The memory is another device's, or ``x`` cannot give it: torch refuses tensors that require a
            gradient.
        ValueError: An array on a GPU is not C-contiguous.

    Source: Python array API standard, ``from_dlpack``.
    """
    if gives_cuda_dlpack(x):
        tensor = tensor_from_cuda_dlpack("from_dlpack", x)
        if executing_eagerly():
            return tensor._snapshot() if copy else tensor
        if copy is False:
            wrong, got = "a constant of a graph is in the host's memory", f"copy={copy}"
            raise BufferError(message("from_dlpack", wrong, got, "copy=None or True"))
        return convert_to_tensor(tensor)
    array = from_array("from_dlpack", array_from_dlpack(x, copy), None)
    if not executing_eagerly():
        return convert_to_tensor(array)
    return (EagerTensor if copy else BorrowedTensor)._wrap(array)
