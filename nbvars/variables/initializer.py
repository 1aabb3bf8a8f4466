"""``Initializer``, the base class of the initializers, and what their classes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.tensor import Tensor
from nbvars.ops.rows import FLOATING
from nbvars.ops.shape_rules import Sizes
from nbvars.shapes import TensorShape, as_shape


class PartitionInfo(Protocol):
    """Where the slice that an initializer makes lies in a partitioned variable.

    Attributes:
        full_shape: The shape of the whole variable.
        var_offset: The index in the whole variable of the first element of the slice.
    """

    @property
    def full_shape(self) -> TensorShape | Sequence[int]: ...
    @property
    def var_offset(self) -> Sequence[int]: ...


class Initializer:
    """The base class of the initializers.

    Source: TensorFlow 1 API pages, ``tf.initializers``.
    """

    def __call__(self, shape: Sizes, dtype: Any = None, partition_info: PartitionInfo | None = None) -> Tensor:
        """Return a new value of ``shape``.

        Args:
            shape: The shape of the variable; of the slice, if it is one of a partitioned variable.
            dtype: The dtype of the value, if not that of the initializer.
            partition_info: Where the slice lies; ``None`` if the variable is not partitioned.

        Raises:
            ValueError: ``shape`` is not fully defined.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the initializer, as a dict that JSON can hold."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return an initializer of these arguments, which ``get_config`` gave."""
        return cls(**config)


class TypedInitializer(Initializer):
    """An initializer with a default dtype; a subclass makes the value in ``_value``."""

    _config_names: tuple[str, ...] = ()
    """The attributes, other than the dtype, that the configuration holds."""

    def __init__(self, dtype: Any) -> None:
        self.dtype: DType = self._checked(dtype)

    def __call__(self, shape: Sizes, dtype: Any = None, partition_info: PartitionInfo | None = None) -> Tensor:
        sizes = self._sizes(shape)
        return self._value(sizes, self.dtype if dtype is None else self._checked(dtype), partition_info)

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._config_names} | {"dtype": self.dtype.name}

    def _value(self, shape: tuple[int, ...], dtype: DType, partition_info: PartitionInfo | None) -> Tensor:
        raise NotImplementedError

    def _checked(self, dtype: Any) -> DType:
        """Return the dtype that ``dtype`` names, if this initializer can make it."""
        return as_dtype(dtype).base_dtype

    def _sizes(self, shape: Sizes) -> tuple[int, ...]:
        """Return a shape, all of whose sizes must be known."""
        known = as_shape(shape)
        if not known.is_fully_defined():
            raise ValueError(message(type(self).__name__, "the shape is not fully defined", known, "known sizes only"))
        return tuple(map(int, known))

    def _full_shape(self, shape: tuple[int, ...], partition_info: PartitionInfo | None) -> tuple[int, ...]:
        """Return the shape of the whole variable."""
        return shape if partition_info is None else self._sizes(partition_info.full_shape)


class FloatingInitializer(TypedInitializer):
    """An initializer of floating dtypes only."""

    def _checked(self, dtype: Any) -> DType:
        checked = super()._checked(dtype)
        expect_dtype_in(type(self).__name__, "dtype", checked, FLOATING, FLOATING.described)
        return checked
