"""``Stack``: what a thread is in by ``with`` blocks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")


class _Entry(Generic[Value]):
    """The value of one block: blocks of equal values are told apart."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


class Stack(threading.local, Generic[Value]):
    """The values that the blocks around have set, of each thread its own; at first there is one, ``outermost``.

    A block may be left late, and by another thread: Ctrl-C between ``with`` and the first line of the block leaves it
    to whoever collects the block, as it does a generator that nobody goes on with. So a block takes out its own value,
    wherever that is by then, of the thread that has entered it.
    """

    def __init__(self, outermost: Value) -> None:
        self._entries = [_Entry(outermost)]

    @property
    def innermost(self) -> Value:
        """Return the value of the block that this thread has entered last."""
        return self._entries[-1].value

    @contextmanager
    def entered(self, value: Value, result: Result) -> Iterator[Result]:
        """Set ``value`` in a ``with`` block, which yields ``result``."""
        entry, entries = _Entry(value), self._entries
        try:
            entries.append(entry)
            yield result
        finally:
            # A single call in C: no signal comes before it is done.
            entries.remove(entry)
