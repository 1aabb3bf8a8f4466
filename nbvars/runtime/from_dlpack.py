"""``from_dlpack``: the values of other libraries as tensors."""

from __future__ import annotations

from typing import Any

from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Tensor
from nbvars.runtime.arrays import from_array
from nbvars.runtime.context import current_device
from nbvars.runtime.conversion import convert_to_tensor
from nbvars.runtime.dlpack import array_from_dlpack
from nbvars.runtime.tensor import BorrowedTensor, EagerTensor


def from_dlpack(x: Any, copy: bool | None = None) -> Tensor:
    """Return the value of ``x``, an array of any library that knows DLPack, as a tensor.

    Without ``copy=True`` the tensor lies in the memory of ``x`` where ``x`` can give it, and then shows what is written
    there later; it never writes there itself. bfloat16 stays bfloat16. In a graph the value becomes a constant.

    Args:
        x: An array or tensor of NumPy, torch, JAX, CuPy (in memory of the CPU), ..., or a variable.
        copy: ``True`` for memory of the tensor's own; ``False`` for an error where the memory cannot be shared.

    Raises:
        TypeError: ``x`` does not know DLPack, or has a dtype that nbvars does not.
        BufferError: The memory is not that of the CPU, or ``x`` cannot give it: torch refuses tensors that require a
            gradient.

    Source: Python array API standard, ``from_dlpack``.
    """
    array = from_array("from_dlpack", array_from_dlpack(x, copy), None)
    if not executing_eagerly():
        return convert_to_tensor(array)
    return (EagerTensor if copy else BorrowedTensor)._wrap(array, current_device())
