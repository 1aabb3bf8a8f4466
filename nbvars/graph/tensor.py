"""``TensorLike``, the operators of tensors and variables; ``Tensor``; ``GraphTensor``, which only a run computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias

import numpy.typing as npt

from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.mode import session_for
from nbvars.graph.operation import GraphPart, Operation
from nbvars.shapes import TensorShape

if TYPE_CHECKING:
    from nbvars.graph.graph import Graph

# The functions behind the operators: ops are layers above, so ops/__init__.py puts them here.
OPERATORS: dict[str, Callable[..., Tensor]] = {}


class TensorLike:
    """Operators of whatever has a tensor's value: subclasses give ``_as_tensor()``.

    The operands of an operator are converted as ``convert_to_tensor`` does, with one exception: numbers, lists and
    NumPy's arrays take the dtype of the tensor if NumPy's ``same_kind`` rule allows it.
    Tensors never promote: operands of different dtypes are a ``TypeError``.
    """

    __slots__ = ()

    # Makes ndarray + tensor call the tensor's __radd__. (Not ``__array_ufunc__ = None``, which would do the
    # same but also forbid np.exp(tensor).)
    __array_priority__: float = 1000.0

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

    def get_shape(self) -> TensorShape:
        """Return ``shape``."""
        return self.shape

    if TYPE_CHECKING:
        # What has a value gives these; in a graph they are a TypeError.
        def numpy(self) -> Any: ...
        def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[Any]: ...
        def __bool__(self) -> bool: ...
        def __int__(self) -> int: ...
        def __float__(self) -> float: ...
        def __complex__(self) -> complex: ...
        def __index__(self) -> int: ...
        @property
        def ndim(self) -> int | None: ...

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

    def __eq__(self, other: Any, /) -> Any:
        return NotImplemented if other is None else OPERATORS["equal"](self, other)

    def __ne__(self, other: Any, /) -> Any:
        return NotImplemented if other is None else OPERATORS["not_equal"](self, other)

    # ``==`` compares element by element, so a hash by value would have no use; by identity, tensors can be
    # keys.
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__


class Tensor(TensorLike):
    """An array of numbers: a value in eager mode, in graph mode an output of an ``Operation``.

    Source: TensorFlow API pages, ``tf.Tensor``.
    """

    __slots__ = ("__weakref__", "_dtype")

    _dtype: DType

    def _as_tensor(self) -> Tensor:
        return self

    @property
    def dtype(self) -> DType:
        """Return the type of the elements."""
        return self._dtype


class Symbolic(GraphPart, TensorLike):
    """What has a value in a run only: all that asks for one before is a ``TypeError`` that says what to do."""

    __slots__ = ()

    # As in TensorFlow 1, a tensor of a graph equals itself alone: ``x in tensors`` works, ``equal`` compares values.
    __eq__: ClassVar[Callable[[Any, object], bool]] = object.__eq__
    __ne__: ClassVar[Callable[[Any, object], bool]] = object.__ne__
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__

    def _as_tensor(self) -> GraphTensor:
        """Return the tensor that a run computes."""
        raise NotImplementedError

    def _refuse(self, where: str, expected: str) -> NoReturn:
        wrong = "a tensor of a graph has no value before a Session runs it"
        raise TypeError(message(where, wrong, repr(self), expected))

    def numpy(self) -> Any:
        """Raise ``TypeError``: only a run has the value."""
        self._refuse("numpy", "eval() or Session.run")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._refuse("__array__", "the result of Session.run")

    def __bool__(self) -> bool:
        wrong = "using a Tensor as a Python bool is not allowed in a graph"
        raise TypeError(message("bool", wrong, repr(self), "`is not None`, or the ops cond, logical_and, ..."))

    def __len__(self) -> int:  # noqa: PLE0303 - refuses
        self._refuse("len", "x.shape[0] or nbvars.shape(x)[0]")

    def __iter__(self) -> Any:
        wrong = "Tensor objects are only iterable in eager mode"
        raise TypeError(message("iter", wrong, repr(self), "unstack(x) or while_loop"))

    def __int__(self) -> int:
        self._refuse("int", "the result of Session.run")

    def __float__(self) -> float:
        self._refuse("float", "the result of Session.run")

    def __complex__(self) -> complex:
        self._refuse("complex", "the result of Session.run")

    def __index__(self) -> int:  # noqa: PLE0305 - refuses
        self._refuse("index", "the result of Session.run")

    def __format__(self, format_spec: str) -> str:
        if format_spec:
            self._refuse("format", "no format specification, or the result of Session.run")
        return str(self)


class GraphTensor(Symbolic, Tensor):
    """An output of an ``Operation``."""

    __slots__ = ("_consumers", "_op", "_shape", "_value_index")

    def __init__(self, op: Operation, value_index: int, dtype: DType, shape: TensorShape) -> None:
        # For Graph alone.
        self._op = op
        self._value_index = value_index
        self._dtype = dtype
        self._shape = shape
        self._consumers: list[Operation] = []

    def _as_tensor(self) -> GraphTensor:
        return self

    @property
    def op(self) -> Operation:
        """Return the operation that computes this tensor."""
        return self._op

    @property
    def value_index(self) -> int:
        """Return which of its outputs this is."""
        return self._value_index

    @property
    def graph(self) -> Graph:
        """Return the graph."""
        return self._op._graph

    @property
    def name(self) -> str:
        """Return the unique name, such as ``"add:0"``."""
        return f"{self._op._name}:{self._value_index}"

    @property
    def device(self) -> str:
        """Return the device string of the operation, ``""`` where it is left open."""
        return self._op._device

    @property
    def shape(self) -> TensorShape:
        """Return what is known of the shape before a run."""
        return self._shape

    @property
    def ndim(self) -> int | None:
        """Return the number of axes, ``None`` where it is unknown."""
        return self._shape.ndims

    def set_shape(self, shape: Any) -> None:
        """Add to what is known of the shape; ``ValueError`` if it contradicts what is known."""
        self._shape = self._shape.merge_with(shape)

    def consumers(self) -> list[Operation]:
        """Return the operations that compute from this tensor."""
        return list(self._consumers)

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """Return the value: that of a run of ``session``, or of the default session.

        Raises:
            ValueError: There is no session, or it runs another graph.
        """
        return session_for("eval", session, self._op._graph).run(self, feed_dict)

    def _as_graph_element(self) -> GraphTensor:
        return self

    def __repr__(self) -> str:
        shape = "<unknown>" if self._shape.ndims is None else tuple(self._shape.as_list())
        return f"<nbvars.Tensor {self.name!r} shape={shape} dtype={self._dtype}>"


TensorValue: TypeAlias = TensorLike | IndexedSlices | npt.ArrayLike
