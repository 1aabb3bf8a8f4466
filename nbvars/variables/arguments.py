"""The checks of the arguments of ``Variable``, which both modes make."""

from __future__ import annotations

from typing import Any

from nbvars.checks import expect_type, message
from nbvars.devices import DeviceSpec
from nbvars.graph.collections import checked_key
from nbvars.graph.keys import GraphKeys
from nbvars.variables.distribution import VariableAggregation, VariableSynchronization


def check_source(initial_value: Any, variable_def: Any) -> None:
    """Raise ``ValueError`` unless there is one source of the value."""
    if variable_def is not None and initial_value is not None:
        raise ValueError("Variable: variable_def and initial_value are mutually exclusive: got both, expected one")
    if variable_def is None and initial_value is None:
        raise ValueError("Variable: initial_value must be specified: got None, expected a value or a callable")


def checked_keys(collections: Any, trainable: bool) -> list[Any]:
    """Return the collections that a variable joins."""
    if collections is not None and not isinstance(collections, (list, tuple, set)):
        wrong = "collections argument to Variable constructor must be a list, tuple, or set"
        raise ValueError(f"Variable: {wrong}: got {collections!r}, expected [{collections!r}]")
    keys = dict.fromkeys([GraphKeys.VARIABLES] if collections is None else map(checked_key, collections))
    if trainable:
        keys[GraphKeys.TRAINABLE_VARIABLES] = None
    return list(keys)


def check_constraint(constraint: Any) -> None:
    """Raise ``TypeError`` unless ``constraint`` is ``None`` or can be called."""
    if constraint is not None and not callable(constraint):
        raise TypeError(message("Variable", "constraint cannot be called", constraint, "a function or None"))


def check_caching_device(caching_device: Any) -> None:
    """Raise ``ValueError`` if ``caching_device`` is a malformed device string, ``TypeError`` if it is no device."""
    if caching_device is not None and not isinstance(caching_device, DeviceSpec) and not callable(caching_device):
        DeviceSpec.from_string(caching_device)


def is_trainable(trainable: Any, synchronization: Any) -> bool:
    """Return whether optimizers train a variable; ``trainable=None`` leaves it to ``synchronization``."""
    return synchronization is not VariableSynchronization.ON_READ if trainable is None else bool(trainable)


class Recorded:
    """Arguments that have no effect."""

    __slots__ = ("aggregation", "synchronization", "use_resource")

    def __init__(self, use_resource: Any, synchronization: Any, aggregation: Any) -> None:
        for argument, value, kind in (
            ("synchronization", synchronization, VariableSynchronization),
            ("aggregation", aggregation, VariableAggregation),
        ):
            if value is not None:
                expect_type("Variable", argument, value, kind, f"a {kind.__name__}")
        self.use_resource: bool = bool(use_resource)
        self.synchronization = synchronization or VariableSynchronization.AUTO
        self.aggregation = aggregation or VariableAggregation.NONE
