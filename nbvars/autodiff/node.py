"""``Node``: what a gradient sees of an op, in either mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import Tensor

Gradient: TypeAlias = Tensor | IndexedSlices | None


class Node(NamedTuple):
    """One op that ran, or that will: its type, inputs, outputs and attributes.

    An attribute that a tensor gives, such as the shape of ``reshape``, is that tensor.
    """

    op_type: str
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    attrs: dict[str, Any]


GradientFunction: TypeAlias = Callable[..., list[Any] | tuple[Gradient, ...] | Gradient]
"""Takes a ``Node`` and a gradient for each of its outputs; returns one for each input, or that of the only one."""

Table: TypeAlias = dict[str, GradientFunction | None]
"""By op type; ``None`` for an op through which nothing flows."""
