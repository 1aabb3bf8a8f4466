"""Eager or graph mode, and the default graph and session: of each thread its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nbvars.checks import message


class _Thread(threading.local):
    """What a thread has entered: modes, graphs and sessions, the innermost last."""

    def __init__(self) -> None:
        self.is_eager: bool | None = None  # None: as the process
        self.graphs: list[Any] = []
        self.sessions: list[Any] = []


_thread = _Thread()
_process = {"is_eager": True}


def executing_eagerly() -> bool:
    """Return whether ops run at once, and not in a graph.

    Source: TensorFlow 1 API pages, ``tf.executing_eagerly``.
    """
    is_eager = _thread.is_eager
    return _process["is_eager"] if is_eager is None else is_eager


def enable_eager_execution() -> None:
    """Make ops run at once, wherever no graph is entered: the default.

    Source: TensorFlow 1 API pages, ``tf.enable_eager_execution``.
    """
    _set_process_mode("enable_eager_execution", True)


def disable_eager_execution() -> None:
    """Make ops join the default graph, for a ``Session`` to run, in all of the process.

    Source: TensorFlow 2 API pages, ``tf.compat.v1.disable_eager_execution``.
    """
    _set_process_mode("disable_eager_execution", False)


def _set_process_mode(where: str, is_eager: bool) -> None:
    if _thread.is_eager is not None:
        wrong = "the mode of the process cannot change inside a graph or mode scope"
        raise RuntimeError(message(where, wrong, "a call within a with block", "a call outside of it"))
    _process["is_eager"] = is_eager


@contextmanager
def graph_mode() -> Iterator[None]:
    """Make the ops of a ``with`` block join the default graph, in this thread."""
    with _mode(False):
        yield


@contextmanager
def eager_mode() -> Iterator[None]:
    """Make the ops of a ``with`` block run at once, in this thread, even inside a graph's ``as_default``."""
    with _mode(True):
        yield


@contextmanager
def _mode(is_eager: bool) -> Iterator[None]:
    outer = _thread.is_eager
    _thread.is_eager = is_eager
    try:
        yield
    finally:
        _thread.is_eager = outer


@contextmanager
def entered_graph(graph: Any) -> Iterator[Any]:
    """Make ``graph`` the default graph of this thread, in graph mode."""
    with _mode(False), _pushed("Graph.as_default", _thread.graphs, graph):
        yield graph


@contextmanager
def entered_session(session: Any) -> Iterator[Any]:
    """Make ``session`` the default session of this thread."""
    with _pushed("Session.as_default", _thread.sessions, session):
        yield session


@contextmanager
def _pushed(where: str, stack: list[Any], value: Any) -> Iterator[None]:
    stack.append(value)
    try:
        yield
    finally:
        if stack[-1] is not value:
            raise AssertionError(message(where, "with blocks are not nested", repr(stack[-1]), repr(value)))
        stack.pop()


def innermost_graph() -> Any:
    """Return the graph that this thread has entered last, or ``None``."""
    return _thread.graphs[-1] if _thread.graphs else None


def get_default_session() -> Any:
    """Return the session that this thread has entered last, or ``None``.

    Source: TensorFlow 1 API pages, ``tf.get_default_session``.
    """
    return _thread.sessions[-1] if _thread.sessions else None


def session_for(where: str, session: Any, graph: Any) -> Any:
    """Return ``session``, or the default one; ``ValueError`` without one, or if it runs another graph."""
    if session is None:
        session = get_default_session()
        if session is None:
            remedy = "use `with sess.as_default()` or pass the session"
            wrong = f"cannot evaluate by {where}(): No default session is registered"
            raise ValueError(message(where, wrong, "session None", "a Session", remedy))
    if session.graph is not graph:
        wrong = "the session runs another graph: the tensor must be from the same graph as the session"
        raise ValueError(message(where, wrong, repr(session.graph), repr(graph)))
    return session
