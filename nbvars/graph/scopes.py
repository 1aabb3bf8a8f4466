"""What the ops of a ``with`` block have in common: control inputs, device, colocation, branch or loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from nbvars.checks import message
from nbvars.devices import DeviceSpec
from nbvars.graph.control_flow import ControlFlowContext, check_reaches
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.operation import GraphPart, Operation
from nbvars.graph.stack import Stack

DeviceFunction: TypeAlias = Callable[[Operation], Any]
Device: TypeAlias = DeviceSpec | DeviceFunction


class _ControlScope:
    """One ``control_dependencies`` block: what it asks for, and the ops made in it, which have it already."""

    __slots__ = ("inputs", "made")

    def __init__(self, inputs: tuple[Operation, ...]) -> None:
        self.inputs = inputs
        self.made: set[Operation] = set()


class _Entered:
    """What the scopes around come to."""

    __slots__ = ("colocated_with", "context", "controls", "device", "devices", "place")

    def __init__(self) -> None:
        self.controls: tuple[_ControlScope, ...] = ()
        # One DeviceSpec between two functions: what follows each other is merged when it is entered.
        self.devices: tuple[Device, ...] = ()
        self.device = ""  # what ``devices`` come to, if there is no function among them
        self.colocated_with: tuple[Operation, ...] = ()
        self.place = ""  # the device of ``colocated_with``
        self.context: ControlFlowContext | None = None


class Scopes:
    """The scopes of a graph, of each thread its own."""

    def __init__(self) -> None:
        self._scopes: Stack[_Entered] = Stack(_Entered())

    @property
    def _entered(self) -> _Entered:
        """What this thread has entered."""
        return self._scopes.innermost

    def _in(self, **inner: Any) -> AbstractContextManager[None]:
        """Set some of what is entered in a ``with`` block."""
        outer, entered = self._entered, _Entered()
        for name in _Entered.__slots__:
            setattr(entered, name, inner[name] if name in inner else getattr(outer, name))
        return self._scopes.entered(entered, None)

    def control_dependencies(self, control_inputs: Iterable[Any] | None) -> AbstractContextManager[None]:
        """Make the ops of a ``with`` block run after ``control_inputs``.

        Blocks add up; ``None`` undoes those around, and leaves conditionals and loops.

        Args:
            control_inputs: Operations, tensors, variables or ``IndexedSlices``, or ``None``.

        Raises:
            TypeError: ``control_inputs`` is no list, or holds something else.
            ValueError: Something is of another graph, or of a branch or loop that this block is not in.

        Source: TensorFlow 1 API pages, ``tf.Graph.control_dependencies``.
        """
        if control_inputs is None:
            return self._in(controls=(), context=None)
        inputs = tuple(dict.fromkeys(self._control_ops(control_inputs)))
        return self._in(controls=(*self._entered.controls, _ControlScope(inputs)))

    def _control_ops(self, control_inputs: Iterable[Any]) -> Iterator[Operation]:
        if isinstance(control_inputs, (str, GraphPart)) or not isinstance(control_inputs, Iterable):
            wrong = "control_inputs is no list"
            got = type(control_inputs).__name__
            raise TypeError(message("control_dependencies", wrong, got, "a list of operations and tensors, or None"))
        context = self._entered.context
        for value in control_inputs:
            element = self.as_graph_element(value.values if isinstance(value, IndexedSlices) else value)
            op = element if isinstance(element, Operation) else element.op
            check_reaches("control_dependencies", context, op, element)
            yield op

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

    def device(self, device_name_or_function: str | Device | None) -> AbstractContextManager[None]:
        """Place the ops of a ``with`` block; what an inner scope leaves open it takes from the outer one.

        Args:
            device_name_or_function: A device string, a ``DeviceSpec``, or ``None``, which undoes the scopes around; or
                a function of an operation, whose ``device`` the inner scopes have set: what it returns takes the
                place of that.

        Raises:
            TypeError: It is something else.
            ValueError: A string is malformed.

        Source: TensorFlow 1 API pages, ``tf.Graph.device``.
        """
        devices = _with_device(self._entered.devices, device_name_or_function)
        device = str(devices[0]) if len(devices) == 1 and isinstance(devices[0], DeviceSpec) else ""
        return self._in(devices=devices, device=device)

    def colocate_with(self, op: Any, ignore_existing: bool = False) -> AbstractContextManager[None]:
        """Place the ops of a ``with`` block where ``op`` is, whatever device scopes say.

        Args:
            op: An operation, tensor or variable; ``None``, with ``ignore_existing``, for none.
            ignore_existing: Undo the blocks around; without, the ops belong to their groups too.

        Raises:
            TypeError: ``op`` is something else.
            ValueError: ``op`` is of another graph, or ``None`` without ``ignore_existing``.

        Source: TensorFlow 1 API pages, ``tf.Graph.colocate_with``.
        """
        if op is None and not ignore_existing:
            wrong = "Trying to reset colocation (op is None) but ignore_existing is not True"
            raise ValueError(message("colocate_with", wrong, "op None", "an operation", "pass ignore_existing=True"))
        outer = self._entered
        group, device = ((), "") if ignore_existing else (outer.colocated_with, outer.place)
        if op is None:
            return self._in(colocated_with=group, place=device)
        element = self.as_graph_element(op)
        place = element if isinstance(element, Operation) else element.op
        group = tuple(dict.fromkeys((*group, *(place._colocated_with or (place,)))))
        # The device scopes around do not concern the ops: ``op`` may leave open what they say.
        return self._in(colocated_with=group, place=place._device or device, devices=(), device="")

    def _place(self, op: Operation) -> None:
        """Give a new op its device and its colocation."""
        entered = self._entered
        op._colocated_with = entered.colocated_with
        op._device = entered.device
        if not entered.device:
            for device in reversed(entered.devices):
                _apply_device(op, device)
        if entered.place:
            op._device = entered.place

    def control_flow(self, context: ControlFlowContext | None) -> AbstractContextManager[None]:
        """Make the ops of a ``with`` block belong to a branch or loop; for ``cond`` and ``while_loop``."""
        return self._in(context=context, controls=())


def _with_device(devices: tuple[Device, ...], inner: Any) -> tuple[Device, ...]:
    """Return ``devices`` with one more scope in them."""
    if inner is None:
        return ()
    if callable(inner):
        return (*devices, inner)
    spec = inner if isinstance(inner, DeviceSpec) else DeviceSpec.from_string(inner)
    last = devices[-1] if devices else None
    return (*devices[:-1], last.make_merged_spec(spec)) if isinstance(last, DeviceSpec) else (*devices, spec)


def _apply_device(op: Operation, device: Device) -> None:
    """Set the device of ``op`` as a scope says, around those that have had their say."""
    if isinstance(device, DeviceSpec):
        op._device = device.make_merged_spec(DeviceSpec.from_string(op._device)).to_string()
    else:
        chosen = device(op)
        spec = chosen if isinstance(chosen, DeviceSpec) else DeviceSpec.from_string(chosen or "")
        op._device = spec.to_string()
