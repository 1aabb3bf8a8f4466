"""``Graph``: the collections and the names that variables share."""

from __future__ import annotations

import itertools
import os
import re
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nbvars.checks import message

_VALID_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_NUMBERED = re.compile(r"(.+)_([1-9][0-9]{0,17}|0)")


# Of all graphs, so that a forked child can make it anew: whoever held it in the parent does not exist there.
_lock = threading.RLock()


def _forget_lock() -> None:
    global _lock  # noqa: PLW0603 - replaced in a forked child only
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)


def checked_key(name: Any) -> Any:
    """Return ``name`` if it can be the name of a collection; ``TypeError`` if it cannot be hashed."""
    try:
        hash(name)
    except TypeError as error:
        wrong = "the name of a collection cannot be hashed"
        raise TypeError(message("collection", wrong, repr(name), "a string or another hashable value")) from error
    return name


class _NameScope(threading.local):
    """The name scope that a thread is in, without the trailing slash."""

    def __init__(self) -> None:
        self.name = ""


class Graph:
    """Named collections, and names that are given out once.

    A collection holds eager variables weakly: they leave it when nothing else refers to them.

    Source: TensorFlow 1 API pages, ``tf.Graph``.
    """

    def __init__(self) -> None:
        self._collections: dict[Any, dict[int, Callable[[], Any]]] = {}
        self._places = itertools.count()
        self._next_number: dict[str, int] = {}
        self._scope = _NameScope()

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
        with _lock:
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
        with _lock:
            return [name for name, held in self._collections.items() if held]

    def clear_collection(self, name: Any) -> None:
        """Empty the collection ``name``.

        Source: TensorFlow 1 API pages, ``tf.Graph.clear_collection``.
        """
        with _lock:
            self._collections.pop(name, None)

    def unique_name(self, name: str) -> str:
        """Return ``name`` in the current name scope, with a number if it is taken: ``a``, ``a_1``, ``a_2``.

        Names that differ in case only are the same name.

        Source: TensorFlow 1 API pages, ``tf.Graph.unique_name``.
        """
        if not isinstance(name, str) or not _VALID_NAME.fullmatch(name):
            expected = "letters, digits and ._/- beginning with a letter, digit or dot"
            raise ValueError(message("unique_name", "the name is not valid", repr(name), expected))
        full = f"{self._scope.name}/{name}" if self._scope.name else name
        with _lock:
            if not self._is_taken(full):
                self._next_number[full.lower()] = 1
                return full
            number = self._next_number.get(full.lower(), 1)
            while f"{full}_{number}".lower() in self._next_number:
                number += 1
            self._next_number[full.lower()] = number + 1
            return f"{full}_{number}"

    def _is_taken(self, name: str) -> bool:
        """Tell whether ``name`` was given out: as it was asked for, or with a number (only the next one is kept)."""
        key = name.lower()
        if key in self._next_number:
            return True
        numbered = _NUMBERED.fullmatch(key)
        return numbered is not None and 0 < int(numbered[2]) < self._next_number.get(numbered[1], 1)

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Put ``name/`` before the names given out in a ``with`` block; yields the scope with its slash.

        A scope that is taken gets a number; a trailing slash takes the scope as it is; ``None`` or ``""`` resets it.

        Source: TensorFlow 1 API pages, ``tf.Graph.name_scope``.
        """
        outer = self._scope.name
        is_taken_as_it_is = isinstance(name, str) and name.endswith("/")
        inner = "" if not name else name[:-1] if is_taken_as_it_is else self.unique_name(name)
        self._scope.name = inner
        try:
            yield f"{inner}/" if inner else ""
        finally:
            self._scope.name = outer


_default_graph = Graph()


def get_default_graph() -> Graph:
    """Return the graph that variables join.

    Source: TensorFlow 1 API pages, ``tf.get_default_graph``.
    """
    return _default_graph


def reset_default_graph() -> None:
    """Replace the default graph by an empty one: no collections, no names taken.

    Source: TensorFlow 1 API pages, ``tf.reset_default_graph``.
    """
    global _default_graph  # noqa: PLW0603 - the one default graph of the process
    _default_graph = Graph()


def name_scope(name: str | None) -> Any:
    """Put ``name/`` before the names given out in a ``with`` block, in the default graph."""
    return get_default_graph().name_scope(name)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """Return the values of a collection of the default graph, as ``Graph.get_collection``."""
    return get_default_graph().get_collection(key, scope)


def add_to_collection(name: Any, value: Any) -> None:
    """Store ``value`` in a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """Store ``value`` in collections of the default graph."""
    get_default_graph().add_to_collections(names, value)
