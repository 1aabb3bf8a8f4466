"""New tensors: constants, ramps and the identity matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.cast_ops import cast
from nbvars.ops.rows import FLOATING, INTEGER, REAL
from nbvars.ops.shape_rules import (
    Sizes,
    as_int,
    as_sizes,
    check_same_dtype,
    check_scalar,
    checked_shape,
    num_elements,
)
from nbvars.runtime.conversion import borrow, convert_to_tensor, match
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op
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
    tensor = convert_to_tensor(value, dtype)
    if type(tensor) is LiveTensor:
        tensor = EagerTensor._wrap(tensor._array.copy(), tensor._device)
    if shape is None:
        return tensor
    sizes = checked_shape("constant", "shape", as_sizes("constant", "shape", shape))
    return apply_op(FILL_UP, tensor, name=name, shape=sizes)


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
    if math.prod(shape) == 0:
        return np.empty(shape, value.dtype)
    flat = value.reshape(-1)
    filled = np.full(shape, flat[-1], value.dtype)
    filled.reshape(-1)[: flat.size] = flat
    return filled


FILL_UP = OpDefinition("FillUp", _infer_fill_up, _fill_up)


def _infer_fill(value: TensorSpec, dims: tuple[int, ...] | None) -> TensorSpec:
    check_scalar("fill", "value", value.shape)
    return TensorSpec(checked_shape("fill", "dims", dims), value.dtype)


def _fill(value: Array, dims: tuple[int, ...]) -> Array:
    return np.full(dims, value, value.dtype)


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


def _infer_like(x: TensorSpec, dtype: DType | None) -> TensorSpec:
    return TensorSpec(x.shape, dtype or x.dtype)


def _zeros_like(x: Array, dtype: DType | None) -> Array:
    return np.zeros(x.shape, dtype.numpy_dtype if dtype else x.dtype)


def _ones_like(x: Array, dtype: DType | None) -> Array:
    return np.ones(x.shape, dtype.numpy_dtype if dtype else x.dtype)


ZEROS_LIKE = OpDefinition("ZerosLike", _infer_like, _zeros_like)
ONES_LIKE = OpDefinition("OnesLike", _infer_like, _ones_like)


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


def _infer_eye(shape: tuple[int, ...], dtype: DType) -> TensorSpec:
    return TensorSpec(checked_shape("eye", "shape", shape), dtype)


def _eye(shape: tuple[int, ...], dtype: DType) -> Array:
    result = np.zeros(shape, dtype.numpy_dtype)
    diagonal = np.arange(min(shape[-2:]))
    result[..., diagonal, diagonal] = 1
    return result


EYE = OpDefinition("Eye", _infer_eye, _eye)


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
    return apply_op(EYE, name=name, shape=(*batch, rows, columns), dtype=as_numeric_dtype(dtype))


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
RANGE = OpDefinition("Range", _infer_range, _range)
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
    if dtype is not None:
        bounds = [borrow(bound, as_numeric_dtype(dtype), "range") for bound in (start, limit, delta)]
        return apply_op(RANGE, *bounds, name=name)
    bounds = [borrow(bound, None, "range") for bound in (start, limit, delta)]
    widest = max((bound.dtype for bound in bounds if bound.dtype in _RANGE_ORDER), key=_RANGE_ORDER.index, default=None)
    if widest is not None:
        bounds = [_widened(bound, widest) for bound in bounds]
    return apply_op(RANGE, *bounds, name=name)


def _widened(bound: Tensor, dtype: DType) -> Tensor:
    """Return a bound of a range in its common dtype, if it is of one of those that have an order."""
    if isinstance(bound, EagerTensor) and bound.dtype in _RANGE_ORDER:
        return borrow(bound._array.astype(dtype.numpy_dtype))
    return cast(bound, dtype) if bound.dtype.base_dtype in _RANGE_ORDER else bound


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


LINSPACE = OpDefinition("LinSpace", _infer_linspace, _linspace, run_attrs=("num",))


def linspace(start: TensorValue, stop: TensorValue, num: int, name: str | None = None) -> Tensor:
    """Return ``num`` numbers at equal distances, the first ``start`` and the last ``stop``.

    Python ints become float32.

    Source: TensorFlow 1 API pages, ``tf.linspace``.
    """
    numbers = [float(bound) if type(bound) is int else bound for bound in (start, stop)]
    return apply_op(LINSPACE, *match("linspace", *numbers), name=name, num=as_int("linspace", "num", num))
