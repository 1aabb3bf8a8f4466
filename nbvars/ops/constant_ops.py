"""New tensors: constants, zeros and ones, and the identity matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype, as_numeric_dtype
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import GraphTensor, Tensor, TensorValue
from nbvars.ops.array_functions import array_of_ones
from nbvars.ops.array_ops import identity
from nbvars.ops.joining_ops import concat
from nbvars.ops.shape_rules import (
    Sizes,
    as_int,
    as_sizes,
    check_number,
    check_scalar,
    checked_shape,
    num_elements,
)
from nbvars.runtime.constants import add_constant, fixed_value
from nbvars.runtime.context import explicit_device
from nbvars.runtime.conversion import convert_to_tensor, tensor_or_array
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.tensor import ValueTensor


def constant(value: TensorValue, dtype: Any = None, shape: Sizes | None = None, name: str | None = None) -> Tensor:
    """Return ``value`` as a new tensor, converted as ``convert_to_tensor`` does; of a variable, its value now.

    Args:
        value: A number, an array, or nested lists; in a graph also strings.
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
    if isinstance(tensor, ValueTensor):
        tensor = tensor._snapshot()
        if explicit_device() not in (None, tensor.device):
            tensor = identity(tensor)
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
    filled = np.empty(shape, value.dtype, like=value)
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
    filled = np.empty(dims, value.dtype, like=value)
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
    return np.zeros(x.shape, dtype.numpy_dtype if dtype else x.dtype, like=x)


def _ones_like(x: Array, dtype: DType | None) -> Array:
    return array_of_ones(x.shape, dtype.numpy_dtype if dtype else x.dtype, x)


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
