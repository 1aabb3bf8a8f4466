"""``Tensor``, an immutable value, and ``TensorLike``, the operators that it shares with ``Variable``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.dtypes import ALL, DType, as_dtype
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.shapes import TensorShape

# Quicker than as_dtype; without the dtypes of foreign byte order.
DTYPE_OF: dict[np.dtype[Any], DType] = {dtype.numpy_dtype: dtype for dtype in ALL}

# The functions behind the operators: ops are a layer above, so ops/__init__.py puts them here.
OPERATORS: dict[str, Callable[..., Tensor]] = {}


class TensorLike:
    """Operators and conversions of whatever has a tensor's value: subclasses give ``_as_tensor()``.

    The operands of an operator are converted as ``convert_to_tensor`` does, with one exception: Python's and
    NumPy's numbers, and lists, take the dtype of the tensor if NumPy's ``same_kind`` rule allows it.
    Tensors never promote: operands of different dtypes are a ``TypeError``.
    """

    __slots__ = ()

    # Makes ndarray + tensor call the tensor's __radd__. (Not ``__array_ufunc__ = None``, which would do the
    # same but also forbid np.exp(tensor).)
    __array_priority__ = 1000.0

    def _as_tensor(self) -> Tensor:
        """Return the value as a tensor, without a copy."""
        raise NotImplementedError

    @property
    def dtype(self) -> DType:
        """Return the type of the elements."""
        return self._as_tensor().dtype

    @property
    def shape(self) -> TensorShape:
        """Return the static shape."""
        return self._as_tensor().shape

    @property
    def device(self) -> str:
        """Return the device that holds the value, such as ``"/cpu:0"``."""
        return self._as_tensor().device

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return self._as_tensor()._array.ndim

    def get_shape(self) -> TensorShape:
        """Return ``shape``."""
        return self.shape

    def numpy(self) -> npt.NDArray[Any]:
        """Return a copy of the value: a writable array, or a NumPy number for a scalar."""
        array = self._as_tensor()._array
        return array.copy() if array.ndim else array[()]

    def eval(self, feed_dict: Any = None, session: Any = None) -> npt.NDArray[Any]:
        """Return ``numpy()``; the arguments are those of graph mode."""
        return self.numpy()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = self._as_tensor()._array
        if copy:
            return np.array(array, dtype=dtype)
        if copy is False and dtype is not None and np.dtype(dtype) != array.dtype:
            raise ValueError(message("__array__", "the dtype needs a copy", np.dtype(dtype), array.dtype))
        return np.asarray(array, dtype=dtype)

    def __len__(self) -> int:
        array = self._as_tensor()._array
        if array.ndim == 0:
            raise TypeError(message("len", "a scalar has no length", "rank 0", "rank 1 or more"))
        return len(array)

    def __iter__(self) -> Iterator[Tensor]:
        tensor = self._as_tensor()
        if tensor._array.ndim == 0:
            raise TypeError(message("iter", "a scalar cannot be iterated over", "rank 0", "rank 1 or more"))
        return (tensor[i] for i in range(len(tensor._array)))

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
        array = self._as_tensor()._array
        if array.size != 1:
            got = f"shape {array.shape}"
            raise ValueError(message(op, "the tensor has no single value", got, "one element", remedy))
        return array.item()

    def __format__(self, format_spec: str) -> str:
        return format(self._single("format"), format_spec) if format_spec else str(self)

    def __getitem__(self, key: Any) -> Tensor:
        return OPERATORS["getitem"](self, key)

    def __neg__(self) -> Tensor:
        return OPERATORS["negative"](self)

    def __pos__(self) -> Tensor:
        return OPERATORS["identity"](self)

    def __abs__(self) -> Tensor:
        return OPERATORS["abs"](self)

    def __invert__(self) -> Tensor:
        return OPERATORS["invert"](self)

    def __add__(self, other: TensorValue) -> Tensor:
        return OPERATORS["add"](self, other)

    def __radd__(self, other: TensorValue) -> Tensor:
        return OPERATORS["add"](other, self)

    def __sub__(self, other: TensorValue) -> Tensor:
        return OPERATORS["subtract"](self, other)

    def __rsub__(self, other: TensorValue) -> Tensor:
        return OPERATORS["subtract"](other, self)

    def __mul__(self, other: TensorValue) -> Tensor:
        return OPERATORS["multiply"](self, other)

    def __rmul__(self, other: TensorValue) -> Tensor:
        return OPERATORS["multiply"](other, self)

    def __truediv__(self, other: TensorValue) -> Tensor:
        return OPERATORS["truediv"](self, other)

    def __rtruediv__(self, other: TensorValue) -> Tensor:
        return OPERATORS["truediv"](other, self)

    def __floordiv__(self, other: TensorValue) -> Tensor:
        return OPERATORS["floordiv"](self, other)

    def __rfloordiv__(self, other: TensorValue) -> Tensor:
        return OPERATORS["floordiv"](other, self)

    def __mod__(self, other: TensorValue) -> Tensor:
        return OPERATORS["mod"](self, other)

    def __rmod__(self, other: TensorValue) -> Tensor:
        return OPERATORS["mod"](other, self)

    def __pow__(self, other: TensorValue) -> Tensor:
        return OPERATORS["pow"](self, other)

    def __rpow__(self, other: TensorValue) -> Tensor:
        return OPERATORS["pow"](other, self)

    def __matmul__(self, other: TensorValue) -> Tensor:
        return OPERATORS["matmul"](self, other)

    def __rmatmul__(self, other: TensorValue) -> Tensor:
        return OPERATORS["matmul"](other, self)

    def __and__(self, other: TensorValue) -> Tensor:
        return OPERATORS["and"](self, other)

    def __rand__(self, other: TensorValue) -> Tensor:
        return OPERATORS["and"](other, self)

    def __or__(self, other: TensorValue) -> Tensor:
        return OPERATORS["or"](self, other)

    def __ror__(self, other: TensorValue) -> Tensor:
        return OPERATORS["or"](other, self)

    def __xor__(self, other: TensorValue) -> Tensor:
        return OPERATORS["xor"](self, other)

    def __rxor__(self, other: TensorValue) -> Tensor:
        return OPERATORS["xor"](other, self)

    def __lt__(self, other: TensorValue) -> Tensor:
        return OPERATORS["less"](self, other)

    def __le__(self, other: TensorValue) -> Tensor:
        return OPERATORS["less_equal"](self, other)

    def __gt__(self, other: TensorValue) -> Tensor:
        return OPERATORS["greater"](self, other)

    def __ge__(self, other: TensorValue) -> Tensor:
        return OPERATORS["greater_equal"](self, other)

    def __eq__(self, other: Any) -> Any:
        return NotImplemented if other is None else OPERATORS["equal"](self, other)

    def __ne__(self, other: Any) -> Any:
        return NotImplemented if other is None else OPERATORS["not_equal"](self, other)

    # ``==`` compares element by element, so a hash by value would have no use; by identity, tensors can be
    # keys.
    __hash__ = object.__hash__


class Tensor(TensorLike):
    """An immutable array of numbers; the ops make them, and ``constant`` does.

    Source: TensorFlow 2 API pages, ``tf.Tensor``.
    """

    __slots__ = ("__weakref__", "_array", "_device", "_dtype")

    def __init__(self, array: npt.NDArray[Any], dtype: DType, device: str) -> None:
        # For the library: ``array`` is read-only, and ``dtype`` is its dtype.
        self._array = array
        self._dtype = dtype
        self._device = device

    @classmethod
    def _wrap(cls, array: npt.NDArray[Any], device: str = "/cpu:0") -> Tensor:
        """Return a tensor over the memory of ``array``, whose later changes show through."""
        view = array.view()
        view.flags.writeable = False
        return cls(view, DTYPE_OF.get(array.dtype) or as_dtype(array.dtype), device)

    def _as_tensor(self) -> Tensor:
        return self

    @property
    def dtype(self) -> DType:
        """Return the type of the elements."""
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        """Return the shape."""
        return TensorShape(self._array.shape)

    @property
    def device(self) -> str:
        """Return the device that holds the value, such as ``"/cpu:0"``."""
        return self._device

    def __repr__(self) -> str:
        text = str(self._array)
        if "\n" in text:
            text = f"\n{text}"
        return f"nbvars.Tensor({text}, shape={self._array.shape}, dtype={self._dtype})"

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._array, self._device)


class LiveTensor(Tensor):
    """The value of a variable, on the variable's own memory: later updates show through it.

    What an op makes of it is an ordinary tensor, which does not change.
    """

    __slots__ = ()


TensorValue: TypeAlias = TensorLike | IndexedSlices | npt.ArrayLike


def _restore(array: npt.NDArray[Any], device: str) -> Tensor:
    """Return the tensor that was pickled."""
    return Tensor._wrap(array, device)
