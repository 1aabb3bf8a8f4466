"""Feeds: the values that ``Session.run`` is given in the place of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import message
from nbvars.graph.graph import Graph
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.mode import eager_mode
from nbvars.graph.tensor import GraphTensor, Symbolic
from nbvars.runtime.conversion import value_of
from nbvars.runtime.definition import Array
from nbvars.runtime.text import as_text

_ndarray = np.ndarray


def flattened(feed_dict: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a value for each tensor alone: ``{(a, b): (1, 2)}`` as ``{a: 1, b: 2}``, ``IndexedSlices`` by their parts.

    Raises:
        TypeError: The value of such a key is no list or tuple.
        ValueError: It is one of another length.
    """
    return {key: value for pair in feed_dict.items() for key, value in _pairs(*pair)}


def _pairs(key: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(key, IndexedSlices):
        keys = [key._values, key._indices]
        if isinstance(value, IndexedSlices):
            value = (value._values, value._indices, value._dense_shape)
        if isinstance(value, (list, tuple)) and len(value) == 3:
            if isinstance(key._dense_shape, Symbolic) and value[2] is not None:
                keys.append(key._dense_shape)
            value = value[: len(keys)]  # a dense_shape that is no tensor of the graph is known
    elif isinstance(key, tuple):
        keys = list(key)
    else:
        yield key, value
        return
    if not isinstance(value, (list, tuple)):
        wrong = f"the key {key!r} stands for several tensors"
        raise TypeError(message("Session.run", wrong, repr(value), f"a tuple of {len(keys)} values"))
    if len(keys) != len(value):
        wrong = f"wrong number of values for the key {key!r}"
        raise ValueError(message("Session.run", wrong, len(value), len(keys)))
    for pair in zip(keys, value, strict=True):
        yield from _pairs(*pair)


def fed_tensor(graph: Graph, key: Any) -> GraphTensor:
    """Return the tensor that a key of ``feed_dict`` is or names.

    Raises:
        TypeError: The key is no tensor, variable or name of one, of this graph.
        ValueError: The tensor must not be fed.
    """
    try:
        tensor: GraphTensor = graph.as_graph_element(key, allow_operation=False)
    except (TypeError, ValueError, KeyError) as error:
        wrong = f"Cannot interpret feed_dict key as Tensor ({error.args[0]})"
        raise TypeError(message("Session.run", wrong, repr(key), "a tensor of the graph, or its name")) from error
    if not graph.is_feedable(tensor):
        wrong = f"Tensor {tensor.name} may not be fed"
        raise ValueError(message("Session.run", wrong, repr(tensor), "a feedable tensor"))
    return tensor


def converter(tensor: GraphTensor) -> Callable[[Any], Array]:
    """Return the function that makes an array for ``tensor`` of what a user feeds."""
    dtype, shape = tensor._dtype.base_dtype, tensor._shape
    # The elements of an array of objects may be no strings.
    numpy_dtype = None if dtype is dtypes.string else dtype.numpy_dtype
    exact = tuple(shape.as_list()) if shape.is_fully_defined() else None

    def convert(value: Any) -> Array:
        if type(value) is _ndarray and value.dtype is numpy_dtype:
            if value.shape == exact:
                return value
            array = value
        else:
            array = _converted(tensor, value)
        if array.shape != exact and not shape.is_compatible_with(array.shape):
            wrong = f"Cannot feed value of shape {array.shape} for Tensor {tensor.name!r}, which has shape {shape}"
            raise ValueError(message("Session.run", wrong, array.shape, shape))
        return array

    return convert


def _converted(tensor: GraphTensor, value: Any) -> Array:
    """Return what is no array of the dtype of ``tensor`` as one, by NumPy's ``same_kind`` rule."""
    dtype = tensor._dtype.base_dtype
    if _holds_symbol(value):
        wrong = f"The value of a feed cannot be a Tensor of a graph (for {tensor.name!r})"
        expected = "Python numbers, strings, lists or NumPy arrays"
        raise TypeError(message("Session.run", wrong, repr(value), expected))
    where = f"Session.run: feed of {tensor.name!r}"
    if isinstance(value, IndexedSlices):
        with eager_mode():  # the parts become tensors now, if they are not yet
            return value_of(value, dtype, where)._array
    return as_text(where, value) if dtype is dtypes.string else value_of(value, dtype, where)._array


_NESTED = (list, tuple, IndexedSlices)


def _holds_symbol(value: Any) -> bool:
    """Return whether something of a graph is in ``value``, which would become new operations if it were converted."""
    if isinstance(value, IndexedSlices):
        value = (value._values, value._indices)
    if not isinstance(value, (list, tuple)):
        return isinstance(value, Symbolic)
    kinds = set(map(type, value))
    if any(issubclass(kind, Symbolic) for kind in kinds):
        return True
    return any(issubclass(kind, _NESTED) for kind in kinds) and any(map(_holds_symbol, value))
