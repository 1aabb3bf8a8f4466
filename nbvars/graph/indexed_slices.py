"""``IndexedSlices``: rows of a tensor, and where they belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nbvars.checks import expect_integer, message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.shapes import TensorShape

if TYPE_CHECKING:
    from nbvars.graph.tensor import Tensor

# How a value becomes a tensor: a layer above, so runtime/conversion.py puts its function here.
CONVERSIONS: dict[str, Callable[..., Any]] = {}


# What takes the dtype of the variable that it updates.
_WITHOUT_DTYPE = (list, tuple, int, float, complex, np.generic)


class IndexedSlices:
    """Slices ``values[i]`` of a larger tensor, each at the row ``indices[i]`` of its first axis.

    What is given is kept as it is, and becomes a tensor (an array is copied) only when a property asks for
    it. Until then, changing a given array changes these slices.

    Args:
        values: Slices of shape ``[*indices.shape, *row]``.
        indices: Integers of any shape.
        dense_shape: Shape ``[n, *row]`` of the whole tensor, if known.

    Raises:
        TypeError: ``indices`` are not integers.
        ValueError: ``values`` and ``indices``, or ``values`` and ``dense_shape``, do not agree in shape.

    Source: TensorFlow API pages, ``tf.IndexedSlices``.
    """

    __slots__ = ("__weakref__", "_dense_shape", "_indices", "_values")

    # An array on the left of an operator leaves the work to the right side, which has no operators here.
    __array_ufunc__ = None

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        # Training loops make one of these per step: two arrays are checked without any conversion.
        if (
            type(values) is np.ndarray
            and type(indices) is np.ndarray
            and indices.dtype.kind in "iu"
            and values.dtype.kind not in "OSU"
        ):
            value_shape, index_shape = values.shape, indices.shape
        else:
            converted, value_shape = _part(values)
            # Lists and numbers are kept: the variable that they update has a say in their dtype.
            values = values if isinstance(values, _WITHOUT_DTYPE) else converted
            no_rows = isinstance(indices, (list, tuple)) and not indices
            indices, index_shape = _part(np.empty(0, np.int64) if no_rows else indices)
            expect_integer("IndexedSlices", "indices", as_numeric_dtype(indices.dtype))
        if value_shape[: len(index_shape)] != index_shape:
            expected = f"({', '.join([*map(str, index_shape), '...'])})"
            raise ValueError(message("IndexedSlices", "values have the wrong shape", value_shape, expected))
        self._values = values
        self._indices = indices
        self._dense_shape: tuple[int, ...] | None = None
        if dense_shape is not None:
            self._dense_shape = _checked_dense_shape(dense_shape, value_shape[len(index_shape) :])

    @property
    def values(self) -> Tensor:
        """Return the slices, of shape ``[*indices.shape, *row]``."""
        tensor: Tensor = CONVERSIONS["convert_to_tensor"](self._values)
        self._values = tensor
        return tensor

    @property
    def indices(self) -> Tensor:
        """Return the rows that the slices belong to."""
        tensor: Tensor = CONVERSIONS["convert_to_tensor"](self._indices)
        self._indices = tensor
        return tensor

    @property
    def dense_shape(self) -> Tensor | None:
        """Return the shape of the whole tensor as int64, or ``None`` if it is not known."""
        if self._dense_shape is None:
            return None
        tensor: Tensor = CONVERSIONS["convert_to_tensor"](self._dense_shape, dtype="int64")
        return tensor

    @property
    def dtype(self) -> DType:
        """Return the dtype of ``values``."""
        return self.values.dtype if isinstance(self._values, _WITHOUT_DTYPE) else as_numeric_dtype(self._values.dtype)

    @property
    def shape(self) -> TensorShape:
        """Return the shape of the whole tensor, of unknown rank where ``dense_shape`` was not given."""
        return TensorShape(self._dense_shape)

    def get_shape(self) -> TensorShape:
        """Return ``shape``."""
        return self.shape

    @property
    def device(self) -> str:
        """Return the device that holds ``values``."""
        return self.values.device

    @property
    def name(self) -> str:
        """Return ``"IndexedSlices:0"``: only the slices of a graph have names of their own."""
        return "IndexedSlices:0"

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self.values, self._indices, self._dense_shape)

    def __repr__(self) -> str:
        whole = "" if self._dense_shape is None else f", dense_shape={self._dense_shape}"
        return f"nbvars.IndexedSlices(values={self.values!r}, indices={self.indices!r}{whole})"


def _part(value: Any) -> tuple[Any, tuple[int, ...]]:
    """Return an array or tensor for ``value``, and its shape."""
    if type(value) is np.ndarray and value.dtype.isnative and value.dtype.kind not in "OSU":
        return value, value.shape
    value = CONVERSIONS["convert_to_tensor"](value)
    return value, tuple(value.shape.as_list())


def _checked_dense_shape(dense_shape: Any, row: tuple[int, ...]) -> tuple[int, ...]:
    """Return ``dense_shape`` as a tuple whose tail is ``row``."""
    dims = dense_shape.as_list() if isinstance(dense_shape, TensorShape) else np.asarray(dense_shape).tolist()
    if not isinstance(dims, list) or not all(type(dim) is int and dim >= 0 for dim in dims):
        raise ValueError(message("IndexedSlices", "dense_shape is no shape", dims, "a list of sizes"))
    if not dims or tuple(dims[1:]) != row:
        expected = f"({', '.join(map(str, ['n', *row]))})"
        raise ValueError(message("IndexedSlices", "dense_shape does not fit values", tuple(dims), expected))
    return tuple(dims)
