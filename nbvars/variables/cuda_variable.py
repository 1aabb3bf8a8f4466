"""``CudaVariable``: what ``Variable`` is under ``device("/gpu:0")``."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nbvars.capturing import expect_no_capture
from nbvars.checks import message
from nbvars.cuda_storage import CudaStorage
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.kernels import find_kernel
from nbvars.kernels.cuda.memory import DeviceArray, to_device
from nbvars.ops import state_ops
from nbvars.runtime.context import anywhere, current_device
from nbvars.runtime.conversion import borrow, value_of
from nbvars.runtime.cuda_tensor import CudaTensor, HasDeviceValue, LiveCudaTensor, number_of
from nbvars.runtime.notebook import first_elements, size_of, to_html
from nbvars.runtime.tensor import EagerTensor
from nbvars.variables import copying
from nbvars.variables.row_updates import RowUpdates
from nbvars.variables.variable import Variable

_ASSIGN, _ASSIGN_ADD, _ASSIGN_SUB = (find_kernel(op, "gpu") for op in ("assign", "assign_add", "assign_sub"))
_IN_ALL_FLOATS = 65504.0
"""The largest float16: conversions up to here do not overflow."""


class CudaVariable(HasDeviceValue, Variable):
    """A variable in the memory of a GPU: the same methods, whose updates the GPU makes in the order of the stream.

    Updates take what those of every variable do; numbers travel with the call, lists and arrays are copied to the GPU,
    and arrays of CuPy, torch and others that are there are used where they are. Tensors and variables are on its GPU.
    ``numpy()``, and whatever else the host asks of the value, waits for what the GPU was asked before.
    """

    __slots__ = ()

    _storage: CudaStorage  # type: ignore[assignment]

    def _new_storage(self, initial_value: Any, dtype: DType | None) -> CudaStorage:
        if callable(initial_value):
            # The same numbers as on the CPU, and no need of CuPy to make them.
            with anywhere():
                initial_value = initial_value()
        tensor = borrow(initial_value, dtype, "Variable")
        number = number_of(current_device())
        if isinstance(tensor, CudaTensor):
            expect_no_capture("Variable", "the value is not there yet", "make the variable before the block")
            return CudaStorage(tensor._array.copy_to_device(number))
        if not isinstance(tensor, EagerTensor):
            tensor = value_of(tensor, dtype, "Variable")  # which says what is wrong with it
        return CudaStorage(to_device(tensor._array, number, is_constant=True))

    def _set_storage(self, storage: CudaStorage) -> None:  # type: ignore[override]
        self._storage = storage
        self._dtype = as_numeric_dtype(storage.array.dtype)
        self._numpy_dtype = storage.array.dtype

    def _device_array(self) -> DeviceArray:
        return self._storage.array

    def _as_tensor(self) -> Tensor:
        return self._recorded_read(LiveCudaTensor._wrap(self._storage.array))

    def _copied(self) -> Tensor:
        return CudaTensor._wrap(self._storage.copy())

    def _ready(self, value: Any, use_locking: bool) -> Any:
        """Return ``value`` as the launcher takes it, if nothing else is left to check; else ``None``."""
        self._storage.raise_pending()
        kind = type(value)
        if use_locking:
            return None
        if kind is CudaTensor:
            return value._array if self._storage.array.is_like(value._array) else None
        if kind is float and self._dtype.is_floating and -_IN_ALL_FLOATS <= value <= _IN_ALL_FLOATS:
            return self._numpy_dtype.type(value)
        return None

    def assign(
        self, value: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Replace the value, as ``nbvars.assign``."""
        ready = self._ready(value, use_locking)
        if ready is not None:
            _ASSIGN(self._storage.array, ready)
            return self
        return state_ops.assign(self, value, None, use_locking)

    def assign_add(
        self, delta: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Add ``delta``, as ``nbvars.assign_add``."""
        ready = self._ready(delta, use_locking)
        if ready is not None:
            _ASSIGN_ADD(self._storage.array, ready)
            return self
        return state_ops.assign_add(self, delta, use_locking)

    def assign_sub(
        self, delta: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Subtract ``delta``, as ``nbvars.assign_sub``."""
        ready = self._ready(delta, use_locking)
        if ready is not None:
            _ASSIGN_SUB(self._storage.array, ready)
            return self
        return state_ops.assign_sub(self, delta, use_locking)

    _scatter: Any = RowUpdates._scatter  # without the fast path

    def count_up_to(self, limit: int) -> Any:
        """Add 1 unless ``limit`` is reached, atomically; return what was there, as ``nbvars.count_up_to``.

        Waits for the GPU: it is the GPU that counts.
        """
        return state_ops.count_up_to(self, limit)

    def __repr__(self) -> str:
        value = self.numpy()
        text = repr(value) if isinstance(value, np.ndarray) else str(value)
        if "\n" in text:
            text = f"\n{text}"
        head = f"<nbvars.Variable '{self.name}' shape={self._storage.array.shape} dtype={self._dtype}"
        return f"{head} device={self.device!r}, numpy={text}>"

    def _repr_html_(self) -> str:
        elements: npt.NDArray[Any] = first_elements(self._storage.read())
        facts = {**self._facts(), "size": size_of(self._storage.array)}
        return to_html("nbvars.Variable", facts, self._storage.array.ndim, elements)

    @classmethod
    def _restored(cls, version: int, fields: dict[str, Any]) -> Variable:
        # On a machine without a GPU the variable is the CPU's.
        return copying.restored(
            lambda: object.__new__(Variable if current_device() == "/cpu:0" else CudaVariable), version, fields
        )

    def share_memory(self, name: str | None = None) -> NoReturn:
        """Raise ``TypeError``: processes share memory of the host."""
        wrong, remedy = "a variable on a GPU cannot be shared among processes", "make it under `with device('/cpu:0')`"
        raise TypeError(message("share_memory", wrong, self.device, "/cpu:0", remedy))
