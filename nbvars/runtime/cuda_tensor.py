"""Tensors in the memory of a GPU. Nothing here imports CUDA before the first one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbvars.capturing import expect_no_capture
from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.runtime.notebook import first_elements, size_of, to_html
from nbvars.runtime.tensor import DTYPE_OF, EagerTensor, HasValue, LiveTensor, ValueTensor

if TYPE_CHECKING:
    from nbvars.kernels.cuda.memory import DeviceArray


class HasDeviceValue(HasValue):
    """What has its value in the memory of a GPU: subclasses give ``_device_array()``.

    Whatever only NumPy can do is done on a copy in the host's memory, for which the call waits.
    """

    __slots__ = ()

    def _device_array(self) -> DeviceArray:
        """Return the value, without a copy."""
        raise NotImplementedError

    def _array_of(self) -> npt.NDArray[Any]:
        from nbvars.cuda_storage import to_host

        with self._locked():
            return to_host(self._device_array())

    @property
    def ndim(self) -> int | None:
        """Return the number of axes."""
        return self._device_array().ndim

    @property
    def device(self) -> str:
        """Return the device that holds the value, such as ``"/gpu:0"``."""
        return device_name(self._device_array())

    def numpy(self) -> npt.NDArray[Any]:
        """Return a copy of the value in the host's memory: an array, or a NumPy number for a scalar."""
        array = self._array_of()
        return array if array.ndim else array[()]

    def __len__(self) -> int:
        shape = self._device_array().shape
        if not shape:
            raise TypeError(message("len", "a scalar has no length", "rank 0", "rank 1 or more"))
        return shape[0]

    def _single(self, op: str, remedy: str = "") -> Any:
        array = self._device_array()
        if array.size != 1:
            got = f"shape {array.shape}"
            raise ValueError(message(op, "the tensor has no single value", got, "one element", remedy))
        return self._array_of().item()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return a copy of the value as an array of the host."""
        if copy is False:
            wrong, got = "the value is in the memory of a GPU", "copy=False"
            raise ValueError(message("__array__", wrong, got, "a copy", "CuPy and torch take it without one"))
        array = self._array_of()
        return array if dtype is None else array.astype(dtype, copy=False)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self._device_array().__cuda_array_interface__

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Return the value as a DLPack capsule of the GPU's memory: read-only for who knows DLPack 1.0.

        torch does not heed that the memory is read-only; give it ``copy=True`` where it is to write.
        """
        return self._device_array().__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return the device in DLPack's numbers."""
        return self._device_array().__dlpack_device__()


class CudaTensor(HasDeviceValue, ValueTensor):
    """An immutable array of numbers in the memory of a GPU."""

    __slots__ = ()

    _array: DeviceArray

    def __init__(self, array: DeviceArray, dtype: DType) -> None:
        # For the library: ``array`` is read-only, and ``dtype`` is its dtype.
        self._array = array
        self._dtype = dtype

    @classmethod
    def _wrap(cls, array: DeviceArray) -> CudaTensor:
        """Return a tensor over the memory of ``array``, whose later changes show through."""
        return cls(array.read_only(), DTYPE_OF[array.dtype])

    def _device_array(self) -> DeviceArray:
        return self._array

    def __repr__(self) -> str:
        text = str(self._array_of())
        if "\n" in text:
            text = f"\n{text}"
        return f"nbvars.Tensor({text}, shape={self._array.shape}, dtype={self._dtype}, device={self.device!r})"

    def _repr_html_(self) -> str:
        array = self._array
        facts = {"shape": array.shape, "dtype": self._dtype.name, "device": self.device, "size": size_of(array)}
        return to_html("nbvars.Tensor", facts, array.ndim, first_elements(self._array_of()))


class LiveCudaTensor(CudaTensor):
    """The value of a variable on a GPU, on the variable's own memory: later updates show through it."""

    __slots__ = ()

    def _snapshot(self) -> CudaTensor:
        return CudaTensor._wrap(self._array.copy())


class BorrowedCudaTensor(CudaTensor):
    """An array of another library on its own memory: later changes show through it."""

    __slots__ = ()

    def _snapshot(self) -> CudaTensor:
        return CudaTensor._wrap(self._array.copy())


def device_name(array: DeviceArray) -> str:
    """Return the name of the device of an array."""
    return f"/gpu:{array.device}"


def number_of(device: str) -> int:
    """Return the number of the GPU that has this short name."""
    return int(device.removeprefix("/gpu:"))


def expect_constant(tensor: EagerTensor) -> None:
    """Raise ``FailedPreconditionError`` if ``tensor`` is a variable of the host, and a step is being captured."""
    if isinstance(tensor, LiveTensor):
        expect_no_capture("CUDA", "a variable of the host would be the same at each replay", "have it on the GPU")


def upload(tensor: EagerTensor, device: str) -> CudaTensor:
    """Return a copy of ``tensor`` on a GPU."""
    from nbvars.kernels.cuda.memory import to_device

    expect_constant(tensor)

    return CudaTensor._wrap(to_device(np.asarray(tensor._array), number_of(device)))
