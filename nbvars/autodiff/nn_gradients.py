"""Gradients of products of matrices, and of the functions of neural networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbvars.autodiff.math_gradients import _of_unary
from nbvars.autodiff.node import Node, Table
from nbvars.checks import message
from nbvars.graph.tensor import Tensor
from nbvars.ops.adjoint_ops import sum_like, unreduce
from nbvars.ops.array_ops import expand_dims, transpose
from nbvars.ops.constant_ops import zeros_like
from nbvars.ops.indexing_ops import where
from nbvars.ops.linalg_ops import matmul, tensordot
from nbvars.ops.math_ops import abs, add_n, exp, greater, less, logical_and, sign, square
from nbvars.ops.nn_ops import log_softmax, sigmoid, softmax
from nbvars.ops.reduction_ops import reduce_sum
from nbvars.ops.shape_rules import normal_axes


def _matmul(node: Node, grad: Tensor) -> tuple[Tensor, Tensor]:
    a, b = node.inputs
    is_a_turned, is_b_turned = node.attrs["transpose_a"], node.attrs["transpose_b"]
    for_a = matmul(b, grad, is_b_turned, True) if is_a_turned else matmul(grad, b, False, not is_b_turned)
    for_b = matmul(grad, a, True, is_a_turned) if is_b_turned else matmul(a, grad, not is_a_turned, False)
    if a.shape.ndims == b.shape.ndims == 2:
        return for_a, for_b
    return sum_like(for_a, a), sum_like(for_b, b)


def _tensordot(node: Node, grad: Tensor) -> tuple[Tensor, Tensor]:
    a, b = node.inputs
    a_rank, b_rank = _known_rank("tensordot", a), _known_rank("tensordot", b)
    axes = node.attrs["axes"]
    if isinstance(axes, int):
        axes = (range(a_rank - axes, a_rank), range(axes))
    summed_a, summed_b = normal_axes("tensordot", axes[0], a_rank), normal_axes("tensordot", axes[1], b_rank)
    rest_a = [axis for axis in range(a_rank) if axis not in summed_a]
    rest_b = [axis for axis in range(b_rank) if axis not in summed_b]
    # grad has the rest of a, then that of b. What is left of a product is in the order of the other's summed axes.
    after = range(len(rest_a), len(rest_a) + len(rest_b))
    for_a = tensordot(grad, b, (list(after), rest_b))
    in_b = [summed_a[i] for i in np.argsort(summed_b)]
    for_b = tensordot(grad, a, (list(range(len(rest_a))), rest_a))
    in_a = [summed_b[i] for i in np.argsort(summed_a)]
    return (
        transpose(for_a, np.argsort([*rest_a, *in_b]).tolist()),
        transpose(for_b, np.argsort([*rest_b, *in_a]).tolist()),
    )


def _known_rank(op: str, x: Tensor) -> int:
    rank = x.shape.ndims
    if rank is None:
        raise ValueError(message("gradients", f"{op} of a tensor of unknown rank has no gradient", x, "a known rank"))
    return rank


def _norm(node: Node, grad: Tensor) -> Tensor:
    x: Tensor = node.inputs[0]
    order, axis, keepdims = (node.attrs[key] for key in ("ord", "axis", "keepdims"))
    if order == 1 and (axis is None or len(axis) == 1):
        return unreduce(grad, x, axis, keepdims) * sign(x)
    if order in ("euclidean", "fro") or (order == 2 and (axis is None or len(axis) == 1)):
        length = unreduce(node.outputs[0], x, axis, keepdims)
        return unreduce(grad, x, axis, keepdims) * x / length
    raise LookupError(
        message("gradients", "this norm has no gradient", f"ord={order!r}", "'euclidean', or 1 of vectors")
    )


def _relu6(x: Tensor, y: Tensor, grad: Tensor) -> Tensor:
    return where(logical_and(greater(x, 0), less(x, 6)), grad, zeros_like(grad))


def _softmax(node: Node, grad: Tensor) -> Tensor:
    y: Tensor = node.outputs[0]
    return (grad - reduce_sum(grad * y, node.attrs["axis"], True)) * y


def _log_softmax(node: Node, grad: Tensor) -> Tensor:
    axis, y = node.attrs["axis"], node.outputs[0]
    return grad - exp(y) * reduce_sum(grad, axis, True)


def _bias_add(node: Node, grad: Tensor) -> tuple[Tensor, Tensor]:
    rank = _known_rank("bias_add", node.inputs[0])
    channels = 1 if node.attrs["data_format"] == "NCHW" else rank - 1
    return grad, reduce_sum(grad, [axis for axis in range(rank) if axis != channels])


def _sum(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else add_n(parts)


def _softmax_loss(node: Node, grad: Tensor | None, second: Tensor | None) -> tuple[Tensor, Tensor]:
    """``second`` is the gradient of the derivatives, as for second derivatives of the loss."""
    logits, labels = node.inputs
    found = []
    if grad is not None:
        rows = expand_dims(grad, -1)
        found.append((rows * node.outputs[1], -rows * log_softmax(logits)))
    if second is not None:
        share, inner = reduce_sum(labels, -1, True), reduce_sum(second * softmax(logits), -1, True)
        found.append((share * softmax(logits) * (second - inner), inner - second))
    for_logits, for_labels = zip(*found, strict=True)
    return _sum(for_logits), _sum(for_labels)


def _sparse_softmax_loss(node: Node, grad: Tensor | None, second: Tensor | None) -> tuple[Tensor, None]:
    found = []
    if grad is not None:
        found.append(expand_dims(grad, -1) * node.outputs[1])
    if second is not None:
        probabilities = softmax(node.inputs[0])
        found.append(probabilities * (second - reduce_sum(second * probabilities, -1, True)))
    return _sum(found), None


def _sigmoid_loss(node: Node, grad: Tensor) -> tuple[Tensor, Tensor]:
    logits, labels = node.inputs
    return grad * (sigmoid(logits) - labels), -grad * logits


TABLE: Table = {
    "MatMul": _matmul,
    "Tensordot": _tensordot,
    "Norm": _norm,
    "Sigmoid": _of_unary(lambda x, y, grad: grad * y * (1 - y)),
    "Relu": _of_unary(lambda x, y, grad: where(greater(x, 0), grad, zeros_like(grad))),
    "Relu6": _of_unary(_relu6),
    "Elu": _of_unary(lambda x, y, grad: where(greater(x, 0), grad, grad * (y + 1))),
    "Softplus": _of_unary(lambda x, y, grad: grad * sigmoid(x)),
    "Softsign": _of_unary(lambda x, y, grad: grad / square(1 + abs(x))),
    "Softmax": _softmax,
    "LogSoftmax": _log_softmax,
    "L2Loss": _of_unary(lambda x, y, grad: grad * x),
    "BiasAdd": _bias_add,
    "SoftmaxCrossEntropyWithLogits": _softmax_loss,
    "SparseSoftmaxCrossEntropyWithLogits": _sparse_softmax_loss,
    "SigmoidCrossEntropyWithLogits": _sigmoid_loss,
}
