"""The way back from outputs to inputs, the same for graphs and for tapes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

from nbvars.autodiff.node import Gradient, GradientFunction, Node
from nbvars.autodiff.sums import Sums, dense
from nbvars.checks import message
from nbvars.ops.constant_ops import zeros_like

# Through these, gradients that are slices pass as they are; any other op gets a tensor.
_KEEPS_SLICES = ("Identity", "AddN", "Neg")
# These are told by None which outputs have no gradient; others get zeros.
_TAKES_NONE = ("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits")


class UnconnectedGradients(Enum):
    """What stands for the gradient by a tensor on which nothing depends.

    Source: TensorFlow 1 API pages, ``tf.UnconnectedGradients``.
    """

    NONE = "none"
    ZERO = "zero"


def unconnected(value: Any) -> UnconnectedGradients:
    """Return the member that ``value``, or its name, is."""
    try:
        return UnconnectedGradients(value)
    except ValueError:
        expected = "UnconnectedGradients.NONE or ZERO"
        raise ValueError(
            message("gradients", "unknown value of unconnected_gradients", repr(value), expected)
        ) from None


def is_differentiable(tensor: Any) -> bool:
    """Return whether gradients can flow to ``tensor``: to floating numbers."""
    return bool(tensor.dtype.base_dtype.is_floating)


class Step(NamedTuple):
    """One op on the way back, the tensors to which its gradients go, and its gradient function."""

    node: Node
    inputs: tuple[Any, ...]
    function: GradientFunction | None


def flow_back(steps: Iterable[Step], sums: Sums) -> None:
    """Take gradients from the outputs of each op to its inputs; the last op comes first."""
    for node, inputs, function in steps:
        grads = [sums.total(output) if is_differentiable(output) else None for output in node.outputs]
        if function is None or all(grad is None for grad in grads):
            continue
        if node.op_type not in _KEEPS_SLICES:
            grads = [dense(grad) for grad in grads]
        if node.op_type not in _TAKES_NONE:
            pairs = zip(grads, node.outputs, strict=True)
            grads = [zeros_like(output) if grad is None else grad for grad, output in pairs]
        found = function(node, *grads)
        for tensor, gradient in zip(inputs, found if isinstance(found, (list, tuple)) else [found], strict=True):
            if gradient is not None and is_differentiable(tensor):
                sums.add(tensor, gradient)


def results(sums: Sums, sources: Iterable[Any], mode: UnconnectedGradients) -> list[Gradient]:
    """Return the gradient by each of ``sources``."""
    found = [sums.total(source) for source in sources]
    if mode is UnconnectedGradients.NONE:
        return found
    return [zeros_like(source) if grad is None else grad for grad, source in zip(found, sources, strict=True)]
