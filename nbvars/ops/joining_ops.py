"""Tensors put together and taken apart: concat, stack, split, tile, pad."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.graph.tensor import Symbolic, Tensor, TensorValue
from nbvars.ops.array_functions import is_of_numpy
from nbvars.ops.legacy_arguments import renamed
from nbvars.ops.shape_rules import (
    Sizes,
    as_int,
    as_sizes,
    check_number,
    check_rank_at_least,
    check_same_dtype,
    check_scalar,
    is_symbolic,
    merge_shapes,
    normal_axis,
)
from nbvars.runtime.conversion import graph_tensor_of, match
from nbvars.runtime.definition import Array, OpDefinition, Shape, TensorSpec
from nbvars.runtime.dispatch import apply_op, apply_op_to_many
from nbvars.shapes import TensorShape


def _infer_concat(*values: TensorSpec, axis: int) -> TensorSpec:
    dtype = values[0].dtype
    for i, value in enumerate(values):
        check_same_dtype("concat", f"values[{i}]", value.dtype, dtype)
        check_rank_at_least("concat", f"values[{i}]", value.shape, 1)
    rank = max(len(value.shape or ()) for value in values)
    if rank == 0:
        return TensorSpec(None, dtype)
    at = normal_axis("concat", axis, rank)
    total: int | None = 0
    others: Shape = None
    for i, value in enumerate(values):
        own = (None,) * rank if value.shape is None else value.shape
        length = own[at] if at < len(own) else None
        total = None if total is None or length is None else total + length
        others = merge_shapes("concat", f"values[{i}]", others, (*own[:at], None, *own[at + 1 :]))
    return TensorSpec((*(others or ())[:at], total, *(others or ())[at + 1 :]), dtype)


_INTEGERS = (int, np.integer)

CONCAT = OpDefinition("ConcatV2", _infer_concat, lambda *values, axis: np.concatenate(values, axis), "concat")


def concat(
    values: Sequence[TensorValue] | int,
    axis: int | Sequence[TensorValue] | None = None,
    name: str | None = None,
    concat_dim: int | None = None,
) -> Tensor:
    """Join tensors of one dtype along an axis that they have.

    The order of TensorFlow 0.x, ``concat(axis, values)``, is understood, too, and ``concat_dim`` for ``axis``.

    Source: TensorFlow 1 API pages, ``tf.concat``.
    """
    if concat_dim is not None:
        axis = renamed("concat", "axis", axis, "concat_dim", concat_dim)
    elif isinstance(values, _INTEGERS) and isinstance(axis, (list, tuple)):
        values, axis = axis, values
    inputs = _inputs("concat", values)
    return apply_op(CONCAT, *inputs, name=name, axis=as_int("concat", "axis", axis))


def _infer_stack(*values: TensorSpec, axis: int) -> TensorSpec:
    result, dtype = values[0]
    for i, value in enumerate(values):
        check_same_dtype("stack", f"values[{i}]", value.dtype, dtype)
        result = merge_shapes("stack", f"values[{i}]", result, value.shape)
    if result is None:
        return TensorSpec(None, dtype)
    at = normal_axis("stack", axis, len(result) + 1)
    return TensorSpec((*result[:at], len(values), *result[at:]), dtype)


STACK = OpDefinition("Pack", _infer_stack, lambda *values, axis: np.stack(values, axis), "stack")


def stack(values: Sequence[TensorValue], axis: int = 0, name: str | None = None) -> Tensor:
    """Join tensors of one shape and dtype along a new axis.

    Source: TensorFlow 1 API pages, ``tf.stack``.
    """
    return apply_op(STACK, *_inputs("stack", values), name=name, axis=as_int("stack", "axis", axis))


def _inputs(op: str, values: Any) -> list[Any]:
    """Return a list of tensors, or the rows of one tensor, as inputs."""
    if isinstance(values, Symbolic):
        values = unstack(values)
    values = list(values) if np.iterable(values) and not isinstance(values, (str, bytes)) else [values]
    if not values:
        raise ValueError(message(op, "values has no elements", values, "a list of tensors"))
    return match(op, *values)


def _infer_unstack(x: TensorSpec, num: int | None, axis: int) -> tuple[TensorSpec, ...]:
    check_rank_at_least("unstack", "value", x.shape, 1)
    row: Shape = None
    if x.shape is not None:
        at = normal_axis("unstack", axis, len(x.shape))
        row = x.shape[:at] + x.shape[at + 1 :]
        if num is not None and x.shape[at] not in (num, None):
            raise ValueError(message("unstack", "num is not the size of the axis", num, x.shape[at]))
        num = x.shape[at] if num is None else num
    if num is None:
        raise ValueError(message("unstack", "the number of tensors is not known", x.shape, "a known size", "pass num"))
    return (TensorSpec(row, x.dtype),) * num


def _unstack(x: Array, num: int | None, axis: int) -> tuple[Array, ...]:
    rows = np.moveaxis(x, axis, 0)
    # The dtype keeps a string an object.
    is_ready = rows.ndim > 1 or not is_of_numpy(x)
    return tuple(rows) if is_ready else tuple([np.asarray(element, x.dtype) for element in rows])


UNSTACK = OpDefinition("Unpack", _infer_unstack, _unstack, "unstack")


def unstack(value: TensorValue, num: int | None = None, axis: int = 0, name: str | None = "unstack") -> list[Tensor]:
    """Take a tensor apart into the list of its slices along an axis.

    Source: TensorFlow 1 API pages, ``tf.unstack``.
    """
    count = None if num is None else as_int("unstack", "num", num)
    return list(apply_op_to_many(UNSTACK, value, name=name, num=count, axis=as_int("unstack", "axis", axis)))


def _split_sizes(length: int | None, sizes: int | tuple[int, ...]) -> tuple[int | None, ...]:
    """Return the size of each part; one of ``sizes`` may be -1, which is then what is left."""
    if isinstance(sizes, int):
        if sizes < 1 or (length is not None and length % sizes):
            raise ValueError(
                message("split", "the axis cannot be split evenly", f"{sizes} parts", f"a number that divides {length}")
            )
        return (None if length is None else length // sizes,) * sizes
    given = sum(size for size in sizes if size != -1)
    has_rest = sizes.count(-1) == 1
    is_possible = sizes.count(-1) <= 1 and all(size >= -1 for size in sizes)
    if not is_possible or (length is not None and (given > length or (given < length and not has_rest))):
        raise ValueError(message("split", "the sizes do not add up to the axis", sizes, f"a sum of {length}"))
    rest = None if length is None else length - given
    return tuple(rest if size == -1 else size for size in sizes)


def _infer_split(x: TensorSpec, num_or_size_splits: int | tuple[int, ...], axis: int) -> tuple[TensorSpec, ...]:
    check_rank_at_least("split", "value", x.shape, 1)
    if x.shape is None:
        num = num_or_size_splits if isinstance(num_or_size_splits, int) else len(num_or_size_splits)
        return (TensorSpec(None, x.dtype),) * num
    at = normal_axis("split", axis, len(x.shape))
    parts = _split_sizes(x.shape[at], num_or_size_splits)
    return tuple(TensorSpec((*x.shape[:at], part, *x.shape[at + 1 :]), x.dtype) for part in parts)


def _split(x: Array, num_or_size_splits: int | tuple[int, ...], axis: int) -> tuple[Array, ...]:
    sizes = _split_sizes(x.shape[axis], num_or_size_splits)
    return tuple(np.split(x, list(itertools.accumulate(sizes))[:-1], axis)) if sizes else ()  # type: ignore[arg-type]


SPLIT = OpDefinition("SplitV", _infer_split, _split, "split")


def split(
    value: TensorValue,
    num_or_size_splits: Any = None,
    axis: Any = None,
    name: str | None = None,
    split_dim: int | None = None,
    num_split: int | None = None,
) -> list[Tensor]:
    """Cut a tensor along an axis (by default 0), into a number of equal parts or into parts of the given sizes.

    One size may be -1, which is then what is left. The order of TensorFlow 0.x, ``split(axis, number, value)``, is
    understood, too, as are the names ``split_dim`` and ``num_split``.

    Source: TensorFlow 1 API pages, ``tf.split``.
    """
    if split_dim is not None:
        axis = renamed("split", "axis", axis, "split_dim", split_dim)
    elif isinstance(value, _INTEGERS) and axis is not None and not isinstance(axis, _INTEGERS):
        value, axis = axis, value
    if num_split is not None:
        num_or_size_splits = renamed("split", "num_or_size_splits", num_or_size_splits, "num_split", num_split)
    sizes: int | tuple[int, ...]
    if isinstance(num_or_size_splits, (list, tuple)):
        sizes = as_sizes("split", "num_or_size_splits", num_or_size_splits)
    elif np.ndim(num_or_size_splits) == 0:
        sizes = as_int("split", "num_or_size_splits", num_or_size_splits)
    else:
        sizes = as_sizes("split", "num_or_size_splits", num_or_size_splits)
    at = as_int("split", "axis", 0 if axis is None else axis)
    return list(apply_op_to_many(SPLIT, value, name=name, num_or_size_splits=sizes, axis=at))


def _infer_tile(x: TensorSpec, multiples: tuple[int, ...] | None) -> TensorSpec:
    if multiples is None or x.shape is None:
        return TensorSpec(x.shape and (None,) * len(x.shape), x.dtype)
    if len(multiples) != len(x.shape):
        raise ValueError(message("tile", "multiples has the wrong length", len(multiples), len(x.shape)))
    if any(multiple < 0 for multiple in multiples):
        raise ValueError(message("tile", "multiples has a negative number", multiples, "0 or more"))
    sizes = (None if size is None else size * n for size, n in zip(x.shape, multiples, strict=True))
    return TensorSpec(tuple(sizes), x.dtype)


def _tile(x: Array, multiples: tuple[int, ...]) -> Array:
    return np.tile(x, multiples)


TILE = OpDefinition("Tile", _infer_tile, _tile, run_attrs=("multiples",))


def tile(input: TensorValue, multiples: Sizes, name: str | None = None) -> Tensor:
    """Repeat a tensor ``multiples[i]`` times along each axis ``i``.

    Source: TensorFlow 1 API pages, ``tf.tile``.
    """
    return apply_op(TILE, input, name=name, multiples=as_sizes("tile", "multiples", multiples))


_PAD_MODES = {"CONSTANT": "constant", "REFLECT": "reflect", "SYMMETRIC": "symmetric"}


def _infer_pad(x: TensorSpec, value: TensorSpec, paddings: tuple[int, ...] | None, mode: str) -> TensorSpec:
    check_number("pad", "tensor", x.dtype)
    check_same_dtype("pad", "constant_values", value.dtype, x.dtype)
    check_scalar("pad", "constant_values", value.shape)
    if paddings is None or x.shape is None:
        return TensorSpec(x.shape and (None,) * len(x.shape), x.dtype)
    if len(paddings) != 2 * len(x.shape):
        raise ValueError(message("pad", "paddings has the wrong length", len(paddings) // 2, len(x.shape)))
    if any(padding < 0 for padding in paddings):
        raise ValueError(message("pad", "paddings has a negative number", paddings, "0 or more"))
    sizes = []
    for i, size in enumerate(x.shape):
        before, after = paddings[2 * i : 2 * i + 2]
        # A reflection leaves out the border, so it has one element less to give.
        limit = None if size is None or mode == "CONSTANT" else size - (mode == "REFLECT")
        if limit is not None and max(before, after) > max(limit, 0):
            wrong = f"mode {mode} cannot pad axis {i} that far"
            raise ValueError(message("pad", wrong, max(before, after), f"at most {max(limit, 0)}"))
        sizes.append(None if size is None else before + size + after)
    return TensorSpec(tuple(sizes), x.dtype)


def _pad(x: Array, value: Array, paddings: tuple[int, ...], mode: str) -> Array:
    pairs = [paddings[i : i + 2] for i in range(0, len(paddings), 2)]
    if mode != "CONSTANT":
        return np.pad(x, pairs, mode=_PAD_MODES[mode]) if x.ndim else x  # type: ignore[call-overload]
    # np.pad takes its time, and CuPy's no value that is on a GPU.
    sizes = [before + size + after for size, (before, after) in zip(x.shape, pairs, strict=True)]
    padded = np.empty(sizes, x.dtype, like=x)
    padded[...] = value
    padded[tuple([slice(before, before + size) for size, (before, _) in zip(x.shape, pairs, strict=True)])] = x
    return padded


PAD = OpDefinition("Pad", _infer_pad, _pad, run_attrs=("paddings",))


def pad(
    tensor: TensorValue,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: TensorValue = 0,
) -> Tensor:
    """Add ``paddings[i]``, a pair ``(before, after)``, elements around each axis ``i``.

    Args:
        tensor: The tensor to pad.
        paddings: Integers of shape ``[rank, 2]``.
        mode: ``"CONSTANT"``, ``"REFLECT"`` (the border is not repeated) or ``"SYMMETRIC"`` (it is).
        name: Name of the op.
        constant_values: The scalar to pad with in mode ``"CONSTANT"``.

    Source: TensorFlow 1 API pages, ``tf.pad``.
    """
    if str(mode).upper() not in _PAD_MODES:
        raise ValueError(message("pad", "unknown mode", repr(mode), f"one of {list(_PAD_MODES)}"))
    pairs = graph_tensor_of(paddings, "paddings", where="pad") if is_symbolic(paddings) else np.asarray(paddings)
    shape = TensorShape(pairs.shape)
    if not shape.is_compatible_with([None, 2]):
        raise ValueError(message("pad", "paddings has the wrong shape", shape, "(rank, 2)"))
    # False becomes the zero of any dtype; 0 would not become that of bool.
    is_zero = type(constant_values) is int and constant_values == 0
    inputs = match("pad", tensor, False if is_zero else constant_values)
    return apply_op(PAD, *inputs, name=name, paddings=as_sizes("pad", "paddings", pairs), mode=mode.upper())
