"""The rules for shapes and axes that ops share; ``None`` is an unknown size, or an unknown rank."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np

from nbvars.checks import expect_integer, message
from nbvars.dtypes import DType, string
from nbvars.graph.tensor import OPERATORS, Symbolic, TensorLike
from nbvars.runtime.constants import is_known, static_value
from nbvars.runtime.conversion import graph_tensor_of
from nbvars.runtime.definition import Shape, TensorSpec
from nbvars.shapes import Dimension, TensorShape

# A shape, or another list of sizes, as users write it.
Sizes: TypeAlias = TensorShape | TensorLike | Sequence[Any] | np.ndarray[Any, Any] | SupportsIndex

_LARGEST_SIZE = 2**63 - 1


def as_sizes(op: str, argument: str, value: Sizes) -> Any:
    """Return a list of sizes as a tuple; one number is a list of one.

    Of a graph, a tensor of sizes that only a run knows stays one, and a list with some becomes one: a vector.

    Raises:
        TypeError: A size is no integer.
    """
    if type(value) is tuple and all(type(size) is int for size in value):
        return value
    if is_symbolic(value):
        known = _known_sizes(value)
        if known is not None:
            return known
        sizes = graph_tensor_of(value, "packed", where=op)
        expect_integer(op, argument, sizes.dtype.base_dtype)
        return sizes if sizes.shape.ndims == 1 else OPERATORS["reshape"](sizes, (-1,))
    elements: Iterable[Any] = [value]
    if isinstance(value, (TensorLike, np.ndarray)):
        elements = np.asarray(value).reshape(-1).tolist()
    elif isinstance(value, (TensorShape, list, tuple, range)):
        elements = value
    return tuple(as_int(op, argument, element) for element in elements)


def _known_sizes(value: Any) -> tuple[int, ...] | None:
    """Return a tensor of sizes, or a list that holds some, as a tuple if all are known before a run."""
    if isinstance(value, Symbolic):
        known = static_value(value._as_tensor())
        return (known if isinstance(known, tuple) else (known,)) if is_known(known) else None  # type: ignore[return-value]
    sizes: list[Any] = [static_value(each._as_tensor()) if isinstance(each, Symbolic) else each for each in value]
    return tuple(sizes) if all(type(size) is int for size in sizes) else None


def is_symbolic(value: Any) -> bool:
    """Return whether ``value`` is a tensor or variable of a graph, or a nested list that holds one."""
    return isinstance(value, Symbolic) or (isinstance(value, (list, tuple)) and any(map(is_symbolic, value)))


def as_int(op: str, argument: str, value: Any) -> Any:
    """Return ``value`` as an ``int``; a scalar that only a run of a graph knows as it is.

    Raises:
        TypeError: It is no integer.
    """
    if isinstance(value, Symbolic):
        tensor = value._as_tensor()
        expect_integer(op, argument, tensor.dtype.base_dtype)
        check_scalar(op, argument, tuple(tensor.shape.as_list()) if tensor.shape.ndims else None)
        known = static_value(tensor)
        return known if isinstance(known, int) else tensor
    try:
        if not isinstance(value, (bool, np.bool_)):
            return operator.index(value)
    except TypeError:
        pass
    got = value if isinstance(value, Dimension) else repr(value)
    raise TypeError(message(op, f"{argument} has the wrong type", got, "an integer"))


def checked_shape(op: str, argument: str, shape: Any) -> Any:
    """Return the shape of a new tensor; ``ValueError`` if a size is negative, or all are too large.

    One that only a run knows, ``None`` or a tensor, comes back as it is.
    """
    if not isinstance(shape, tuple):
        return shape
    if shape and min(shape) < 0:
        raise ValueError(message(op, f"{argument} has a negative size", shape, "0 or more"))
    if math.prod(shape) > _LARGEST_SIZE:
        raise ValueError(message(op, f"{argument} is too large", shape, f"at most {_LARGEST_SIZE} elements"))
    return shape


def num_elements(shape: Shape) -> int | None:
    """Return the number of elements, ``None`` where it is unknown."""
    if shape is None:
        return None
    sizes = [size for size in shape if size is not None]
    return math.prod(sizes) if len(sizes) == len(shape) else None


def are_compatible(x: Shape, y: Shape) -> bool:
    """Return whether one tensor could have both shapes."""
    if x is None or y is None or x == y:
        return True
    return len(x) == len(y) and all(a is None or b is None or a == b for a, b in zip(x, y, strict=True))


def merge_shapes(op: str, argument: str, x: Shape, y: Shape) -> Shape:
    """Return what two shapes of one tensor say together; ``ValueError`` where they differ."""
    if not are_compatible(x, y):
        raise ValueError(message(op, f"{argument} has the wrong shape", y, x))
    if x is None or y is None:
        return y if x is None else x
    return tuple(b if a is None else a for a, b in zip(x, y, strict=True))


def broadcast_shapes(op: str, x: Shape, y: Shape) -> Shape:
    """Return the shape of an op on two tensors of these shapes, which are broadcast as NumPy does."""
    if x == y or x is None or y is None:
        return x if x == y else None
    rank = max(len(x), len(y))
    sizes = []
    for a, b in zip((1,) * (rank - len(x)) + x, (1,) * (rank - len(y)) + y, strict=True):
        if a == 1 or b == 1:
            sizes.append(b if a == 1 else a)
        elif a is not None and b is not None and a != b:
            raise ValueError(message(op, "the shapes cannot be broadcast", y, f"one that fits {x}"))
        else:
            sizes.append(b if a is None else a)
    return tuple(sizes)


def normal_axis(op: str, axis: int, rank: int) -> int:
    """Return ``axis`` counted from the front; ``ValueError`` if a tensor of ``rank`` axes has none such."""
    if not -rank <= axis < rank:
        raise ValueError(message(op, "axis is out of range", axis, f"an axis of [{-rank}, {rank})"))
    return axis % rank


def normal_axes(op: str, axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Return ``axes`` counted from the front; ``ValueError`` if one is missing or named twice."""
    normal = tuple(normal_axis(op, axis, rank) for axis in axes)
    if len(set(normal)) != len(normal):
        raise ValueError(message(op, "an axis is named twice", axes, "different axes"))
    return normal


def check_rank_at_least(op: str, argument: str, shape: Shape, rank: int) -> None:
    """Raise ``ValueError`` if ``shape`` is known and has fewer than ``rank`` axes."""
    if shape is not None and len(shape) < rank:
        raise ValueError(message(op, f"{argument} has the wrong rank", len(shape), f"{rank} or more"))


def check_scalar(op: str, argument: str, shape: Shape) -> None:
    """Raise ``ValueError`` if ``shape`` is known and not that of a scalar."""
    if shape:
        raise ValueError(message(op, f"{argument} has the wrong shape", shape, ()))


def check_same_dtype(op: str, argument: str, got: DType, expected: DType) -> None:
    """Raise ``TypeError`` unless two operands have one dtype: tensors do not promote."""
    if got is not expected:
        raise TypeError(message(op, f"{argument} has the wrong dtype", got, expected, "use cast"))


def check_number(op: str, argument: str, dtype: DType) -> None:
    """Raise ``TypeError`` for a tensor of strings."""
    if dtype is string:
        raise TypeError(message(op, f"{argument} has the wrong dtype", dtype, "a numeric dtype or bool"))


def same_spec(x: TensorSpec, **attrs: Any) -> TensorSpec:
    """Return the spec of ``x``: that of the result of many ops."""
    return x
