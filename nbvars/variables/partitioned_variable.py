"""``PartitionedVariable``: one variable, kept as several slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from nbvars import ops
from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import Tensor, TensorLike, TensorValue
from nbvars.ops.grouping_ops import group
from nbvars.runtime.building import entered
from nbvars.runtime.conversion import convert_to_tensor
from nbvars.shapes import TensorShape, as_shape
from nbvars.variables.graph_variable import GraphVariable
from nbvars.variables.variable import Variable


class PartitionedVariable(TensorLike):
    """A variable that is cut along one axis into slices, variables themselves: iterating over it gives them.

    Used as a tensor it is the slices put together, which adds operations at every use; optimizers and savers work on
    the slices. Two of them are equal only if they are one.

    Args:
        name: Name of the whole variable.
        shape: Shape of the whole variable.
        dtype: Type of the elements.
        variable_list: The slices, in any order; each knows its place.
        partitions: Number of slices along each axis.

    Raises:
        TypeError: ``variable_list`` or ``partitions`` is no list.
        ValueError: There are no slices, one does not know its place or belongs to another shape, or ``partitions``
            is not a positive number for each axis, their product that of the slices.

    Source: TensorFlow 1 source, ``tf.python.ops.variables.PartitionedVariable``.
    """

    __slots__ = (
        "__weakref__",
        "_dtype",
        "_initializer",
        "_initializers",
        "_name",
        "_partitions",
        "_shape",
        "_variable_list",
    )

    def __init__(
        self, name: str, shape: Any, dtype: DType, variable_list: Sequence[Variable], partitions: Sequence[int]
    ) -> None:
        for argument, value in (("variable_list", variable_list), ("partitions", partitions)):
            if not isinstance(value, (list, tuple)):
                raise TypeError(message("PartitionedVariable", f"{argument} is not a list", repr(value), "a list"))
        self._name = name
        self._shape = as_shape(shape)
        self._dtype = dtype
        self._partitions = [*partitions]
        _check_slices(self._shape, variable_list, self._partitions)
        self._variable_list = sorted(variable_list, key=lambda part: part._save_slice_info.var_offset)
        self._initializer: Any = None
        self._initializers: list[Operation] = []

    @property
    def name(self) -> str:
        """Return the name of the whole variable, without ``":0"``: there is no tensor of that name."""
        return self._name

    @property
    def dtype(self) -> DType:
        """Return the type of the elements."""
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        """Return the shape of the whole variable."""
        return self._shape

    @property
    def ndim(self) -> int | None:
        """Return the number of axes."""
        return self._shape.ndims

    @property
    def initializer(self) -> Any:
        """Return the operation that gives all slices their initial values; ``None`` in eager mode."""
        slices = [part for part in self._variable_list if isinstance(part, GraphVariable)]
        initializers = [part.initializer for part in slices]
        if initializers != self._initializers:  # the first time, or ``init_from_checkpoint`` has changed them
            graph = slices[0].graph
            with entered(graph), graph.control_dependencies(None), graph.name_scope(None):
                self._initializer = group(initializers, name=f"{self._name}/Initializer")
            self._initializers = initializers
        return self._initializer

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variable_list)

    def __len__(self) -> int:
        return len(self._variable_list)

    __eq__: ClassVar[Callable[[Any, object], bool]] = object.__eq__
    __ne__: ClassVar[Callable[[Any, object], bool]] = object.__ne__
    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__

    def _get_variable_list(self) -> list[Variable]:
        return self._variable_list

    def _get_partitions(self) -> list[int]:
        return self._partitions

    def _axis(self) -> int:
        """Return the axis along which the variable is cut."""
        axes = [i for i, number in enumerate(self._partitions) if number > 1]
        if len(axes) > 1:
            wrong = "Cannot concatenate along more than one dimension"
            raise NotImplementedError(message("PartitionedVariable", wrong, self._partitions, "one axis that is cut"))
        return axes[0] if axes else 0

    def as_tensor(self) -> Tensor:
        """Return the slices put together, as ``X/ConcatPartitions``: a copy, made outside all control dependencies."""
        first, axis = self._variable_list[0], self._axis()
        graph = first.graph
        with graph.control_dependencies(None), graph.name_scope(None):
            if len(self._variable_list) == 1:
                return ops.identity(first, name=self._name)
            with graph.name_scope(f"{self._name}/ConcatPartitions/"):
                whole = ops.concat(self._variable_list, axis)
            return ops.identity(whole, name=self._name)

    def _as_tensor(self) -> Tensor:
        return self.as_tensor()

    def numpy(self) -> npt.NDArray[Any]:
        """Return a copy of the value as an array; ``TypeError`` in graph mode."""
        return np.concatenate([part.numpy() for part in self._variable_list], self._axis())

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(message("__array__", "the slices of a variable need a copy", "copy=False", "a copy"))
        return np.asarray(self.numpy(), dtype)

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        """Replace the value; return what ``assign`` of each slice returns.

        Args:
            value: The value of the whole variable, a number for every element, a ``PartitionedVariable`` of the same
                slices, or a list of the values of the slices.
            use_locking: Hold the lock of each slice during its update.
            name: Name of the operations.
            read_value: Return references, in graph mode; else the operations.

        Raises:
            TypeError: ``value`` is of another dtype.
            ValueError: ``value`` has another shape, or another number of slices.
        """
        return self._update(lambda part, new: part.assign(new, use_locking, name), value, read_value)

    def assign_add(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        """Add ``value`` to the value, as ``assign``."""
        return self._update(lambda part, new: part.assign_add(new, use_locking, name), value, read_value)

    def assign_sub(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> list[Any]:
        """Subtract ``value`` from the value, as ``assign``."""
        return self._update(lambda part, new: part.assign_sub(new, use_locking, name), value, read_value)

    def _update(self, update: Callable[[Variable, Any], Any], value: Any, read_value: bool) -> list[Any]:
        """Update each slice by its part of ``value``; nothing is updated if one does not fit."""
        updated = [update(*each) for each in zip(self._variable_list, self._parts_of(value), strict=True)]
        return updated if read_value or isinstance(updated[0], Variable) else [each.op for each in updated]

    def _parts_of(self, value: Any) -> list[Any]:
        """Return the parts of ``value`` that belong to the slices."""
        if np.isscalar(value):
            return [value] * len(self)
        if not isinstance(value, (list, PartitionedVariable)):
            return self._cut(value)
        parts = [convert_to_tensor(part, self._dtype) for part in value]
        expected = [part.shape for part in self._variable_list]
        found = [part.shape for part in parts]
        if len(found) != len(expected) or not all(map(TensorShape.is_compatible_with, found, expected)):
            wrong = "the parts do not fit the slices"
            raise ValueError(message("PartitionedVariable", wrong, list(map(str, found)), list(map(str, expected))))
        return parts

    def _cut(self, value: TensorValue) -> list[Tensor]:
        """Return ``value``, that of the whole variable, cut as the variable is."""
        whole = convert_to_tensor(value, self._dtype)
        if not whole.shape.is_compatible_with(self._shape):
            wrong = "the value has the wrong shape"
            raise ValueError(message("PartitionedVariable", wrong, whole.shape, self._shape))
        axis = self._axis()
        return ops.split(whole, [part._save_slice_info.var_shape[axis] for part in self._variable_list], axis)

    def __repr__(self) -> str:
        shape, dtype = tuple(self._shape.as_list()), self._dtype
        return f"<nbvars.PartitionedVariable {self._name!r} shape={shape} dtype={dtype} partitions={self._partitions}>"


def _check_slices(shape: TensorShape, slices: Sequence[Variable], partitions: list[int]) -> None:
    """Raise ``ValueError`` unless ``slices`` are those of one variable of ``shape``."""
    if not all(number >= 1 for number in partitions) or len(partitions) != len(shape):
        wrong = "partition values must be positive, one for each axis"
        raise ValueError(message("PartitionedVariable", wrong, partitions, f"{len(shape)} numbers of 1 or more"))
    if len(slices) != np.prod(partitions, dtype=int):
        wrong = "there are not as many slices as partitions"
        raise ValueError(message("PartitionedVariable", wrong, len(slices), np.prod(partitions, dtype=int)))
    for part in slices:
        info = part._save_slice_info
        if info is None or info.full_shape != shape.as_list():
            wrong = f"{part.name} is no slice of this variable: save_slice_info does not match"
            raise ValueError(message("PartitionedVariable", wrong, info, f"a slice of the shape {shape}"))
