"""How numbers, lists, arrays, variables and slices become tensors, of values or of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbvars import dtypes
from nbvars.checks import message
from nbvars.dtypes import DType, as_dtype, as_numeric_dtype
from nbvars.graph.indexed_slices import CONVERSIONS, IndexedSlices
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import OPERATORS, GraphTensor, Symbolic, Tensor, TensorLike, TensorValue
from nbvars.runtime.arrays import (
    DEFAULTS,
    SEQUENCES,
    as_array,
    collect_types,
    from_array,
    from_leaves,
    from_python,
    is_sequence,
    memory_of,
    regular,
    sizes_of,
    without_dimensions,
    wrong_dtype,
)
from nbvars.runtime.constants import add_constant, static_value
from nbvars.runtime.context import current_device
from nbvars.runtime.cuda_arrays import borrow_on_gpu, is_on_gpu, on_another_device
from nbvars.runtime.cuda_tensor import BorrowedCudaTensor, CudaTensor, LiveCudaTensor, expect_constant, upload
from nbvars.runtime.tensor import DTYPE_OF, BorrowedTensor, EagerTensor, LiveTensor, ValueTensor
from nbvars.runtime.text import as_text, is_text
from nbvars.shapes import Dimension, TensorShape

if TYPE_CHECKING:
    from nbvars.kernels.cuda.memory import DeviceArray

Array = npt.NDArray[Any]

_PACKED = "packed"
"""The name of the operation that puts a list of tensors together, where nothing else names it."""


def convert_to_tensor(
    value: TensorValue,
    dtype: object = None,
    name: str | None = None,
    preferred_dtype: object = None,
) -> Tensor:
    """Return ``value`` as a tensor.

    Floats become float32, ints int32, bools bool and complex numbers complex128; arrays and NumPy's numbers
    keep their dtype; a ``TensorShape`` becomes a vector of int32. ``dtype`` converts where NumPy's
    ``same_kind`` rule allows it. An array is copied; a variable is not: its tensor shows later updates, as
    ``value()`` does. ``IndexedSlices`` are added up. In a graph, strings become tensors of ``string``.

    Args:
        value: A number, an array, a tensor, a variable, ``IndexedSlices``, or nested lists of those.
        dtype: The dtype of the result, in any form that ``as_dtype`` knows.
        name: Name of the op.
        preferred_dtype: A dtype to use if ``value`` can be converted to it.

    Raises:
        TypeError: ``value`` is no number, or has a dtype that cannot become ``dtype``.
        ValueError: A number does not fit the dtype, or a list is ragged.

    Source: TensorFlow 1 API pages, ``tf.convert_to_tensor``.
    """
    if dtype is None and preferred_dtype is not None:
        try:
            return convert_to_tensor(value, preferred_dtype, name)
        except (TypeError, ValueError):
            # A preference only: what it does not suit is converted as if there were none.
            dtype = None
    if not executing_eagerly() or isinstance(value, Symbolic):
        return graph_tensor_of(value, name or "Const", None if dtype is None else as_dtype(dtype).base_dtype)
    tensor = borrow(value, None if dtype is None else as_numeric_dtype(dtype))
    if isinstance(tensor, BorrowedCudaTensor):
        return tensor._snapshot()
    if not isinstance(tensor, EagerTensor) or isinstance(value, (TensorLike, IndexedSlices)):
        return tensor
    return _placed(_apart_from(value, tensor))


def _placed(tensor: EagerTensor) -> ValueTensor:
    """Return a new tensor on the device of this thread's ops."""
    place = current_device()
    return tensor if place == "/cpu:0" else upload(tensor, place)


def _apart_from(value: Any, tensor: EagerTensor) -> EagerTensor:
    """Return ``tensor``, copied if it lies in the memory of an array that a user may change."""
    if np.may_share_memory(tensor._array, memory_of(value)):
        return EagerTensor._wrap(tensor._array.copy())
    return tensor if type(tensor) is EagerTensor else EagerTensor._wrap(tensor._array)


def graph_tensor_of(
    value: Any, name: str = "Const", dtype: DType | None = None, where: str = "convert_to_tensor"
) -> GraphTensor:
    """Return ``value`` as a tensor of the default graph: a new one called ``name``, if it is not one of a graph."""
    found = tensor_or_array(value, dtype, where, name)
    if isinstance(found, GraphTensor):
        return found
    return add_constant(found, as_dtype(found.dtype), name)


