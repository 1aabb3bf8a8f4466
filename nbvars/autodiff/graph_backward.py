"""Backward through the operations of a graph, branches of conditionals included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nbvars.autodiff.backward import Step, flow_back, is_differentiable
from nbvars.autodiff.node import Node
from nbvars.autodiff.sums import Sums, dense
from nbvars.autodiff.table import gradient_of
from nbvars.graph.control_flow import ControlFlowContext
from nbvars.graph.graph import Graph
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor, Tensor
from nbvars.ops.constant_ops import zeros_like
from nbvars.ops.control_flow_ops import IF, captures_of
from nbvars.runtime.definition import OpDefinition
from nbvars.runtime.plan import CAPTURES, KEEPS_VALUES


def add_backward(
    targets: Sequence[GraphTensor], sources: Sequence[GraphTensor], stops: Sequence[GraphTensor], sums: Sums
) -> None:
    """Add the ops that take ``sums`` from ``targets`` back to ``sources``."""
    between = _ops_between(targets, sources, stops)
    flow_back((_step_of(op) for op in between), sums)


def _step_of(op: Operation) -> Step:
    node = _node_of(op)
    function = _cond if op._type == "If" else gradient_of(op._type, op)
    return Step(node, node.inputs, function)


def _node_of(op: Operation) -> Node:
    """Return an operation as its gradient sees it; what a branch takes from outside counts as an input."""
    inputs, attrs = op._inputs, op._attrs
    if isinstance(op._definition, OpDefinition):
        given = [key for key in op._definition.run_attrs if key not in attrs]
        split = len(inputs) - len(given)
        attrs = attrs | dict(zip(given, inputs[split:], strict=True))
        return Node(op._type, inputs[:split], op._outputs, attrs)
    return Node(op._type, _all_inputs(op), op._outputs, {"op": op})


def _all_inputs(op: Operation) -> tuple[GraphTensor, ...]:
    # Both branches may need the same tensor.
    captures = dict.fromkeys(op._attrs.get(CAPTURES, ()))
    return (*op._inputs, *[each for each in captures if isinstance(each, GraphTensor)])


def _ops_between(
    targets: Iterable[GraphTensor], sources: Iterable[GraphTensor], stops: Iterable[GraphTensor]
) -> list[Operation]:
    """Return the operations on ways from ``sources`` to ``targets``, the last one first."""
    ends = set(stops)
    found: set[Operation] = set()
    todo = [target._op for target in targets if target not in ends]
    while todo:
        op = todo.pop()
        if op not in found:
            found.add(op)
            todo += [tensor._op for tensor in _all_inputs(op) if tensor not in ends]
    # Inputs were created before what uses them, so one pass in that order tells what depends on the sources.
    reached: set[GraphTensor] = set(sources)
    between = []
    for op in sorted(found, key=lambda op: op._id):
        if any(tensor in reached for tensor in _all_inputs(op)):
            between.append(op)
            reached.update(tensor for tensor in op._outputs if tensor not in ends)
    return between[::-1]


def _cond(node: Node, *grads: Tensor) -> list[Any]:
    """Add the conditional that takes ``grads`` back to what the branches of another one took from outside."""
    op, (_, *captures) = node.attrs["op"], node.inputs
    graph: Graph = op._graph
    wanted = [tensor for tensor in captures if is_differentiable(tensor)]
    # A run keeps what the branch computed, and the branch of the gradient goes on with that.
    op._attrs[KEEPS_VALUES] = True
    with graph.name_scope("cond_grad") as scope:
        attrs: dict[str, Any] = {CAPTURES: list(op._outputs)}
        for branch in ("then", "else"):
            context, outputs = _add_branch(graph, f"{scope}{branch}", op, branch, wanted, grads)
            attrs[f"_{branch}_context"], attrs[f"_{branch}_outputs"] = context, outputs
            attrs[CAPTURES] += captures_of(context, outputs)
        shaped = [(tensor.dtype.base_dtype, tensor.shape) for tensor in wanted]
        found = iter(graph._add_op("If", op._inputs, shaped, scope, attrs, IF)._outputs if wanted else ())
    return [None, *[next(found) if is_differentiable(tensor) else None for tensor in captures]]


def _add_branch(
    graph: Graph, name: str, op: Operation, branch: str, wanted: list[GraphTensor], grads: tuple[Tensor, ...]
) -> tuple[ControlFlowContext, list[Any]]:
    """Add the gradients of one branch, in a context within that branch, whose tensors they need."""
    context = ControlFlowContext(name, op._attrs[f"_{branch}_context"], False)
    with graph.control_flow(context):
        sums, outputs = Sums(), op._attrs[f"_{branch}_outputs"]
        for output, grad in zip(outputs, grads, strict=True):
            if is_differentiable(output):
                sums.add(output, grad)
        add_backward([each for each in outputs if is_differentiable(each)], wanted, wanted, sums)
        totals = [dense(sums.total(tensor)) for tensor in wanted]
        return context, [
            zeros_like(tensor) if total is None else total for total, tensor in zip(totals, wanted, strict=True)
        ]
