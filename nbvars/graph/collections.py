"""Collections of a graph: named lists of variables, ops, or whatever a user puts there."""

from __future__ import annotations

import itertools
import re
import weakref
from collections.abc import Iterable, MutableSequence
from typing import Any, ClassVar, TypeAlias

from nbvars.checks import message
from nbvars.graph.names import GRAPH_LOCK

_Entry: TypeAlias = "tuple[Any] | weakref.ref[Any]"
_places = itertools.count()


def checked_key(name: Any) -> Any:
    """Return ``name`` if it can be the name of a collection; ``TypeError`` if it cannot be hashed."""
    try:
        hash(name)
    except TypeError as error:
        wrong = "the name of a collection cannot be hashed"
        raise TypeError(message("collection", wrong, repr(name), "a string or another hashable value")) from error
    return name


class Collection(MutableSequence[Any]):
    """The values of one collection, as a list: what is changed here is changed in the graph.

    A value that is there weakly leaves when nothing else refers to it; what a user adds stays.
    """

    __slots__ = ("_entries",)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __init__(self) -> None:
        # By place, so that a value that dies takes one pop: it may die at any moment, in any thread.
        self._entries: dict[int, _Entry] = {}

    def add_weakly(self, value: Any) -> None:
        """Add ``value`` for as long as something else refers to it."""
        place, entries = next(_places), self._entries
        reference = weakref.ref(value, lambda reference: entries.pop(place, None))
        with GRAPH_LOCK:
            entries[place] = reference

    def values(self) -> list[Any]:
        """Return a list of the values."""
        return [value for _, _, value in self._living()]

    def _living(self) -> list[tuple[int, _Entry, Any]]:
        """Return place, entry and value of all that are still there."""
        found: list[tuple[int, _Entry, Any]] = []
        for place, entry in list(self._entries.items()):
            if isinstance(entry, tuple):
                found.append((place, entry, entry[0]))
            elif (value := entry()) is not None:
                found.append((place, entry, value))
        return found

    def _change(self, key: Any, values: Iterable[Any] | None) -> None:
        """Put ``values`` in the place of ``key``, an index or slice; ``None`` takes it out."""
        with GRAPH_LOCK:
            # The values are held until the end: none of them can die between clear and update.
            living: list[Any] = self._living()
            if values is None:
                del living[key]
            else:
                new = [(next(_places), (value,), value) for value in values]
                living[key] = new if isinstance(key, slice) else new[0]
            self._entries.clear()
            self._entries.update((place, entry) for place, entry, _ in living)

    def __len__(self) -> int:
        return len(self._living())

    def __getitem__(self, key: Any) -> Any:
        return self.values()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._change(key, value if isinstance(key, slice) else (value,))

    def __delitem__(self, key: Any) -> None:
        self._change(key, None)

    def insert(self, index: int, value: Any) -> None:
        """Insert ``value`` before the one at ``index``."""
        self._change(slice(index, index), (value,))

    def append(self, value: Any) -> None:
        """Add ``value`` at the end."""
        with GRAPH_LOCK:
            self._entries[next(_places)] = (value,)

    def clear(self) -> None:
        """Take out all values."""
        self._change(slice(None), None)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Collection):
            other = other.values()
        return self.values() == other if isinstance(other, list) else NotImplemented

    def __repr__(self) -> str:
        return repr(self.values())


class Collections:
    """The collections of a graph. An eager variable is held weakly: it leaves when nothing else refers to it."""

    def __init__(self) -> None:
        self._collections: dict[Any, Collection] = {}

    def _check_not_finalized(self) -> None:
        """Raise ``RuntimeError`` if nothing can be added any more."""
        raise NotImplementedError

    def add_to_collection(self, name: Any, value: Any) -> None:
        """Store ``value`` in the collection ``name``.

        Raises:
            RuntimeError: The graph is finalized.

        Source: TensorFlow 1 API pages, ``tf.Graph.add_to_collection``.
        """
        self._check_not_finalized()
        self.get_collection_ref(name).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Store ``value`` in each of the collections ``names``; a string is one name.

        Raises:
            RuntimeError: The graph is finalized.

        Source: TensorFlow 1 API pages, ``tf.Graph.add_to_collections``.
        """
        for name in (names,) if isinstance(names, str) else dict.fromkeys(map(checked_key, names)):
            self.add_to_collection(name, value)

    def add_weakly(self, name: Any, value: Any) -> None:
        """Store ``value`` in the collection ``name`` for as long as something else refers to it."""
        self._check_not_finalized()
        self.get_collection_ref(name).add_weakly(value)

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """Return a list of the values of the collection ``name``, in the order in which they came.

        Args:
            name: The collection; one that is not there is empty.
            scope: A regular expression that the beginning of ``value.name`` must match; values without a name
                are then left out.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_collection``.
        """
        collection = self._collections.get(checked_key(name))
        values = [] if collection is None else collection.values()
        if scope is None:
            return values
        pattern = re.compile(scope)
        return [value for value in values if hasattr(value, "name") and pattern.match(value.name)]

    def get_collection_ref(self, name: Any) -> Collection:
        """Return the collection ``name`` itself: a list whose changes change the collection.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_collection_ref``.
        """
        with GRAPH_LOCK:
            return self._collections.setdefault(checked_key(name), Collection())

    def get_all_collection_keys(self) -> list[Any]:
        """Return the names of all collections that hold something.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_all_collection_keys``.
        """
        with GRAPH_LOCK:
            return [name for name, collection in self._collections.items() if collection._entries]

    @property
    def collections(self) -> list[Any]:
        """Return ``get_all_collection_keys()``."""
        return self.get_all_collection_keys()

    def clear_collection(self, name: Any) -> None:
        """Empty the collection ``name``.

        Raises:
            RuntimeError: The graph is finalized.

        Source: TensorFlow 1 API pages, ``tf.Graph.clear_collection``.
        """
        self._check_not_finalized()
        with GRAPH_LOCK:
            self._collections.pop(checked_key(name), None)
