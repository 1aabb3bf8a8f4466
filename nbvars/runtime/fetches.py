"""Fetches: what ``Session.run`` is asked for, and the same structure of values that it returns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np

from nbvars.checks import message
from nbvars.graph.graph import Graph
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor, Symbolic
from nbvars.runtime.conversion import value_of


class IndexedSlicesValue(NamedTuple):
    """The value of ``IndexedSlices`` after a run: arrays, and ``None`` for a ``dense_shape`` that is not known.

    Source: TensorFlow 1 API pages, ``tf.IndexedSlicesValue``.
    """

    values: Any
    indices: Any
    dense_shape: Any


# Sets the keys of structures apart from whatever a user can ask for.
_NESTED = object()


def key_of(fetches: Any) -> Hashable:
    """Return what is equal for fetches that mean the same: lists, tuples, dicts and slices by type and content.

    Raises:
        TypeError: Something is not hashable, so it is nothing that can be fetched.
    """
    if isinstance(fetches, (list, tuple)):
        return (_NESTED, type(fetches), *map(key_of, fetches))
    if isinstance(fetches, Mapping):
        factory = getattr(fetches, "default_factory", None)
        return (_NESTED, type(fetches), factory, tuple(fetches), *map(key_of, fetches.values()))
    if isinstance(fetches, IndexedSlices):
        return (_NESTED, IndexedSlices, fetches._values, fetches._indices, fetches._dense_shape)
    hash(fetches)
    return fetches  # type: ignore[no-any-return]


def map_fetches(graph: Graph, fetches: Any, leaf: Callable[[GraphTensor | Operation], Any]) -> Any:
    """Return a function ``(slots)`` that gives the structure of ``fetches``.

    ``leaf`` returns such a function for one tensor or operation.
    """
    if isinstance(fetches, (list, tuple)):
        parts = [map_fetches(graph, each, leaf) for each in fetches]
        build = _builder_of_list(fetches)
        return lambda slots: build([part(slots) for part in parts])
    if isinstance(fetches, Mapping):
        by_key = {key: map_fetches(graph, each, leaf) for key, each in fetches.items()}
        make = _builder_of_dict(fetches)
        return lambda slots: make({key: part(slots) for key, part in by_key.items()})
    if isinstance(fetches, IndexedSlices):
        return _map_slices(graph, fetches, leaf)
    return leaf(_element(graph, fetches))


def elements_of(graph: Graph, fetches: Any) -> list[GraphTensor | Operation]:
    """Return all tensors and operations in ``fetches``; checks them.

    Raises:
        TypeError: One is nothing that can be fetched.
        ValueError: One is of another graph, not there, or must not be fetched.
    """
    found: list[GraphTensor | Operation] = []
    map_fetches(graph, fetches, found.append)
    return found


def _builder_of_list(fetches: Any) -> Callable[[list[Any]], Any]:
    if isinstance(fetches, list):
        return list
    return type(fetches)._make if hasattr(fetches, "_make") else type(fetches)


def _builder_of_dict(fetches: Any) -> Callable[[dict[Any, Any]], Any]:
    if isinstance(fetches, defaultdict):
        factory = fetches.default_factory
        return lambda values: defaultdict(factory, values)
    return type(fetches)


def _map_slices(graph: Graph, slices: IndexedSlices, leaf: Callable[..., Any]) -> Any:
    if not any(isinstance(part, Symbolic) for part in (slices._values, slices._indices)):
        _element(graph, slices)  # they are of no graph
    values = _part(graph, slices._values, leaf)
    indices = _part(graph, slices._indices, leaf)
    known = slices._dense_shape
    shape = _part(graph, np.array(known, np.int64) if isinstance(known, tuple) else known, leaf)
    return lambda slots: IndexedSlicesValue(values(slots), indices(slots), shape(slots))


def _part(graph: Graph, part: Any, leaf: Callable[..., Any]) -> Any:
    """Return the function for a part of ``IndexedSlices``, which need not be of a graph."""
    if part is None:
        return lambda slots: None
    if isinstance(part, Symbolic):
        return leaf(_element(graph, part))
    return lambda slots: value_of(part)._array.copy()


def _element(graph: Graph, fetch: Any) -> GraphTensor | Operation:
    """Return the tensor or operation that ``fetch`` is or names."""
    expected = "a tensor, operation or variable of the graph, or the name of one"
    try:
        element: GraphTensor | Operation = graph.as_graph_element(fetch)
    except TypeError as error:
        wrong = f"a fetch has invalid type {type(fetch).__name__}"
        raise TypeError(message("Session.run", wrong, repr(fetch), expected)) from error
    except (ValueError, KeyError) as error:
        wrong = f"a fetch cannot be interpreted as a Tensor ({error.args[0]})"
        raise ValueError(message("Session.run", wrong, repr(fetch), expected)) from error
    if not graph.is_fetchable(element):
        wrong = f"{element.name!r} has been marked as not fetchable, or belongs to a branch or loop"
        raise ValueError(message("Session.run", wrong, repr(element), "a fetchable tensor or operation"))
    return element
