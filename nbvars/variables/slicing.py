"""How ``get_variable`` cuts a variable: what a partitioner may answer, and the slices that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbvars import ops
from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.graph.graph import Graph
from nbvars.graph.tensor import Tensor
from nbvars.runtime.tensor import EagerTensor
from nbvars.shapes import TensorShape
from nbvars.variables.save_slice_info import SaveSliceInfo


def partitions_of(partitioner: Any, shape: TensorShape, dtype: DType) -> list[int]:
    """Return what ``partitioner`` answers for a variable: the number of its parts along each axis.

    Raises:
        ValueError: The shape is not known or that of a scalar, or the answer is no list of positive numbers, as
            many as there are axes and none larger than the axis, of which one at most is larger than 1.
    """
    if not shape.is_fully_defined():
        wrong = f"Shape of a new partitioned variable must be fully defined, but instead was {shape}"
        raise ValueError(message("get_variable", wrong, shape, "known sizes"))
    if not callable(partitioner):
        wrong = f"Partitioner must be callable, but received: {partitioner}"
        raise ValueError(message("get_variable", wrong, repr(partitioner), "a function of a shape and a dtype"))
    found: Any = partitioner(shape=shape, dtype=dtype)
    wrong = _what_is_wrong(found, shape)
    if wrong:
        expected = f"{len(shape)} numbers, of which one at most is larger than 1"
        raise ValueError(message("get_variable", wrong, found, expected))
    return [int(number) for number in found]


def _what_is_wrong(partitions: Any, shape: TensorShape) -> str:
    if not isinstance(partitions, Sequence):
        return f"Partitioner must return a sequence, but saw: {partitions}"
    if len(partitions) != len(shape):
        return "Partitioner returned a partition list that does not match the Variable's rank"
    if any(number < 1 for number in partitions):
        return "Partitioner returned zero partitions for some axes"
    if sum(number > 1 for number in partitions) > 1:
        return f"Can only slice a variable along one dimension: shape {shape}"
    if any(number > max(int(size), 1) for number, size in zip(partitions, shape, strict=True)):
        return f"Partitioner returned more partitions than the shape {shape} has rows"
    return ""


def slices_of(name: str, shape: TensorShape, partitions: Sequence[int]) -> list[SaveSliceInfo]:
    """Return the slices of a variable; those of the first are one row larger where the rows do not divide evenly."""
    sizes = [int(size) for size in shape]
    axis = next((i for i, number in enumerate(partitions) if number > 1), 0)
    smallest, num_larger = divmod(sizes[axis], partitions[axis])
    slices, begin = [], 0
    for i in range(partitions[axis]):
        length = smallest + (i < num_larger)
        offset = [0] * len(sizes)
        offset[axis] = begin
        slices.append(SaveSliceInfo(name, sizes, offset, [*sizes[:axis], length, *sizes[axis + 1 :]]))
        begin += length
    return slices


def part_of(graph: Graph, value: Tensor, part: SaveSliceInfo, name: str) -> Any:
    """Return the part of ``value``, that of the whole variable, from which the slice ``name`` is initialised."""
    if isinstance(value, EagerTensor):
        ends = (first + size for first, size in zip(part.var_offset, part.var_shape, strict=True))
        return value._array[tuple(map(slice, part.var_offset, ends))]
    with graph.control_dependencies(None), graph.name_scope(f"{name}/PartitionedInitializer"):
        return ops.slice(value, part.var_offset, part.var_shape)
