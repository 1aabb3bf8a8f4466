"""Copies and pickles of eager variables: the value and what the constructor was told, never locks or addresses.

``copy.copy``, ``copy.deepcopy`` and ``pickle.loads`` all make a new variable, with memory of its own and by the name
rule of new variables: two variables never share their memory unnoticed. What else a shallow copy would share, such as
a constraint that is an object, it does share, and a deep copy copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbvars.checks import message
from nbvars.devices import list_devices
from nbvars.graph.graph import name_scope
from nbvars.graph.mode import executing_eagerly
from nbvars.runtime.context import current_device, device
from nbvars.runtime.tensor import EagerTensor

if TYPE_CHECKING:
    from nbvars.variables.variable import Variable

FORMAT = 1
"""The version of the pickles, changed when an older nbvars could not read them, or this one not the older."""

_LATER = ("_caching_device", "_constraint", "_save_slice_info")
"""Attributes that may be objects of the user, which may refer to the variable: set once it is there."""


def reduced(variable: Variable) -> tuple[Any, ...]:
    """Return what ``__reduce__`` does: how to make the variable again, and what it is given then."""
    fields = {
        "value": EagerTensor._wrap(variable._storage.read()),  # which a deep copy need not copy
        "name": variable._name,
        "device": variable.device,
        "trainable": variable._trainable,
        "collections": variable._keys,
        "recorded": variable._recorded,
    }
    later = {name: getattr(variable, name) for name in _LATER}
    later |= getattr(variable, "__dict__", {})  # of a user's subclass
    return type(variable)._restored, (FORMAT, fields), later


def restored(new: Callable[[], Variable], version: Any, fields: dict[str, Any]) -> Variable:
    """Return the variable that ``fields`` describe, one made by ``new``.

    Raises:
        ValueError: Another version of nbvars wrote the pickle.
        RuntimeError: The mode is graph mode.
    """
    if version != FORMAT:
        remedy = "load it with the nbvars that wrote it and save the value by train.Saver"
        raise ValueError(message("pickle", "the format of the variable is unknown", version, FORMAT, remedy))
    expect_eager_mode("a copy or pickle of an eager variable is one too")
    # The machine that wrote the pickle may have had other devices. The name has its scopes already.
    place = fields["device"]
    with device(place if place == "/cpu:0" or place in list_devices() else current_device()), name_scope(None):
        variable = new()
        variable.__setstate__(dict.fromkeys(_LATER))
        names = ("name", "trainable", "collections", "recorded")
        variable._set_up(variable._new_storage(fields["value"], None), *(fields[each] for each in names))
    return variable


def expect_eager_mode(wrong: str) -> None:
    """Raise ``RuntimeError`` in graph mode."""
    if not executing_eagerly():
        remedy = "use `with nbvars.eager_mode():`"
        raise RuntimeError(message("Variable", wrong, "graph mode", "eager mode", remedy))
