"""``IndexedSlices``: rows of a tensor, and where they belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nbvars.checks import expect_integer, message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.shapes import TensorShape

if TYPE_CHECKING:
    from nbvars.graph.graph import Graph
    from nbvars.graph.operation import Operation
    from nbvars.graph.tensor import Tensor

Shape: TypeAlias = tuple[int | None, ...] | None

# How a value becomes a tensor: a layer above, so runtime/conversion.py puts its functions here. ``borrow`` makes no
# constant of a graph; ``static_value`` tells what is known of a vector of integers before a run.
CONVERSIONS: dict[str, Callable[..., Any]] = {}

# What takes the dtype of the variable that it updates.
_WITHOUT_DTYPE = (list, tuple, int, float, complex, np.generic)


class IndexedSlices:
    """Slices ``values[i]`` of a larger tensor, each at the row ``indices[i]`` of its first axis.

    What is given is kept as it is, and becomes a tensor (an array is copied; in graph mode, to a constant of the
    default graph) only when a property asks for it. Until then, changing a given array changes these slices.

    Args:
        values: Slices of shape ``[*indices.shape, *row]``.
        indices: Integers of any shape.
        dense_shape: Shape ``[n, *row]`` of the whole tensor, if known: integers, or a tensor of a graph.

    Raises:
        TypeError: ``indices`` or ``dense_shape`` are not integers.
        ValueError: ``values`` and ``indices``, or ``values`` and ``dense_shape``, do not agree in shape, as far as it
            is known, or are of different graphs.

    Source: TensorFlow API pages, ``tf.IndexedSlices``.
    """

    __slots__ = ("__weakref__", "_dense_shape", "_indices", "_shape_tensor", "_values")

    # An array on the left of an operator leaves the work to the right side, which has no operators here.
    __array_ufunc__ = None

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        value_shape: Shape
        index_shape: Shape
        # Training loops make one of these per step: two arrays are checked without any conversion.
        are_arrays = (
            type(values) is np.ndarray
            and type(indices) is np.ndarray
            and indices.dtype.kind in "iu"
            and values.dtype.kind not in "OSU"
        )
        if are_arrays:
            value_shape, index_shape = values.shape, indices.shape
        else:
            converted, value_shape = _part(values)
            # Lists and numbers are kept: the variable that they update has a say in their dtype.
            is_kept = isinstance(values, _WITHOUT_DTYPE) and _graph_of(converted) is None
            values = values if is_kept else converted
            no_rows = isinstance(indices, (list, tuple)) and not indices
            indices, index_shape = _part(np.empty(0, np.int64) if no_rows else indices)
            expect_integer("IndexedSlices", "indices", as_numeric_dtype(indices.dtype).base_dtype)
        if value_shape is not None and index_shape is not None and value_shape[: len(index_shape)] != index_shape:
            _check_rows(value_shape, index_shape)
        self._values = values
        self._indices = indices
        # A tuple, a tensor of a graph, or ``None``.
        self._dense_shape: Any = None
        self._shape_tensor: Tensor | None = None
        if dense_shape is not None:
            is_known = value_shape is not None and index_shape is not None
            row = value_shape[len(index_shape) :] if is_known else None  # type: ignore[index, arg-type]
            self._dense_shape = _checked_dense_shape(dense_shape, row)
        if not are_arrays:
            _check_graphs(self._values, self._indices, self._dense_shape)

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
        """Return the shape of the whole tensor (int64 unless it was given as a tensor), ``None`` if it is not known."""
        if self._dense_shape is not None and self._shape_tensor is None:
            convert, is_known = CONVERSIONS["convert_to_tensor"], isinstance(self._dense_shape, tuple)
            self._shape_tensor = convert(self._dense_shape, dtype="int64" if is_known else None)
        return self._shape_tensor

    @property
    def dtype(self) -> DType:
        """Return the dtype of ``values``."""
        return self.values.dtype if isinstance(self._values, _WITHOUT_DTYPE) else as_numeric_dtype(self._values.dtype)

    @property
    def shape(self) -> TensorShape:
        """Return what is known of the shape of the whole tensor."""
        if self._dense_shape is None or isinstance(self._dense_shape, tuple):
            return TensorShape(self._dense_shape)
        sizes = CONVERSIONS["static_value"](self._dense_shape)
        return TensorShape(sizes if isinstance(sizes, tuple) else None)

    def get_shape(self) -> TensorShape:
        """Return ``shape``."""
        return self.shape

    @property
    def device(self) -> str:
        """Return the device that holds ``values``."""
        return self.values.device

    @property
    def graph(self) -> Graph:
        """Return the graph of ``values``; ``AttributeError`` in eager mode, as the next one."""
        graph: Graph = self.values.graph  # type: ignore[attr-defined]
        return graph

    @property
    def op(self) -> Operation:
        """Return the operation that computes ``values``."""
        op: Operation = self.values.op  # type: ignore[attr-defined]
        return op

    @property
    def name(self) -> str:
        """Return the name of ``values``; ``"IndexedSlices:0"`` where they are of no graph."""
        return getattr(self.values, "name", "IndexedSlices:0")

    def __neg__(self) -> IndexedSlices:
        return IndexedSlices(-self.values, self._indices, self._dense_shape)

    def __repr__(self) -> str:
        parts = f"values={self._values!r}, indices={self._indices!r}"
        if _graph_of(self._values) is None:
            parts = f"values={self.values!r}, indices={self.indices!r}"
        whole = "" if self._dense_shape is None else f", dense_shape={self._dense_shape}"
        return f"nbvars.IndexedSlices({parts}{whole})"


def _part(value: Any) -> tuple[Any, Shape]:
    """Return an array or tensor for ``value``, and what is known of its shape."""
    if type(value) is np.ndarray and value.dtype.isnative and value.dtype.kind not in "OSU":
        return value, value.shape
    value = CONVERSIONS["borrow"](value)
    return value, None if value.shape.ndims is None else tuple(value.shape.as_list())


def _graph_of(value: Any) -> Any:
    """Return the graph of a tensor that is of one."""
    op = getattr(value, "_op", None)
    return None if op is None else op._graph


def _check_graphs(values: Any, indices: Any, dense_shape: Any) -> None:
    graphs = [graph for graph in map(_graph_of, (values, indices, dense_shape)) if graph is not None]
    if any(graph is not graphs[0] for graph in graphs):
        wrong = "values, indices and dense_shape must be from the same graph"
        raise ValueError(message("IndexedSlices", wrong, graphs, "one graph"))


def _fits(sizes: Shape, expected: Shape) -> bool:
    """Return whether two shapes can be the same."""
    return TensorShape(sizes).is_compatible_with(TensorShape(expected))


def _check_rows(value_shape: tuple[int | None, ...], index_shape: tuple[int | None, ...]) -> None:
    """Raise ``ValueError`` unless there can be a slice for each index."""
    if not _fits(value_shape[: len(index_shape)], index_shape):
        expected = f"({', '.join([*map(str, index_shape), '...'])})"
        raise ValueError(message("IndexedSlices", "values have the wrong shape", value_shape, expected))


def _checked_dense_shape(dense_shape: Any, row: Shape) -> Any:
    """Return ``dense_shape`` as a tuple whose tail is ``row``, or as a tensor of a graph."""
    tensor: Any = None if isinstance(dense_shape, TensorShape) else CONVERSIONS["borrow"](dense_shape)
    if _graph_of(tensor) is not None:
        expect_integer("IndexedSlices", "dense_shape", tensor.dtype.base_dtype)
        sizes = CONVERSIONS["static_value"](tensor)
        if isinstance(sizes, tuple):
            _check_whole(sizes, row)
        return tensor
    dims = dense_shape.as_list() if tensor is None else tensor.numpy().tolist()
    if not isinstance(dims, list) or not all(type(dim) is int and dim >= 0 for dim in dims):
        raise ValueError(message("IndexedSlices", "dense_shape is no shape", dims, "a list of sizes"))
    _check_whole(tuple(dims), row)
    return tuple(dims)


def _check_whole(dims: tuple[int | None, ...], row: Shape) -> None:
    """Raise ``ValueError`` unless ``row`` can be a row of a tensor of the shape ``dims``."""
    if not dims or not _fits(dims[1:], row):
        expected = f"({', '.join(map(str, ['n', *(row or ())]))})"
        raise ValueError(message("IndexedSlices", "dense_shape does not fit values", dims, expected))
