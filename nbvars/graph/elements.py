"""Operations and tensors of a graph, by name, and whether a run may be fed them or asked for them."""

from __future__ import annotations

from typing import Any, NoReturn

from nbvars.checks import message
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor

_TENSOR_NAME = "Tensor names must be of the form '<op_name>:<output_index>'"


class Elements:
    """What a graph holds."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}
        self._unfeedable: set[GraphTensor] = set()
        self._unfetchable: set[Operation] = set()

    def get_operations(self) -> list[Operation]:
        """Return the operations, in the order in which they were made.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_operations``.
        """
        return list(self._operations.values())

    def get_operation_by_name(self, name: str) -> Operation:
        """Return the operation ``name``.

        Raises:
            TypeError: ``name`` is no string.
            ValueError: It is the name of a tensor.
            KeyError: There is no such operation.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_operation_by_name``.
        """
        if not isinstance(name, str):
            wrong = "Operation names are strings"
            raise TypeError(message("get_operation_by_name", wrong, type(name).__name__, "a string"))
        found: Operation = self.as_graph_element(name, allow_tensor=False)
        return found

    def get_tensor_by_name(self, name: str) -> GraphTensor:
        """Return the tensor ``name``, such as ``"add:0"``.

        Raises:
            TypeError: ``name`` is no string.
            ValueError: It is the name of an operation, or none at all.
            KeyError: There is no such tensor.

        Source: TensorFlow 1 API pages, ``tf.Graph.get_tensor_by_name``.
        """
        if not isinstance(name, str):
            wrong = "Tensor names are strings"
            raise TypeError(message("get_tensor_by_name", wrong, type(name).__name__, "a string"))
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
            ValueError: ``obj`` is of another graph, or names what is not allowed; or nothing is.
            KeyError: The graph has nothing of that name.

        Source: TensorFlow 1 API pages, ``tf.Graph.as_graph_element``.
        """
        if not allow_tensor and not allow_operation:
            wrong = "allow_tensor and allow_operation can't both be False"
            raise ValueError(message("as_graph_element", wrong, "False and False", "one of them True"))
        if isinstance(obj, str):
            return self._tensor_named(obj, allow_tensor) if ":" in obj else self._op_named(obj, allow_operation)
        convert = getattr(obj, "_as_graph_element", None)
        element = None if convert is None else convert()
        if isinstance(element, GraphTensor) and allow_tensor:
            graph: Any = element._op._graph
        elif isinstance(element, Operation) and allow_operation:
            graph = element._graph
        else:
            allowed = " or ".join(["Tensor"] * allow_tensor + ["Operation"] * allow_operation)
            wrong = f"Can not convert a {type(obj).__name__} into a {allowed}"
            raise TypeError(message("as_graph_element", wrong, repr(obj), f"a {allowed}, or its name"))
        if graph is not self:
            wrong = f"{element.name} is not an element of this graph: it must be from the same graph"
            raise ValueError(message("as_graph_element", wrong, repr(graph), repr(self)))
        return element

    def _op_named(self, name: str, is_allowed: bool) -> Operation:
        op = self._operations.get(name)
        if not is_allowed:
            what = "looks like an (invalid) Operation name" if op is None else "refers to an Operation"
            _refuse(ValueError, f"The name {name!r} {what}, not a Tensor", name, _TENSOR_NAME)
        if op is None:
            _refuse(KeyError, f"The name {name!r} refers to an Operation not in the graph", name, "one of the graph")
        return op

    def _tensor_named(self, name: str, is_allowed: bool) -> GraphTensor:
        op_name, _, index = name.partition(":")
        if not is_allowed:
            wrong = f"Name {name!r} appears to refer to a Tensor, not a Operation"
            _refuse(ValueError, wrong, name, "the name of an operation, without a colon")
        if not (index.isascii() and index.isdigit() and len(index) < 10):
            wrong = f"The name {name!r} looks like a Tensor name, but is not a valid one"
            _refuse(ValueError, wrong, name, _TENSOR_NAME)
        op = self._operations.get(op_name)
        if op is None or int(index) >= len(op._outputs):
            expected = "an operation of the graph" if op is None else f"an output of {len(op._outputs)}"
            _refuse(KeyError, f"The name {name!r} refers to a Tensor which does not exist", name, expected)
        return op._outputs[int(index)]

    def is_feedable(self, tensor: Any) -> bool:
        """Return whether a run may be given the value of ``tensor``.

        Source: TensorFlow 1 API pages, ``tf.Graph.is_feedable``.
        """
        element = self.as_graph_element(tensor, allow_operation=False)
        return element._op._context is None and element not in self._unfeedable

    def prevent_feeding(self, tensor: Any) -> None:
        """Make it an error to give a run the value of ``tensor``.

        Source: TensorFlow 1 API pages, ``tf.Graph.prevent_feeding``.
        """
        self._unfeedable.add(self.as_graph_element(tensor, allow_operation=False))

    def is_fetchable(self, tensor_or_op: Any) -> bool:
        """Return whether a run may be asked for ``tensor_or_op``; not for what belongs to a branch or loop.

        Source: TensorFlow 1 API pages, ``tf.Graph.is_fetchable``.
        """
        op = self._op_of(tensor_or_op)
        return op._context is None and op not in self._unfetchable

    def prevent_fetching(self, op: Any) -> None:
        """Make it an error to ask a run for ``op`` or its outputs.

        Source: TensorFlow 1 API pages, ``tf.Graph.prevent_fetching``.
        """
        self._unfetchable.add(self._op_of(op))

    def _op_of(self, obj: Any) -> Operation:
        element = self.as_graph_element(obj)
        op: Operation = element if isinstance(element, Operation) else element._op
        return op


def _refuse(kind: type[Exception], wrong: str, name: str, expected: str) -> NoReturn:
    raise kind(message("as_graph_element", wrong, repr(name), expected))
