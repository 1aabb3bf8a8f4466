"""Gradients of mathematics element by element, and of reductions."""

from __future__ import annotations

import functools
from collections.abc import Callable

from nbvars.autodiff.node import Gradient, Node, Table
from nbvars.graph.tensor import Tensor
from nbvars.ops.adjoint_ops import PROD_GRADIENT, broadcast_like, sum_like, unmean, unreduce
from nbvars.ops.cast_ops import cast
from nbvars.ops.constant_ops import zeros_like
from nbvars.ops.indexing_ops import where
from nbvars.ops.math_ops import (
    cos,
    equal,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    sign,
    sin,
    square,
)
from nbvars.ops.math_ops import pow as power
from nbvars.ops.reduction_ops import cumsum, reduce_mean, reduce_sum
from nbvars.runtime.dispatch import apply_op

Pair = tuple[Tensor, Tensor]


def _of_unary(rule: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[Node, Tensor], Gradient]:
    """Return the gradient of an op ``y = f(x)`` by its rule of ``x``, ``y`` and the gradient of ``y``."""
    return lambda node, grad: rule(node.inputs[0], node.outputs[0], grad)


def _of_binary(
    rule: Callable[[Tensor, Tensor, Tensor, Tensor], Pair],
) -> Callable[[Node, Tensor], Pair]:
    """Return the gradients of an op ``z = f(x, y)``, whose inputs were broadcast, by its rule."""

    def gradient(node: Node, grad: Tensor) -> Pair:
        x, y = node.inputs
        for_x, for_y = rule(x, y, node.outputs[0], grad)
        return sum_like(for_x, x), sum_like(for_y, y)

    return gradient


def _add(node: Node, grad: Tensor) -> Pair:
    x, y = node.inputs
    return sum_like(grad, x), sum_like(grad, y)


def _sub(node: Node, grad: Tensor) -> Pair:
    x, y = node.inputs
    return sum_like(grad, x), sum_like(-grad, y)


def _pow(x: Tensor, y: Tensor, z: Tensor, grad: Tensor) -> Pair:
    one = zeros_like(y) + 1
    # The derivative by y is that of exp(y * log(x)), which a negative x does not have.
    logarithm = where(greater(x, 0), log(where(greater(x, 0), x, zeros_like(x) + 1)), zeros_like(x))
    return grad * y * power(x, y - one), grad * z * logarithm


def _extreme(is_chosen: Callable[..., Tensor], node: Node, grad: Tensor) -> Pair:
    x, y = node.inputs
    chosen, none = is_chosen(x, y), zeros_like(grad)
    return sum_like(where(chosen, grad, none), x), sum_like(where(chosen, none, grad), y)


def _clip(node: Node, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x, low, high = node.inputs
    is_low, is_high, none = less(x, low), greater(x, high), zeros_like(grad)
    inside = where(is_low, none, where(is_high, none, grad))
    return inside, sum_like(where(is_low, grad, none), low), sum_like(where(is_high, grad, none), high)


def _sum(node: Node, grad: Tensor) -> Tensor:
    return unreduce(grad, node.inputs[0], node.attrs["axis"], node.attrs["keepdims"])


def _mean(node: Node, grad: Tensor) -> Tensor:
    return unmean(grad, node.inputs[0], **node.attrs)


def _prod(node: Node, grad: Tensor) -> Tensor:
    return apply_op(PROD_GRADIENT, grad, node.inputs[0], **node.attrs)


def _largest_or_smallest(node: Node, grad: Tensor) -> Tensor:
    x, (axis, keepdims) = node.inputs[0], (node.attrs["axis"], node.attrs["keepdims"])
    is_found = cast(equal(x, unreduce(node.outputs[0], x, axis, keepdims)), x.dtype)
    # Several that are equal share the gradient, as in TensorFlow.
    return is_found * unreduce(grad / reduce_sum(is_found, axis, keepdims), x, axis, keepdims)


def _logsumexp(node: Node, grad: Tensor) -> Tensor:
    x, (axis, keepdims) = node.inputs[0], (node.attrs["axis"], node.attrs["keepdims"])
    return unreduce(grad, x, axis, keepdims) * exp(x - unreduce(node.outputs[0], x, axis, keepdims))


def _cumsum(node: Node, grad: Tensor) -> Tensor:
    attrs = node.attrs
    return cumsum(grad, attrs["axis"], attrs["exclusive"], not attrs["reverse"])


TABLE: Table = {
    "AddV2": _add,
    "Sub": _sub,
    "Mul": _of_binary(lambda x, y, z, grad: (grad * y, grad * x)),
    "RealDiv": _of_binary(lambda x, y, z, grad: (grad / y, -grad * z / y)),
    "FloorDiv": None,
    "FloorMod": _of_binary(lambda x, y, z, grad: (grad, -grad * floor(x / y))),
    "Pow": _of_binary(_pow),
    "Maximum": functools.partial(_extreme, greater_equal),
    "Minimum": functools.partial(_extreme, less_equal),
    "AddN": lambda node, grad: [grad] * len(node.inputs),
    "ClipByValue": _clip,
    "Abs": _of_unary(lambda x, y, grad: grad * sign(x)),
    "Neg": _of_unary(lambda x, y, grad: -grad),
    "Sign": None,
    "Square": _of_unary(lambda x, y, grad: grad * (2 * x)),
    "Sqrt": _of_unary(lambda x, y, grad: grad * 0.5 / y),
    "Reciprocal": _of_unary(lambda x, y, grad: -grad * y * y),
    "Rsqrt": _of_unary(lambda x, y, grad: -0.5 * grad * y * y * y),
    "Exp": _of_unary(lambda x, y, grad: grad * y),
    "Expm1": _of_unary(lambda x, y, grad: grad * (y + 1)),
    "Log": _of_unary(lambda x, y, grad: grad / x),
    "Log1p": _of_unary(lambda x, y, grad: grad / (x + 1)),
    "Sin": _of_unary(lambda x, y, grad: grad * cos(x)),
    "Cos": _of_unary(lambda x, y, grad: -grad * sin(x)),
    "Tanh": _of_unary(lambda x, y, grad: grad * (1 - square(y))),
    "Floor": None,
    "Ceil": None,
    "Round": None,
    "Sum": _sum,
    "Mean": _mean,
    "Prod": _prod,
    "Max": _largest_or_smallest,
    "Min": _largest_or_smallest,
    "LogSumExp": _logsumexp,
    "Cumsum": _cumsum,
    "SumLike": lambda node, grad: (broadcast_like(grad, node.inputs[0]), None),
    "BroadcastLike": lambda node, grad: (sum_like(grad, node.inputs[0]), None),
    "Unreduce": lambda node, grad: (reduce_sum(grad, **node.attrs), None),
    "Unmean": lambda node, grad: (reduce_mean(grad, **node.attrs), None),
}
