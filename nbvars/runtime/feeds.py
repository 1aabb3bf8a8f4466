"""Feeds: the values that ``Session.run`` is given in the place of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import message
from nbvars.graph.graph import Graph
from nbvars.graph.tensor import GraphTensor, Symbolic
from nbvars.runtime.conversion import value_of
from nbvars.runtime.definition import Array
from nbvars.runtime.text import as_text


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
    numpy_dtype = dtype.numpy_dtype
    exact = tuple(shape.as_list()) if shape.is_fully_defined() else None

    def convert(value: Any) -> Array:
        if type(value) is np.ndarray and value.dtype is numpy_dtype and dtype is not dtypes.string:
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
    if isinstance(value, Symbolic):
        wrong = "The value of a feed cannot be a Tensor of a graph"
        expected = "Python numbers, strings, lists or NumPy arrays"
        raise TypeError(message("Session.run", f"{wrong} (for {tensor.name!r})", repr(value), expected))
    where = f"Session.run: feed of {tensor.name!r}"
    return as_text(where, value) if dtype is dtypes.string else value_of(value, dtype, where)._array
