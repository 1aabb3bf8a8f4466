"""``GraphVariable``: what ``Variable`` is in graph mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn, cast

from nbvars import dtypes
from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.graph import Graph
from nbvars.graph.mode import session_for
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor, Symbolic, Tensor, TensorValue
from nbvars.ops import state_ops
from nbvars.ops.array_ops import IDENTITY, identity
from nbvars.ops.variable_nodes import add_update, add_variable
from nbvars.runtime.array_protocols import Absent
from nbvars.runtime.building import entered, graph_of
from nbvars.runtime.conversion import graph_tensor_of
from nbvars.runtime.notebook import to_html
from nbvars.runtime.plan import LIVE
from nbvars.runtime.text import is_text
from nbvars.shapes import TensorShape
from nbvars.variables.arguments import (
    Recorded,
    check_caching_device,
    check_constraint,
    check_source,
    checked_keys,
    is_trainable,
)
from nbvars.variables.row_updates import RowUpdates
from nbvars.variables.variable import Variable
from nbvars.variables.variable_def import parts_of, to_variable_def


class GraphVariable(Symbolic, Variable):
    """A variable of a graph: operations named ``X``, ``X/Assign`` (the initializer) and ``X/read``.

    Its value lives in a ``Session``. Updates return the reference to the variable, which shows the value after them.
    """

    __slots__ = ("_initializer", "_reference", "_snapshot", "_start")

    # To NumPy it is a tensor of a graph: ``x + v`` adds an operation, and ``np.exp(v)`` is a TypeError.
    __array_ufunc__: Any = Absent()
    __array_function__: Any = Absent()
    __dlpack__: Any = Absent()
    __dlpack_device__: Any = Absent()

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = True,
        collections: Iterable[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        constraint: Callable[[Tensor], Any] | None = None,
        import_scope: str | None = None,
        use_resource: bool | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
    ) -> None:
        check_source(initial_value, variable_def)
        self._constraint = constraint
        self._caching_device = caching_device
        self._save_slice_info = None
        if variable_def is not None:
            self._init_from_proto(variable_def, import_scope)
            return
        self._trainable = is_trainable(trainable, synchronization)
        keys = checked_keys(collections, self._trainable)
        check_constraint(constraint)
        check_caching_device(caching_device)
        self._recorded = Recorded(use_resource, synchronization, aggregation)
        graph = graph_of((initial_value,))
        graph._check_not_finalized()
        # Neither control dependencies nor branches and loops around concern a variable.
        with entered(graph), graph.control_dependencies(None), graph.name_scope(name or "Variable") as scope:
            start = _initial_tensor(graph, initial_value, dtype, scope)
            shape = start.shape if validate_shape else TensorShape(None)
            if not shape.is_fully_defined() and validate_shape:
                wrong = "initial_value must have a shape specified"
                raise ValueError(message("Variable", wrong, shape, "known sizes, or validate_shape=False"))
            self._reference = add_variable(graph, shape, start.dtype.base_dtype, scope)
            self._begin_with(start)
            self._snapshot = self._add_read(graph)
        graph.add_to_collections(keys, self)

    def _begin_with(self, start: GraphTensor) -> None:
        """Add the initializer, or another one in its place; where the shape is not known, it accepts any."""
        has_shape = self._reference.shape.is_fully_defined()
        self._start = start
        self._initializer = add_update("assign", self._reference, None, start, True, None, has_shape).op

    def _add_read(self, graph: Graph) -> GraphTensor:
        """Add the read that ``value()`` returns: live, or cached once a run on the caching device."""
        is_cached = self._caching_device is not None
        place = graph.device(self._caching_device) if is_cached else graph.colocate_with(self._reference.op)
        with place:
            outputs = [(self._reference.dtype.base_dtype, self._reference.shape)]
            attrs = {} if is_cached else {LIVE: True}
            return graph._add_op("Identity", (self._reference,), outputs, "read", attrs, IDENTITY)._outputs[0]

    def _init_from_proto(self, variable_def: Any, import_scope: str | None) -> None:
        """Take what a ``VariableDef`` names; nothing is added to the graph."""
        parts = parts_of(variable_def, import_scope)
        self._reference, self._initializer, self._snapshot = parts.reference, parts.initializer, parts.snapshot
        self._start = cast("GraphTensor", parts.start)  # ``None`` where the message has none
        self._trainable, self._recorded = parts.trainable, parts.recorded
        self._save_slice_info = parts.save_slice_info

    def to_proto(self, export_scope: str | None = None) -> Any:
        """Return the ``VariableDef`` message, as ``Variable.to_proto``."""
        return to_variable_def(self, export_scope)

    def _as_tensor(self) -> GraphTensor:
        return self._snapshot

    def _as_graph_element(self) -> GraphTensor:
        return self._reference

    def _ref(self) -> GraphTensor:
        return self._reference

    @property
    def name(self) -> str:
        """Return the unique name, that of the reference: ``"Variable:0"``."""
        return self._reference.name

    @property
    def op(self) -> Operation:
        """Return the operation that stands for the variable."""
        return self._reference.op

    @property
    def graph(self) -> Graph:
        """Return the graph."""
        return self._reference.graph

    @property
    def dtype(self) -> DType:
        """Return the reference dtype, such as ``float32_ref``."""
        return self._reference.dtype

    @property
    def shape(self) -> TensorShape:
        """Return the static shape, unknown after ``validate_shape=False``."""
        return self._reference.shape

    @property
    def device(self) -> str:
        """Return the device string of the operation."""
        return self._reference.device

    @property
    def ndim(self) -> int | None:
        """Return the number of axes, ``None`` where it is unknown."""
        return self._reference.shape.ndims

    @property
    def initializer(self) -> Operation:
        """Return the operation that gives the variable its initial value."""
        return self._initializer

    @property
    def initial_value(self) -> GraphTensor:
        """Return the tensor from which the initializer takes the value."""
        return self._start

    def set_shape(self, shape: Any) -> None:
        """Add to what is known of the shape; ``ValueError`` if it contradicts what is known."""
        self._reference.set_shape(shape)
        self._snapshot.set_shape(shape)

    def is_initialized(self) -> Any:
        """Return a tensor that tells whether the variable has a value."""
        return state_ops.is_variable_initialized(self)

    def value(self) -> GraphTensor:
        """Return the read of the variable: live, so it shows all updates that come before its use in a run."""
        return self._snapshot

    def read_value(self) -> Tensor:
        """Return a tensor of the value at this place in the order of operations: later updates do not change it."""
        return identity(self._reference, name="read")

    def ref(self) -> GraphTensor:  # type: ignore[override]
        """Return the reference that assign ops take."""
        return self._reference

    def initialized_value(self) -> Tensor:
        """Return the value after the initializer, which runs before it, once: to initialize another variable with."""
        graph = self._reference.graph
        with entered(graph), graph.control_dependencies(None), graph.control_dependencies([self._initializer]):
            return identity(self._reference)

    def eval(self, session: Any = None) -> Any:
        """Return a copy of the value in ``session``, or in the default session."""
        return session_for("eval", session, self._reference.graph).run(self)

    def load(self, value: TensorValue, session: Any = None) -> None:
        """Replace the value in ``session``, or in the default session, without adding to the graph."""
        feed = {self._initializer.inputs[1]: value}
        session_for("load", session, self._reference.graph).run(self._initializer, feed)

    def assign(
        self, value: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Return the reference after the value is replaced, or else the operation; as ``nbvars.assign``."""
        reference = add_update("assign", self, None, value, use_locking, name)
        return reference if read_value else reference.op

    def assign_add(
        self, delta: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Return the reference after ``delta`` is added, or else the operation; as ``nbvars.assign_add``."""
        reference = add_update("assign_add", self, None, delta, use_locking, name)
        return reference if read_value else reference.op

    def assign_sub(
        self, delta: TensorValue, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Return the reference after ``delta`` is subtracted, or else the operation; as ``nbvars.assign_sub``."""
        reference = add_update("assign_sub", self, None, delta, use_locking, name)
        return reference if read_value else reference.op

    _scatter: Any = RowUpdates._scatter  # without the fast path

    def count_up_to(self, limit: int) -> Any:
        """Return the tensor of the count before 1 is added, as ``nbvars.count_up_to``."""
        return state_ops.count_up_to(self, limit)

    def _repr_html_(self) -> str:
        return to_html("nbvars.Variable", {**self._facts(), "value": "in a Session"}, 0, None)

    def __reduce__(self) -> NoReturn:
        remedy = "save its value by train.Saver, or describe it by to_proto()"
        wrong = "a variable of a graph cannot be pickled"
        raise TypeError(message("pickle", wrong, repr(self), "an eager variable", remedy))

    def __repr__(self) -> str:
        shape = "<unknown>" if self.shape.ndims is None else tuple(self.shape.as_list())
        return f"<nbvars.Variable {self.name!r} shape={shape} dtype={self.dtype}>"


def _initial_tensor(graph: Graph, initial_value: Any, dtype: Any, scope: str) -> GraphTensor:
    """Return the tensor of the initial value, in the name scope of the variable."""
    wanted = None if dtype is None else as_dtype(dtype).base_dtype
    if callable(initial_value):
        with graph.name_scope("Initializer"), graph.device(None):
            tensor = _converted(initial_value(), wanted)
    else:
        tensor = _converted(initial_value, wanted)
    if tensor.graph is not graph:
        wrong = f"{tensor.name} must be from the same graph as the variable"
        raise ValueError(message("Variable", wrong, repr(tensor.graph), repr(graph)))
    if tensor.op._context is not None:
        wrong = (
            f"the initializer of {scope[:-1]!r} is from inside a control-flow construct, such as a loop or conditional"
        )
        remedy = "pass a function as initial_value"
        raise ValueError(message("Variable", wrong, repr(tensor), "a tensor from outside", remedy))
    return tensor


def _converted(value: Any, dtype: DType | None) -> GraphTensor:
    """Return an initial value as a tensor of numbers."""
    is_string = isinstance(value, GraphTensor) and value.dtype is dtypes.string
    if is_string or dtype is dtypes.string or is_text(value):
        raise TypeError(message("Variable", "strings cannot be variables", repr(value), "numbers"))
    return graph_tensor_of(value, "initial_value", dtype, "Variable")


Variable._in_graph = GraphVariable
