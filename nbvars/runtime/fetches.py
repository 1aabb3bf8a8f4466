"""Fetches: what ``Session.run`` is asked for, and the same structure of values that it returns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

from nbvars.checks import message
from nbvars.graph.graph import Graph
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor


class IndexedSlicesValue(NamedTuple):
    """The value of ``IndexedSlices`` after a run: arrays, and ``None`` for a ``dense_shape`` that is not known.

    Source: TensorFlow 1 API pages, ``tf.IndexedSlicesValue``.
    """

    values: Any
    indices: Any
    dense_shape: Any


def key_of(fetches: Any) -> Hashable:
    """Return what is equal for fetches that mean the same: lists, tuples and dicts by type and content."""
    if isinstance(fetches, (list, tuple)):
        return (type(fetches), *map(key_of, fetches))
    if isinstance(fetches, Mapping):
        return (type(fetches), tuple(fetches), *map(key_of, fetches.values()))
    hash(fetches)
    return fetches  # type: ignore[no-any-return]


def map_fetches(graph: Graph, fetches: Any, leaf: Callable[[GraphTensor | Operation], Any]) -> Any:
    """Return a function ``(slots)`` that gives the structure of ``fetches``.

    ``leaf`` returns such a function for one tensor or operation.
    """
    if isinstance(fetches, (list, tuple)):
        parts = [map_fetches(graph, each, leaf) for each in fetches]
        build = type(fetches)._make if hasattr(fetches, "_make") else type(fetches)
        return lambda slots: build([part(slots) for part in parts])
    if isinstance(fetches, Mapping):
        by_key = {key: map_fetches(graph, each, leaf) for key, each in fetches.items()}
        make: Any = type(fetches)
        return lambda slots: make((key, part(slots)) for key, part in by_key.items())
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


def _map_slices(graph: Graph, slices: IndexedSlices, leaf: Callable[..., Any]) -> Any:
    parts = [leaf(_element(graph, part)) for part in (slices.values, slices.indices)]
    shape = slices.dense_shape
    if isinstance(shape, GraphTensor):
        parts.append(leaf(_element(graph, shape)))
    else:
        known = None if shape is None else shape.numpy()
        parts.append(lambda slots: known)
    return lambda slots: IndexedSlicesValue(*[part(slots) for part in parts])


def _element(graph: Graph, fetch: Any) -> GraphTensor | Operation:
    """Return the tensor or operation that ``fetch`` is or names."""
    expected = "a tensor, operation or variable of the graph, or the name of one"
    try:
        element: GraphTensor | Operation = graph.as_graph_element(fetch)
    except TypeError as error:
        wrong = f"Fetch argument {fetch!r} has invalid type {type(fetch).__name__}"
        raise TypeError(message("Session.run", wrong, error, expected)) from error
    except (ValueError, KeyError) as error:
        wrong = f"Fetch argument {fetch!r} cannot be interpreted as a Tensor"
        raise ValueError(message("Session.run", wrong, error.args[0], expected)) from error
    if not graph.is_fetchable(element):
        wrong = f"{element.name!r} has been marked as not fetchable, or belongs to a branch or loop"
        raise ValueError(message("Session.run", wrong, repr(element), "a fetchable tensor or operation"))
    return element
