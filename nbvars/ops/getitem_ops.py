"""``tensor[key]``: integers, slices, None, ``...``, and arrays of integers or bools, as in NumPy."""

from __future__ import annotations

import itertools
import operator
from typing import Any, TypeAlias

import numpy as np

from nbvars import dtypes
from nbvars.checks import expect_dtype_in, message
from nbvars.dtypes import as_dtype
from nbvars.errors import InvalidArgumentError, OutOfRangeError
from nbvars.graph.tensor import Symbolic, Tensor, TensorLike, TensorValue
from nbvars.ops.array_functions import is_of_numpy
from nbvars.ops.rows import BOOL, INTEGER, Dtypes
from nbvars.ops.shape_rules import are_compatible, broadcast_shapes, check_scalar
from nbvars.runtime.conversion import borrow
from nbvars.runtime.definition import Array, OpDefinition, Shape, TensorSpec
from nbvars.runtime.dispatch import apply_op
from nbvars.runtime.indices import snapshot

# Stand in a key for arrays, and for integers that only a run knows; those themselves are inputs of the op.
_ARRAY = "array"
_INTEGER = "integer"
Key: TypeAlias = tuple[Any, ...]
newaxis = None
"""In a key, an axis of one element."""

_INDEX_DTYPES = Dtypes(INTEGER | BOOL, "an integer dtype or bool")


def getitem(tensor: TensorValue, key: Any) -> Tensor:
    """Return ``tensor[key]``; in a graph, tensors may be indices and bounds of slices.

    Raises:
        OutOfRangeError: An integer lies outside its axis; it is an ``IndexError``.
        InvalidArgumentError: An element of an array of indices does.
        TypeError: ``key`` holds something else than integers, slices, ``None``, ``...`` and arrays.
    """
    if type(key) is int:
        return apply_op(GETITEM, tensor, key=(key,))
    items: list[Any] = []
    inputs: list[Tensor] = []
    for item in key if type(key) is tuple else (key,):
        if item is None or item is Ellipsis:
            items.append(item)
        elif isinstance(item, slice):
            bounds = [
                None if bound is None else _as_bound(bound, inputs) for bound in (item.start, item.stop, item.step)
            ]
            if bounds[2] == 0:
                raise ValueError(_zero_step())
            items.append(slice(*bounds))
        elif isinstance(item, list) or (isinstance(item, (TensorLike, np.ndarray)) and item.ndim != 0):
            items.append(_ARRAY)
            inputs.append(borrow(item if not isinstance(item, list) or item else np.zeros(0, np.int64)))
        else:
            items.append(_as_bound(item, inputs))
    return apply_op(GETITEM, tensor, *inputs, key=tuple(items))


def _zero_step() -> str:
    return message("getitem", "the step of a slice is zero", 0, "another step")


def _as_bound(item: Any, inputs: list[Tensor]) -> int | str:
    """Return an index, or a bound of a slice, as an ``int``; a tensor of a graph joins ``inputs``."""
    if isinstance(item, Symbolic) and item.dtype.is_integer and item.ndim in (0, None):
        inputs.append(item._as_tensor())
        return _INTEGER
    try:
        # operator.index takes bools, which as an index mean something else.
        if not isinstance(item, (bool, np.bool_)):
            return operator.index(item)
    except TypeError:
        pass
    expected = "integers, slices, None, ... and arrays of integers or bools"
    raise TypeError(message("getitem", "the key has the wrong type", repr(item), expected))


def _infer_getitem(x: TensorSpec, *inputs: TensorSpec, key: Key) -> TensorSpec:
    arrays = inputs
    if inputs and key.count(_ARRAY) != len(inputs):
        marked = list(zip(_markers(key), inputs, strict=True))
        arrays = tuple(spec for marker, spec in marked if marker == _ARRAY)
        for marker, spec in marked:
            if marker == _INTEGER:
                check_scalar("getitem", "an index or bound", spec.shape)
    for spec in arrays:
        expect_dtype_in("getitem", "the key", spec.dtype, _INDEX_DTYPES, _INDEX_DTYPES.described)
    if x.shape is None or any(spec.shape is None for spec in arrays):
        return TensorSpec(None, x.dtype)
    return TensorSpec(_shape_of_item(x.shape, key, arrays), x.dtype)


