"""New tensors: constants, ramps and the identity matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import DType, as_dtype, as_numeric_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import GraphTensor, Tensor, TensorValue
from nbvars.ops.array_ops import identity
from nbvars.ops.cast_ops import cast
from nbvars.ops.joining_ops import concat
from nbvars.ops.rows import FLOATING, INTEGER, REAL
from nbvars.ops.shape_rules import (
    Sizes,
    as_int,
    as_sizes,
    check_number,
    check_same_dtype,
    check_scalar,
    checked_shape,
    num_elements,
)
from nbvars.runtime.building import op_scope
from nbvars.runtime.constants import add_constant, fixed_value, static_value
from nbvars.runtime.conversion import borrow, convert_to_tensor, match, tensor_or_array
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.quiet import quietly
from nbvars.runtime.tensor import EagerTensor, LiveTensor


def constant(value: TensorValue, dtype: Any = None, shape: Sizes | None = None, name: str | None = None) -> Tensor:
    """Return ``value`` as a new tensor, converted as ``convert_to_tensor`` does; of a variable, its value now.

    Args:
        value: A number, an array, or nested lists.
        dtype: The dtype of the result, in any form that ``as_dtype`` knows.
        shape: The shape of the result. The last element of ``value`` fills what is left.
        name: Name of the op.

    Raises:
        TypeError: ``value`` cannot become ``dtype``.
        ValueError: ``value`` has more elements than ``shape``, or does not fit ``dtype``.

    Source: TensorFlow 1 API pages, ``tf.constant``.
    """
    if not executing_eagerly():
        return _constant_of_graph(value, dtype, shape, name)
    tensor = convert_to_tensor(value, dtype)
    if type(tensor) is LiveTensor:
        tensor = EagerTensor._wrap(tensor._array.copy(), tensor._device)
    if shape is None:
        return tensor
    sizes = checked_shape("constant", "shape", as_sizes("constant", "shape", shape))
    return apply_op(FILL_UP, tensor, name=name, shape=sizes)


def _constant_of_graph(value: Any, dtype: Any, shape: Sizes | None, name: str | None) -> Tensor:
    """Return a ``Const``; of a tensor or variable of the graph, its value at this place in the order of operations."""
    found = tensor_or_array(value, None if dtype is None else as_dtype(dtype).base_dtype, name=name or "Const")
    sizes = None if shape is None else fixed_value("constant", "shape", as_sizes("constant", "shape", shape))
    checked_shape("constant", "shape", sizes)
    if isinstance(found, GraphTensor):
        return identity(found, name or "Const") if sizes is None else apply_op(FILL_UP, found, name=name, shape=sizes)
    known = as_dtype(found.dtype)
    if sizes is not None:
        _infer_fill_up(TensorSpec(found.shape, known), sizes)
        found = _fill_up(found, sizes)
    return add_constant(found, known, name or "Const")


def _infer_fill_up(value: TensorSpec, shape: tuple[int, ...]) -> TensorSpec:
    given, wanted = num_elements(value.shape), math.prod(shape)
    # A shape without elements needs no value, and takes any.
    if given is not None and wanted and not 1 <= given <= wanted:
        expected = f"at most {wanted}, for shape {shape}" if given else "1 or more"
        raise ValueError(message("constant", "value has the wrong number of elements", given, expected))
    return TensorSpec(shape, value.dtype)


def _fill_up(value: Array, shape: tuple[int, ...]) -> Array:
    """Return the elements in a new shape, the last one repeated as often as needed."""
    if value.shape == shape:
        return value
    filled = np.empty(shape, value.dtype)
    if filled.size:
        flat = filled.reshape(-1)
        flat[: value.size] = value.reshape(-1)
        flat[value.size :] = flat[value.size - 1]
    return filled


FILL_UP = OpDefinition("FillUp", _infer_fill_up, _fill_up, "Const")


def _infer_fill(value: TensorSpec, dims: tuple[int, ...] | None) -> TensorSpec:
    check_scalar("fill", "value", value.shape)
    return TensorSpec(checked_shape("fill", "dims", dims), value.dtype)


def _fill(value: Array, dims: tuple[int, ...]) -> Array:
    filled = np.empty(dims, value.dtype)
    # Not np.full, which would cut zero bytes off the end of a string.
    filled[...] = value
    return filled


FILL = OpDefinition("Fill", _infer_fill, _fill, run_attrs=("dims",))


def fill(dims: Sizes, value: TensorValue, name: str | None = None) -> Tensor:
    """Return a tensor of shape ``dims`` whose elements are all ``value``, a scalar.

    Source: TensorFlow 1 API pages, ``tf.fill``.
    """
    return apply_op(FILL, value, name=name, dims=as_sizes("fill", "dims", dims))


def _filled(op: str, shape: Sizes, number: int, dtype: Any, name: str | None) -> Tensor:
    sizes = checked_shape(op, "shape", as_sizes(op, "shape", shape))
    return apply_op(FILL, np.array(number, as_numeric_dtype(dtype).numpy_dtype), name=name or op, dims=sizes)


def zeros(shape: Sizes, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Return a tensor of zeros.

    Source: TensorFlow 1 API pages, ``tf.zeros``.
    """
    return _filled("zeros", shape, 0, dtype, name)


