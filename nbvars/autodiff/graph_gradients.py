"""``gradients``: ops that compute derivatives, added to a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbvars.autodiff.backward import UnconnectedGradients, is_differentiable, results, unconnected
from nbvars.autodiff.graph_backward import add_backward
from nbvars.autodiff.node import Gradient
from nbvars.autodiff.sums import Sums
from nbvars.checks import message
from nbvars.graph.graph import Graph
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import GraphTensor, Symbolic
from nbvars.ops.constant_ops import ones_like
from nbvars.runtime.building import entered
from nbvars.runtime.conversion import convert_to_tensor, graph_tensor_of

WHERE = "gradients"


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
    unconnected_gradients: Any = UnconnectedGradients.NONE,
) -> list[Gradient]:
    """Add the derivatives of the sum of ``ys`` by each of ``xs`` to the graph.

    Args:
        ys: A tensor or a list of tensors of a graph.
        xs: A tensor or variable, or a list of those.
        grad_ys: Gradients to begin with, one for each of ``ys``, in its shape; ones where not given, or ``None``.
        name: Name of the scope of the new operations.
        colocate_gradients_with_ops: Without effect, as are the next two.
        gate_gradients: Whether all gradients of an operation are there before one is used: they are.
        aggregation_method: How gradients that came by several ways are added up.
        stop_gradients: Tensors that are taken for constants.
        unconnected_gradients: ``UnconnectedGradients.ZERO`` for zeros instead of ``None``.

    Returns:
        The gradient for each of ``xs``: a tensor of its shape, ``IndexedSlices`` where only some rows have one (of
        ``gather`` and ``embedding_lookup``), or ``None`` where ``ys`` do not depend on it.

    Raises:
        RuntimeError: The mode is eager, and the tensors are of no graph: ``GradientTape`` is for them.
        LookupError: An operation on the way has no gradient.
        TypeError: A tensor of ``ys`` is not floating.
        ValueError: ``grad_ys`` does not fit ``ys``, or the tensors are of several graphs.

    Source: TensorFlow 1 API pages, ``tf.gradients``.
    """
    targets, sources = [y._as_tensor() for y in _tensors("ys", ys)], [_reference(x) for x in _tensors("xs", xs)]
    stops = [] if stop_gradients is None else [_reference(x) for x in _tensors("stop_gradients", stop_gradients)]
    mode, graph = unconnected(unconnected_gradients), _graph_of([*targets, *sources, *stops])
    for target in targets:
        if not is_differentiable(target):
            raise TypeError(message(WHERE, "ys has the wrong dtype", target.dtype, "a floating dtype", "use cast"))
    given = _list(grad_ys) if grad_ys is not None else [None] * len(targets)
    if len(given) != len(targets):
        raise ValueError(message(WHERE, "grad_ys has the wrong length", len(given), len(targets)))
    with entered(graph), graph.name_scope(name):
        sums = Sums()
        for target, grad in zip(targets, given, strict=True):
            sums.add(target, _first_gradient(target, grad))
        add_backward(targets, sources, stops, sums)
        return results(sums, sources, mode)


def _list(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _tensors(argument: str, values: Any) -> list[Any]:
    for value in _list(values):
        if not isinstance(value, (Symbolic, IndexedSlices)):
            wrong = f"gradients is of graphs, and {argument} holds what is of none"
            remedy = "use GradientTape in eager mode"
            raise RuntimeError(message(WHERE, wrong, repr(value), "tensors of a graph", remedy))
    return [value if isinstance(value, Symbolic) else value.values for value in _list(values)]


def _reference(x: Any) -> GraphTensor:
    """Return the tensor by which one differentiates: of a variable its reference, so that every read counts."""
    ref = getattr(x, "_ref", None)
    return x._as_tensor() if ref is None else ref()  # type: ignore[no-any-return]


def _graph_of(tensors: Sequence[Any]) -> Graph:
    graph: Graph = tensors[0]._as_tensor().graph
    for tensor in tensors:
        if tensor._as_tensor().graph is not graph:
            raise ValueError(message(WHERE, "the tensors are of several graphs", tensor, graph))
    return graph


def _first_gradient(target: Any, grad: Any) -> Any:
    if grad is None:
        return ones_like(target)
    dtype = target.dtype.base_dtype
    tensor = convert_to_tensor(grad) if isinstance(grad, IndexedSlices) else graph_tensor_of(grad, "grad_ys", dtype)
    if not tensor.shape.is_compatible_with(target.shape):
        raise ValueError(message(WHERE, "grad_ys has the wrong shape", tensor.shape, target.shape))
    return tensor
