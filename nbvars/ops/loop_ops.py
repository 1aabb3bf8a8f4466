"""``while_loop``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbvars.checks import expect_integer, message
from nbvars.graph.control_flow import ControlFlowContext
from nbvars.graph.graph import Graph
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.operation import Operation
from nbvars.graph.tensor import GraphTensor, Symbolic
from nbvars.ops.array_ops import identity
from nbvars.ops.control_flow_ops import captures_of, is_true, predicate_of, tensor_in, truth
from nbvars.ops.math_ops import less, logical_and
from nbvars.ops.structures import flatten, flatten_like, pack, sequence_like
from nbvars.runtime.building import entered, graph_of
from nbvars.runtime.conversion import convert_to_tensor, graph_tensor_of
from nbvars.runtime.definition import NodeDefinition
from nbvars.runtime.plan import CAPTURES, PlanBuilder
from nbvars.runtime.steps import Slots
from nbvars.shapes import TensorShape

_OTHER_STRUCTURE = "body returns another structure than that of loop_vars"


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """Return the loop variables after ``loop_vars = body(*loop_vars)``, as long as ``cond(*loop_vars)`` is true.

    In graph mode both functions are called, once, to make the operations of the condition and of the body, which a run
    runs again and again; what comes from outside runs once, before. In eager mode this is Python's loop.

    Args:
        cond: Returns a scalar of dtype bool.
        body: Returns new values for all of ``loop_vars``, with the same dtypes; one alone need not be in a list.
        loop_vars: A list or tuple of tensors, of anything that can become one, or of structures of those: lists,
            tuples, named tuples, dicts, ``IndexedSlices``.
        shape_invariants: The structure of ``loop_vars``, with a ``TensorShape`` for each: what stays true of its shape
            in all iterations; for ``IndexedSlices``, of the shape of its values. The first shape if not given.
        parallel_iterations: Accepted for TensorFlow's sake, as are ``back_prop`` and ``swap_memory``: iterations run
            one after the other.
        back_prop: See above.
        swap_memory: See above.
        name: Name of the operation.
        maximum_iterations: An integer, or a scalar tensor of them: the loop ends after so many.
        return_same_structure: Return a list or tuple even of one loop variable.

    Raises:
        TypeError: ``cond`` or ``body`` is no function; ``loop_vars`` is no list or tuple; the condition is not of dtype
            bool; a loop variable changes its dtype; ``body`` returns a sequence of another type.
        ValueError: There are no loop variables; the condition is no scalar; a loop variable changes its shape, or does
            not have that of ``shape_invariants``; ``body`` returns another structure.

    Source: TensorFlow 1 API pages, ``tf.while_loop``.
    """
    _check_arguments(cond, body, loop_vars, parallel_iterations)
    leaves = flatten(loop_vars)
    if executing_eagerly() and not any(isinstance(leaf, Symbolic) for leaf in (*leaves, maximum_iterations)):
        result = _run_loop(cond, body, loop_vars, maximum_iterations)
    else:
        graph = graph_of(leaves, (maximum_iterations,))
        with entered(graph), graph.name_scope(name or "while") as scope:
            result = _add_loop(graph, scope, cond, body, loop_vars, shape_invariants, maximum_iterations)
    return result[0] if len(leaves) == 1 and not return_same_structure else result


def _check_arguments(cond: Any, body: Any, loop_vars: Any, parallel_iterations: Any) -> None:
    for argument, function in (("cond", cond), ("body", body)):
        if not callable(function):
            raise TypeError(message("while_loop", f"{argument} must be callable", repr(function), "a function"))
    if not isinstance(loop_vars, (list, tuple)):
        remedy = "put a single loop variable into a list"
        raise TypeError(message("while_loop", "loop_vars is no list", repr(loop_vars), "a list or tuple", remedy))
    if not flatten(loop_vars):
        wrong = "loop_vars must be provided"
        raise ValueError(message("while_loop", wrong, repr(loop_vars), "at least one loop variable"))
    if parallel_iterations < 1:
        wrong = "parallel_iterations must be a positive integer"
        raise TypeError(message("while_loop", wrong, parallel_iterations, "1 or more"))


def _listed(result: Any) -> Any:
    """Return what a body returned as a list or tuple of loop variables."""
    return result if isinstance(result, (list, tuple)) else [result]


def _run_loop(cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: Any) -> Any:
    """Run a loop in eager mode; return the loop variables in the list or tuple that ``body`` returns."""
    limit = None if maximum_iterations is None else int(_limit(convert_to_tensor(maximum_iterations)))
    values = pack(loop_vars, map(identity, flatten(loop_vars)))
    count = 0
    while is_true("while_loop", "the condition", cond(*values)) and (limit is None or count < limit):
        result = _listed(body(*values))
        leaves = flatten_like("while_loop", _OTHER_STRUCTURE, list(result), list(loop_vars))
        values = sequence_like(result, pack(list(loop_vars), map(identity, leaves)))
        count += 1
    return values


def _limit(maximum_iterations: Any) -> Any:
    """Return the tensor of the greatest number of iterations, which must be an integer."""
    expect_integer("while_loop", "maximum_iterations", maximum_iterations.dtype.base_dtype)
    if maximum_iterations.shape.ndims:
        wrong = "maximum_iterations must be a scalar"
        raise ValueError(message("while_loop", wrong, f"shape {maximum_iterations.shape}", "shape ()"))
    return maximum_iterations


def _add_loop(
    graph: Graph,
    scope: str,
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any,
    maximum_iterations: Any,
) -> Any:
    """Add the condition, the body and the operation that runs them; return the loop variables after it."""
    outer = graph._entered.context
    first = [tensor_in("while_loop", graph, outer, leaf) for leaf in flatten(loop_vars)]
    shapes = _invariants(loop_vars, shape_invariants, first)
    limit = None
    if maximum_iterations is not None:
        # One more loop variable, the first, counts the iterations.
        limit = _limit(graph_tensor_of(maximum_iterations, "maximum_iterations", None, "while_loop"))
        first = [graph_tensor_of(0, "iteration_counter", limit.dtype.base_dtype), *first]
        shapes = [TensorShape(()), *shapes]
    loop = ControlFlowContext(scope[:-1], outer, True)
    with graph.control_flow(loop):
        inputs = [_add_input(graph, *each) for each in zip(first, shapes, strict=True)]
    own = inputs if limit is None else inputs[1:]
    variables = pack(loop_vars, own)
    attrs: dict[str, Any] = {"_loop_inputs": inputs}
    attrs |= _add_condition(graph, ControlFlowContext(f"{scope}cond", loop, True), cond, variables, inputs[0], limit)
    result, added = _add_body(graph, ControlFlowContext(f"{scope}body", loop, True), body, variables, first, inputs)
    attrs |= added
    attrs[CAPTURES] = captures_of(loop, [attrs["_cond_output"], *attrs["_body_outputs"]])
    outputs = [(tensor._dtype, tensor._shape) for tensor in inputs]
    op = graph._add_op("While", first, outputs, scope, attrs, WHILE)
    return sequence_like(result, pack(list(loop_vars), op._outputs[len(inputs) - len(own) :]))


def _invariants(loop_vars: Any, shape_invariants: Any, first: list[GraphTensor]) -> list[TensorShape]:
    """Return what stays true of the shape of each loop variable."""
    if shape_invariants is None:
        return [tensor._shape for tensor in first]
    wrong = "shape_invariants has another structure than loop_vars"
    given = flatten_like("while_loop", wrong, list(_listed(shape_invariants)), list(loop_vars), splits_slices=False)
    shapes = []
    for shape, leaf in zip(given, flatten(loop_vars, splits_slices=False), strict=True):
        if not isinstance(shape, TensorShape):
            raise TypeError(message("while_loop", "a shape invariant is no shape", repr(shape), "a TensorShape"))
        parts = [shape, shape[:1], TensorShape([shape.ndims])]  # of IndexedSlices
        shapes += parts[: len(flatten(leaf))]
    for tensor, shape in zip(first, shapes, strict=True):
        if not _stays_within(tensor._shape, shape):
            wrong = f"the shape invariant of {tensor.name!r} is not compatible with the initial shape"
            raise ValueError(message("while_loop", wrong, shape, f"one that {tensor._shape} fits"))
    return shapes


def _stays_within(shape: TensorShape, invariant: TensorShape) -> bool:
    """Return whether ``shape`` says all that ``invariant`` says, or more."""
    return invariant.most_specific_compatible_shape(shape) == invariant


def _add_input(graph: Graph, first: GraphTensor, shape: TensorShape) -> GraphTensor:
    """Add the tensor that stands for a loop variable in the condition and in the body."""
    return graph._add_op("_Arg", (), [(first._dtype.base_dtype, shape)], "loop_var", {}, None)._outputs[0]


def _add_condition(
    graph: Graph,
    context: ControlFlowContext,
    cond: Callable[..., Any],
    variables: Any,
    counter: GraphTensor,
    limit: GraphTensor | None,
) -> dict[str, Any]:
    """Add the operations of the condition; return the attributes that tell of them."""
    with graph.control_flow(context):
        output: Any = predicate_of("while_loop", "the condition", cond(*variables))
        tensor_in("while_loop", graph, context, output)
        if limit is not None:
            output = logical_and(less(counter, limit), output)
    return {"_cond_context": context, "_cond_output": output}


def _add_body(
    graph: Graph,
    context: ControlFlowContext,
    body: Callable[..., Any],
    variables: Any,
    first: list[GraphTensor],
    inputs: list[GraphTensor],
) -> tuple[Any, dict[str, Any]]:
    """Add the operations of the body; return what it returns, and the attributes that tell of them."""
    with graph.control_flow(context):
        result = _listed(body(*variables))
        leaves = flatten_like("while_loop", _OTHER_STRUCTURE, list(result), list(variables))
        if len(leaves) < len(inputs):
            leaves.insert(0, inputs[0] + 1)
        outputs = [tensor_in("while_loop", graph, context, leaf) for leaf in leaves]
    for each in zip(first, inputs, outputs, strict=True):
        _check_stays(*each)
    return result, {"_body_context": context, "_body_outputs": outputs}


def _check_stays(first: GraphTensor, before: GraphTensor, after: GraphTensor) -> None:
    """Raise unless a loop variable keeps its dtype and what its shape invariant says."""
    dtype, expected = after._dtype.base_dtype, before._dtype
    if dtype is not expected:
        wrong = f"the loop variable {first.name!r} has another dtype after one iteration"
        raise TypeError(message("while_loop", wrong, dtype, expected, "use cast"))
    if not _stays_within(after._shape, before._shape):
        wrong = (
            f"The shape for {first.name!r} is not an invariant for the loop: it enters the loop with shape "
            f"{first._shape}, and has another one after one iteration"
        )
        raise ValueError(message("while_loop", wrong, after._shape, before._shape, "pass shape_invariants"))


def _prepare(op: Operation, plan: PlanBuilder) -> None:
    attrs = op._attrs
    first = [plan.hold(op, tensor) for tensor in op._inputs]
    inputs = [plan.new_slot(tensor) for tensor in attrs["_loop_inputs"]]
    test, (condition,) = plan.body(op, attrs["_cond_context"], [attrs["_cond_output"]])
    iterate, results = plan.body(op, attrs["_body_context"], attrs["_body_outputs"])
    # Lent: the value may be an initial one, which others have as well.
    outputs = [plan.new_slot(tensor, lent=True) for tensor in op._outputs]

    def run(slots: Slots) -> None:
        _move(slots, first, inputs)
        test(slots)
        while truth("while_loop", "the condition", slots[condition]):
            iterate(slots)
            _move(slots, results, inputs)
            test(slots)
        _move(slots, inputs, outputs)

    plan.add_step(op, run)


def _move(slots: Slots, sources: list[int], targets: list[int]) -> None:
    """Move values all at once: the loop variables may change places."""
    for target, value in zip(targets, [slots[source] for source in sources], strict=True):
        slots[target] = value


WHILE = NodeDefinition("While", _prepare)
