"""Eager variables in shared memory, and what ``multiprocessing`` makes of them.

Imported at the first use.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

from nbvars.checks import message
from nbvars.graph.graph import name_scope
from nbvars.graph.tensor import Symbolic
from nbvars.shared_storage import SharedStorage
from nbvars.variables.arguments import Recorded, checked_keys
from nbvars.variables.copying import expect_eager_mode
from nbvars.variables.variable import Variable


def share(variable: Variable, name: str | None) -> str:
    """Move the value of ``variable`` into shared memory, and return the name of that."""
    if isinstance(variable, Symbolic):
        wrong = "a variable of a graph has its memory in a Session"
        raise TypeError(message("share_memory", wrong, repr(variable), "an eager variable"))
    storage = variable._storage
    with storage.locked():
        if variable._storage is storage and not isinstance(storage, SharedStorage):
            described = {"name": variable._name, "trainable": variable._trainable}
            variable._set_storage(SharedStorage.move(storage, name, described))
            return _name_of(variable)
    shared = _name_of(variable)
    if name not in (None, shared):
        raise ValueError(message("share_memory", "the variable is shared already", repr(name), repr(shared)))
    return shared


def _name_of(variable: Variable) -> str:
    storage = variable._storage
    assert isinstance(storage, SharedStorage)
    return storage.name


def attached(new: Callable[[], Variable], name: str) -> Variable:
    """Return a variable, made by ``new``, that has its value in the shared memory ``name``."""
    expect_eager_mode("a variable in shared memory is eager")
    storage = SharedStorage.attach(name)
    described, variable = storage.described, new()
    variable.__setstate__({"_constraint": None, "_caching_device": None, "_save_slice_info": None})
    with name_scope(None):
        keys, recorded = checked_keys(None, described["trainable"]), Recorded(None, None, None)
        variable._set_up(storage, described["name"], described["trainable"], keys, recorded)
    return variable


def _reduced_for_another_process(variable: Variable) -> tuple[Any, ...]:
    if isinstance(variable._storage, SharedStorage):
        return Variable.from_shared_memory, (variable._storage.name,)
    return variable.__reduce__()


ForkingPickler.register(Variable, _reduced_for_another_process)
