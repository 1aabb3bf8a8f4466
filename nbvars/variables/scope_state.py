"""``VariableScope``, the defaults of ``get_variable``, and the scope that each thread is in."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from nbvars import dtypes
from nbvars.graph.graph import Graph, get_collection, get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.graph.mode import executing_eagerly
from nbvars.runtime.building import entered, graph_of
from nbvars.variables.variable_store import call_getter


class VariableScope:
    """The beginning of the names of variables, and the defaults of ``get_variable``, within a ``variable_scope``.

    Attributes:
        name: The names of the variables begin with it and a slash.
        original_name_scope: The name scope that was opened with the scope, with its slash: ``"a/"``.
        reuse: Whether variables must be there already (True), must not (False), or may (``AUTO_REUSE``).
        initializer: What makes the first values.
        regularizer: Function of a variable whose result is a loss.
        caching_device: Where reads are cached.
        partitioner: What cuts variables into slices.
        custom_getter: What is called in the place of ``get_variable``.
        dtype: Type of the elements.
        use_resource: Recorded, without effect.
        constraint: What optimizers apply to a value after an update. Alone of all, inner scopes do not take it over.

    Source: TensorFlow 1 API pages, ``tf.VariableScope``.
    """

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = dtypes.float32,
        use_resource: bool | None = None,
        constraint: Any = None,
    ) -> None:
        self.name = name
        self.original_name_scope = name_scope
        self.reuse: Any = reuse
        self.initializer: Any = initializer
        self.regularizer: Any = regularizer
        self.caching_device: Any = caching_device
        self.partitioner: Any = partitioner
        self.custom_getter: Any = custom_getter
        self.dtype: Any = dtype
        self.use_resource = use_resource
        self.constraint = constraint

    def reuse_variables(self) -> None:
        """Make all variables of this scope be ones that are there already, from now on."""
        self.reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """Set ``initializer``."""
        self.initializer = initializer

    def set_regularizer(self, regularizer: Any) -> None:
        """Set ``regularizer``."""
        self.regularizer = regularizer

    def set_caching_device(self, caching_device: Any) -> None:
        """Set ``caching_device``."""
        self.caching_device = caching_device

    def set_partitioner(self, partitioner: Any) -> None:
        """Set ``partitioner``."""
        self.partitioner = partitioner

    def set_custom_getter(self, custom_getter: Any) -> None:
        """Set ``custom_getter``."""
        self.custom_getter = custom_getter

    def set_dtype(self, dtype: Any) -> None:
        """Set ``dtype``."""
        self.dtype = dtype

    def set_use_resource(self, use_resource: bool | None) -> None:
        """Set ``use_resource``."""
        self.use_resource = use_resource

    def get_collection(self, name: Any) -> list[Any]:
        """Return what of the collection ``name`` has a name in this scope."""
        return get_collection(name, re.escape(f"{self.name}/") if self.name else None)

    def global_variables(self) -> list[Any]:
        """Return the global variables of this scope."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def trainable_variables(self) -> list[Any]:
        """Return the trainable variables of this scope."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def local_variables(self) -> list[Any]:
        """Return the local variables of this scope."""
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def full_name(self, name: str) -> str:
        """Return the name of a variable or scope ``name`` within this scope."""
        return f"{self.name}/{name}" if self.name else name

    def inner(self, name: str, name_scope: str, reuse: Any, given: dict[str, Any]) -> VariableScope:
        """Return a scope with the defaults of this one but for those in ``given`` that are not ``None``."""
        kept = {key: getattr(self, key) for key in _TAKEN_OVER}
        kept |= {key: value for key, value in given.items() if value is not None}
        if given.get("custom_getter") is not None and self.custom_getter is not None:
            kept["custom_getter"] = _nested(given["custom_getter"], self.custom_getter)
        return VariableScope(reuse or self.reuse, name, name_scope=name_scope, **kept)


_TAKEN_OVER = ("initializer", "regularizer", "caching_device", "partitioner", "custom_getter", "dtype", "use_resource")


def _nested(inner: Any, outer: Any) -> Callable[..., Any]:
    """Return a custom getter that calls ``inner``, whose getter is ``outer``."""

    def custom_getter(getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return call_getter(inner, functools.partial(call_getter, outer, getter), *args, **kwargs)

    return custom_getter


class ScopeState(threading.local):
    """The variable scope of a graph that a thread is in, and the scopes opened within those around it."""

    def __init__(self) -> None:
        self.current: VariableScope = VariableScope(False)
        self._opened: set[str] = set()

    def unused(self, name: str) -> str:
        """Return ``name``, with a number if the current scope has had a scope of that name."""
        full = self.current.full_name(name)
        if full not in self._opened:
            return name
        number = 1
        while f"{full}_{number}" in self._opened:
            number += 1
        return f"{name}_{number}"

    @contextmanager
    def opened(
        self, name_or_scope: str | VariableScope, name_scope: str, reuse: Any, given: dict[str, Any]
    ) -> Iterator[VariableScope]:
        """Be in a scope within the current one, or again in one that was opened before; yields it."""
        outer = self.current
        if isinstance(name_or_scope, VariableScope):
            scope = name_or_scope.inner(name_or_scope.name, name_or_scope.original_name_scope, reuse, given)
        else:
            scope = outer.inner(outer.full_name(name_or_scope), name_scope, reuse, given)
        self._opened.add(scope.name)
        before = set(self._opened)
        self.current = scope
        try:
            yield scope
        finally:
            if self.current is not scope:
                raise RuntimeError("variable_scope: Improper nesting of variable_scope: inner scopes are still open")
            self.current = outer
            # The numbers of the scopes within start anew when the scope is opened again.
            if isinstance(name_or_scope, VariableScope):
                self._opened = before
            else:
                self._opened = {name for name in self._opened if not name.startswith(f"{scope.name}/")}


@contextmanager
def entered_scope(
    name_or_scope: str | VariableScope | None,
    default_name: str | None,
    values: Iterable[Any] | None,
    reuse: Any,
    auxiliary_name_scope: bool,
    given: dict[str, Any],
) -> Iterator[VariableScope]:
    """Be in a variable scope of the default graph, or of that of ``values``, and in its name scope; yields it."""
    is_eager = executing_eagerly()
    graph = get_default_graph() if is_eager else graph_of(values or ())
    state = graph._own(ScopeState)
    name = default_name if name_or_scope is None else name_or_scope
    assert name is not None
    last = name.name.rpartition("/")[2] if isinstance(name, VariableScope) else name
    place = _name_scope(graph, last) if auxiliary_name_scope else nullcontext(_current_name_scope(graph))
    with nullcontext() if is_eager else entered(graph), place as name_scope:
        if name_or_scope is None:
            name = state.unused(str(name))
        with state.opened(name, name_scope, reuse, given) as scope:
            yield scope


def _name_scope(graph: Graph, name: str) -> AbstractContextManager[str]:
    """Return the name scope of a variable scope: none for one without a name."""
    return graph.name_scope(name) if name else nullcontext("")


def _current_name_scope(graph: Graph) -> str:
    name = graph.get_name_scope()
    return f"{name}/" if name else ""
