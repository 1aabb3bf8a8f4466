"""Numbers, arrays, shapes and nested lists of numbers as arrays of nbvars's dtypes, by NumPy's ``same_kind`` rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from nbvars import dtypes
from nbvars.checks import message
from nbvars.dtypes import DType, as_numeric_dtype
from nbvars.runtime.dlpack import array_from_dlpack
from nbvars.runtime.quiet import quietly
from nbvars.runtime.tensor import DTYPE_OF
from nbvars.shapes import Dimension, TensorShape

Array = npt.NDArray[Any]

# The dtypes that Python's numbers get where nothing else asks for one.
DEFAULTS: dict[type, DType] = {
    bool: dtypes.bool_,
    int: dtypes.int32,
    float: dtypes.float32,
    complex: dtypes.complex128,
}


def memory_of(value: Any) -> Any:
    """Return what holds the memory of ``value``, for NumPy's test of sharing."""
    return () if isinstance(value, (bool, int, float, complex, *SEQUENCES)) else as_array(value)


def as_array(value: Any) -> Array:
    """Return ``np.asarray(value)``; by DLPack where only that knows the dtype: torch's bfloat16 has no other way."""
    try:
        return np.asarray(value)
    except TypeError as error:
        try:
            return array_from_dlpack(value)
        except (BufferError, TypeError, ValueError):
            raise error from None


SEQUENCES = (list, tuple, range)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Return whether ``value`` is a list, tuple or range."""
    return isinstance(value, SEQUENCES)


def from_array(where: str, array: Array, dtype: DType | None) -> Array:
    """Return ``array`` in native byte order and as ``dtype``, itself if it is that already."""
    found = DTYPE_OF.get(array.dtype)
    if found is None:
        found = _supported(where, array)
        array = array.astype(found.numpy_dtype)
    if dtype is None or dtype is found:
        return array
    if not can_become(found, dtype):
        remedy = "convert the array with astype first" if array.ndim else "use cast"
        raise TypeError(wrong_dtype(where, found, dtype, remedy))
    result: Array = quietly(array.astype, dtype.numpy_dtype)
    return result


def _supported(where: str, array: Array) -> DType:
    """Return the dtype of an array whose dtype is not one of nbvars's own objects."""
    try:
        return as_numeric_dtype(array.dtype)
    except TypeError:
        expected = "numbers, or nested lists of numbers"
        raise TypeError(message(where, "the value has an unsupported type", array.dtype, expected)) from None


def sizes_of(where: str, value: TensorShape | Dimension) -> Any:
    """Return a shape or a dimension, which must be known, as an array of integers."""
    sizes = TensorShape([value]) if isinstance(value, Dimension) else value
    if not sizes.is_fully_defined():
        raise ValueError(message(where, "the shape is not fully known", value, "known sizes only"))
    known = np.array(sizes.as_list(), np.int64)
    fitting = known if (known > dtypes.int32.max).any() else known.astype(np.int32)
    return fitting[0] if isinstance(value, Dimension) else fitting


def without_dimensions(where: str, value: Any) -> Any:
    """Return nested lists with numbers in the place of dimensions."""
    if is_sequence(value):
        return [without_dimensions(where, element) for element in value]
    return int(sizes_of(where, value)) if isinstance(value, Dimension) else value


def collect_types(value: Sequence[Any], leaves: set[type]) -> None:
    """Add the types of the elements of nested lists to ``leaves``."""
    types = set(map(type, value))
    leaves |= types - set(SEQUENCES)
    if not types.isdisjoint(SEQUENCES):
        for element in value:
            if is_sequence(element):
                collect_types(element, leaves)


def from_leaves(where: str, value: Sequence[Any], leaves: set[type], dtype: DType | None) -> Array:
    """Return nested lists whose elements are of the types ``leaves`` as an array."""
    if not leaves <= DEFAULTS.keys():
        return from_array(where, regular(where, value), dtype)
    # An empty list holds nothing that could not become any dtype.
    empty = dtypes.float32 if dtype is None else dtype
    default = max(map(DEFAULTS.__getitem__, leaves), key=_RANKS.__getitem__, default=empty)
    return from_python(where, value, default, dtype)


def from_python(where: str, value: Any, default: DType, dtype: DType | None) -> Array:
    """Return a Python number, or nested lists, as an array of ``dtype``, of ``default`` without one."""
    remedy = ""
    if dtype is None:
        dtype = default
        remedy = "pass dtype=int64" if default is dtypes.int32 else ""
    elif _RANKS[default] > _RANKS[dtype] and not (default is dtypes.int32 and dtype.is_unsigned):
        raise TypeError(wrong_dtype(where, _python_name(default), dtype, "use cast"))
    try:
        return regular(where, value, dtype.numpy_dtype)
    except OverflowError as error:
        raise ValueError(message(where, f"a number does not fit {dtype}", _brief(value), dtype, remedy)) from error


def regular(where: str, value: Any, numpy_dtype: np.dtype[Any] | None = None) -> Array:
    """Return ``np.array(value)``, with nbvars's error for a ragged list."""
    try:
        array: Array = quietly(np.array, value, numpy_dtype)
    except ValueError as error:
        wrong = "the nested lists do not form an array"
        raise ValueError(message(where, wrong, _brief(value), "lists of equal lengths")) from error
    return array


def _rank(dtype: DType) -> int:
    """Return the place of ``dtype`` in the order in which NumPy's ``same_kind`` rule allows conversions."""
    if dtype.is_integer:
        return 1 if dtype.is_unsigned else 2
    return 0 if dtype.is_bool else 3 if dtype.is_floating else 4


def can_become(found: DType, dtype: DType) -> bool:
    """Tell whether NumPy's ``same_kind`` rule lets arrays of ``found`` become ``dtype``."""
    return _RANKS[found] <= _RANKS[dtype]


_RANKS = {dtype: _rank(dtype) for dtype in dtypes.ALL}


def _python_name(default: DType) -> str:
    """Return the name of the Python type whose default dtype this is."""
    return next(python_type.__name__ for python_type, dtype in DEFAULTS.items() if dtype is default)


def wrong_dtype(where: str, got: object, expected: DType, remedy: str) -> str:
    """Return the sentence for a value of another dtype."""
    return message(where, "the value has the wrong dtype", got, expected, remedy)


def _brief(value: object) -> str:
    """Return ``repr(value)``, cut to what a message can hold."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
