"""``EagerTensor``, an immutable value, and ``HasValue``, the conversions that it shares with eager variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.devices import list_devices
from nbvars.dtypes import ALL, DType, as_dtype
from nbvars.graph.tensor import Tensor, TensorLike
from nbvars.runtime.array_protocols import ArrayProtocols, Buffer
from nbvars.runtime.notebook import first_elements, size_of, to_html
from nbvars.shapes import TensorShape

# Quicker than as_dtype; without the dtypes of foreign byte order.
DTYPE_OF: dict[np.dtype[Any], DType] = {dtype.numpy_dtype: dtype for dtype in ALL}


class HasValue(ArrayProtocols, TensorLike):
    """What has its value at hand: subclasses give ``_as_tensor()``."""

    __slots__ = ()

    def _as_tensor(self) -> Any:
        """Return the value as an ``EagerTensor``, without a copy."""
        raise NotImplementedError

    def _array_of(self) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = self._as_tensor()._array
        return array

    @property
    def ndim(self) -> int | None:
        """Return the number of axes."""
        return self._array_of().ndim

    def numpy(self) -> npt.NDArray[Any]:
        """Return a copy of the value: a writable array, or a NumPy number for a scalar."""
        array = self._array_of()
        return array.copy() if array.ndim else array[()]

    def __len__(self) -> int:
        array = self._array_of()
        if array.ndim == 0:
            raise TypeError(message("len", "a scalar has no length", "rank 0", "rank 1 or more"))
        return len(array)

    def __iter__(self) -> Iterator[Tensor]:
        tensor: ValueTensor = self._as_tensor()
        if tensor._array.ndim == 0:
            raise TypeError(message("iter", "a scalar cannot be iterated over", "rank 0", "rank 1 or more"))
        return (tensor[i] for i in range(tensor._array.shape[0]))

    def __bool__(self) -> bool:
        return bool(self._single("bool", "use reduce_any or reduce_all"))

    def __int__(self) -> int:
        return int(self._single("int"))

    def __float__(self) -> float:
        return float(self._single("float"))

    def __complex__(self) -> complex:
        return complex(self._single("complex"))

    def __index__(self) -> int:
        value = self._single("index")
        if type(value) is not int:
            raise TypeError(message("index", "the tensor is no integer", self.dtype, "an integer dtype"))
        return value

    def _single(self, op: str, remedy: str = "") -> Any:
        """Return the only element as a Python number."""
        array = self._array_of()
        if array.size != 1:
            got = f"shape {array.shape}"
            raise ValueError(message(op, "the tensor has no single value", got, "one element", remedy))
        return array.item()

    def __format__(self, format_spec: str) -> str:
        return format(self._single("format"), format_spec) if format_spec else str(self)


class ValueTensor(HasValue, Tensor):
    """A tensor that has its value at hand, on whatever device: ``_array`` is an array there."""

    __slots__ = ("_array",)

    _array: Any

    def _as_tensor(self) -> Self:
        return self

    def _snapshot(self) -> ValueTensor:
        """Return a tensor that no later change reaches: this one, or a copy."""
        return self

    def eval(self, feed_dict: Any = None, session: Any = None) -> npt.NDArray[Any]:
        """Return ``numpy()``; the arguments are those of graph mode."""
        return self.numpy()

    @property
    def shape(self) -> TensorShape:
        """Return the shape."""
        return TensorShape(self._array.shape)

    def __copy__(self) -> ValueTensor:
        return self._snapshot()

    def __deepcopy__(self, memo: Any) -> ValueTensor:
        return self._snapshot()

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (self._array_of(), self.device)


class EagerTensor(Buffer, ValueTensor):
    """An immutable array of numbers; the ops make them, and ``constant`` does.

    Source: TensorFlow 2 API pages, ``tf.Tensor``.
    """

    __slots__ = ()

    _array: npt.NDArray[Any]

    def __init__(self, array: npt.NDArray[Any], dtype: DType) -> None:
        # For the library: ``array`` is read-only, and ``dtype`` is its dtype.
        self._array = array
        self._dtype = dtype

    @classmethod
    def _wrap(cls, array: npt.NDArray[Any]) -> EagerTensor:
        """Return a tensor over the memory of ``array``, whose later changes show through."""
        view = array.view()
        view.flags.writeable = False
        return cls(view, DTYPE_OF.get(array.dtype) or as_dtype(array.dtype))

    def _array_of(self) -> npt.NDArray[Any]:
        return self._array

    @property
    def device(self) -> str:
        """Return the device that holds the value: ``"/cpu:0"``."""
        return "/cpu:0"

    def __repr__(self) -> str:
        text = str(self._array)
        if "\n" in text:
            text = f"\n{text}"
        return f"nbvars.Tensor({text}, shape={self._array.shape}, dtype={self._dtype})"

    def _repr_html_(self) -> str:
        array = self._array
        facts = {"shape": array.shape, "dtype": self._dtype.name, "device": self.device, "size": size_of(array)}
        return to_html("nbvars.Tensor", facts, array.ndim, first_elements(array))


class LiveTensor(EagerTensor):
    """The value of a variable, on the variable's own memory: later updates show through it.

    What an op makes of it is an ordinary tensor, which does not change; so is a copy.
    """

    __slots__ = ()

    def _snapshot(self) -> EagerTensor:
        return EagerTensor._wrap(self._array.copy())


class BorrowedTensor(EagerTensor):
    """What a user gives in the place of a tensor: an array on its own memory, whose later changes show, or a list.

    Of the public functions only ``from_dlpack`` returns one.
    """

    __slots__ = ()

    def _snapshot(self) -> EagerTensor:
        return EagerTensor._wrap(self._array.copy())


def restored(array: npt.NDArray[Any], device: str) -> Tensor:
    """Return the tensor that was pickled: on its device, if that is here."""
    tensor = EagerTensor._wrap(array)
    if device == "/cpu:0" or device not in list_devices():
        return tensor
    from nbvars.runtime.cuda_tensor import upload

    return upload(tensor, device)
