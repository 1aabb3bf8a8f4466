"""``Variable``: a value that updates change in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.errors import FailedPreconditionError
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.kernels.cpu.fast_scatter import fast_scatter
from nbvars.kernels.cpu.fast_updates import FastUpdates, fast_updates
from nbvars.kernels.cpu.methods import offer_methods
from nbvars.ops import state_ops
from nbvars.ops.array_ops import IDENTITY
from nbvars.runtime.context import current_device
from nbvars.runtime.conversion import value_of
from nbvars.runtime.notebook import first_elements, size_of, to_html
from nbvars.runtime.recording import listening, record
from nbvars.runtime.tensor import EagerTensor, HasValue, LiveTensor
from nbvars.shapes import TensorShape
from nbvars.storage import CpuStorage
from nbvars.variables import copying
from nbvars.variables.arguments import (
    Recorded,
    check_caching_device,
    check_constraint,
    check_source,
    checked_keys,
    is_trainable,
)
from nbvars.variables.distribution import VariableAggregation, VariableSynchronization
from nbvars.variables.row_updates import RowUpdates
from nbvars.variables.save_slice_info import SaveSliceInfo

_InPlace: TypeAlias = Callable[[Any, Any], Any]

_ndarray = np.ndarray
_INT64, _INT32 = np.dtype(np.int64), np.dtype(np.int32)
_BEYOND_MACHINE = (OverflowError, TypeError)
"""What the fast path raises on an int beyond int64, on one beyond float64, and for a limit of another class."""
MOST_KEPT_BYTES = 1 << 20
"""A larger initial value is not kept beside the variable."""


def _has_not_counted(address: int, limit: int) -> int:
    """Stand for the entry point of a counter at its first count, which is the op's: it has the checks."""
    raise TypeError


