"""Numbers at equal distances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.errors import InvalidArgumentError
from nbvars.graph.tensor import GraphTensor, Tensor, TensorValue
from nbvars.ops.cast_ops import cast
from nbvars.ops.rows import FLOATING, INTEGER, REAL
from nbvars.ops.shape_rules import as_int, check_same_dtype, check_scalar
from nbvars.runtime.building import op_scope
from nbvars.runtime.constants import static_value
from nbvars.runtime.conversion import borrow, match
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.quiet import quietly
from nbvars.runtime.tensor import EagerTensor


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
        found = {bound.dtype.base_dtype for bound in bounds}
        if len(found) > 1:
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
