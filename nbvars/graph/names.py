"""Names that are given out once, and the name scopes that they lie in."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

from nbvars.checks import message
from nbvars.graph.stack import Stack
from nbvars.locks import ForkSafeLock

_OUTERMOST = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_IN_SCOPE = re.compile(r"[A-Za-z0-9_.\\/>-]+")
_NUMBERED = re.compile(r"(.+)_([1-9][0-9]{0,17}|0)")


GRAPH_LOCK = ForkSafeLock()
"""Of all graphs."""


class Names:
    """The names of a graph."""

    def __init__(self) -> None:
        self._next_number: dict[str, int] = {}
        # Without the trailing slash.
        self._name_scopes: Stack[str] = Stack("")

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """Return ``name`` in the current name scope, with a number if it is taken: ``a``, ``a_1``, ``a_2``.

        Names that differ in case only are the same name.

        Args:
            name: The name. The first character of the whole is a letter, a digit or a dot.
            mark_as_used: ``False`` leaves the name free: the next who asks gets it too.

        Raises:
            ValueError: ``name`` is not valid.

        Source: TensorFlow 1 API pages, ``tf.Graph.unique_name``.
        """
        scope = self._name_scopes.innermost
        _check_valid(name, scope)
        full = f"{scope}/{name}" if scope else name
        with GRAPH_LOCK:
            key, number = full.lower(), 1
            is_taken = self._is_taken(key)
            if is_taken:
                number = self._next_number.get(key, 1)
                while f"{key}_{number}" in self._next_number:
                    number += 1
            if mark_as_used:
                self._next_number[key] = number + is_taken
        return f"{full}_{number}" if is_taken else full

    def _is_taken(self, key: str) -> bool:
        """Tell whether a name was given out: as it was asked for, or with a number (only the next one is kept)."""
        if key in self._next_number:
            return True
        numbered = _NUMBERED.fullmatch(key)
        return numbered is not None and 0 < int(numbered[2]) < self._next_number.get(numbered[1], 1)

    def _claim(self, name: str) -> str:
        """Return the name of an op: a unique one, or exactly the one before a trailing slash."""
        if not isinstance(name, str) or not name.endswith("/"):
            return self.unique_name(name)
        full = name[:-1]
        _check_valid(full, "")
        self._next_number.setdefault(full.lower(), 1)
        return full

    def name_scope(self, name: str | None) -> AbstractContextManager[str]:
        """Put ``name/`` before the names given out in a ``with`` block; yields the scope with its slash.

        A scope that is taken gets a number; a trailing slash takes the scope as it is, wherever the block stands;
        ``None`` or ``""`` goes back to the outermost scope.

        Raises:
            ValueError: ``name`` is not valid.

        Source: TensorFlow 1 API pages, ``tf.Graph.name_scope``.
        """
        if not name or name == "/":
            inner = ""
        elif isinstance(name, str) and name.endswith("/"):
            inner = name[:-1]
            _check_valid(inner, "")
        else:
            inner = self.unique_name(name)
        return self._name_scopes.entered(inner, f"{inner}/" if inner else "")

    def get_name_scope(self) -> str:
        """Return the current name scope, without a slash behind it; ``""`` is the outermost.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_name_scope``.
        """
        return self._name_scopes.innermost


def _check_valid(name: object, scope: str) -> None:
    if isinstance(name, str) and (_IN_SCOPE if scope else _OUTERMOST).fullmatch(name):
        return
    first = "" if scope else " beginning with a letter, digit or dot"
    expected = f"letters, digits and ._/-{first}"
    raise ValueError(message("unique_name", "the name is not valid", repr(name), expected))
