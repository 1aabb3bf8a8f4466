"""``Operation``: a node of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self

from nbvars.checks import message
from nbvars.graph.implied_attrs import implied_attrs
from nbvars.graph.mode import session_for

if TYPE_CHECKING:
    from nbvars.graph.control_flow import ControlFlowContext
    from nbvars.graph.graph import Graph
    from nbvars.graph.tensor import GraphTensor


class GraphPart:
    """A graph and what belongs to it: copies of one are the thing itself, and none can be pickled."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        remedy = "pickle as_graph_def(), and the values that a Session returns"
        raise TypeError(message("pickle", "a part of a graph cannot be pickled", repr(self), "a value", remedy))


class Operation(GraphPart):
    """A node of a graph, which computes tensors from tensors when a ``Session`` runs it.

    Public functions such as ``matmul`` make operations; so does ``Graph.create_op``.

    Source: TensorFlow 1 API pages, ``tf.Operation``.
    """

    __slots__ = (
        "__weakref__",
        "_attrs",
        "_colocated_with",
        "_context",
        "_control_inputs",
        "_definition",
        "_device",
        "_graph",
        "_id",
        "_inputs",
        "_name",
        "_outputs",
        "_type",
    )

    def __init__(
        self,
        graph: Graph,
        op_type: str,
        name: str,
        inputs: tuple[GraphTensor, ...],
        control_inputs: list[Operation],
        attrs: dict[str, Any],
        definition: Any,
        context: ControlFlowContext | None,
    ) -> None:
        # For Graph alone, which adds the outputs, the device and the id.
        self._graph = graph
        self._type = op_type
        self._name = name
        self._inputs = inputs
        self._control_inputs = control_inputs
        self._attrs = attrs
        self._definition = definition
        self._context = context
        self._outputs: tuple[GraphTensor, ...] = ()
        self._colocated_with: tuple[Operation, ...] = ()
        self._device = ""
        self._id = -1

    @property
    def name(self) -> str:
        """Return the unique name."""
        return self._name

    @property
    def type(self) -> str:
        """Return the type, such as ``"MatMul"``."""
        return self._type

    @property
    def graph(self) -> Graph:
        """Return the graph of which this is a node."""
        return self._graph

    @property
    def inputs(self) -> list[GraphTensor]:
        """Return the tensors that this computes from."""
        return list(self._inputs)

    @property
    def outputs(self) -> list[GraphTensor]:
        """Return the tensors that this computes."""
        return list(self._outputs)

    @property
    def control_inputs(self) -> list[Operation]:
        """Return the operations that run before this one, though it takes nothing from them."""
        return list(self._control_inputs)

    @property
    def device(self) -> str:
        """Return the device string, ``""`` where it is left open."""
        return self._device

    @property
    def node_def(self) -> Any:
        """Return the ``NodeDef`` message; needs protobuf."""
        from nbvars.graph.node_def import node_def_of  # needs protobuf, an extra

        return node_def_of(self)

    def colocation_groups(self) -> list[bytes]:
        """Return the names of the groups of operations that share a device: ``[b"loc:@name"]``."""
        if not self._colocated_with:
            return [f"loc:@{self._name}".encode()]
        return [f"loc:@{name}".encode() for name in sorted(op._name for op in self._colocated_with)]

    def get_attr(self, name: str) -> Any:
        """Return the attribute ``name``; ``ValueError`` if there is none."""
        attrs = self._attrs_with_implied()
        if name not in attrs:
            wrong = f"operation {self._name!r} has no such attribute"
            raise ValueError(message("get_attr", wrong, repr(name), f"one of {sorted(attrs)}"))
        return attrs[name]

    def _attrs_with_implied(self) -> dict[str, Any]:
        implied = {} if self._definition is None else implied_attrs(self._type, self._inputs)
        return implied | self._attrs

    def values(self) -> tuple[GraphTensor, ...]:
        """Return ``outputs`` as a tuple."""
        return self._outputs

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Run this operation in ``session``, or in the default session.

        Raises:
            ValueError: There is no session, or it runs another graph.
        """
        session_for("Operation.run", session, self._graph).run(self, feed_dict)

    def _as_graph_element(self) -> Operation:
        return self

    def __repr__(self) -> str:
        return f"<nbvars.Operation {self._name!r} type={self._type}>"
