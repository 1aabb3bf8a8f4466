"""What an op is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt

from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.errors import OpError, ResourceExhaustedError
from nbvars.shapes import TensorShape

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = tuple[int | None, ...] | None


class TensorSpec(NamedTuple):
    """What is known of a tensor before it is computed: ``None`` is an unknown size, or an unknown rank."""

    shape: Shape
    dtype: DType


DEFINITIONS: dict[str, OpDefinition | NodeDefinition] = {}
"""All definitions by op type: each one enters itself when it is made."""


@dataclass(frozen=True, slots=True)
class OpDefinition:
    """An op of arrays, whatever runs it.

    Attributes:
        op_type: TensorFlow's name of the op.
        infer: Takes a ``TensorSpec`` for each input, and the attributes; checks dtypes and static shapes and
            returns the spec of the output, or a tuple of specs. An attribute that holds sizes (``shape``,
            ``begin``, ...) may be ``None``: known to the run only.
        compute: Takes an array for each input, and the attributes; returns the output, or a tuple of outputs.
            An output may share the memory of an input.
        name: The name of such an operation in a graph, where it is not the type.
        run_attrs: The attributes that may be ``None`` for ``infer``: in a graph, tensors can give them.
    """

    op_type: str
    infer: Callable[..., TensorSpec | tuple[TensorSpec, ...]]
    compute: Callable[..., Any]
    name: str = ""
    run_attrs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _enter(self)


@dataclass(frozen=True, slots=True)
class NodeDefinition:
    """An op that only a graph has: placeholders, variables and their updates, conditionals and loops.

    Attributes:
        op_type: TensorFlow's name of the op.
        prepare: Takes the operation and the builder of a plan; returns the step that runs it, or ``None`` if there
            is nothing to do.
        outputs: Takes the list of inputs and the attributes; checks them and returns dtype and static shape of each
            output. ``None``: there are none, or a node of a ``GraphDef`` says them.
    """

    op_type: str
    prepare: Callable[..., Any]
    outputs: Callable[..., list[tuple[DType, TensorShape]]] | None = None

    def __post_init__(self) -> None:
        _enter(self)


def _enter(definition: OpDefinition | NodeDefinition) -> None:
    assert definition.op_type not in DEFINITIONS, definition.op_type
    DEFINITIONS[definition.op_type] = definition


def beyond_memory(op_type: str, spec: object, error: Exception) -> Exception:
    """Return the error for one that NumPy raised in ``compute``.

    All that a shape can be wrong in, ``infer`` has checked: what is left is that NumPy finds it too large.
    """
    if isinstance(error, OpError):
        return error
    wrong = message(op_type, "the result does not fit into memory", spec, "a smaller result")
    return ResourceExhaustedError(None, None, wrong)


_MOST_AXES = 64
"""The highest rank of NumPy's arrays."""


def check_rank(op_type: str, spec: TensorSpec | tuple[TensorSpec, ...]) -> None:
    """Raise ``ValueError`` if a result has more axes than NumPy allows: ``take`` of NumPy 2.4 would crash."""
    if type(spec) is TensorSpec and spec.shape is not None and len(spec.shape) > _MOST_AXES:
        got, expected = len(spec.shape), f"at most {_MOST_AXES}"
        raise ValueError(message(op_type, "the result has too many axes", got, expected))