def _shape_of_item(shape: tuple[int | None, ...], key: Key, arrays: tuple[TensorSpec, ...]) -> Shape:
    """Return the shape of ``tensor[key]`` by NumPy's rules."""
    if len(key) == 1 and type(key[0]) is int and shape:  # a row: what loops ask for
        _check_index(key[0], shape[0], 0)
        return shape[1:]
    sizes: list[int | None] = []
    block: Shape = ()
    # Arrays, and with them integers, are broadcast to one block of axes. It takes their place if they are
    # side by side in the key, and else goes to the front.
    block_places: list[int] = []
    block_at = axis = 0
    specs = iter(arrays)
    for place, item in enumerate(_expanded(len(shape), key, arrays)):
        if item is None:
            sizes.append(1)
            continue
        if isinstance(item, slice):
            sizes.append(_sliced_size(shape[axis], item))
            axis += 1
            continue
        if arrays:
            block_at = block_at if block_places else len(sizes)
            block_places.append(place)
        if item != _ARRAY:
            if item != _INTEGER:
                _check_index(item, shape[axis], axis)
            axis += 1
            continue
        spec = next(specs)
        index_shape = spec.shape or ()
        if spec.dtype is dtypes.bool_:
            masked = shape[axis : axis + len(index_shape)]
            if not are_compatible(masked, index_shape):
                raise ValueError(message("getitem", "the mask has the wrong shape", index_shape, masked))
            axis, index_shape = axis + len(index_shape), (None,)
        else:
            axis += 1
        block = broadcast_shapes("getitem", block, index_shape)
    is_together = not block_places or block_places[-1] - block_places[0] == len(block_places) - 1
    at = block_at if is_together else 0
    return (*sizes[:at], *(block or ()), *sizes[at:])


def _sliced_size(size: int | None, item: slice) -> int | None:
    is_known = size is not None and _INTEGER not in (item.start, item.stop, item.step)
    return len(range(*item.indices(size))) if is_known else None  # type: ignore[arg-type]


def _expanded(rank: int, key: Key, arrays: tuple[TensorSpec, ...]) -> list[Any]:
    """Return ``key`` with a slice for each axis that ``...``, or the end of the key, stands for."""
    masks = sum(len(spec.shape or ()) - 1 for spec in arrays if spec.dtype is dtypes.bool_)
    used = masks + sum(item is not None and item is not Ellipsis for item in key)
    dots = [i for i, item in enumerate(key) if item is Ellipsis]
    if used > rank or len(dots) > 1:
        got = f"{used} indices and {len(dots)} '...'"
        raise OutOfRangeError(None, None, message("getitem", "the key is too long", got, f"at most {rank} and 1"))
    at = dots[0] if dots else len(key)
    return [*key[:at], *[slice(None)] * (rank - used), *key[at + 1 :]]


def _check_index(index: int, size: int | None, axis: int) -> None:
    if size is not None and not -size <= index < size:
        wrong = message("getitem", f"the index of axis {axis} is out of range", index, f"[{-size}, {size})")
        raise OutOfRangeError(None, None, wrong)


def _getitem(x: Array, *inputs: Array, key: Key) -> Array:
    if inputs and key.count(_ARRAY) != len(inputs):
        key, inputs = _with_integers(key, inputs)
        _shape_of_item(x.shape, key, tuple(TensorSpec(array.shape, as_dtype(array.dtype)) for array in inputs))
    if inputs:
        if not is_of_numpy(x):
            _check_arrays(x.shape, key, inputs)
        given = map(snapshot, inputs)
        key = tuple(next(given) if item == _ARRAY else item for item in key)
    try:
        item = x[key]
    except IndexError as error:
        raise _out_of_range(error, x.shape) from error
    # The dtype keeps a string an object.
    return item if hasattr(item, "dtype") else np.asarray(item, x.dtype)


def _out_of_range(got: object, shape: tuple[int, ...]) -> InvalidArgumentError:
    wrong = message("getitem", "an element of the key is out of range", got, f"indices of shape {shape}")
    return InvalidArgumentError(None, None, wrong)


def _check_arrays(shape: tuple[int, ...], key: Key, arrays: tuple[Array, ...]) -> None:
    """Raise ``InvalidArgumentError`` for an index out of range, which CuPy takes for another one."""
    specs = tuple(TensorSpec(array.shape, as_dtype(array.dtype)) for array in arrays)
    given, axis = iter(arrays), 0
    for item in _expanded(len(shape), key, specs):
        array = next(given) if item == _ARRAY else None
        if array is not None and array.dtype != bool and array.size:
            low, high = int(array.min()), int(array.max())
            if low < -shape[axis] or high >= shape[axis]:
                raise _out_of_range(low if low < -shape[axis] else high, shape)
        axis += 0 if item is None else array.ndim if array is not None and array.dtype == bool else 1


def _markers(key: Key) -> list[str]:
    """Return what stands in a key, and in the bounds of its slices, for an input, in the order of the inputs."""
    items = ((item.start, item.stop, item.step) if isinstance(item, slice) else (item,) for item in key)
    return [item for item in itertools.chain.from_iterable(items) if isinstance(item, str)]


def _with_integers(key: Key, inputs: tuple[Array, ...]) -> tuple[Key, tuple[Array, ...]]:
    """Return a key with the integers that the run has brought, and the arrays for the rest of it."""
    given = iter(inputs)
    arrays = []

    def resolved(item: Any) -> Any:
        if isinstance(item, slice):
            part = slice(resolved(item.start), resolved(item.stop), resolved(item.step))
            if part.step == 0:
                raise InvalidArgumentError(None, None, _zero_step())
            return part
        if item == _ARRAY:
            arrays.append(next(given))
        return next(given).item() if item == _INTEGER else item

    return tuple(map(resolved, key)), tuple(arrays)


GETITEM = OpDefinition("StridedSlice", _infer_getitem, _getitem, "strided_slice")