def tensor_or_array(
    value: Any, dtype: DType | None, where: str = "convert_to_tensor", name: str = _PACKED
) -> GraphTensor | Array:
    """Return ``value`` as a tensor, if it is, or holds, something of a graph; else as an array of its own.

    ``name`` is that of the operation that puts a list of tensors together.
    """
    if (dtype is dtypes.string or (dtype is None and is_text(value))) and not _holds_tensor(value):
        return as_text(where, value)
    tensor = _from_list(where, value, dtype, name) if is_sequence(value) else borrow(value, dtype, where)
    if isinstance(tensor, GraphTensor):
        return tensor
    assert isinstance(tensor, ValueTensor)
    if isinstance(tensor, (LiveTensor, LiveCudaTensor)):
        wrong = "an eager variable cannot become part of a graph"
        remedy = "make the variable in the graph, or pass read_value() for a constant"
        raise TypeError(message(where, wrong, repr(value), "a variable or tensor of the graph", remedy))
    if not isinstance(tensor, EagerTensor):
        return tensor._array_of()
    return _apart_from(value, tensor)._array


def _holds_tensor(value: Any) -> bool:
    return isinstance(value, TensorLike) or (is_sequence(value) and _dtype_of_tensors(value) is not None)


def value_of(value: Any, dtype: DType | None = None, where: str = "convert_to_tensor") -> EagerTensor:
    """Convert as ``borrow`` what has a value on the CPU; a tensor of a graph, which has none yet, is a ``TypeError``.

    Raises:
        InvalidArgumentError: The value is on a GPU.
    """
    tensor = borrow(value, dtype, where)
    if isinstance(tensor, CudaTensor):
        raise on_another_device(where, tensor.device, "/cpu:0")
    if not isinstance(tensor, EagerTensor):
        wrong = "a tensor of a graph has no value before a Session runs it"
        raise TypeError(message(where, wrong, repr(tensor), "a value, or a variable of that graph"))
    return tensor


def tensor_on_gpu(where: str, value: Any, device: int, dtype: DType | None = None) -> CudaTensor | None:
    """Return ``value`` as a tensor on GPU ``device`` if it is there already; ``None`` if it is the host's.

    Raises:
        InvalidArgumentError: It is a tensor or variable of another device, and not of one element.
    """
    if isinstance(value, (np.ndarray, *DEFAULTS, *SEQUENCES)):
        return None
    is_foreign = not isinstance(value, (TensorLike, IndexedSlices)) and is_on_gpu(value)
    tensor = borrow_on_gpu(where, value, dtype) if is_foreign else borrow(value, dtype, where)
    if isinstance(tensor, CudaTensor):
        if tensor._array.device != device:
            raise on_another_device(where, tensor.device, f"/gpu:{device}")
        return tensor
    is_tensor = isinstance(value, TensorLike) and not isinstance(value, BorrowedTensor)
    if is_tensor and isinstance(tensor, EagerTensor) and tensor._array.ndim:
        raise on_another_device(where, tensor.device, f"/gpu:{device}")
    return None


def array_on_gpu(value: Any, dtype: DType | None, where: str, device: int) -> DeviceArray:
    """Return ``value`` as an array on GPU ``device``."""
    there = tensor_on_gpu(where, value, device, dtype)
    return upload(value_of(value, dtype, where), f"/gpu:{device}")._array if there is None else there._array


def operand_on_gpu(where: str, value: Any, dtype: DType, device: int) -> Any:
    """Return ``value`` as an array of ``dtype`` on GPU ``device``, or as one of the host if it has one element."""
    there = tensor_on_gpu(where, value, device, dtype)
    if there is not None:
        return there._array
    tensor = value_of(value, dtype, where)
    expect_constant(tensor)
    return upload(tensor, f"/gpu:{device}")._array if tensor._array.ndim else tensor._array


def borrow(value: Any, dtype: DType | None = None, where: str = "convert_to_tensor") -> Tensor:
    """Convert without a copy where possible: the tensor may show later changes of ``value``.

    The result is an ``EagerTensor`` even in graph mode, unless ``value`` is, or holds, something of a graph.
    """
    if type(value) is np.ndarray:
        return BorrowedTensor._wrap(from_array(where, value, dtype))
    if type(value) in DEFAULTS:
        array = from_python(where, value, DEFAULTS[type(value)], dtype)
    elif isinstance(value, TensorLike):
        tensor = value._as_tensor()
        found = tensor._dtype.base_dtype
        if dtype is not None and found is not dtype:
            raise TypeError(wrong_dtype(where, found, dtype, "use cast"))
        return tensor
    elif isinstance(value, IndexedSlices):
        return borrow(_sum_of_slices(where, value), dtype, where)
    elif is_sequence(value):
        return _from_list(where, value, dtype, _PACKED)
    elif isinstance(value, (TensorShape, Dimension)):
        return borrow(sizes_of(where, value), dtype, where)
    else:
        return _from_foreign(where, value, dtype)
    return EagerTensor._wrap(array)


