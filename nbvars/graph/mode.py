"""Eager or graph mode, and the default graph and session: of each thread its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from nbvars.checks import message


class _Scope:
    """A ``with`` block that sets the mode, and the default graph if it is a graph's."""

    __slots__ = ("graph", "is_eager")

    def __init__(self, is_eager: bool, graph: Any) -> None:
        self.is_eager = is_eager
        self.graph = graph


class _EnteredSession:
    """A ``with`` block that sets the default session."""

    __slots__ = ("session",)

    def __init__(self, session: Any) -> None:
        self.session = session


class _Thread(threading.local):
    """What a thread has entered, the innermost last."""

    def __init__(self) -> None:
        self.scopes: list[_Scope] = []
        self.sessions: list[_EnteredSession] = []


_thread = _Thread()
_process = {"is_eager": True}


def executing_eagerly() -> bool:
    """Return whether ops run at once, and not in a graph.

    Source: TensorFlow 1 API pages, ``tf.executing_eagerly``.
    """
    scopes = _thread.scopes
    return scopes[-1].is_eager if scopes else _process["is_eager"]


def expect_graph_mode(where: str) -> None:
    """Raise ``RuntimeError`` in eager mode."""
    if executing_eagerly():
        wrong = f"{where}() is not compatible with eager execution"
        remedy = "use `with Graph().as_default():` or disable_eager_execution()"
        raise RuntimeError(message(where, wrong, "eager mode", "graph mode", remedy))


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
    if _thread.scopes:
        wrong = "the mode of the process cannot change inside a graph or mode scope"
        raise RuntimeError(message(where, wrong, "a call within a with block", "a call outside of it"))
    _process["is_eager"] = is_eager


def graph_mode() -> AbstractContextManager[None]:
    """Make the ops of a ``with`` block join the default graph, in this thread."""
    return _scope("graph_mode", False)


def eager_mode() -> AbstractContextManager[None]:
    """Make the ops of a ``with`` block run at once, in this thread, even inside a graph's ``as_default``."""
    return _scope("eager_mode", True)


@contextmanager
def entered_graph(graph: Any, is_nested: bool = True) -> Iterator[Any]:
    """Make ``graph`` the default graph of this thread, in graph mode; ``is_nested`` as in ``entered_session``."""
    with _scope("Graph.as_default", False, graph, is_nested):
        yield graph


@contextmanager
def entered_session(session: Any, is_nested: bool = True) -> Iterator[Any]:
    """Make ``session`` the default session of this thread.

    Args:
        session: The session.
        is_nested: Raise ``AssertionError`` if something that was entered later is left later too.
    """
    with _entered("Session.as_default", _thread.sessions, _EnteredSession(session), is_nested):
        yield session


def _scope(where: str, is_eager: bool, graph: Any = None, is_nested: bool = True) -> AbstractContextManager[None]:
    return _entered(where, _thread.scopes, _Scope(is_eager, graph), is_nested)


@contextmanager
def _entered(where: str, stack: list[Any], entry: Any, is_nested: bool) -> Iterator[None]:
    """Have ``entry`` on ``stack``, that of this thread, in a ``with`` block, which another thread may leave."""
    try:
        stack.append(entry)
        yield
    finally:
        # Ctrl-C comes neither before nor within a call in C.
        is_last = stack[-1] is entry
        stack.remove(entry)
    if is_nested and not is_last:
        wrong = "with blocks are not nested"
        raise AssertionError(message(where, wrong, "an exit before that of a later block", "the innermost first"))


def innermost_graph() -> Any:
    """Return the graph that this thread has entered last, or ``None``."""
    for scope in reversed(_thread.scopes):
        if scope.graph is not None:
            return scope.graph
    return None


def get_default_session() -> Any:
    """Return the session that this thread has entered last, or ``None``.

    Source: TensorFlow 1 API pages, ``tf.get_default_session``.
    """
    return _thread.sessions[-1].session if _thread.sessions else None


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
