"""Collections of a graph: named lists of variables, ops, or whatever a user puts there."""

from __future__ import annotations

import itertools
import re
import weakref
from collections.abc import Callable
from typing import Any

from nbvars.checks import message
from nbvars.graph.names import GRAPH_LOCK


def checked_key(name: Any) -> Any:
    """Return ``name`` if it can be the name of a collection; ``TypeError`` if it cannot be hashed."""
    try:
        hash(name)
    except TypeError as error:
        wrong = "the name of a collection cannot be hashed"
        raise TypeError(message("collection", wrong, repr(name), "a string or another hashable value")) from error
    return name


class Collections:
    """The collections of a graph. An eager variable is held weakly: it leaves when nothing else refers to it."""

    def __init__(self) -> None:
        self._collections: dict[Any, dict[int, Callable[[], Any]]] = {}
        self._places = itertools.count()

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Store ``value`` in the collection ``name``.

        Source: TensorFlow 1 API pages, ``tf.Graph.add_to_collection``.
        """
        self._add(name, lambda: value, next(self._places))

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Store ``value`` in each of the collections ``names``; a string is one name.

        Source: TensorFlow 1 API pages, ``tf.Graph.add_to_collections``.
        """
        for name in (names,) if isinstance(names, str) else dict.fromkeys(map(checked_key, names)):
            self.add_to_collection(name, value)

    def add_weakly(self, name: Any, value: Any) -> None:
        """Store ``value`` in the collection ``name`` for as long as something else refers to it."""

        place = next(self._places)

        # No lock: the garbage collector may call this at any moment, and one pop is atomic.
        def forget(reference: Callable[[], Any]) -> None:
            self._collections.get(name, {}).pop(place, None)

        self._add(name, weakref.ref(value, forget), place)

    def _add(self, name: Any, reference: Callable[[], Any], place: int) -> None:
        with GRAPH_LOCK:
            self._collections.setdefault(checked_key(name), {})[place] = reference

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """Return the values of the collection ``name``, in the order in which they came.

        Args:
            name: The collection; one that is not there is empty.
            scope: A regular expression that the beginning of ``value.name`` must match; values without a name
                are then left out.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_collection``.
        """
        references = list(self._collections.get(checked_key(name), {}).values())
        values = [value for value in (reference() for reference in references) if value is not None]
        if scope is None:
            return values
        pattern = re.compile(scope)
        return [value for value in values if hasattr(value, "name") and pattern.match(value.name)]

    def get_all_collection_keys(self) -> list[Any]:
        """Return the names of all collections.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_all_collection_keys``.
        """
        with GRAPH_LOCK:
            return [name for name, held in self._collections.items() if held]

    def clear_collection(self, name: Any) -> None:
        """Empty the collection ``name``.

        Source: TensorFlow 1 API pages, ``tf.Graph.clear_collection``.
        """
        with GRAPH_LOCK:
            self._collections.pop(name, None)