def _from_foreign(where: str, value: Any, dtype: DType | None) -> ValueTensor:
    """Return an array of another library as a tensor, on the device where it is."""
    try:
        array = as_array(value)
        if array.dtype.kind != "O" or not is_on_gpu(value):
            return BorrowedTensor._wrap(from_array(where, array, dtype))
    except TypeError:  # CuPy's and torch's, for arrays on a GPU
        if not is_on_gpu(value):
            raise
    return borrow_on_gpu(where, value, dtype)


_TENSORS = (TensorLike, IndexedSlices)
_WITH_ARRAYS: tuple[type[Any], ...] = (*_TENSORS, np.ndarray)


def match(where: str, *values: Any) -> list[Any]:
    """Convert what is not yet a tensor among ``values`` to the dtype of the first that is.

    Without tensors, all but arrays take the dtype of the first array; without arrays too, that of the first value. In
    a graph, strings stay what they are.
    """
    dtype, kept = None, _WITH_ARRAYS
    for value in values:
        if isinstance(value, _TENSORS):
            dtype, kept = value.dtype.base_dtype, _TENSORS
            break
        if dtype is None and isinstance(value, np.ndarray):
            dtype = DTYPE_OF.get(value.dtype.newbyteorder("="))
    if dtype is None:
        dtype = _dtype_of_tensors(values)
    matched: list[Any] = []
    for value in values:
        is_string = dtype is dtypes.string or (dtype is None and not executing_eagerly() and is_text(value))
        if is_string or isinstance(value, kept):
            matched.append(value)
        else:
            tensor = borrow(value, dtype, where)
            dtype = dtype or tensor._dtype
            matched.append(tensor)
    return matched


def _from_list(where: str, value: Sequence[Any], dtype: DType | None, name: str) -> Tensor:
    """Return nested lists as a tensor; in a graph, if they hold something of one, by an operation called ``name``."""
    elements = _from_sequence(where, value, dtype, name)
    return elements if isinstance(elements, Tensor) else BorrowedTensor._wrap(elements)


def _from_sequence(where: str, value: Sequence[Any], dtype: DType | None, name: str) -> Array | Tensor:
    """Return nested lists as an array; as a tensor of a graph or GPU, if they hold one."""
    leaves: set[type] = set()
    collect_types(value, leaves)
    if any(issubclass(leaf, (TensorLike, IndexedSlices)) for leaf in leaves):
        return _stacked(where, value, dtype, name)
    if Dimension in leaves:
        return _from_sequence(where, without_dimensions(where, value), dtype, name)
    return from_leaves(where, value, leaves, dtype)


def _stacked(where: str, value: Sequence[Any], dtype: DType | None, name: str) -> Array | Tensor:
    """Return nested lists that contain tensors as an array; numbers take the dtype of the tensors."""
    if dtype is None:
        dtype = _dtype_of_tensors(value)
    has_others = False  # than arrays of the host

    def converted(element: Any) -> Any:
        nonlocal has_others
        if is_sequence(element):
            return [converted(inner) for inner in element]
        if executing_eagerly() and dtype is not dtypes.string:
            tensor = borrow(element, dtype, where)
            found = tensor._array if isinstance(tensor, EagerTensor) else tensor
        else:
            found = tensor_or_array(element, dtype, where)
        has_others = has_others or isinstance(found, Tensor)
        return found

    def packed(element: Any) -> Any:
        if not is_sequence(element):
            return element
        parts = [packed(inner) for inner in element]
        if any(isinstance(part, Tensor) for part in parts):
            return OPERATORS["stack"](parts, name=name)
        return regular(where, parts, None if dtype is None else dtype.numpy_dtype)

    elements = converted(value)
    if has_others:
        stacked: Tensor = packed(elements)
        return stacked
    return regular(where, elements, None if dtype is None else dtype.numpy_dtype)


def _dtype_of_tensors(value: Sequence[Any]) -> DType | None:
    """Return the dtype of the first tensor in nested lists."""
    for element in value:
        found = _dtype_of_tensors(element) if is_sequence(element) else None
        if isinstance(element, (TensorLike, IndexedSlices)):
            found = element.dtype.base_dtype
        if found is not None:
            return found
    return None


def _sum_of_slices(where: str, slices: IndexedSlices) -> Tensor:
    """Return the tensor of which ``slices`` are the only rows that are not zero; repeated rows add up."""
    if slices._dense_shape is None:
        wrong = "IndexedSlices without a dense_shape cannot become a tensor"
        raise ValueError(message(where, wrong, "dense_shape None", "the shape of the whole tensor"))
    return OPERATORS["sum_of_slices"](slices.values, slices.indices, slices._dense_shape)


CONVERSIONS.update(borrow=borrow, convert_to_tensor=convert_to_tensor, static_value=static_value)
