"""``Sums``: the gradients that came to each tensor by several ways, added up when they are asked for."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from nbvars.autodiff.node import Gradient
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import Tensor
from nbvars.ops.cast_ops import cast
from nbvars.ops.joining_ops import concat
from nbvars.ops.math_ops import add_n
from nbvars.runtime.conversion import convert_to_tensor


class Sums:
    """What flows back to each tensor: told apart by identity, as the elements of eager tensors compare."""

    def __init__(self) -> None:
        self._parts: dict[int, list[Tensor | IndexedSlices]] = defaultdict(list)

    def add(self, tensor: Any, gradient: Gradient) -> None:
        """Add what came by one more way."""
        if gradient is not None:
            self._parts[id(tensor)].append(gradient)

    def total(self, tensor: Any) -> Gradient:
        """Return the sum for ``tensor``: ``None`` if nothing came; slices stay slices if only slices came."""
        parts = self._parts.get(id(tensor))
        if not parts:
            return None
        if len(parts) > 1:
            # The sum takes the place of the parts, so that a tensor that is asked for twice is added up once.
            self._parts[id(tensor)] = parts = [_sum(parts)]
        return parts[0]


def dense(gradient: Gradient) -> Any:
    """Return a gradient as a tensor; ``None`` stays ``None``."""
    return convert_to_tensor(gradient) if isinstance(gradient, IndexedSlices) else gradient


def _sum(parts: list[Tensor | IndexedSlices]) -> Tensor | IndexedSlices:
    slices = [part for part in parts if isinstance(part, IndexedSlices)]
    if len(slices) < len(parts):
        return add_n([dense(part) for part in parts])
    # A row that is named twice counts twice: that is the sum.
    dtype = slices[0].indices.dtype
    same = all(each.indices.dtype is dtype for each in slices)
    indices = [each.indices if same else _as_int64(each.indices) for each in slices]
    return IndexedSlices(concat([each.values for each in slices], 0), concat(indices, 0), slices[0]._dense_shape)


def _as_int64(indices: Tensor) -> Tensor:
    """Return indices as int64."""
    return cast(indices, "int64")
