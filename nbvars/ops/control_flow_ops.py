"""``cond``: one of two branches, and the predicates of conditionals and loops."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype, message
from nbvars.graph.control_flow import ControlFlowContext, check_reaches, is_within
from nbvars.graph.graph import Graph
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor, Symbolic
from nbvars.ops.structures import flatten, flatten_like, pack
from nbvars.runtime.building import entered, graph_of
from nbvars.runtime.constants import add_constant
from nbvars.runtime.conversion import graph_tensor_of, value_of
from nbvars.runtime.definition import Array, NodeDefinition
from nbvars.runtime.plan import CAPTURES, PlanBuilder
from nbvars.runtime.steps import Slots


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Callable[[], Any] | None = None,
    fn2: Callable[[], Any] | None = None,
) -> Any:
    """Return what ``true_fn()`` returns if ``pred`` is true, and else what ``false_fn()`` returns.

    In graph mode both functions are called, once, to make the operations of their branches; a run runs those of one
    branch. What comes from outside a branch runs whether or not the branch is taken. In eager mode one of the functions
    is called.

    Args:
        pred: A scalar of dtype bool.
        true_fn: Returns a tensor, anything that can become one, an operation, or a structure of those: lists, tuples,
            named tuples, dicts, ``IndexedSlices``.
        false_fn: Returns the same structure with the same dtypes. Shapes may differ.
        strict: Keep a list or tuple of one element, whose element is returned otherwise.
        name: Name of the operation.
        fn1: Former name of ``true_fn``.
        fn2: Former name of ``false_fn``.

    Returns:
        The structure of tensors. In the place of an operation stands a bool: whether ``pred`` is true.

    Raises:
        TypeError: ``pred`` is a Python bool in graph mode, or of another dtype; a function is none, or missing; the
            branches return sequences of different types.
        ValueError: ``pred`` is no scalar; a branch returns nothing; the branches differ in structure or dtypes, or
            return tensors of other branches or graphs.

    Source: TensorFlow 1 API pages, ``tf.cond``.
    """
    functions = [_function("true_fn", true_fn, "fn1", fn1), _function("false_fn", false_fn, "fn2", fn2)]
    if executing_eagerly() and not isinstance(pred, Symbolic):
        result = functions[0 if is_true("cond", "pred", pred) else 1]()
        return result if strict else _without_singleton(result)
    if isinstance(pred, bool):
        wrong = "pred must not be a Python bool"
        raise TypeError(message("cond", wrong, pred, "a tensor", "use the if statement of Python"))
    graph = graph_of((pred,))
    with entered(graph), graph.name_scope(name or "cond") as scope:
        return _add_cond(graph, scope, predicate_of("cond", "pred", pred), functions, strict)


def _function(argument: str, function: Any, old_argument: str, old_function: Any) -> Callable[[], Any]:
    """Return the function of a branch, which may come under its former name."""
    if function is not None and old_function is not None:
        wrong = f"{argument} and {old_argument} may not be set simultaneously"
        raise TypeError(message("cond", wrong, "both", "one of them"))
    found = old_function if function is None else function
    if found is None:
        raise TypeError(message("cond", f"{argument} argument required", None, "a function"))
    if not callable(found):
        raise TypeError(message("cond", f"{argument} must be callable", repr(found), "a function", "use lambda: ..."))
    return found  # type: ignore[no-any-return]


def _without_singleton(result: Any) -> Any:
    return result[0] if isinstance(result, (list, tuple)) and len(result) == 1 else result


def _add_cond(graph: Graph, scope: str, pred: GraphTensor, functions: list[Callable[[], Any]], strict: bool) -> Any:
    """Add the branches and the operation that runs one of them."""
    outer = graph._entered.context
    contexts = [ControlFlowContext(f"{scope}{branch}", outer, False) for branch in ("then", "else")]
    with graph.control_flow(contexts[0]):
        structure = _returned("true_fn", functions[0], strict)
        then_outputs = [_output(graph, contexts[0], leaf, True) for leaf in flatten(structure)]
    with graph.control_flow(contexts[1]):
        other = _returned("false_fn", functions[1], strict)
        leaves = flatten_like("cond", "true_fn and false_fn return different structures", other, structure)
        else_outputs = [_output(graph, contexts[1], leaf, False) for leaf in leaves]
    if not then_outputs:
        wrong = "true_fn and false_fn must return at least one result"
        raise ValueError(message("cond", wrong, repr(structure), "a tensor or operation"))
    outputs = [_merged(*pair) for pair in zip(then_outputs, else_outputs, strict=True)]
    attrs = {
        "_then_context": contexts[0],
        "_then_outputs": then_outputs,
        "_else_context": contexts[1],
        "_else_outputs": else_outputs,
        CAPTURES: captures_of(contexts[0], then_outputs) + captures_of(contexts[1], else_outputs),
    }
    op = graph._add_op("If", (pred,), outputs, scope, attrs, IF)
    return pack(structure, op._outputs)


def _returned(argument: str, function: Callable[[], Any], strict: bool) -> Any:
    """Return the result of the function of a branch."""
    result = function()
    if result is None:
        remedy = "return the operation that is to run, or no_op()"
        raise ValueError(message("cond", f"{argument} must have a return value", None, "a tensor or operation", remedy))
    return result if strict else _without_singleton(result)


def _output(graph: Graph, context: ControlFlowContext, leaf: Any, is_then: bool) -> GraphTensor:
    """Return the tensor that a branch returns; for an operation, one that tells which branch it was."""
    if isinstance(leaf, Operation):
        with graph.control_dependencies([leaf]):
            return add_constant(np.array(is_then), dtypes.bool_, "Const")
    return tensor_in("cond", graph, context, leaf)


def _merged(then: GraphTensor, other: GraphTensor) -> tuple[dtypes.DType, Any]:
    """Return the dtype of two outputs of branches, and what their shapes have in common."""
    dtype, other_dtype = then._dtype.base_dtype, other._dtype.base_dtype
    if dtype is not other_dtype:
        wrong = "Outputs of true_fn and false_fn must have the same type"
        raise ValueError(message("cond", wrong, f"{other_dtype} from false_fn", f"{dtype} as from true_fn", "use cast"))
    return dtype, then._shape.most_specific_compatible_shape(other._shape)


def tensor_in(where: str, graph: Graph, context: ControlFlowContext | None, value: Any) -> GraphTensor:
    """Return ``value`` as a tensor that a branch or loop may return.

    Raises:
        TypeError: It cannot become a tensor.
        ValueError: It is ``None``, or of another graph, branch or loop.
    """
    if value is None:
        raise ValueError(message(where, "None values not supported", None, "a tensor"))
    if isinstance(value, Operation):
        wrong = "an operation has no value that a loop could go on with"
        raise TypeError(message(where, wrong, repr(value), "a tensor", "use control_dependencies"))
    tensor = graph_tensor_of(value, "Const", None, where)
    if tensor.graph is not graph:
        wrong = f"{tensor.name} must be from the same graph as the operation"
        raise ValueError(message(where, wrong, repr(tensor.graph), repr(graph)))
    check_reaches(where, context, tensor._op, tensor)
    return tensor


def predicate_of(where: str, argument: str, value: Any) -> GraphTensor:
    """Return the tensor of a predicate: ``TypeError`` unless it is of dtype bool, ``ValueError`` if it is no scalar."""
    tensor = graph_tensor_of(value, "pred", None, where)
    expect_dtype(where, argument, tensor._dtype.base_dtype, dtypes.bool_)
    if tensor._shape.ndims:
        raise ValueError(message(where, f"{argument} must be a scalar", f"shape {tensor._shape}", "shape ()"))
    return tensor


def is_true(where: str, argument: str, value: Any) -> bool:
    """Return a predicate that has a value; the errors are those of ``predicate_of``."""
    if isinstance(value, bool):
        return value
    tensor = value_of(value, None, where)
    expect_dtype(where, argument, tensor._dtype.base_dtype, dtypes.bool_)
    return truth(where, argument, tensor._array)


def truth(where: str, argument: str, array: Array) -> bool:
    """Return the element of a scalar; ``ValueError`` if it is none."""
    if array.ndim:
        raise ValueError(message(where, f"{argument} must be a scalar", f"shape {array.shape}", "shape ()"))
    return bool(array)


def captures_of(context: ControlFlowContext, outputs: Iterable[GraphTensor]) -> list[GraphTensor | Operation]:
    """Return the tensors and operations from outside ``context`` without which ``outputs`` cannot be had."""
    found: dict[GraphTensor | Operation, None] = {}
    seen: set[Operation] = set()
    todo: list[GraphTensor | Operation] = list(outputs)
    while todo:
        target = todo.pop()
        op = target if isinstance(target, Operation) else target._op
        if not is_within(op._context, context):
            found[target] = None
        elif op not in seen:
            seen.add(op)
            todo += [*op._inputs, *op._control_inputs, *op._attrs.get(CAPTURES, ())]
    return list(found)


def _prepare(op: Operation, plan: PlanBuilder) -> None:
    attrs = op._attrs
    pred = plan.read(op, op._inputs[0])
    run_then, then_slots = plan.body(op, attrs["_then_context"], attrs["_then_outputs"])
    run_else, else_slots = plan.body(op, attrs["_else_context"], attrs["_else_outputs"])
    # Lent: the value may be that of a capture, which others have as well.
    outputs = [plan.new_slot(tensor, lent=True) for tensor in op._outputs]
    then_pairs = list(zip(outputs, then_slots, strict=True))
    else_pairs = list(zip(outputs, else_slots, strict=True))

    def run(slots: Slots) -> None:
        is_then = truth("cond", "pred", slots[pred])
        (run_then if is_then else run_else)(slots)
        for output, slot in then_pairs if is_then else else_pairs:
            slots[output] = slots[slot]

    plan.add_step(op, run)


IF = NodeDefinition("If", _prepare)
