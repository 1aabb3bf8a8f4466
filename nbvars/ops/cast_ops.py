"""Conversion of tensors from one dtype to another."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from nbvars import kernels
from nbvars.checks import message
from nbvars.dtypes import DType, as_numeric_dtype, string
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import GraphTensor, Tensor, TensorLike, TensorValue
from nbvars.ops.array_functions import is_of_numpy
from nbvars.ops.shape_rules import check_number
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec, beyond_memory
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.recording import listening
from nbvars.runtime.tensor import EagerTensor


def _infer_cast(x: TensorSpec, dtype: DType) -> TensorSpec:
    check_number("cast", "x", x.dtype)
    return TensorSpec(x.shape, dtype)


def _cast(x: Array, dtype: DType) -> Array:
    return kernels.cast(x, dtype.numpy_dtype)


CAST = OpDefinition("Cast", _infer_cast, _cast)


def _cast_at_once(x: EagerTensor, target: DType) -> EagerTensor:
    """Do as ``apply_op`` does, which takes three times as long as the cast of a small tensor."""
    try:
        array = kernels.cast(x._array, target.numpy_dtype)
    except MemoryError as error:
        raise beyond_memory(CAST.op_type, TensorSpec(x._array.shape, target), error) from error
    array.setflags(write=False)
    return EagerTensor(array, target)


@overload
def cast(x: IndexedSlices, dtype: Any, name: str | None = None) -> IndexedSlices: ...
@overload
def cast(x: TensorLike | ArrayLike, dtype: Any, name: str | None = None) -> Tensor: ...
def cast(x: TensorValue, dtype: Any, name: str | None = None) -> Tensor | IndexedSlices:
    """Convert a tensor to ``dtype``; a tensor of that dtype comes back as it is.

    From floating to integer types it truncates towards zero; NaN becomes 0, and what does not fit becomes the
    nearest number that does. Integers wrap. Rounding is to nearest, halves to even.

    Args:
        x: A number, array, tensor, variable or ``IndexedSlices``, of which the values are cast.
        dtype: The new dtype, in any form that ``as_dtype`` knows.
        name: Name of the op.

    Source: TensorFlow 1 API pages, ``tf.cast``.
    """
    target = as_numeric_dtype(dtype)
    if isinstance(x, IndexedSlices):
        return IndexedSlices(cast(x.values, target), x.indices, x._dense_shape)
    if (type(x) is EagerTensor or type(x) is GraphTensor) and x._dtype is target:
        return x
    if type(x) is EagerTensor and x._dtype is not string and executing_eagerly() and not listening.recorders:
        return _cast_at_once(x, target)
    # A variable of that dtype is copied all the same: the result must not change with it.
    return apply_op(CAST, x, name=name, dtype=target)


def _infer_saturate(x: TensorSpec, dtype: DType) -> TensorSpec:
    check_number("saturate_cast", "value", x.dtype)
    if x.dtype.is_complex or dtype.is_complex or dtype.is_bool:
        got, expected = f"{x.dtype} to {dtype}", "real dtypes"
        raise TypeError(message("saturate_cast", "the dtypes have no order", got, expected, "use cast"))
    return TensorSpec(x.shape, dtype)


def _saturate(x: Array, dtype: DType) -> Array:
    """Limit ``x`` to the range of ``dtype``, then cast; the cast itself limits floats to integers.

    On a GPU the caller casts what comes back.
    """
    source = as_numeric_dtype(x.dtype)
    if not source.is_bool and (dtype.is_floating or source.is_integer):
        low, high = max(source.min, dtype.min), min(source.max, dtype.max)
        if source.is_integer:
            low, high = int(low), int(high)
        x = np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high))
    return kernels.cast(np.asarray(x), dtype.numpy_dtype) if is_of_numpy(x) else x


SATURATE_CAST = OpDefinition("SaturateCast", _infer_saturate, _saturate, "saturate_cast")


def saturate_cast(value: TensorValue, dtype: Any, name: str | None = None) -> Tensor:
    """Convert a tensor to ``dtype``; what does not fit becomes the nearest number that does.

    Unlike ``cast``, this also holds from integer to integer, and to a smaller floating type.

    Source: TensorFlow 1 API pages, ``tf.saturate_cast``.
    """
    return apply_op(SATURATE_CAST, value, name=name, dtype=as_numeric_dtype(dtype))
