"""``Graph``: operations, and the names, collections and scopes that they share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype
from nbvars.graph.collections import Collection, Collections
from nbvars.graph.control_flow import check_reaches
from nbvars.graph.elements import Elements
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.mode import entered_graph, executing_eagerly, innermost_graph
from nbvars.graph.names import GRAPH_LOCK, Names
from nbvars.graph.operation import GraphPart, Operation
from nbvars.graph.scopes import Scopes
from nbvars.graph.tensor import GraphTensor, Symbolic
from nbvars.shapes import TensorShape

_Kept = TypeVar("_Kept")


class Graph(GraphPart, Names, Collections, Elements, Scopes):
    """Operations that a ``Session`` runs, with their names, collections, devices and control dependencies.

    Source: TensorFlow 1 API pages, ``tf.Graph``.
    """

    def __init__(self) -> None:
        Names.__init__(self)
        Collections.__init__(self)
        Scopes.__init__(self)
        Elements.__init__(self)
        self._is_finalized = False
        self._seed: int | None = None
        self._kept: dict[type, Any] = {}

    def _own(self, kind: type[_Kept]) -> _Kept:
        """Return the one ``kind()`` of this graph, where a layer above keeps what belongs to the graph."""
        kept: _Kept = self._kept[kind] if kind in self._kept else self._kept.setdefault(kind, kind())
        return kept

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
        """Make every later addition an error: of operations, variables, and to collections by their methods.

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
            check_reaches(op_type, context, tensor._op, tensor)
        unique = self._claim(name)
        controls = self._controls_for({tensor._op for tensor in inputs})
        op = Operation(self, op_type, unique, inputs, controls, attrs, definition, context)
        op._outputs = tuple(GraphTensor(op, i, dtype, shape) for i, (dtype, shape) in enumerate(outputs))
        # Without the lock, as this calls the device functions of users.
        self._place(op)
        with GRAPH_LOCK:
            if unique in self._operations:
                raise ValueError(message(op_type, "the name of the operation is taken", repr(unique), "another name"))
            op._id = len(self._operations)
            self._operations[unique] = op
            for tensor in inputs:
                tensor._consumers.append(op)
        self._record(op)
        return op

    def _adopt(self, operations: Sequence[Operation]) -> None:
        """Add operations that were made for this graph, under the names that they have: all of them, or none."""
        self._check_not_finalized()
        with GRAPH_LOCK:
            for op in operations:
                if op._name in self._operations:
                    wrong = "the name of an operation is taken"
                    raise ValueError(message("import_graph_def", wrong, repr(op._name), "another name scope"))
            for op in operations:
                self._claim(f"{op._name}/")
                op._id = len(self._operations)
                self._operations[op._name] = op
                for tensor in op._inputs:
                    tensor._consumers.append(op)
                self._record(op)

    def _check_not_finalized(self) -> None:
        if self._is_finalized:
            raise RuntimeError("Graph: Graph is finalized and cannot be modified: got an addition, expected none")

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        """Return the ``GraphDef`` message of the operations; needs protobuf.

        Args:
            from_version: Leave out the operations that were there at this ``version``.
            add_shapes: Add the static shapes of the outputs, as attribute ``_output_shapes``.

        Source: TensorFlow 1 API pages, ``tf.Graph.as_graph_def``.
        """
        from nbvars.graph.node_def import graph_def_of  # needs protobuf, an extra

        return graph_def_of(self, from_version or 0, add_shapes)


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
def name_scope(name: str | None, default_name: str | None = None, values: Iterable[Any] | None = None) -> Iterator[str]:
    """Put ``name/`` before the names given out in a ``with`` block, in the default graph.

    Args:
        name: The scope, as for ``Graph.name_scope``; ``None`` means ``default_name``.
        default_name: The scope of those who give no name.
        values: Tensors of one graph, which is the default graph of the block.

    Raises:
        TypeError: ``default_name`` is no string.
        ValueError: There are ``values`` but no name, or they are of several graphs.

    Source: TensorFlow 1 API pages, ``tf.name_scope``.
    """
    if default_name is not None and not isinstance(default_name, str):
        wrong = "default_name is no string"
        raise TypeError(message("name_scope", wrong, type(default_name).__name__, "a string", "is it for values?"))
    scope_name = default_name if name is None else name
    if scope_name is None and values is not None:
        wrong = "At least one of name (None) and default_name (None) must be provided"
        raise ValueError(message("name_scope", wrong, "None", "a string"))
    graph = _common_graph("name_scope", values or ())
    with nullcontext() if graph is None else graph.as_default(), get_default_graph().name_scope(scope_name) as scope:
        yield scope


def _common_graph(where: str, values: Iterable[Any]) -> Graph | None:
    """Return the graph of those of ``values`` that are of one; ``ValueError`` if they are of several."""
    found: Any = None
    for each in values:
        value = each.values if isinstance(each, IndexedSlices) else each
        if isinstance(value, (Operation, Symbolic)):
            found = value if found is None else found
            if value.graph is not found.graph:  # type: ignore[union-attr]
                wrong = f"{value.name} must be from the same graph as {found.name}"  # type: ignore[union-attr]
                raise ValueError(message(where, wrong, repr(value), repr(found)))
    return None if found is None else found.graph


def control_dependencies(control_inputs: Iterable[Any] | None) -> AbstractContextManager[Any]:
    """Make the ops of a ``with`` block run after ``control_inputs``, in the default graph.

    In eager mode, where all runs in order anyway, functions among ``control_inputs`` are called; operations and tensors
    of a graph concern what is added to that graph.

    Source: TensorFlow 1 API pages, ``tf.control_dependencies``.
    """
    if not executing_eagerly():
        return get_default_graph().control_dependencies(control_inputs)
    controls = [control for control in control_inputs or () if not _is_called(control)]
    graph = _common_graph("control_dependencies", controls)
    return nullcontext() if graph is None else graph.control_dependencies(controls)


def _is_called(control: Any) -> bool:
    """Call ``control`` if it is a function, and tell so."""
    is_function = callable(control)
    if is_function:
        control()
    return is_function


def colocate_with(op: Any, ignore_existing: bool = False) -> AbstractContextManager[Any]:
    """Place the ops of a ``with`` block where ``op`` is, in the default graph; in eager mode, in that of ``op``.

    Source: TensorFlow 1 API pages, ``tf.colocate_with``.
    """
    graph = _common_graph("colocate_with", (op,)) if executing_eagerly() else get_default_graph()
    return nullcontext() if graph is None else graph.colocate_with(op, ignore_existing)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """Return the values of a collection of the default graph, as ``Graph.get_collection``."""
    return get_default_graph().get_collection(key, scope)


def add_to_collection(name: Any, value: Any) -> None:
    """Store ``value`` in a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """Store ``value`` in collections of the default graph."""
    get_default_graph().add_to_collections(names, value)


def get_collection_ref(key: Any) -> Collection:
    """Return a collection of the default graph itself, as ``Graph.get_collection_ref``."""
    return get_default_graph().get_collection_ref(key)
