"""Gradients of random numbers by the parameters of their distribution: what was drawn is a constant.

TensorFlow computes ``draw * stddev + mean`` by three ops. Here it is one, and the draw follows from its result.
"""

from __future__ import annotations

from nbvars.autodiff.node import Node, Table
from nbvars.graph.tensor import Tensor
from nbvars.ops.adjoint_ops import sum_like
from nbvars.ops.constant_ops import ones_like, zeros_like
from nbvars.ops.indexing_ops import where
from nbvars.ops.math_ops import equal


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Return ``part / whole``; of a width or deviation of 0, which does not tell the draw, 0."""
    is_none = equal(whole, 0)
    quotient = part / where(is_none, ones_like(whole), whole)
    return where(is_none, zeros_like(quotient), quotient)


def _normal(node: Node, grad: Tensor) -> tuple[Tensor, Tensor]:
    (mean, stddev), (numbers,) = node.inputs, node.outputs
    return sum_like(grad, mean), sum_like(grad * _share(numbers - mean, stddev), stddev)


def _uniform(node: Node, grad: Tensor) -> tuple[Tensor, Tensor]:
    (minval, maxval), (numbers,) = node.inputs, node.outputs
    for_maxval = grad * _share(numbers - minval, maxval - minval)
    return sum_like(grad - for_maxval, minval), sum_like(for_maxval, maxval)


TABLE: Table = {
    "RandomStandardNormal": _normal,
    "TruncatedNormal": _normal,
    "RandomUniform": _uniform,
}
