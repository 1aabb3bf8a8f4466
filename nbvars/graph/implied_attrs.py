"""Attributes that TensorFlow's operations have and ours do not store, as their inputs tell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbvars.graph.tensor import GraphTensor

_TYPE_ATTRS = {"IsVariableInitialized": "dtype", "Cast": "SrcT"}
_WITHOUT_TYPE = ("LogicalAnd", "LogicalOr", "LogicalNot", "PlaceholderWithDefault", "RestoreV2")


def implied_attrs(op_type: str, inputs: Sequence[GraphTensor]) -> dict[str, Any]:
    """Return such attributes of an operation of a type that nbvars knows: ``T`` is the dtype of the first input."""
    if not inputs or op_type in _WITHOUT_TYPE:
        return {}
    attrs: dict[str, Any] = {_TYPE_ATTRS.get(op_type, "T"): inputs[0]._dtype.base_dtype}
    if "Scatter" in op_type and len(inputs) > 1:
        attrs["Tindices"] = inputs[1]._dtype.base_dtype
    if op_type in ("AddN", "Pack"):
        attrs["N"] = len(inputs)
    return attrs
