"""Checks that tensors are numbers: neither NaN nor infinite."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbvars.checks import expect_dtype_in
from nbvars.checks import message as sentence
from nbvars.errors import InvalidArgumentError
from nbvars.graph.graph import control_dependencies, get_default_graph
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.grouping_ops import group
from nbvars.ops.rows import FLOATING
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op


def _infer_check(tensor: TensorSpec, message: str) -> TensorSpec:
    expect_dtype_in("check_numerics", "tensor", tensor.dtype, FLOATING, FLOATING.described)
    return tensor


def _check(tensor: Array, message: str) -> Array:
    if not np.isfinite(tensor).all():
        found = [name for name, is_one in (("Inf", np.isinf), ("NaN", np.isnan)) if is_one(tensor).any()]
        raise InvalidArgumentError(None, None, f"{message} : Tensor had {' and '.join(found)} values")
    return tensor


CHECK_NUMERICS = OpDefinition("CheckNumerics", _infer_check, _check)


def check_numerics(tensor: TensorValue, message: str, name: str | None = None) -> Tensor:
    """Return ``tensor``; raise if an element is NaN or infinite.

    A gradient that flows back through this op is checked as well. Optimizers check nothing: a step by a gradient of
    NaN writes NaN into its variable, which ``check_numerics`` around that gradient prevents.

    Args:
        tensor: Floating numbers.
        message: What the error begins with.
        name: Name of the op.

    Raises:
        InvalidArgumentError: ``"<message> : Tensor had NaN values"``, or ``Inf``, or ``Inf and NaN``.

    Source: TensorFlow 1 API pages, ``tf.check_numerics``.
    """
    if not isinstance(message, str):
        raise TypeError(sentence("check_numerics", "message is no text", repr(message), "a str"))
    return apply_op(CHECK_NUMERICS, tensor, name=name, message=message)


def add_check_numerics_ops() -> Any:
    """Add ``check_numerics`` for every floating tensor of the default graph; return the operation that runs them all.

    They run in the order of creation, so the first tensor that is not finite is the one that the error names.

    Raises:
        RuntimeError: The mode is eager.
        ValueError: A tensor belongs to a conditional or a loop.

    Source: TensorFlow 1 API pages, ``tf.add_check_numerics_ops``.
    """
    where = "add_check_numerics_ops"
    if executing_eagerly():
        raise RuntimeError(sentence(where, "eager mode has no graph", "eager mode", "graph mode", "use check_numerics"))
    # References are not in FLOATING: to check what an assignment returns would be to assign.
    tensors = [each for op in get_default_graph().get_operations() for each in op.outputs if each.dtype in FLOATING]
    for tensor in tensors:
        if tensor.op._context is not None:
            raise ValueError(sentence(where, "a tensor belongs to control flow", tensor.name, "no cond or while_loop"))
    checks: list[Tensor] = []
    for tensor in tensors:
        with control_dependencies(checks):
            checks = [check_numerics(tensor, tensor.name)]
    return group(*checks)