def ones(shape: Sizes, dtype: Any = dtypes.float32, name: str | None = None) -> Tensor:
    """Return a tensor of ones.

    Source: TensorFlow 1 API pages, ``tf.ones``.
    """
    return _filled("ones", shape, 1, dtype, name)


def _zeros_like(x: Array, dtype: DType | None) -> Array:
    return np.zeros(x.shape, dtype.numpy_dtype if dtype else x.dtype)


def _ones_like(x: Array, dtype: DType | None) -> Array:
    return np.ones(x.shape, dtype.numpy_dtype if dtype else x.dtype)


def _like_definition(name: str, op_type: str, compute: Callable[..., Array]) -> OpDefinition:
    """Return the definition of zeros_like or ones_like."""

    def infer(x: TensorSpec, dtype: DType | None) -> TensorSpec:
        check_number(name, "tensor", x.dtype)
        return TensorSpec(x.shape, dtype or x.dtype)

    return OpDefinition(op_type, infer, compute, name)


ZEROS_LIKE = _like_definition("zeros_like", "ZerosLike", _zeros_like)
ONES_LIKE = _like_definition("ones_like", "OnesLike", _ones_like)


def zeros_like(tensor: TensorValue, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return zeros in the shape of ``tensor``, and in its dtype unless another is given.

    Source: TensorFlow 1 API pages, ``tf.zeros_like``.
    """
    return apply_op(ZEROS_LIKE, tensor, name=name, dtype=None if dtype is None else as_numeric_dtype(dtype))


def ones_like(tensor: TensorValue, dtype: Any = None, name: str | None = None) -> Tensor:
    """Return ones in the shape of ``tensor``, and in its dtype unless another is given.

    Source: TensorFlow 1 API pages, ``tf.ones_like``.
    """
    return apply_op(ONES_LIKE, tensor, name=name, dtype=None if dtype is None else as_numeric_dtype(dtype))


def _infer_eye(shape: tuple[int, ...] | None, dtype: DType) -> TensorSpec:
    return TensorSpec(checked_shape("eye", "shape", shape), dtype)


def _eye(shape: tuple[int, ...], dtype: DType) -> Array:
    result = np.zeros(shape, dtype.numpy_dtype)
    diagonal = np.arange(min(shape[-2:]))
    result[..., diagonal, diagonal] = 1
    return result


EYE = OpDefinition("Eye", _infer_eye, _eye, "eye", ("shape",))


def eye(
    num_rows: int,
    num_columns: int | None = None,
    batch_shape: Sizes | None = None,
    dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:
    """Return an identity matrix, or a batch of them: ones where row and column are the same.

    Source: TensorFlow 1 API pages, ``tf.eye``.
    """
    rows = as_int("eye", "num_rows", num_rows)
    columns = rows if num_columns is None else as_int("eye", "num_columns", num_columns)
    batch = () if batch_shape is None else as_sizes("eye", "batch_shape", batch_shape)
    sizes = [*batch, rows, columns] if isinstance(batch, tuple) else concat([batch, [rows, columns]], 0)
    return apply_op(EYE, name=name, shape=as_sizes("eye", "shape", sizes), dtype=as_numeric_dtype(dtype))


def _infer_range(start: TensorSpec, limit: TensorSpec, delta: TensorSpec) -> TensorSpec:
    for argument, spec in (("start", start), ("limit", limit), ("delta", delta)):
        expect_dtype_in("range", argument, spec.dtype, REAL, REAL.described)
        check_same_dtype("range", argument, spec.dtype, start.dtype)
        check_scalar("range", argument, spec.shape)
    return TensorSpec((None,), start.dtype)


def _range(start: Array, limit: Array, delta: Array) -> Array:
    """Return ``start + i * delta`` for each ``i`` that stays below ``limit``."""
    exact: type[int] | type[float] = int if start.dtype in _INTEGER_DTYPES else float
    first, last, step = exact(start), exact(limit), exact(delta)
    if not (math.isfinite(first) and math.isfinite(last) and math.isfinite(step)):
        wrong = message("range", "a bound is not finite", (first, last, step), "finite start, limit and delta")
        raise InvalidArgumentError(None, None, wrong)
    if step == 0:
        raise InvalidArgumentError(None, None, message("range", "delta is zero", step, "another step"))
    if (last - first) * step < 0:
        wrong = message("range", "limit lies on the wrong side of start", last, f"a limit that delta {step} reaches")
        raise InvalidArgumentError(None, None, wrong)
    size = -((first - last) // step) if exact is int else int(np.ceil((last - first) / step))
    if exact is int:
        return (np.arange(size, dtype=np.int64) * step + first).astype(start.dtype)
    numbers = (np.arange(size, dtype=np.float64) * step + first).astype(start.dtype)
    # ``delta`` was rounded to the dtype, so one number too many may fit, and be rounded to ``limit`` itself.
    return numbers[:-1] if size and numbers[-1] == limit else numbers


_INTEGER_DTYPES = [dtype.numpy_dtype for dtype in INTEGER]
RANGE = OpDefinition("Range", _infer_range, _range, "range")
_RANGE_ORDER = (
    dtypes.int32,
    dtypes.int64,
    dtypes.float16,
    dtypes.bfloat16,
    dtypes.float32,
    dtypes.float64,
)


def range(
    start: TensorValue,
    limit: TensorValue | None = None,
    delta: TensorValue = 1,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """Return the numbers from ``start`` (0 if only one bound is given) up to, without, ``limit``.

    Without ``dtype`` it is the widest one of the three, in the order int32, int64, float16, bfloat16, float32,
    float64.

    Raises:
        InvalidArgumentError: ``delta`` is zero or leads away from ``limit``, or a bound is not finite.

    Source: TensorFlow 1 API pages, ``tf.range``.
    """
    if limit is None:
        start, limit = 0, start
    wanted = None if dtype is None else as_numeric_dtype(dtype)
    bounds = [borrow(bound, wanted, "range") for bound in (start, limit, delta)]
    with op_scope(name, "range", *bounds) as scope:
        if wanted is None:
            found = [bound.dtype.base_dtype for bound in bounds]
            widest = max((each for each in found if each in _RANGE_ORDER), key=_RANGE_ORDER.index, default=None)
            bounds = bounds if widest is None else [_widened(bound, widest) for bound in bounds]
        numbers = apply_op(RANGE, *bounds, name=scope)
    if isinstance(numbers, GraphTensor):
        known = [_known_bound(bound) for bound in bounds]
        if not any(bound is None for bound in known):
            numbers.set_shape(quietly(_range, *known).shape)
    return numbers


def _known_bound(bound: Tensor) -> Array | None:
    """Return a bound of a range, if it is known before a run."""
    if isinstance(bound, GraphTensor):
        value = static_value(bound)
        return np.array(value, bound.dtype.numpy_dtype) if isinstance(value, int) else None
    return borrow(bound)._array  # type: ignore[attr-defined, no-any-return]


def _widened(bound: Tensor, dtype: DType) -> Tensor:
    """Return a bound of a range in its common dtype, if it is of one of those that have an order."""
    if bound.dtype.base_dtype not in _RANGE_ORDER:
        return bound
    return borrow(bound._array.astype(dtype.numpy_dtype)) if isinstance(bound, EagerTensor) else cast(bound, dtype)


def _infer_linspace(start: TensorSpec, stop: TensorSpec, num: int | None) -> TensorSpec:
    expect_dtype_in("linspace", "start", start.dtype, FLOATING, FLOATING.described)
    check_same_dtype("linspace", "stop", stop.dtype, start.dtype)
    check_scalar("linspace", "start", start.shape)
    check_scalar("linspace", "stop", stop.shape)
    if num is not None and num < 1:
        raise ValueError(message("linspace", "num is not positive", num, "1 or more"))
    return TensorSpec((num,), start.dtype)


def _linspace(start: Array, stop: Array, num: int) -> Array:
    return np.linspace(float(start), float(stop), num).astype(start.dtype)


LINSPACE = OpDefinition("LinSpace", _infer_linspace, _linspace, "linspace", ("num",))


def linspace(start: TensorValue, stop: TensorValue, num: int, name: str | None = None) -> Tensor:
    """Return ``num`` numbers at equal distances, the first ``start`` and the last ``stop``.

    Python ints become float32.

    Source: TensorFlow 1 API pages, ``tf.linspace``.
    """
    numbers = [float(bound) if type(bound) is int else bound for bound in (start, stop)]
    return apply_op(LINSPACE, *match("linspace", *numbers), name=name, num=as_int("linspace", "num", num))
