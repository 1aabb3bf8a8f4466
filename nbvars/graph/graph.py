"""``Graph``: operations, and the names, collections and scopes that they share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.collections import Collections
from nbvars.graph.control_flow import is_within
from nbvars.graph.mode import entered_graph, executing_eagerly, innermost_graph
from nbvars.graph.names import GRAPH_LOCK, Names
from nbvars.graph.operation import Operation
from nbvars.graph.scopes import Scopes
from nbvars.graph.tensor import GraphTensor
from nbvars.shapes import TensorShape


class Graph(Names, Collections, Scopes):
    """Operations that a ``Session`` runs, with their names, collections, devices and control dependencies.

    Source: TensorFlow 1 API pages, ``tf.Graph``.
    """

    def __init__(self) -> None:
        Names.__init__(self)
        Collections.__init__(self)
        Scopes.__init__(self)
        self._operations: dict[str, Operation] = {}
        self._unfeedable: set[GraphTensor] = set()
        self._unfetchable: set[Operation | GraphTensor] = set()
        self._is_finalized = False
        self._seed: int | None = None

    def as_default(self) -> AbstractContextManager[Graph]:
        """Make this the default graph of a ``with`` block, which is then in graph mode.

        Source: TensorFlow 1 API pages, ``tf.Graph.as_default``.
        """
        return entered_graph(self)

    @property
    def version(self) -> int:
        """Return the number of operations: it grows as the graph does."""
        return len(self._operations)

    @property
    def seed(self) -> int | None:
        """Return the seed of the random ops of this graph."""
        return self._seed

    @seed.setter
    def seed(self, seed: int | None) -> None:
        self._seed = seed

    @property
    def finalized(self) -> bool:
        """Return whether nothing can be added any more."""
        return self._is_finalized

    def finalize(self) -> None:
        """Make every later addition an error.

        Source: TensorFlow 1 API pages, ``tf.Graph.finalize``.
        """
        self._is_finalized = True

    def create_op(
        self,
        op_type: str,
        inputs: Sequence[Any],
        dtypes: Sequence[Any] | None = None,
        input_types: Sequence[Any] | None = None,
        name: str | None = None,
        attrs: dict[str, Any] | None = None,
        op_def: Any = None,
        compute_shapes: bool = True,
        compute_device: bool = True,
    ) -> Operation:
        """Add an operation of any type; one whose type nbvars does not know cannot be run.

        Args:
            op_type: The type, such as ``"MatMul"``.
            inputs: Tensors of this graph.
            dtypes: The dtypes of the outputs.
            input_types: Accepted for TensorFlow's sake.
            name: The name; that of the type if not given. A trailing slash keeps it as it is.
            attrs: Attributes by name.
            op_def: Accepted for TensorFlow's sake.
            compute_shapes: Accepted for TensorFlow's sake: the shapes of such outputs are unknown.
            compute_device: Accepted for TensorFlow's sake.

        Raises:
            TypeError: An input is no tensor.
            ValueError: An input is of another graph.
            RuntimeError: The graph is finalized.

        Source: TensorFlow 1 API pages, ``tf.Graph.create_op``.
        """
        if not isinstance(op_type, str) or not op_type:
            raise TypeError(message("create_op", "op_type is no name", repr(op_type), "a string such as 'MatMul'"))
        tensors = []
        for value in inputs:
            tensor = value._as_tensor() if hasattr(value, "_as_tensor") else value
            if not isinstance(tensor, GraphTensor):
                raise TypeError(message("create_op", "an input is no tensor", repr(value), "a tensor of this graph"))
            tensors.append(tensor)
        outputs = [(as_dtype(dtype), TensorShape(None)) for dtype in dtypes or ()]
        return self._add_op(op_type, tensors, outputs, name or op_type, dict(attrs or {}), None)

    def _add_op(
        self,
        op_type: str,
        inputs: Iterable[GraphTensor],
        outputs: Iterable[tuple[DType, TensorShape]],
        name: str,
        attrs: dict[str, Any],
        definition: Any,
    ) -> Operation:
        """Add an operation; every other way of adding one leads here."""
        inputs = tuple(inputs)
        context = self._entered.context
        self._check_not_finalized()
        for tensor in inputs:
            if tensor._op._graph is not self:
                wrong = f"{tensor.name} must be from the same graph as the operation"
                raise ValueError(message(op_type, wrong, repr(tensor._op._graph), repr(self)))
            if not is_within(context, tensor._op._context):
                wrong = f"{tensor.name} belongs to a branch or loop and cannot be used outside"
                raise ValueError(message(op_type, wrong, tensor._op._context, "a tensor of this context or around it"))
        with GRAPH_LOCK:
            # A name scope with its slash is a name that was given out already.
            unique = name[:-1] if name.endswith("/") else self.unique_name(name)
            if unique in self._operations:
                raise ValueError(message(op_type, "the name of the operation is taken", repr(unique), "another name"))
            controls = self._controls_for({tensor._op for tensor in inputs})
            op = Operation(self, op_type, unique, inputs, controls, attrs, definition, context)
            op._outputs = tuple(GraphTensor(op, i, dtype, shape) for i, (dtype, shape) in enumerate(outputs))
            self._place(op)
            for tensor in inputs:
                tensor._consumers.append(op)
            op._id = len(self._operations)
            self._operations[unique] = op
            self._record(op)
        return op

    def _check_not_finalized(self) -> None:
        if self._is_finalized:
            raise RuntimeError("Graph: Graph is finalized and cannot be modified: got an addition, expected none")

    def get_operations(self) -> list[Operation]:
        """Return the operations, in the order in which they were made.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_operations``.
        """
        return list(self._operations.values())

    def get_operation_by_name(self, name: str) -> Operation:
        """Return the operation ``name``; ``KeyError`` if there is none.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_operation_by_name``.
        """
        _check_is_string("get_operation_by_name", name)
        found: Operation = self.as_graph_element(name, allow_tensor=False)
        return found

    def get_tensor_by_name(self, name: str) -> GraphTensor:
        """Return the tensor ``name``, such as ``"add:0"``; ``KeyError`` if there is none.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_tensor_by_name``.
        """
        _check_is_string("get_tensor_by_name", name)
        found: GraphTensor = self.as_graph_element(name, allow_operation=False)
        return found

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """Return the operation or tensor of this graph that ``obj`` is or names.

        Args:
            obj: An operation, a tensor, a variable, or the name of an operation (``"add"``) or tensor (``"add:0"``).
            allow_tensor: Whether the result may be a tensor.
            allow_operation: Whether the result may be an operation.

        Raises:
            TypeError: ``obj`` is something else, or of a kind that is not allowed.
            ValueError: ``obj`` is of another graph, or the name is malformed.
            KeyError: The graph has nothing of that name.

        Source: TensorFlow 1 API pages, ``tf.Graph.as_graph_element``.
        """
        allowed = " or ".join(["a Tensor"] * allow_tensor + ["an Operation"] * allow_operation)
        convert = getattr(obj, "_as_graph_element", None)
        element = self._named(obj, allow_tensor, allow_operation) if isinstance(obj, str) else convert and convert()
        if isinstance(element, GraphTensor) and allow_tensor:
            graph = element._op._graph
        elif isinstance(element, Operation) and allow_operation:
            graph = element._graph
        else:
            wrong = f"Can not convert a {type(obj).__name__} into {allowed}"
            raise TypeError(message("as_graph_element", wrong, repr(obj), allowed))
        if graph is not self:
            wrong = f"{element.name} is not an element of this graph"
            raise ValueError(message("as_graph_element", wrong, repr(graph), repr(self)))
        return element

    def _named(self, name: str, allow_tensor: bool, allow_operation: bool) -> Any:
        """Return the element of a name."""
        op_name, colon, index = name.partition(":")
        op = self._operations.get(op_name)
        if not colon and allow_operation:
            if op is None:
                wrong = f"The name {name!r} refers to an Operation not in the graph"
                raise KeyError(message("as_graph_element", wrong, repr(name), "the name of an operation"))
            return op
        if not colon or not index.isdecimal() or not allow_tensor:
            expected = "'name:index' of a tensor" if allow_tensor else "the name of an operation, without a colon"
            raise ValueError(message("as_graph_element", "the name is malformed", repr(name), expected))
        if op is None or int(index) >= len(op._outputs):
            wrong = f"The name {name!r} refers to a Tensor which does not exist"
            expected = "an operation of the graph" if op is None else f"an index below {len(op._outputs)}"
            raise KeyError(message("as_graph_element", wrong, repr(name), expected))
        return op._outputs[int(index)]

    def is_feedable(self, tensor: Any) -> bool:
        """Return whether a run may be given the value of ``tensor``.

        Source: TensorFlow 1 API pages, ``tf.Graph.is_feedable``.
        """
        return self.as_graph_element(tensor, allow_operation=False) not in self._unfeedable

    def prevent_feeding(self, tensor: Any) -> None:
        """Make it an error to give a run the value of ``tensor``.

        Source: TensorFlow 1 API pages, ``tf.Graph.prevent_feeding``.
        """
        self._unfeedable.add(self.as_graph_element(tensor, allow_operation=False))

    def is_fetchable(self, tensor_or_op: Any) -> bool:
        """Return whether a run may be asked for ``tensor_or_op``.

        Source: TensorFlow 1 API pages, ``tf.Graph.is_fetchable``.
        """
        element = self.as_graph_element(tensor_or_op)
        op = element if isinstance(element, Operation) else element._op
        return op._context is None and element not in self._unfetchable

    def prevent_fetching(self, op: Any) -> None:
        """Make it an error to ask a run for ``op``.

        Source: TensorFlow 1 API pages, ``tf.Graph.prevent_fetching``.
        """
        self._unfetchable.add(self.as_graph_element(op))

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        """Return the ``GraphDef`` message of the operations; needs protobuf.

        Args:
            from_version: Leave out the operations that were there at this ``version``.
            add_shapes: Add the static shapes of the outputs, as attribute ``_output_shapes``.

        Source: TensorFlow 1 API pages, ``tf.Graph.as_graph_def``.
        """
        from nbvars.graph.node_def import graph_def_of  # needs protobuf, an extra

        return graph_def_of(self, from_version or 0, add_shapes)

    def __deepcopy__(self, memo: Any) -> Graph:
        return self


def _check_is_string(where: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(message(where, "the name is no string", type(name).__name__, "a string"))


_default = {"graph": Graph()}


def get_default_graph() -> Graph:
    """Return the graph that ops and variables join: the one entered last, or that of the process.

    Source: TensorFlow 1 API pages, ``tf.get_default_graph``.
    """
    return innermost_graph() or _default["graph"]


def reset_default_graph() -> None:
    """Replace the default graph of the process by an empty one: no operations, collections, or names taken.

    Raises:
        AssertionError: This thread is inside ``Graph.as_default``.

    Source: TensorFlow 1 API pages, ``tf.reset_default_graph``.
    """
    if innermost_graph() is not None:
        wrong = "the default graph cannot be reset inside Graph.as_default"
        raise AssertionError(message("reset_default_graph", wrong, "a call within a with block", "a call outside"))
    _default["graph"] = Graph()


@contextmanager
def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> Iterator[str]:
    """Put ``name/`` before the names given out in a ``with`` block, in the default graph.

    Args:
        name: The scope; ``default_name`` is used where it is ``None``.
        default_name: The scope of those who give no name.
        values: Accepted for TensorFlow's sake.

    Source: TensorFlow 1 API pages, ``tf.name_scope``.
    """
    with get_default_graph().name_scope(default_name if name is None else name) as scope:
        yield scope


def control_dependencies(control_inputs: Iterable[Any] | None) -> AbstractContextManager[Any]:
    """Make the ops of a ``with`` block run after ``control_inputs``, in the default graph.

    In eager mode, where all runs in order anyway, functions among ``control_inputs`` are called.

    Source: TensorFlow 1 API pages, ``tf.control_dependencies``.
    """
    if executing_eagerly():
        for control in control_inputs or ():
            if callable(control):
                control()
        return _nothing()
    return get_default_graph().control_dependencies(control_inputs)


def colocate_with(op: Any, ignore_existing: bool = False) -> AbstractContextManager[Any]:
    """Place the ops of a ``with`` block where ``op`` is, in the default graph.

    Source: TensorFlow 1 API pages, ``tf.colocate_with``.
    """
    return _nothing() if executing_eagerly() else get_default_graph().colocate_with(op, ignore_existing)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """Return the values of a collection of the default graph, as ``Graph.get_collection``."""
    return get_default_graph().get_collection(key, scope)


def add_to_collection(name: Any, value: Any) -> None:
    """Store ``value`` in a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """Store ``value`` in collections of the default graph."""
    get_default_graph().add_to_collections(names, value)
