"""``make_template``: functions that make their variables when they are first called, and share them afterwards."""

from __future__ import annotations

import contextlib
import functools
import re
import traceback
from collections.abc import Callable
from typing import Any

from nbvars.checks import message
from nbvars.graph.graph import get_collection, get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.locks import ForkSafeLock
from nbvars.variables.scope_state import ScopeState, VariableScope
from nbvars.variables.variable_scope import variable_scope


def make_template(
    name_: str,
    func_: Callable[..., Any],
    create_scope_now_: bool = False,
    unique_name_: str | None = None,
    custom_getter_: Any = None,
    **kwargs: Any,
) -> Template:
    """Return ``func_`` as a function whose ``get_variable`` makes variables in its first call, and then shares them.

    Args:
        name_: Name of its variable scope, with a number if it is taken.
        func_: The function.
        create_scope_now_: Whether the place of this call, and not that of the first call of the result, is that of
            the scope.
        unique_name_: Name of the scope in the place of ``name_``, never with a number.
        custom_getter_: A custom getter for the scope.
        **kwargs: Arguments that ``func_`` gets in each call.

    Raises:
        ValueError: ``name_`` is ``None``; from a later call of the result: a variable is not there, or one is
            made by ``Variable`` and trainable.

    Source: TensorFlow 1 API pages, ``tf.make_template``.
    """
    if name_ is None:
        raise ValueError(message("make_template", "name_ cannot be None", None, "the name of a variable scope"))
    place = traceback.extract_stack(limit=2)[0]
    func = functools.partial(func_, **kwargs) if kwargs else func_
    template = Template(name_, func, unique_name_, custom_getter_, f"{place.filename}, line {place.lineno}")
    if create_scope_now_:
        template._create_scope()
    return template


class Template:
    """A function with variables of its own: what ``make_template`` returns."""

    def __init__(
        self, name: str, func: Callable[..., Any], unique_name: str | None, custom_getter: Any, place: str
    ) -> None:
        self._name = name
        self._func = func
        self._unique_name = unique_name
        self._custom_getter = custom_getter
        self._place = place
        self._variable_scope: VariableScope | None = None
        self._is_first_call = True
        self._has_variables = False
        self._lock = ForkSafeLock()

    @property
    def name(self) -> str:
        """Return the name that was given."""
        return self._name

    @property
    def func(self) -> Callable[..., Any]:
        """Return the function that was given."""
        return self._func

    @property
    def variable_scope(self) -> VariableScope | None:
        """Return the variable scope; ``None`` before it is created."""
        return self._variable_scope

    @property
    def variable_scope_name(self) -> str | None:
        """Return the name of the variable scope, with its slash; ``None`` before it is created."""
        return None if self._variable_scope is None else f"{self._variable_scope.name}/"

    @property
    def variables(self) -> list[Any]:
        """Return the global and local variables of the template."""
        return self.global_variables + self.local_variables

    @property
    def global_variables(self) -> list[Any]:
        """Return the global variables of the template."""
        return self._collected(GraphKeys.GLOBAL_VARIABLES)

    @property
    def local_variables(self) -> list[Any]:
        """Return the local variables of the template."""
        return self._collected(GraphKeys.LOCAL_VARIABLES)

    @property
    def trainable_variables(self) -> list[Any]:
        """Return the trainable variables of the template."""
        return self._collected(GraphKeys.TRAINABLE_VARIABLES)

    @property
    def non_trainable_variables(self) -> list[Any]:
        """Return the global variables of the template that are not trainable."""
        trainable = set(map(id, self.trainable_variables))
        return [variable for variable in self.global_variables if id(variable) not in trainable]

    def _collected(self, key: str) -> list[Any]:
        """Return the variables of the scope; none before the first call has made them."""
        name = self.variable_scope_name
        return get_collection(key, re.escape(name)) if name is not None and self._has_variables else []

    def _create_scope(self) -> None:
        """Take a variable scope here, without a name scope: only the calls have operations."""
        state = get_default_graph()._own(ScopeState)
        name = self._unique_name or state.unused(self._name)
        with state.opened(name, name, None, {"custom_getter": self._custom_getter}) as self._variable_scope:
            pass

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, called in the variable scope of the template."""
        # Of threads that call first, one makes the variables, and the others wait for them.
        with contextlib.nullcontext() if self._has_variables else self._lock:
            is_first, self._is_first_call = self._is_first_call, False
            try:
                result = self._call_in_scope(is_first, args, kwargs)
            except BaseException as error:
                self._is_first_call = is_first
                error.add_note(f"in the template {self._name!r}, originally defined at {self._place}")
                raise
            self._has_variables = self._has_variables or is_first
            return result

    def _call_in_scope(self, is_first: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._variable_scope is None:
            with variable_scope(self._unique_name, self._name, custom_getter=self._custom_getter) as scope:
                self._variable_scope = scope
                return self._func(*args, **kwargs)
        with variable_scope(self._variable_scope, reuse=not is_first):
            return self._func(*args, **kwargs) if is_first else self._call_again(args, kwargs)

    def _call_again(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function, which may make no trainable variables any more."""
        before = get_collection(GraphKeys.TRAINABLE_VARIABLES)
        result = self._func(*args, **kwargs)
        known = set(map(id, before))
        made = [each for each in get_collection(GraphKeys.TRAINABLE_VARIABLES) if id(each) not in known]
        if made and self._has_variables:
            wrong = (
                "Trainable variable created when calling a template after the first time, "
                "perhaps you used tf.Variable when you meant tf.get_variable"
            )
            raise ValueError(message("make_template", wrong, [each.name for each in made], "get_variable"))
        return result
