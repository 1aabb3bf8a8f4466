"""Makers of public functions from rows: name, op type, NumPy function, dtypes, one line of documentation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in
from nbvars.dtypes import DType
from nbvars.errors import InvalidArgumentError
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.legacy_arguments import renamed
from nbvars.ops.shape_rules import as_sizes, broadcast_shapes, check_same_dtype, normal_axes
from nbvars.runtime.conversion import match
from nbvars.runtime.definition import Array, OpDefinition, Shape, TensorSpec
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.tensor import EagerTensor


class Dtypes(frozenset[DType]):
    """A set of dtypes, and the words for it in a message."""

    described: str

    def __new__(cls, members: Any, described: str) -> Dtypes:
        made = super().__new__(cls, members)
        made.described = described
        return made


ANY = Dtypes(dtypes.ALL, "a numeric dtype or bool")
BOOL = Dtypes([dtypes.bool_], "bool")
INTEGER = Dtypes([d for d in dtypes.ALL if d.is_integer], "an integer dtype")
FLOATING = Dtypes([d for d in dtypes.ALL if d.is_floating], "a floating dtype")
FLOATING_OR_COMPLEX = Dtypes([d for d in dtypes.ALL if d.is_floating or d.is_complex], "a floating or complex dtype")
REAL = Dtypes(INTEGER | FLOATING, "an integer or floating dtype")
NUMERIC = Dtypes(INTEGER | FLOATING_OR_COMPLEX, "a numeric dtype")
SIGNED = Dtypes([d for d in NUMERIC if not d.is_unsigned], "a signed numeric dtype")

# TensorFlow's names of such operations in a graph, where they are not the type.
_GRAPH_NAMES = {
    "AddV2": "add",
    "Sub": "sub",
    "Mul": "mul",
    "RealDiv": "truediv",
    "FloorDiv": "floordiv",
    "FloorMod": "mod",
    "Pow": "pow",
    "LogSumExp": "ReduceLogSumExp",
}

# Operands of one of these types both have a dtype of their own, and neither waits for that of the other one.
_WITH_DTYPE = (EagerTensor, np.ndarray)

HALVES = (dtypes.float16.numpy_dtype, dtypes.bfloat16.numpy_dtype)


class Unary(Protocol):
    """An op on each element of one tensor."""

    __name__: str
    definition: OpDefinition

    def __call__(self, x: TensorValue, name: str | None = None) -> Tensor: ...


class Binary(Protocol):
    """An op on the elements of two tensors of one dtype, which are broadcast as NumPy does."""

    __name__: str
    definition: OpDefinition

    def __call__(self, x: TensorValue, y: TensorValue, name: str | None = None) -> Tensor: ...


class Reduction(Protocol):
    """An op that reduces some axes, by default all, to one value each."""

    __name__: str
    definition: OpDefinition

    def __call__(
        self,
        input_tensor: TensorValue,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Tensor: ...


def widened(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``compute`` with inputs of the first one's 16-bit dtype computed in float32 and results rounded once."""

    @functools.wraps(compute)
    def compute_widened(*arrays: Array, **attrs: Any) -> Any:
        dtype = arrays[0].dtype
        if dtype.itemsize != 2 or dtype not in HALVES:
            return compute(*arrays, **attrs)
        wide = [array.astype(np.float32) if array.dtype == dtype else array for array in arrays]
        result = compute(*wide, **attrs)
        if isinstance(result, tuple):
            return tuple(each.astype(dtype) for each in result)
        return result.astype(dtype)

    return compute_widened


def unary(
    name: str,
    op_type: str,
    compute: Callable[..., Any],
    allowed: Dtypes,
    doc: str,
    result: DType | Callable[[DType], DType] | None = None,
) -> Unary:
    """Make the public function of an op on each element; ``result`` is its dtype if not that of ``x``."""

    def infer(x: TensorSpec) -> TensorSpec:
        if x.dtype not in allowed:
            expect_dtype_in(name, "x", x.dtype, allowed, allowed.described)
        if result is None:
            return x
        return TensorSpec(x.shape, result if isinstance(result, DType) else result(x.dtype))

    definition = OpDefinition(op_type, infer, compute, _GRAPH_NAMES.get(op_type, ""))

    def function(x: TensorValue, name: str | None = None) -> Tensor:
        return apply_op(definition, x, name=name)

    made: Unary = _publish(function, name, definition, doc)
    return made


def binary(
    name: str,
    op_type: str,
    compute: Callable[..., Any],
    allowed: Dtypes,
    doc: str,
    result: DType | None = None,
) -> Binary:
    """Make the public function of an op on two tensors; ``result`` is its dtype if not that of ``x``."""

    def infer(x: TensorSpec, y: TensorSpec) -> TensorSpec:
        if x.dtype is not y.dtype:
            check_same_dtype(name, "y", y.dtype, x.dtype)
        if x.dtype not in allowed:
            expect_dtype_in(name, "x", x.dtype, allowed, allowed.described)
        return TensorSpec(broadcast_shapes(name, x.shape, y.shape), result or x.dtype)

    definition = OpDefinition(op_type, infer, compute, _GRAPH_NAMES.get(op_type, ""))
    public_name = name

    def function(x: TensorValue, y: TensorValue, name: str | None = None) -> Tensor:
        if type(x) is not type(y) or type(x) not in _WITH_DTYPE:
            x, y = match(public_name, x, y)
        return apply_op(definition, x, y, name=name)

    made: Binary = _publish(function, name, definition, doc)
    return made


def reduction(name: str, op_type: str, compute: Callable[..., Any], allowed: Dtypes, doc: str) -> Reduction:
    """Make the public function of a reduction; to ``compute``, ``axis`` is a tuple or ``None``."""

    def infer(x: TensorSpec, axis: tuple[int, ...] | None, keepdims: bool) -> TensorSpec:
        expect_dtype_in(name, "input_tensor", x.dtype, allowed, allowed.described)
        return TensorSpec(reduced_shape(name, x.shape, axis, keepdims), x.dtype)

    definition = OpDefinition(op_type, infer, compute, _GRAPH_NAMES.get(op_type, ""))
    public_name = name

    def function(
        input_tensor: TensorValue,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Tensor:
        if reduction_indices is not None:
            axis = renamed(public_name, "axis", axis, "reduction_indices", reduction_indices)
        if keep_dims is not None:
            keepdims = renamed(public_name, "keepdims", keepdims, "keep_dims", keep_dims)
        axes = None if axis is None else as_sizes(public_name, "axis", axis)
        return apply_op(definition, input_tensor, name=name, axis=axes, keepdims=bool(keepdims))

    made: Reduction = _publish(function, name, definition, doc)
    return made


def reduced_shape(op: str, shape: Shape, axis: tuple[int, ...] | None, keepdims: bool) -> Shape:
    """Return the shape that is left of ``shape``."""
    if shape is None:
        return () if axis is None and not keepdims else None
    axes = range(len(shape)) if axis is None else normal_axes(op, axis, len(shape))
    if keepdims:
        return tuple(1 if i in axes else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in axes)


def check_no_zero(op: str, divisor: Array) -> None:
    """Raise ``InvalidArgumentError`` if an integer ``divisor`` has a zero."""
    if not divisor.all():
        raise InvalidArgumentError(None, None, f"{op}: integer division by zero: got 0, expected another divisor")


def _publish(function: Any, name: str, definition: OpDefinition, doc: str) -> Any:
    """Give a made function the looks of a written one."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = "nbvars"
    function.__doc__ = f"{doc}\n\nSource: TensorFlow 1 API pages, ``tf.{name}``.\n"
    function.definition = definition
    return function
