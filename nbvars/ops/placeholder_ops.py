"""Tensors whose value each run brings."""

from __future__ import annotations

from typing import Any, NoReturn

from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.graph.graph import get_default_graph
from nbvars.graph.mode import expect_graph_mode
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor, Tensor, TensorValue
from nbvars.runtime.conversion import convert_to_tensor
from nbvars.runtime.definition import NodeDefinition
from nbvars.runtime.plan import PlanBuilder
from nbvars.runtime.steps import Slots
from nbvars.shapes import TensorShape


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """Return a tensor that ``feed_dict`` must give a value.

    Args:
        dtype: The dtype, ``string`` included.
        shape: What is known of the shape: ``None`` for nothing, and for sizes that are not known.
        name: Name of the operation.

    Raises:
        RuntimeError: The mode is eager.

    Source: TensorFlow 1 API pages, ``tf.placeholder``.
    """
    expect_graph_mode("placeholder")
    dtype, known = as_dtype(dtype).base_dtype, TensorShape(shape)
    attrs = {"dtype": dtype, "shape": known}
    op = get_default_graph()._add_op("Placeholder", (), [(dtype, known)], name or "Placeholder", attrs, PLACEHOLDER)
    return op._outputs[0]


def _prepare(op: Operation, plan: PlanBuilder) -> None:
    tensor = op._outputs[0]

    def fail(slots: Slots) -> NoReturn:
        wrong = f"You must feed a value for placeholder tensor {op._name!r}"
        expected = f"{tensor._dtype} of shape {tensor._shape}"
        raise InvalidArgumentError(None, op, message("Session.run", wrong, "no value", expected))

    if not plan.is_fed(tensor):
        plan.new_slot(tensor)
        plan.add_step(op, fail)


def _outputs(inputs: list[GraphTensor], attrs: dict[str, Any]) -> list[tuple[DType, TensorShape]]:
    return [(as_dtype(attrs["dtype"]), TensorShape(attrs.get("shape")))]


PLACEHOLDER = NodeDefinition("Placeholder", _prepare, _outputs)


def placeholder_with_default(input: TensorValue, shape: Any, name: str | None = None) -> Tensor:
    """Return a tensor that has the value of ``input`` in a run that feeds none.

    Args:
        input: The value.
        shape: What is known of the shape of any value, that of ``input`` included.
        name: Name of the operation.

    Raises:
        RuntimeError: The mode is eager.
        ValueError: ``input`` has another shape.

    Source: TensorFlow 1 API pages, ``tf.placeholder_with_default``.
    """
    expect_graph_mode("placeholder_with_default")
    default, known = convert_to_tensor(input), TensorShape(shape)
    if not known.is_compatible_with(default.shape):
        raise ValueError(message("placeholder_with_default", "input has the wrong shape", default.shape, known))
    dtype, op_type = default.dtype, "PlaceholderWithDefault"
    attrs = {"dtype": dtype, "shape": known}
    graph: Any = default.graph  # type: ignore[attr-defined]
    op = graph._add_op(op_type, (default,), [(dtype, known)], name or op_type, attrs, WITH_DEFAULT)
    found: Tensor = op._outputs[0]
    return found


def _outputs_with_default(inputs: list[GraphTensor], attrs: dict[str, Any]) -> list[tuple[DType, TensorShape]]:
    [default] = inputs
    return [(default._dtype.base_dtype, TensorShape(attrs.get("shape")))]


WITH_DEFAULT = NodeDefinition(
    "PlaceholderWithDefault", lambda op, plan: plan.alias(op._outputs[0], op._inputs[0]), _outputs_with_default
)
