"""``Plan``: a run of a session, made ready: the ops that it needs, in the order in which they were created.

A run works on a list with a slot for each tensor. Each op becomes a step, a function of that list. References to
variables have no slot: whoever needs the value reads it from the variable when its turn comes, and a variable that is
fetched is read when all steps are done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.errors import FailedPreconditionError, InvalidArgumentError, OpError, UnimplementedError
from nbvars.graph.control_flow import ControlFlowContext
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor
from nbvars.runtime.building import spec_of
from nbvars.runtime.cuda_dispatch import OF_HOST
from nbvars.runtime.cuda_steps import computation_on_gpu, moving, on_device, to_host
from nbvars.runtime.definition import DEFINITIONS, Array, OpDefinition
from nbvars.runtime.steps import (
    Reader,
    Slots,
    Step,
    computation,
    forgetting,
    quiet,
    raise_for,
    raise_uninitialized,
    sequence,
)

LIVE = "_live"
"""The attribute of an identity that is no copy: of a variable it shows later updates."""

CPU = "/cpu:0"
ANYWHERE = ""
"""For who takes a value where it is."""

LARGE_BYTES = 1 << 16
"""A run lets go of arrays of so many bytes, and of those of unknown size, when nobody needs them any more."""

CAPTURES = "_captures"
"""The attribute of a conditional or loop: the tensors and operations from outside that its branches need."""

KEEPS_VALUES = "_keeps_values"
"""The attribute of a conditional of which a gradient needs what the branch has computed."""


class Plan:
    """Steps, and what they start from and end in."""

    __slots__ = ("_disabled", "_feeds", "_ops", "_result", "_start", "_steps")

    def __init__(
        self,
        builder: PlanBuilder,
        feeds: Sequence[Callable[[Any], Any]],
        result: Reader,
    ) -> None:
        builder.let_go()
        self._start = builder.slots
        self._steps, self._ops = builder.steps, builder.step_ops
        if builder.computes:
            self._steps = [quiet(sequence(self._steps, self._ops))]
        self._feeds = feeds
        self._result = result
        self._disabled: Step | None = None

    def run(self, values: Collection[Any] = ()) -> Any:
        """Run once, with ``values`` for the fed tensors; return what is fetched."""
        slots, steps = self._start.copy(), self._steps
        if values:
            feeds, slot = self._feeds, 0
            for value in values:
                slots[slot] = feeds[slot](value)
                slot += 1  # noqa: SIM113 - zip or enumerate would take a tenth of the run of one update
        try:
            for step in steps:
                step(slots)
        except (OpError, ValueError, MemoryError) as error:
            self._raise_if_disabled(slots)
            # A step raised, so there is one.
            raise_for(self._ops[steps.index(step)], error)  # pyright: ignore[reportPossiblyUnboundVariable]
        try:
            return self._result(slots)
        except FailedPreconditionError:
            self._raise_if_disabled(slots)
            raise

    def disable(self, step: Step) -> None:
        """Make every later run fail as ``step`` does, and what fails in one that goes on."""
        self._disabled = step
        self._feeds = [step] * len(self._feeds)
        self._steps = [step]

    def _raise_if_disabled(self, slots: Slots) -> None:
        if self._disabled is not None:
            self._disabled(slots)


class PlanBuilder:
    """A plan in the making; the definitions of ops add the steps.

    Attributes:
        session: What the steps keep from run to run.
        slots: What a run starts with: the values of constants.
        steps: The steps so far.
        step_ops: The operation of each step.
        computes: Whether a step may compute what NumPy warns of.
    """

    def __init__(self, session: Any, fed: Sequence[GraphTensor]) -> None:
        self.session = session
        self.slots: Slots = []
        self.steps: list[Step] = []
        self.step_ops: list[Operation] = []
        self.computes: bool = False
        self._slot_of: dict[GraphTensor, int] = {}
        # Where the value of a slot is, if not on the CPU, and its copies on other devices.
        self._place_of: dict[int, str] = {}
        self._copies: dict[tuple[int, str], int] = {}
        self._place = CPU
        self._variable_of: dict[GraphTensor, Operation] = {}
        self._lent: set[int] = set()
        self._constant: set[int] = set()
        self._taken: set[int] = set()
        self._shared: dict[str, int] = {}
        self._large: set[int] = set()
        # Of the large arrays, the operation that needs them last among those with steps so far.
        self._last_user: dict[int, Operation] = {}
        self._fed = set(fed)
        for tensor in fed:
            # The first slots, in the order of the values.
            self._slot_of[tensor] = self.new_slot(lent=True)

    # What definitions call.

    def new_slot(self, tensor: GraphTensor | None = None, lent: bool = False) -> int:
        """Return a slot for the value of ``tensor``; ``lent``: in memory that others have, or may change."""
        slot = len(self.slots)
        self.slots.append(None)
        if tensor is not None:
            # What is fed stays what it is, whatever an operation that runs for other reasons computes.
            self._slot_of.setdefault(tensor, slot)
            if _may_be_large(tensor):
                self._large.add(slot)
                self._last_user[slot] = tensor._op
        if lent:
            self._lent.add(slot)
        return slot

    def shared_slot(self, key: str) -> int:
        """Return a slot that all operations have in common that know its ``key``; a run starts with ``None`` in it."""
        if key not in self._shared:
            self._shared[key] = self.new_slot()
        return self._shared[key]

    def is_fed(self, tensor: GraphTensor) -> bool:
        """Return whether the run brings the value of ``tensor``."""
        return tensor in self._fed

    def set_constant(self, tensor: GraphTensor, value: Array) -> None:
        """Give ``tensor`` a value that every run starts with."""
        if tensor in self._fed:
            return
        slot = self._slot_of[tensor] = self.new_slot()
        self._constant.add(slot)
        self.slots[slot] = value

    def constant_value(self, tensor: GraphTensor) -> Array | None:
        """Return the value of ``tensor`` if every run has the same one."""
        slot = self._slot_of.get(tensor, -1)
        value: Array | None = self.slots[slot] if slot in self._constant else None
        return value

    def refer(self, tensor: GraphTensor, variable: Operation) -> None:
        """Make ``tensor`` a reference to the value of the operation ``variable``."""
        if tensor not in self._fed:
            self._variable_of[tensor] = variable

    def variable_of(self, tensor: GraphTensor) -> Operation:
        """Return the variable to which ``tensor`` refers; a value in its place is an ``InvalidArgumentError``."""
        variable = self._variable_of.get(tensor)
        if variable is None:
            wrong = f"{tensor.name} is no reference to a variable in this run"
            got = "a fed value" if tensor in self._fed else repr(tensor)
            raise InvalidArgumentError(None, tensor._op, message("Session.run", wrong, got, "a variable"))
        return variable

    def add_step(self, op: Operation, step: Step) -> None:
        """Add a step of ``op``."""
        self.steps.append(step)
        self.step_ops.append(op)

    def read(self, op: Operation, tensor: GraphTensor, place: str | None = None) -> int:
        """Return the slot of ``tensor``; that of a reference is filled by a step of ``op``, here and now.

        The value is on the device of ``op``, if ``place`` names no other, nor is ``ANYWHERE``.
        """
        place, slot = self._place if place is None else place, self._used_slot(op, tensor)
        if slot is None:
            slot = self._load(op, self._variable_of[tensor])
        home = self._place_of.get(slot, CPU)
        return slot if place in (home, ANYWHERE) else self._copied(op, slot, place)

    def _copied(self, op: Operation, source: int, place: str) -> int:
        """Return the slot of a copy on ``place``, which a step of ``op`` fills if no earlier one has."""
        slot = None if source in self._lent else self._copies.get((source, place))
        if slot is None:
            slot = self._copies[source, place] = self.new_slot()
            if place != CPU:
                self._place_of[slot] = place
            if source in self._constant:
                self._constant.add(slot)
                self.slots[slot] = on_device(self.slots[source], place)
            else:
                self._large |= {slot} if source in self._large else set()
                self.add_step(op, moving(source, slot, place))
        if slot in self._large:
            self._last_user[slot] = op
        return slot

    def place_of_variable(self, variable: Operation) -> str:
        """Return the device of a variable."""
        place: str = self.session.place_of(variable)
        return place

    def _load(self, op: Operation, variable: Operation) -> int:
        """Return a slot that a step of ``op`` fills with the memory of a variable."""
        slot, storages = self.new_slot(lent=True), self.session.storages
        place = self.place_of_variable(variable)
        if place != CPU:
            self._place_of[slot] = place

        def load(slots: Slots) -> None:
            storage = storages.get(variable)
            if storage is None:
                raise_uninitialized(variable)
            slots[slot] = storage.array

        self.add_step(op, load)
        return slot

    def _used_slot(self, op: Operation, tensor: GraphTensor) -> int | None:
        """Return the slot of ``tensor``, which ``op`` is going to use, if it has one."""
        slot = self._slot_of.get(tensor)
        if slot in self._large:
            self._last_user[slot] = op
        return slot

    def reads(self, op: Operation, tensors: Iterable[GraphTensor]) -> list[int]:
        """Return the slots of ``tensors``, as ``read``."""
        return [self.read(op, tensor) for tensor in tensors]

    def hold(self, op: Operation, tensor: GraphTensor) -> int:
        """Return the slot of ``tensor``, as ``read``; a variable is copied, so that later updates do not show."""
        slot = self._used_slot(op, tensor)
        if slot is not None:
            return slot if slot not in self._place_of else self._copied(op, slot, CPU)
        slot, take = self.new_slot(), self._fetch_variable(self._variable_of[tensor])

        def load(slots: Slots) -> None:
            slots[slot] = np.asarray(take(slots))

        self.add_step(op, load)
        return slot

    def body(self, op: Operation, context: ControlFlowContext, outputs: list[GraphTensor]) -> tuple[Step, list[int]]:
        """Return a step that computes ``outputs`` within a branch or loop of ``op``, and the slots that it fills."""
        around, first = (self.steps, self.step_ops, self._last_user, self._copies), len(self.slots)
        self.steps, self.step_ops, self._last_user, self._copies = [], [], {}, self._copies.copy()
        try:
            for inner in self.needed(outputs, context):
                self._prepare(inner)
            held = [self.hold(op, tensor) for tensor in outputs]
            if not op._attrs.get(KEEPS_VALUES):
                self.let_go(first, op)
            return sequence(self.steps, self.step_ops), held
        finally:
            around[2].update(dict.fromkeys(self._last_user, op))
            self.steps, self.step_ops, self._last_user, self._copies = around

    def let_go(self, first: int = 0, around: Operation | None = None) -> None:
        """Add steps that forget large arrays, each behind the last step that needs it; what is fetched stays.

        Of a branch or loop of ``around`` they forget what its own steps made, in the slots from ``first`` on, and what
        ``around`` does not need.
        """
        last_step = {op: place for place, op in enumerate(self.step_ops)}
        forgotten: dict[int, list[int]] = {}
        for slot, op in list(self._last_user.items()):
            if slot >= first and op is not around and op in last_step and slot not in self._taken:
                forgotten.setdefault(last_step[op], []).append(slot)
                del self._last_user[slot]
        steps, step_ops, self.steps, self.step_ops = self.steps, self.step_ops, [], []
        for place, (op, step) in enumerate(zip(step_ops, steps, strict=True)):
            self.add_step(op, step)
            if place in forgotten:
                self.add_step(op, forgetting(forgotten[place]))

    # What makes a plan.

    def needed(
        self, targets: Iterable[GraphTensor | Operation], context: ControlFlowContext | None = None
    ) -> list[Operation]:
        """Return the operations of ``context`` that ``targets`` need, in the order of their creation."""
        found: set[Operation] = set()
        todo = [self._op_of(target) for target in targets]
        while todo:
            op = todo.pop()
            if op is None or op in found or op._context is not context:
                continue
            found.add(op)
            todo += [self._op_of(tensor) for tensor in op._inputs]
            todo += op._control_inputs
            todo += [self._op_of(target) for target in op._attrs.get(CAPTURES, ())]
        return sorted(found, key=lambda op: op._id)

    def _op_of(self, target: GraphTensor | Operation) -> Operation | None:
        if isinstance(target, Operation):
            return target
        return None if target in self._fed else target._op

    def add_ops(self, targets: Iterable[GraphTensor | Operation]) -> None:
        """Add the steps of all that ``targets`` need, but for those of branches and loops, which run by themselves."""
        for op in self.needed(targets):
            self._prepare(op)

    def _prepare(self, op: Operation) -> None:
        definition = _definition_of(op)
        self._place = self._place_for(op, definition)
        if LIVE in op._attrs:
            self.alias(op._outputs[0], op._inputs[0])
        elif isinstance(definition, OpDefinition):
            self._add_computation(op, definition)
        elif definition is not None:
            definition.prepare(op, self)
        else:
            wrong = f"no kernel for the operation {op._name!r}"
            raise UnimplementedError(None, op, message("Session.run", wrong, op._type, "a type that nbvars knows"))

    def _place_for(self, op: Operation, definition: Any) -> str:
        """Return where the steps of ``op`` run: where it says, if it computes, and where its variable is."""
        place = self.session.place_of(op)
        if isinstance(definition, OpDefinition):
            # Numbers that come of nothing are made on the host, the same on every machine.
            return place if op._inputs else CPU
        variable = self._variable_of.get(op._inputs[0]) if op._inputs else None
        return CPU if variable is None else self.place_of_variable(variable)

    def _add_computation(self, op: Operation, definition: OpDefinition) -> None:
        """Add the step of an op of arrays."""
        self.computes = True
        attrs = self.session.attrs_of(op)
        num_arrays = len(op._inputs) - sum(key not in attrs for key in definition.run_attrs)
        arrays, sizes = op._inputs[:num_arrays], op._inputs[num_arrays:]
        inputs = [*self.reads(op, arrays), *(self.read(op, tensor, CPU) for tensor in sizes)]
        specs = [spec_of(tensor) for tensor in arrays]
        is_lent = any(slot in self._lent for slot in inputs)
        outputs = [self.new_slot(tensor) for tensor in op._outputs]
        if self._place == CPU:
            self.add_step(op, computation(definition, specs, inputs, attrs, outputs, is_lent))
            return
        self.add_step(op, computation_on_gpu(definition, specs, inputs, attrs, outputs, is_lent))
        if definition.op_type not in OF_HOST:
            self._place_of.update(dict.fromkeys(outputs, self._place))

    def alias(self, tensor: GraphTensor, source: GraphTensor) -> None:
        """Make ``tensor`` another name of ``source``."""
        if tensor not in self._fed:
            if source in self._slot_of:
                self._slot_of[tensor] = self._slot_of[source]
            else:
                self._variable_of[tensor] = self._variable_of[source]

    def fetch(self, target: GraphTensor | Operation) -> Reader:
        """Return the function that takes a copy of ``target`` out of the slots; ``None`` for an operation."""
        if isinstance(target, Operation):
            return _nothing
        slot = self._slot_of.get(target)
        if slot is None:
            return self._fetch_variable(self._variable_of[target])
        # Only the first fetch of a slot may have the array itself.
        must_copy = slot in self._lent or slot in self._constant or slot in self._taken
        self._taken.add(slot)
        if slot in self._place_of:
            return lambda slots: _as_fetched(to_host(slots[slot]))

        def take(slots: Slots) -> Any:
            array = slots[slot]
            if array.ndim == 0:
                return array[()]
            return array.copy() if must_copy or array.base is not None or not array.flags.writeable else array

        return take

    def _fetch_variable(self, variable: Operation) -> Reader:
        storages = self.session.storages

        def take(slots: Slots) -> Any:
            storage = storages.get(variable)
            if storage is None:
                raise_uninitialized(variable)
            return _as_fetched(storage.read())

        return take


def _as_fetched(array: Array) -> Any:
    return array if array.ndim else array[()]


def _may_be_large(tensor: GraphTensor) -> bool:
    num_items = tensor._shape.num_elements()
    return num_items is None or num_items * tensor._dtype.base_dtype.size >= LARGE_BYTES


def _definition_of(op: Operation) -> Any:
    return op._definition or DEFINITIONS.get(op._type)


def _nothing(slots: Slots) -> None:
    return None