class _OfMode(HasValue):
    """Makes ``Variable(...)`` a variable of the default graph in graph mode, and one on a GPU in the scope of one."""

    __slots__ = ()

    _in_graph: type[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if executing_eagerly():
            return object.__new__(cls if current_device() == "/cpu:0" else cls._class_on_gpu())
        return object.__new__(cls if cls is not Variable else cls._in_graph)

    @classmethod
    def _class_on_gpu(cls) -> type[Any]:
        """Return the class for a variable on a GPU."""
        from nbvars.variables.cuda_variable import CudaVariable  # takes long, and needs an extra

        if cls is Variable or cls is CudaVariable:
            return CudaVariable
        wrong, got = "a class of your own cannot be on a GPU", f"{cls.__name__} under device({current_device()!r})"
        raise TypeError(message("Variable", wrong, got, "Variable", "enter `with device('/cpu:0')` around it"))


class Variable(RowUpdates, _OfMode):
    """A tensor that updates change in place.

    In graph mode the constructor adds operations to the default graph: one that stands for the variable, an
    initializer, and a read; updates are operations too, and each ``Session`` holds a value of its own.

    Every update method returns the variable, so that calls chain, and leaves it as it was if it raises. Updates take
    Python and NumPy numbers, lists, arrays, tensors and variables: a number means every element, anything else has
    the shape of the variable; tensors and variables have its dtype, the rest is converted by NumPy's ``same_kind``
    rule. With ``use_locking=True`` an update is atomic with respect to other locked updates and reads; without, a
    call by itself is exact, but of two concurrent calls one may be lost.

    Args:
        initial_value: A number, list, array, tensor, variable, or a callable that returns one.
        trainable: Join ``GraphKeys.TRAINABLE_VARIABLES`` too, the default list of the optimizers. ``None`` means
            True, but for ``VariableSynchronization.ON_READ``.
        collections: Collections of the default graph to join (weakly): ``[GraphKeys.VARIABLES]`` if not given.
        validate_shape: ``False`` lets ``initial_value`` be of unknown shape, in graph mode; ``assign`` may then change
            the shape. An eager value always has a shape.
        caching_device: Device on which graph mode caches ``value()``, read once a run.
        name: ``"Variable"`` if not given. Made unique: ``Variable``, ``Variable_1``.
        variable_def: A ``VariableDef`` of a variable in a graph; it holds no value, so eager mode has no use for it.
        dtype: The dtype; that of ``initial_value`` if not given (float32 for floats, int32 for ints).
        constraint: Function of a tensor that gives a tensor; optimizers apply it after an update.
        import_scope: Name scope to put before the names of ``variable_def``.
        use_resource: Recorded, without effect, as are the next two.
        synchronization: A ``VariableSynchronization``.
        aggregation: A ``VariableAggregation``.

    Raises:
        ValueError: Neither or both of ``initial_value`` and ``variable_def`` are given, ``collections`` is no list,
            or the value does not fit the dtype.
        TypeError: The value is of another kind than ``dtype``, or ``constraint`` cannot be called.

    Source: TensorFlow 0.x API pages, ``tf.Variable``.
    """

    __slots__ = (
        "__weakref__",
        "_address",
        "_caching_device",
        "_constraint",
        "_count",
        "_data_address",
        "_dtype",
        "_fast",
        "_graph",
        "_initial_value",
        "_keys",
        "_name",
        "_numba_type_",
        "_numbers",
        "_numpy_dtype",
        "_recorded",
        "_save_slice_info",
        "_storage",
        "_trainable",
    )

    SaveSliceInfo = SaveSliceInfo

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = True,
        collections: Iterable[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        constraint: Callable[[Tensor], Any] | None = None,
        import_scope: str | None = None,
        use_resource: bool | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> None:
        check_source(initial_value, variable_def)
        if variable_def is not None:
            wrong = "a VariableDef holds no value"
            raise ValueError(message("Variable", wrong, "variable_def", "initial_value, in eager mode"))
        trainable = is_trainable(trainable, synchronization)
        keys = checked_keys(collections, trainable)
        check_constraint(constraint)
        check_caching_device(caching_device)
        storage = self._new_storage(initial_value, None if dtype is None else as_numeric_dtype(dtype))
        name = "Variable" if name is None else name
        recorded = Recorded(use_resource, synchronization, aggregation)
        self._constraint = constraint
        self._caching_device = caching_device
        self._save_slice_info: Any = None
        self._set_up(storage, name, trainable, keys, recorded)

    def _new_storage(self, initial_value: Any, dtype: DType | None) -> Any:
        """Return memory that holds a value, or what a callable returns."""
        value = initial_value() if callable(initial_value) else initial_value
        return CpuStorage(value_of(value, dtype, "Variable")._array)

    def _set_up(
        self, storage: CpuStorage, name: str, trainable: bool, collections: Iterable[Any], recorded: Recorded
    ) -> None:
        """Become a variable that has its value in ``storage``, with a unique name, in ``collections``."""
        self._dtype: DType = as_numeric_dtype(storage.array.dtype)
        self._set_storage(storage)
        self._initial_value: Tensor | None = None
        if storage.array.nbytes <= MOST_KEPT_BYTES:
            self._initial_value = self._copied()
        self._graph: Graph = get_default_graph()
        self._name = self._graph.unique_name(name)
        self._trainable, self._keys, self._recorded = trainable, tuple(collections), recorded
        for key in self._keys:
            self._graph.add_weakly(key, self)

    def _set_storage(self, storage: CpuStorage) -> None:
        """Take ``storage``, and what the fast path needs of it."""
        self._storage = storage
        self._address = storage.address
        self._data_address = storage.data_address
        self._numpy_dtype = storage.array.dtype
        self._fast: FastUpdates = fast_updates(self._numpy_dtype)
        numbers: tuple[type, ...] = (int,) if self._dtype.is_integer else ()
        self._numbers = (float, int) if self._dtype.is_floating else numbers
        self._count: Callable[[int, int], int] = _has_not_counted

    def _as_tensor(self) -> Tensor:
        return self._recorded_read(LiveTensor._wrap(self._storage.array))

    def _locked(self) -> AbstractContextManager[None]:
        return self._storage.locked()

    def _recorded_read(self, tensor: Tensor) -> Tensor:
        """Return ``tensor``, the value; gradient tapes learn where it comes from."""
        if listening.recorders:
            record(IDENTITY, (self,), {}, (tensor,))
        return tensor

    @property
    def name(self) -> str:
        """Return the unique name, as that of a tensor: ``"Variable:0"``."""
        return f"{self._name}:0"

    @property
    def dtype(self) -> DType:
        """Return the type of the elements."""
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        """Return the shape."""
        return TensorShape(self._storage.array.shape)

    @property
    def device(self) -> str:
        """Return the device that holds the value, such as ``"/cpu:0"``."""
        return "/cpu:0"

    @property
    def trainable(self) -> bool:
        """Return whether the variable joined ``GraphKeys.TRAINABLE_VARIABLES``."""
        return self._trainable

    @property
    def constraint(self) -> Callable[[Tensor], Any] | None:
        """Return the function that optimizers apply to the value after an update."""
        return self._constraint

    @property
    def synchronization(self) -> VariableSynchronization:
        """Return the ``VariableSynchronization`` that was given, ``AUTO`` by default."""
        return self._recorded.synchronization

    @property
    def aggregation(self) -> VariableAggregation:
        """Return the ``VariableAggregation`` that was given, ``NONE`` by default."""
        return self._recorded.aggregation

    @property
    def graph(self) -> Graph:
        """Return the graph whose collections the variable joined."""
        return self._graph

    @property
    def initial_value(self) -> Tensor:
        """Return the value the variable began with.

        Raises:
            FailedPreconditionError: It is larger than 1 MiB; such values are not kept.
        """
        if self._initial_value is None:
            got, expected = f"{self._storage.array.nbytes} bytes", f"at most {MOST_KEPT_BYTES}"
            wrong = "the initial value was too large to be kept"
            raise FailedPreconditionError(None, None, message("initial_value", wrong, got, expected))
        return self._initial_value

    def set_shape(self, shape: Any) -> None:
        """Add to what is known of the shape; ``ValueError`` if it contradicts what is known."""
        self.shape.merge_with(shape)

    def is_initialized(self) -> bool:
        """Return True: an eager variable holds its value from the start."""
        return True

    def value(self) -> Tensor:
        """Return the live value: a read-only tensor on the variable's own memory, which later updates change."""
        return self._as_tensor()

    def read_value(self) -> Tensor:
        """Return a copy of the value, as a tensor, taken while no locked update runs."""
        return self._recorded_read(self._copied())

    def _copied(self) -> Tensor:
        """Return a copy of the value, on its device."""
        return EagerTensor._wrap(self._storage.read())

    def initialized_value(self) -> Tensor:
        """Return ``read_value()``: what graph mode does not know, eager mode does; the variable is initialised."""
        return self.read_value()

    def ref(self) -> Variable:
        """Return the reference that assign ops take: in eager mode, the variable."""
        return self

    def numpy(self) -> npt.NDArray[Any]:
        """Return a copy of the value as an array (a NumPy number if it is a scalar), as ``read_value()``."""
        array = self._storage.read()
        return array if array.ndim else array[()]

    def assign(
        self, value: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Replace the value, as ``nbvars.assign``; ``read_value=False`` gives the operation, in graph mode."""
        kind = type(value)
        try:
            if kind is _ndarray:
                if value.dtype is self._numpy_dtype and self._fast.assign_array(self._address, value, use_locking):  # type: ignore[union-attr, arg-type]
                    return self
            elif kind in self._numbers and self._fast.assign_number(self._address, value, use_locking):  # type: ignore[arg-type]
                return self
        except _BEYOND_MACHINE:  # the op has the words for it
            pass
        return state_ops.assign(self, value, None, use_locking)

    def assign_add(
        self, delta: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Add ``delta``, as ``nbvars.assign_add``; ``read_value=False`` gives the operation, in graph mode."""
        kind = type(delta)
        try:
            if kind is _ndarray:
                if delta.dtype is self._numpy_dtype and self._fast.add_array(self._address, delta, use_locking):  # type: ignore[union-attr, arg-type]
                    return self
            elif kind in self._numbers and self._fast.add_number(self._address, delta, use_locking):  # type: ignore[arg-type]
                return self
        except _BEYOND_MACHINE:
            pass
        return state_ops.assign_add(self, delta, use_locking)

    def assign_sub(
        self, delta: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Variable:
        """Subtract ``delta``, as ``nbvars.assign_sub``; ``read_value=False`` gives the operation, in graph mode."""
        kind = type(delta)
        try:
            if kind is _ndarray:
                if delta.dtype is self._numpy_dtype and self._fast.sub_array(self._address, delta, use_locking):  # type: ignore[union-attr, arg-type]
                    return self
            elif kind in self._numbers and self._fast.sub_number(self._address, delta, use_locking):  # type: ignore[arg-type]
                return self
        except _BEYOND_MACHINE:
            pass
        return state_ops.assign_sub(self, delta, use_locking)

    def eval(self, session: Any = None) -> npt.NDArray[Any]:
        """Return ``numpy()``; in graph mode, a copy of the value in ``session``, or in the default session."""
        return self.numpy()

    def load(self, value: TensorValue, session: Any = None) -> None:
        """Replace the value, as ``assign``; in graph mode, that in ``session``, or in the default session."""
        self.assign(value)

    def _scatter(
        self, operation: str, delta: IndexedSlices, use_locking: bool, name: str | None, deterministic: bool | None
    ) -> Self:
        if type(delta) is IndexedSlices:
            indices, values = delta._indices, delta._values
            if (
                type(values) is _ndarray
                and values.dtype is self._numpy_dtype
                and type(indices) is _ndarray
                and (indices.dtype is _INT64 or indices.dtype is _INT32)
            ):
                update = fast_scatter(operation, self._numpy_dtype)
                if update is not None and update(self._address, indices, values):
                    return self
        return super()._scatter(operation, delta, use_locking, name, deterministic)

    def count_up_to(self, limit: int) -> Any:
        """Add 1 unless ``limit`` is reached, atomically; return what was there, as ``nbvars.count_up_to``."""
        try:
            before = self._count(self._data_address, limit)
            if before != limit:
                return before
        except _BEYOND_MACHINE:  # the op has the words for it
            pass
        count: int = state_ops.count_up_to(self, limit)
        self._count = self._fast.count_entry()
        return count

    def to_proto(self, export_scope: str | None = None) -> Any:
        """Return the ``VariableDef`` message of a variable of a graph; needs protobuf.

        Args:
            export_scope: Name scope to leave out of the names; ``None`` is returned for a variable outside of it.

        Raises:
            RuntimeError: The variable is eager: it has no operations that a message could name.
            ImportError: protobuf is not installed.

        Source: TensorFlow 1 API pages, ``tf.Variable.to_proto``.
        """
        wrong = "to_proto() is not compatible with eager execution"
        raise RuntimeError(message("Variable.to_proto", wrong, "an eager variable", "a variable of a graph"))

    @staticmethod
    def from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
        """Return the variable of the default graph that a ``VariableDef`` describes; needs protobuf.

        Nothing is added to the graph: the variable has the operations, and in a session the value, of the one that the
        message was made of.

        Args:
            variable_def: The message, ours or TensorFlow's, or its bytes. Without ``trainable``, membership of
                ``GraphKeys.TRAINABLE_VARIABLES`` in the default graph tells.
            import_scope: Name scope to put before the names.

        Raises:
            TypeError: ``variable_def`` is something else.
            ValueError: The mode is eager, the message is malformed, or it describes no variable of reference type.
            KeyError: The graph has nothing of a name.
            ImportError: protobuf is not installed.

        Source: TensorFlow 1 API pages, ``tf.Variable.from_proto``.
        """
        return Variable(variable_def=variable_def, import_scope=import_scope)

    def __setitem__(self, key: Any, value: Any) -> None:
        remedy = "use assign, scatter_update(IndexedSlices(values, indices)) or scatter_nd_update(indices, updates)"
        raise TypeError(message("Variable", "items cannot be assigned", "v[...] = value", "an update method", remedy))

    def _refuse_in_place(self, other: Any) -> Variable:
        remedy = "v.assign_add(x) changes the variable, v = v + x makes a tensor"
        raise TypeError(message("Variable", "in-place operators are ambiguous", "v += x", "an update method", remedy))

    __iadd__: ClassVar[_InPlace] = _refuse_in_place
    __isub__: ClassVar[_InPlace] = _refuse_in_place
    __imul__: ClassVar[_InPlace] = _refuse_in_place
    __itruediv__: ClassVar[_InPlace] = _refuse_in_place
    __ifloordiv__: ClassVar[_InPlace] = _refuse_in_place
    __imod__: ClassVar[_InPlace] = _refuse_in_place
    __ipow__: ClassVar[_InPlace] = _refuse_in_place
    __imatmul__: ClassVar[_InPlace] = _refuse_in_place
    __iand__: ClassVar[_InPlace] = _refuse_in_place
    __ior__: ClassVar[_InPlace] = _refuse_in_place
    __ixor__: ClassVar[_InPlace] = _refuse_in_place

    def __repr__(self) -> str:
        value = self.numpy()
        text = repr(value) if isinstance(value, _ndarray) else str(value)
        if "\n" in text:
            text = f"\n{text}"
        head = f"<nbvars.Variable '{self.name}' shape={self._storage.array.shape} dtype={self._dtype}"
        return f"{head}, numpy={text}>"

    def _repr_html_(self) -> str:
        storage = self._storage
        with storage.locked():
            elements = first_elements(storage.array)
        facts = {**self._facts(), "size": size_of(storage.array)}
        return to_html("nbvars.Variable", facts, storage.array.ndim, elements)

    def _facts(self) -> dict[str, object]:
        """Return what notebooks show of a variable of either mode."""
        graph = self.graph
        keys = [key for key in graph.collections if any(each is self for each in graph.get_collection(key))]
        facts = {name: getattr(self, name) for name in ("name", "shape", "dtype", "device", "trainable")}
        return {**facts, "dtype": self.dtype.name, "collections": ", ".join(map(str, keys)) or "none"}

    def __reduce__(self) -> tuple[Any, ...]:
        return copying.reduced(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    @classmethod
    def _restored(cls, version: int, fields: dict[str, Any]) -> Variable:
        """Return the variable that ``copying.reduced`` took apart."""
        return copying.restored(lambda: object.__new__(cls), version, fields)

    def share_memory(self, name: str | None = None) -> str:
        """Move the value into shared memory, for other processes to update too, and return its name.

        Updates with ``use_locking=True``, ``read_value()`` and ``numpy()`` are then atomic among processes as among
        threads, and ``count_up_to`` always is; other updates are not. What a process holds when it is killed is given
        back, and the value stays as far as its update had come. A variable in shared memory that is an argument or
        result of ``multiprocessing`` is the same memory there; its copies and other pickles have memory of their own.

        The name goes with this variable, or with this process; who has the memory by then keeps it. Call this before
        other threads update the variable: an update under way may be lost. The memory used so far is kept as well.

        Args:
            name: Name of the block, without a slash; one that is free if not given.

        Raises:
            AlreadyExistsError: The name is taken.
            ValueError: The variable is shared by another name, or ``name`` is not valid.
            ResourceExhaustedError: There is not so much shared memory.
            TypeError: The variable is of a graph.
        """
        from nbvars.variables import sharing  # takes long, and few need it

        return sharing.share(self, name)

    @classmethod
    def from_shared_memory(cls, name: str) -> Variable:
        """Return a new variable on the shared memory of another, in this process or elsewhere; see ``share_memory``.

        It has the dtype, the shape and, made unique, the name, and is trainable if that one is.

        Raises:
            NotFoundError: There is no shared memory of this name.
            InvalidArgumentError: It is not a variable's.
            RuntimeError: The mode is graph mode.
        """
        from nbvars.variables import sharing

        return sharing.attached(lambda: object.__new__(cls), name)


offer_methods(Variable, "_address")
