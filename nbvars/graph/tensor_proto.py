"""Arrays and shapes as protobuf messages, ``TensorProto`` and ``TensorShapeProto``, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars import dtypes, proto
from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype
from nbvars.shapes import TensorShape

Array = npt.NDArray[Any]


def shape_to_proto(shape: TensorShape) -> Any:
    """Return ``shape`` as a ``TensorShapeProto``."""
    cls = proto.message_class("TensorShapeProto")
    if shape.ndims is None:
        return cls(unknown_rank=True)
    return cls(dim=[{"size": -1 if size is None else size} for size in shape.as_list()])


def shape_from_proto(shape: Any) -> TensorShape:
    """Return the shape that a ``TensorShapeProto`` says; ``ValueError`` if a size is below -1."""
    if shape.unknown_rank:
        return TensorShape(None)
    return TensorShape([None if dim.size == -1 else dim.size for dim in shape.dim])


def array_to_proto(array: Array) -> Any:
    """Return ``array`` as a ``TensorProto``; ``TypeError`` if its dtype is none of ours."""
    dtype = as_dtype(array.dtype)
    tensor = proto.message_class("TensorProto")(dtype=dtype.as_datatype_enum)
    tensor.tensor_shape.CopyFrom(shape_to_proto(TensorShape(array.shape)))
    if dtype is dtypes.string:
        tensor.string_val.extend(array.ravel().tolist())
    else:
        tensor.tensor_content = array.astype(dtype.numpy_dtype.newbyteorder("<")).tobytes()
    return tensor


_FIELDS: dict[DType, str] = {
    dtypes.bool_: "bool_val",
    dtypes.float16: "half_val",
    dtypes.bfloat16: "half_val",
    dtypes.float32: "float_val",
    dtypes.float64: "double_val",
    dtypes.complex64: "scomplex_val",
    dtypes.complex128: "dcomplex_val",
    dtypes.string: "string_val",
    dtypes.int64: "int64_val",
    dtypes.uint32: "uint32_val",
    dtypes.uint64: "uint64_val",
}


def array_from_proto(tensor: Any) -> Array:
    """Return the array that a ``TensorProto`` holds, in either of its forms: all bytes, or a list of numbers.

    Raises:
        TypeError: Its dtype is none of ours.
        ValueError: The number of elements is not that of the shape.
    """
    dtype = as_dtype(tensor.dtype)
    shape = shape_from_proto(tensor.tensor_shape)
    if not shape.is_fully_defined():
        raise ValueError(message("TensorProto", "the shape is not known", shape, "known sizes"))
    elements = _from_content(tensor, dtype) if tensor.tensor_content else _from_numbers(tensor, dtype)
    sizes: Any = shape.as_list()
    size = math.prod(sizes)
    if len(elements) == size:
        return elements.reshape(sizes)
    if tensor.tensor_content or len(elements) > size:
        raise ValueError(message("TensorProto", "wrong number of elements", len(elements), f"{size} for {shape}"))
    # A short list goes on with its last number, an empty one with zero.
    filled: Array = np.full(size, elements[-1] if len(elements) else _zero_of(dtype), dtype.numpy_dtype)
    filled[: len(elements)] = elements
    return filled.reshape(sizes)


def _zero_of(dtype: DType) -> Any:
    return b"" if dtype is dtypes.string else np.zeros((), dtype.numpy_dtype)[()]


def _from_content(tensor: Any, dtype: DType) -> Array:
    if dtype is dtypes.string or dtype.is_ref_dtype or len(tensor.tensor_content) % dtype.size:
        got = f"{len(tensor.tensor_content)} bytes of {dtype}"
        raise ValueError(message("TensorProto", "tensor_content is malformed", got, "the bytes of whole numbers"))
    elements: Array = np.frombuffer(tensor.tensor_content, dtype.numpy_dtype.newbyteorder("<"))
    return elements.astype(dtype.numpy_dtype)


def _from_numbers(tensor: Any, dtype: DType) -> Array:
    numbers = list(getattr(tensor, _FIELDS.get(dtype, "int_val")))
    if dtype in (dtypes.float16, dtypes.bfloat16):
        return np.array(numbers, np.int32).astype(np.uint16).view(dtype.numpy_dtype)
    if dtype.is_complex:
        return np.array(numbers, dtype.real_dtype.numpy_dtype).view(dtype.numpy_dtype)
    return np.array(numbers, np.int64 if dtype.is_integer and dtype.size < 4 else dtype.numpy_dtype).astype(
        dtype.numpy_dtype
    )
