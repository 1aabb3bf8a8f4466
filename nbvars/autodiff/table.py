"""The gradient of every op type, and those through which nothing flows."""

from __future__ import annotations

from typing import Any

from nbvars.autodiff import array_gradients, math_gradients, nn_gradients, random_gradients
from nbvars.autodiff.node import GradientFunction, Table
from nbvars.checks import message
from nbvars.ops.training_ops import TRAINING_OPS

# Outputs that do not follow their inputs smoothly, or not at all: integers, bools, sizes, references.
_CONSTANT = (
    "Const",
    "Placeholder",
    "PlaceholderWithDefault",
    "RestoreV2",
    "VariableV2",
    "IsVariableInitialized",
    "NoOp",
    "Shape",
    "Size",
    "Rank",
    "ZerosLike",
    "OnesLike",
    "Eye",
    "Equal",
    "NotEqual",
    "Less",
    "LessEqual",
    "Greater",
    "GreaterEqual",
    "LogicalAnd",
    "LogicalOr",
    "LogicalXor",
    "LogicalNot",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "Invert",
    "IsNan",
    "IsInf",
    "IsFinite",
    "Any",
    "All",
    "ArgMax",
    "ArgMin",
    "Where",
    "OneHot",
    "Unique",
    "Places",
    "Range",
    "LinSpace",
    "Assign",
    "AssignAdd",
    "AssignSub",
    "ScatterSub",
    "ScatterAdd",
    "ScatterUpdate",
    "ScatterMul",
    "ScatterDiv",
    "ScatterMin",
    "ScatterMax",
    "ScatterNdSub",
    "ScatterNdAdd",
    "ScatterNdUpdate",
    "BatchScatterUpdate",
    "CountUpTo",
)

GRADIENTS: Table = {
    **dict.fromkeys(_CONSTANT),
    **dict.fromkeys(f"{kind}{op.op_type}" for op in TRAINING_OPS.values() for kind in ("", "Sparse")),
    **math_gradients.TABLE,
    **array_gradients.TABLE,
    **nn_gradients.TABLE,
    **random_gradients.TABLE,
}


def gradient_of(op_type: str, op: Any = None) -> GradientFunction | None:
    """Return the gradient function of an op type, ``None`` if nothing flows through it.

    Raises:
        LookupError: The op has a gradient that nobody has defined. ``op`` names it.
    """
    try:
        return GRADIENTS[op_type]
    except KeyError:
        what = op_type if op is None else f"{op.name!r} (op type: {op_type})"
        wrong = f"No gradient defined for operation {what}"
        raise LookupError(message("gradients", wrong, op_type, "an op with a gradient", "use stop_gradient")) from None
