"""What the ops of a ``with`` block have in common: control inputs, device, colocation, branch or loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from nbvars.checks import message
from nbvars.devices import DeviceSpec
from nbvars.graph.control_flow import ControlFlowContext
from nbvars.graph.operation import Operation

DeviceFunction: TypeAlias = Callable[[Operation], Any]
Device: TypeAlias = DeviceSpec | DeviceFunction | None


class _ControlScope:
    """One ``control_dependencies`` block: what it asks for, and the ops made in it, which have it already."""

    __slots__ = ("inputs", "made")

    def __init__(self, inputs: tuple[Operation, ...]) -> None:
        self.inputs = inputs
        self.made: set[Operation] = set()


class _Entered(threading.local):
    """The scopes that a thread has entered, the innermost last."""

    def __init__(self) -> None:
        self.controls: tuple[_ControlScope, ...] = ()
        self.devices: tuple[Device, ...] = ()
        self.colocated_with: tuple[Operation, ...] = ()
        self.context: ControlFlowContext | None = None


class Scopes:
    """The scopes of a graph, of each thread its own."""

    def __init__(self) -> None:
        self._entered = _Entered()

    @contextmanager
    def control_dependencies(self, control_inputs: Iterable[Any] | None) -> Iterator[None]:
        """Make the ops of a ``with`` block run after ``control_inputs``.

        Blocks add up; ``None`` undoes those around, and leaves conditionals and loops.

        Args:
            control_inputs: Operations, tensors, variables or ``IndexedSlices``, or ``None``.

        Raises:
            TypeError: ``control_inputs`` is no list, or holds something else.

        Source: TensorFlow 1 API pages, ``tf.Graph.control_dependencies``.
        """
        entered = self._entered
        outer = entered.controls, entered.context
        if control_inputs is None:
            entered.controls, entered.context = (), None
        else:
            inputs = tuple(dict.fromkeys(self._control_ops(control_inputs)))
            entered.controls = (*entered.controls, _ControlScope(inputs))
        try:
            yield
        finally:
            entered.controls, entered.context = outer

    def _control_ops(self, control_inputs: Iterable[Any]) -> Iterator[Operation]:
        if isinstance(control_inputs, str) or not isinstance(control_inputs, Iterable):
            wrong = "control_inputs is no list"
            got = type(control_inputs).__name__
            raise TypeError(message("control_dependencies", wrong, got, "a list of operations and tensors, or None"))
        for value in control_inputs:
            values = getattr(value, "_slices_values", None)  # of IndexedSlices
            element = self.as_graph_element(value if values is None else values())
            yield element if isinstance(element, Operation) else element.op

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """Return the operation or tensor of this graph that ``obj`` is or names."""
        raise NotImplementedError

    def _controls_for(self, input_ops: set[Operation]) -> list[Operation]:
        """Return the control inputs of a new op: none that its inputs imply, and each once."""
        found: dict[Operation, None] = {}
        for scope in self._entered.controls:
            if scope.made.isdisjoint(input_ops):
                found |= dict.fromkeys(op for op in scope.inputs if op not in input_ops)
        return list(found)

    def _record(self, op: Operation) -> None:
        for scope in self._entered.controls:
            scope.made.add(op)

    @contextmanager
    def device(self, device_name_or_function: str | Device) -> Iterator[None]:
        """Place the ops of a ``with`` block; what an inner scope leaves open it takes from the outer one.

        Args:
            device_name_or_function: A device string, a ``DeviceSpec``, a function of an operation that returns one,
                or ``None``, which undoes the scopes around.

        Source: TensorFlow 1 API pages, ``tf.Graph.device``.
        """
        device: Any = device_name_or_function
        if device is not None and not callable(device) and not isinstance(device, DeviceSpec):
            device = DeviceSpec.from_string(device)
        outer = self._entered.devices
        self._entered.devices = (*outer, device)
        try:
            yield
        finally:
            self._entered.devices = outer

    @contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        """Place the ops of a ``with`` block where ``op`` is; ``None`` undoes the scopes around.

        Args:
            op: An operation, tensor or variable, or ``None``.
            ignore_existing: Undo the scopes around first.

        Source: TensorFlow 1 API pages, ``tf.Graph.colocate_with``.
        """
        element = None if op is None else self.as_graph_element(op)
        place = element if element is None or isinstance(element, Operation) else element.op
        entered = self._entered
        outer = entered.colocated_with, entered.devices
        around = () if place is None or ignore_existing else outer[0]
        entered.colocated_with = around if place is None else (*around, place)
        if place is not None:
            # Without this, the device scopes around would move the op away from ``op``.
            entered.devices = (None, DeviceSpec.from_string(place.device))
        try:
            yield
        finally:
            entered.colocated_with, entered.devices = outer

    def _place(self, op: Operation) -> None:
        """Give a new op its device and its colocation."""
        entered = self._entered
        spec = DeviceSpec()
        for device in reversed(entered.devices):
            if device is None:
                break
            if isinstance(device, DeviceSpec):
                spec = device.make_merged_spec(spec)
            else:
                op._device = spec.to_string()
                chosen = device(op)
                spec = chosen if isinstance(chosen, DeviceSpec) else DeviceSpec.from_string(chosen or "")
        op._device = spec.to_string()
        op._colocated_with = entered.colocated_with

    @contextmanager
    def control_flow(self, context: ControlFlowContext | None) -> Iterator[None]:
        """Make the ops of a ``with`` block belong to a branch or loop; for ``cond`` and ``while_loop``."""
        entered = self._entered
        outer = entered.context, entered.controls
        entered.context, entered.controls = context, ()
        try:
            yield
        finally:
            entered.context, entered.controls = outer
