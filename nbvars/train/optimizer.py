"""``Optimizer``: what all optimizers have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nbvars.autodiff import GradientTape, gradients
from nbvars.autodiff.sums import dense
from nbvars.capturing import Recording, expect_no_capture, recording
from nbvars.checks import message
from nbvars.dtypes import as_dtype
from nbvars.graph.graph import Graph, control_dependencies, get_default_graph
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.keys import GraphKeys
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Symbolic, TensorLike
from nbvars.kernels.step_rules import slot_dtype_of
from nbvars.ops import state_ops
from nbvars.ops.grouping_ops import group
from nbvars.ops.training_ops import apply_group_step, apply_step, capture_group_step
from nbvars.runtime.building import entered
from nbvars.runtime.context import beside, device
from nbvars.runtime.conversion import convert_to_tensor
from nbvars.runtime.cuda_tensor import HasDeviceValue
from nbvars.variables.collections import trainable_variables
from nbvars.variables.partitioned_variable import PartitionedVariable
from nbvars.variables.variable import Variable

GradsAndVars = Iterable[tuple[Any, Any]]


class Optimizer:
    """Base of the optimizers: gradients of a loss, and steps of variables by them.

    A step is one pass over a variable, its slots and its gradient; if that is ``IndexedSlices``, over the rows that
    they name. Subclasses name the kernel of the step, the slots and the settings.

    Args:
        use_locking: Hold the lock of a variable during its step.
        name: Name of the operations, and of the slots after the variables'.

    Raises:
        ValueError: There is no name.

    Source: TensorFlow 1 API pages, ``tf.train.Optimizer``.
    """

    GATE_NONE = 0
    GATE_OP = 1
    GATE_GRAPH = 2

    _kernel: str
    # The names of the slots, in the order of the kernel.
    _slot_names: tuple[str, ...] = ()

    def __init__(self, use_locking: bool, name: str) -> None:
        if not name:
            raise ValueError(message("Optimizer", "Must specify the optimizer name", repr(name), "a name"))
        self._name = name
        self._use_locking = bool(use_locking)
        # By slot name, then by variable: its key, itself (kept alive with its slot) and the slot.
        self._slots: dict[str, dict[Any, tuple[Any, Variable]]] = {}
        self._shared: dict[tuple[str, Any], Variable] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # A copy's variables may be other objects, whose slots have other keys.
        slots: dict[str, dict[Any, tuple[Any, Variable]]] = state["_slots"]
        self._slots = {name: {_key(var): (var, slot) for var, slot in of.values()} for name, of in slots.items()}
        self._shared = dict(state["_shared"])

    def get_name(self) -> str:
        """Return the name."""
        return self._name

    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Any:
        """Make a step against the gradients of ``loss``: ``compute_gradients``, then ``apply_gradients``.

        Returns:
            The operation that makes it, in graph mode; ``None`` in eager mode, where it is made.

        Raises:
            ValueError: There are no variables, or none with a gradient.

        Source: TensorFlow 1 API pages, ``tf.train.Optimizer.minimize``.
        """
        pairs = self.compute_gradients(
            loss, var_list, gate_gradients, aggregation_method, colocate_gradients_with_ops, grad_loss
        )
        return self.apply_gradients(pairs, global_step, name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Any]]:
        """Return ``(gradient, variable)`` for every variable; the gradient is ``None`` where there is none.

        Args:
            loss: A floating tensor of a graph; in eager mode a function without arguments that returns one.
            var_list: Variables: those of the collection ``GraphKeys.TRAINABLE_VARIABLES`` if not given, in eager mode
                those that ``loss`` uses.
            gate_gradients: Without effect, as are the next two.
            aggregation_method: How gradients that came by several ways are added up.
            colocate_gradients_with_ops: Whether gradients share the device of their operations.
            grad_loss: The gradient of ``loss``, in its shape; ones if not given.

        Raises:
            RuntimeError: ``loss`` is no function, in eager mode.
            TypeError: ``var_list`` holds something else than variables.
            ValueError: There are no variables.

        Source: TensorFlow 1 API pages, ``tf.train.Optimizer.compute_gradients``.
        """
        if gate_gradients not in (self.GATE_NONE, self.GATE_OP, self.GATE_GRAPH):
            expected = "Optimizer.GATE_NONE, GATE_OP or GATE_GRAPH"
            raise ValueError(message("compute_gradients", "unknown gate_gradients", gate_gradients, expected))
        if callable(loss) and not isinstance(loss, TensorLike):
            if not executing_eagerly():
                loss = loss()
            else:
                return self._eager_gradients(loss, var_list, grad_loss)
        if not isinstance(loss, Symbolic):
            wrong = "loss must be a function in eager mode"
            raise RuntimeError(message("compute_gradients", wrong, repr(loss), "a function that returns the loss"))
        graph: Graph = loss._as_tensor().graph
        if var_list is None:
            with entered(graph):
                var_list = trainable_variables() + graph.get_collection(GraphKeys.TRAINABLE_RESOURCE_VARIABLES)
        variables = _checked_variables(var_list)
        found = gradients(loss, variables, None if grad_loss is None else [grad_loss])
        return list(zip(found, variables, strict=True))

    def _eager_gradients(self, loss: Callable[[], Any], var_list: Any, grad_loss: Any) -> list[tuple[Any, Any]]:
        with GradientTape() as tape:
            if var_list is not None:
                tape.watch(_checked_variables(var_list))
            value = loss()
        variables = _checked_variables(tape.watched_variables() if var_list is None else var_list)
        return list(zip(tape.gradient(value, variables, grad_loss), variables, strict=True))

    def apply_gradients(self, grads_and_vars: GradsAndVars, global_step: Any = None, name: str | None = None) -> Any:
        """Make a step of every variable that has a gradient; add 1 to ``global_step`` after that.

        Args:
            grads_and_vars: What ``compute_gradients`` returns, perhaps with other gradients.
            global_step: An integer variable.
            name: Name of the returned operation.

        Returns:
            The operation that makes the steps, in graph mode; ``None`` in eager mode, where they are made.

        Raises:
            TypeError: A gradient cannot become a tensor, or a variable is none.
            ValueError: There is no gradient at all, or one has another shape than its variable.

        Source: TensorFlow 1 API pages, ``tf.train.Optimizer.apply_gradients``.
        """
        pairs = [(grad, var) for grad, var in grads_and_vars]
        if not pairs:
            raise ValueError(message("apply_gradients", "No variables provided", repr(pairs), "(gradient, variable)"))
        variables = _checked_variables([var for _, var in pairs])
        given = [
            (grad, var) for grad, var in zip([grad for grad, _ in pairs], variables, strict=True) if grad is not None
        ]
        if not given:
            wrong = "No gradients provided for any variable"
            names = [var.name for var in variables]
            raise ValueError(message("apply_gradients", f"{wrong}: {names}", "only None", "a gradient"))
        if not is_of_graph(given[0][1]):
            self._apply(given)
            if global_step is not None:
                _count(global_step)
            return None
        graph: Graph = given[0][1].graph
        with entered(graph):
            # Slots are variables: they belong to no name scope and to no condition.
            self._prepare_slots([var for _, var in given])
            with graph.name_scope(name or self._name) as scope:
                steps = self._apply(given)
                if global_step is None:
                    train = group(*steps, name=scope)
                else:
                    with control_dependencies([group(*steps, name="update")]):
                        counted: Any = state_ops.assign_add(global_step, 1, name=scope)
                        train = counted.op
            collection = graph.get_collection_ref(GraphKeys.TRAIN_OP)
            if train not in collection:
                collection.append(train)
            return train

    def _apply(self, pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Make the step of each variable, or add it; return what they return, and what follows them."""
        self._prepare_slots([var for _, var in pairs])
        found = recording()
        if found is not None and not is_of_graph(pairs[0][1]):
            self._capture(found, pairs)
            return []
        grouped = [(grad, var) for grad, var in pairs if is_dense_on_gpu(grad, var)]
        if len(grouped) > 1:
            self._step_together(grouped)
        steps = []
        for grad, var in pairs:
            done = var
            if len(grouped) < 2 or not is_dense_on_gpu(grad, var):
                done = self._step(grad if isinstance(grad, IndexedSlices) else convert_gradient(grad, var), var)
            if var.constraint is not None:
                done = _constrained(var, done)
            steps.append(done)
        return steps + self._finish(pairs[0][1], steps)

    def _capture(self, found: Recording, pairs: Sequence[tuple[Any, Any]]) -> None:
        """Capture the step of each variable; what the host does of it, it does before each replay."""
        dense = [(grad, var) for grad, var in pairs if is_dense_on_gpu(grad, var)]
        for grad, var in pairs:
            if not isinstance(var, HasDeviceValue):
                wrong = f"{var.name} is a variable of the host"
                expect_no_capture(self._name, wrong, "make its step outside of the block")
            if not is_dense_on_gpu(grad, var):
                self._step(grad, var)
        first = pairs[0][1]
        if dense:
            grads, variables = [grad for grad, _ in dense], [var for _, var in dense]
            slots = [self._slots_of(var) for var in variables]
            capture_group_step(self._kernel, variables, slots, grads, lambda: self._settings(first))
        for _, var in pairs:
            if var.constraint is not None:
                _constrained(var, var)
        found.before_replay.append(lambda: self._finish(first, []))

    def _slots_of(self, var: Any) -> list[Any]:
        return [self._slots[name][_key(var)][1] for name in self._slot_names]

    def _step(self, grad: Any, var: Any) -> Any:
        """Make the step of one variable."""
        return apply_step(
            self._kernel,
            var,
            self._slots_of(var),
            grad,
            self._settings(var),
            self._use_locking,
            f"update_{_op_name(var)}",
        )

    def _step_together(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        """Make the steps of variables on GPUs, in one launch for those of a dtype."""
        grads, variables = [grad for grad, _ in pairs], [var for _, var in pairs]
        slots = [self._slots_of(var) for var in variables]
        settings = self._settings(variables[0])
        apply_group_step(self._kernel, variables, slots, grads, settings, self._use_locking)

    def _settings(self, var: Any) -> Sequence[Any]:
        """Return the settings of the step, in the order of ``TRAINING_OPS``."""
        raise NotImplementedError

    def _prepare_slots(self, variables: Sequence[Any]) -> None:
        """Make the slots that are not there yet."""
        for slot_name in self._slot_names:
            for var in variables:
                self._slot(var, slot_name, self._initial_slot(slot_name))

    def _initial_slot(self, slot_name: str) -> float:
        """Return the value that a slot begins with."""
        return 0.0

    def _finish(self, var: Any, steps: Sequence[Any]) -> list[Any]:
        """Return what is to be done after the steps, of which one was of ``var``."""
        return []

    def _slot(self, var: Any, slot_name: str, initial: float) -> Variable:
        """Return the slot of a variable, a new one if need be."""
        slots = self._slots.setdefault(slot_name, {})
        key = _key(var)
        if key not in slots:
            slots[key] = var, _new_slot(var, f"{_op_name(var)}/{self._name}", initial)
        return slots[key][1]

    def _shared_variable(self, name: str, initial: float, like: Any) -> Variable:
        """Return a variable that all of a graph, or all of eager mode, share."""
        graph = like.graph if is_of_graph(like) else None
        if (name, graph) not in self._shared:
            with (graph or get_default_graph()).name_scope(None):
                value = slot_dtype_of(like.dtype.base_dtype.numpy_dtype).type(initial)
                # A step of eager mode has the number at hand, on whatever device.
                with contextlib.nullcontext() if is_of_graph(like) else device("/cpu:0"):
                    self._shared[name, graph] = Variable(value, trainable=False, name=name)
        return self._shared[name, graph]

    def get_slot(self, var: Any, name: str) -> Any:
        """Return the slot ``name`` of a variable, ``None`` if there is none; see ``get_slot_names``.

        Source: TensorFlow 1 API pages, ``tf.train.Optimizer.get_slot``.
        """
        found = self._slots.get(name, {}).get(_key(var))
        return None if found is None else found[1]

    def get_slot_names(self) -> list[str]:
        """Return the names of the slots that have been made, in order.

        Source: TensorFlow 1 API pages, ``tf.train.Optimizer.get_slot_names``.
        """
        return sorted(name for name, slots in self._slots.items() if slots)

    def variables(self) -> list[Variable]:
        """Return the variables of the optimizer, of the default graph or of eager mode, by name.

        Source: TensorFlow 1 API pages, ``tf.train.Optimizer.variables``.
        """
        graph = None if executing_eagerly() else get_default_graph()
        slots = [slot for slots in self._slots.values() for var, slot in slots.values() if _graph_of(var) is graph]
        shared = [variable for (_, of), variable in self._shared.items() if of is graph]
        return sorted([*slots, *shared], key=lambda variable: variable.name)


def is_of_graph(value: Any) -> bool:
    """Return whether a variable or tensor belongs to a graph."""
    return isinstance(value, Symbolic)


def is_dense_on_gpu(grad: Any, var: Any) -> bool:
    """Return whether the step of ``var``, a variable of eager mode on a GPU, is one of all its elements."""
    return isinstance(var, HasDeviceValue) and not isinstance(grad, IndexedSlices)


def value_of_setting(setting: Any) -> Any:
    """Return a setting, or what it returns if it is a function."""
    if not callable(setting) or isinstance(setting, TensorLike):
        return setting
    remedy = "give dense gradients to apply_gradients, or make it a number"
    expect_no_capture("Optimizer", "a setting would be the same at each replay", remedy)
    return setting()


def _count(global_step: Any) -> None:
    """Add 1 to ``global_step``: at each replay, if a step is captured."""
    found, is_on_gpu = recording(), isinstance(global_step, HasDeviceValue)
    if found is None or is_on_gpu:
        state_ops.assign_add(global_step, 1)
    else:
        found.before_replay.append(lambda: state_ops.assign_add(global_step, 1))


def convert_gradient(grad: Any, var: Any) -> Any:
    """Return a gradient as a tensor in the dtype of its variable."""
    try:
        return convert_to_tensor(grad, var.dtype.base_dtype) if not isinstance(grad, TensorLike) else grad
    except TypeError as error:
        wrong = "Gradient must be convertible to a Tensor or IndexedSlices"
        raise TypeError(message("apply_gradients", wrong, repr(grad), "a tensor or IndexedSlices")) from error


def as_dense(grad: Any) -> Any:
    """Return a gradient as a tensor."""
    return dense(grad)


def _checked_variables(var_list: Any) -> list[Any]:
    """Return variables, those of which a ``PartitionedVariable`` consists one by one."""
    found: list[Any] = []
    for each in var_list if isinstance(var_list, (list, tuple)) else [var_list]:
        found += list(each) if isinstance(each, PartitionedVariable) else [each]
    for each in found:
        if not isinstance(each, Variable):
            raise TypeError(message("Optimizer", "Argument is not a variable", repr(each), "a Variable"))
    if not found:
        raise ValueError(message("Optimizer", "No variables to optimize", "none", "trainable variables, or var_list"))
    return found


def _key(var: Any) -> Any:
    """Return what stands for a variable: its reference in a graph, so that two objects of one variable share slots."""
    return var._ref() if is_of_graph(var) else id(var)


def _graph_of(var: Any) -> Graph | None:
    graph: Graph | None = var.graph if is_of_graph(var) else None
    return graph


def _op_name(var: Any) -> str:
    name: str = var.name
    return name.rpartition(":")[0]


def _new_slot(var: Any, name: str, initial: float) -> Variable:
    dtype = as_dtype(slot_dtype_of(var.dtype.base_dtype.numpy_dtype))
    shape = var.shape
    if not shape.is_fully_defined():
        wrong = "a variable of unknown shape has no slots"
        raise ValueError(message("Optimizer", wrong, f"{var.name} of shape {shape}", "a known shape"))
    graph = _graph_of(var)
    place = (graph or get_default_graph()).name_scope(None)
    with place, beside(var):
        value = np.full(shape.as_list(), initial, dtype.numpy_dtype)
        return Variable(value, trainable=False, name=name)


def _constrained(var: Any, done: Any) -> Any:
    """Assign what the constraint of a variable makes of its value."""
    if not is_of_graph(var):
        return var.assign(var.constraint(var.read_value()))
    with control_dependencies([done]):
        return var.assign(var.constraint(var.read_value()))
