"""Names that are given out once, and the name scopes that they lie in."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nbvars.checks import message
from nbvars.locks import ForkSafeLock

_VALID_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_NUMBERED = re.compile(r"(.+)_([1-9][0-9]{0,17}|0)")


GRAPH_LOCK = ForkSafeLock()
"""Of all graphs."""


class _NameScope(threading.local):
    """The name scope that a thread is in, without the trailing slash."""

    def __init__(self) -> None:
        self.name = ""


class Names:
    """The names of a graph."""

    def __init__(self) -> None:
        self._next_number: dict[str, int] = {}
        self._scope = _NameScope()

    def unique_name(self, name: str) -> str:
        """Return ``name`` in the current name scope, with a number if it is taken: ``a``, ``a_1``, ``a_2``.

        Names that differ in case only are the same name.

        Source: TensorFlow 1 API pages, ``tf.Graph.unique_name``.
        """
        if not isinstance(name, str) or not _VALID_NAME.fullmatch(name):
            expected = "letters, digits and ._/- beginning with a letter, digit or dot"
            raise ValueError(message("unique_name", "the name is not valid", repr(name), expected))
        full = f"{self._scope.name}/{name}" if self._scope.name else name
        with GRAPH_LOCK:
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
