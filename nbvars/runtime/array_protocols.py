"""``ArrayProtocols``: how NumPy and other array libraries take values of tensors and eager variables.

What shares memory is read-only. There is no ``__array_namespace__``: NumPy's functions take tensors, but what they
return are arrays, and libraries that find no namespace convert by ``np.asarray``, which is right.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.runtime.dlpack import BFLOAT16, CPU, to_dlpack
from nbvars.runtime.numpy_calls import call_function, call_ufunc


class ArrayProtocols:
    """NumPy's protocols of whatever has a value: subclasses give ``_array_of()``."""

    __slots__ = ()

    def _array_of(self) -> npt.NDArray[Any]:
        """Return the value, read-only, without a copy."""
        raise NotImplementedError

    def _locked(self) -> AbstractContextManager[None]:
        """Return what keeps locked updates away while the value is copied."""
        return nullcontext()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return the value as an array by NumPy 2's rules: read-only and without a copy where that can be."""
        array = self._array_of()
        needs_copy = dtype is not None and np.dtype(dtype) != array.dtype
        if needs_copy and copy is False:
            raise ValueError(message("__array__", "the dtype needs a copy", np.dtype(dtype), array.dtype))
        if not (copy or needs_copy):
            return array
        with self._locked():
            return np.array(array, dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **arguments: Any) -> Any:
        """Call a ufunc with arrays in the place of tensors; a variable as ``out`` is updated under its lock."""
        return call_ufunc(ufunc, method, inputs, arguments)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        """Call another of NumPy's functions, likewise."""
        return call_function(function, arguments, keywords)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Return the value as a DLPack capsule: read-only and without a copy for who knows DLPack 1.0, else a copy.

        torch does not heed that the memory is read-only; give it ``copy=True`` where it is to write.
        """
        return to_dlpack(self._array_of(), self._locked(), stream, max_version, dl_device, copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return the device in DLPack's numbers, that of the CPU."""
        return CPU


class Buffer(ArrayProtocols):
    """The read-only memory of a tensor, for ``memoryview`` (from Python 3.12) and for ``__array_interface__``.

    Variables have neither, but ``v.value()`` does: NumPy would prefer them to ``__array__``, and ``np.array(v)`` would
    copy a variable without its lock. bfloat16 has neither form.
    """

    __slots__ = ()

    @property
    def __array_interface__(self) -> dict[str, Any]:
        array = self._array_of()
        if array.dtype == BFLOAT16:
            raise AttributeError(message("__array_interface__", "the dtype has no code", array.dtype, "another dtype"))
        return array.__array_interface__

    def __buffer__(self, flags: int) -> memoryview:
        array = self._array_of()
        if array.dtype == BFLOAT16:
            raise BufferError(message("__buffer__", "the dtype has no code", array.dtype, "another dtype"))
        return array.data


class Absent:
    """Hides an inherited method, from the class too: NumPy looks there."""

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__} has no value before a Session runs it")
