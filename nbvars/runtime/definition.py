"""What an op is, and how it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.dtypes import DType
from nbvars.errors import OpError, ResourceExhaustedError
from nbvars.runtime.context import current_device
from nbvars.runtime.conversion import borrow
from nbvars.runtime.quiet import quietly
from nbvars.runtime.tensor import Tensor

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = tuple[int | None, ...] | None


_MOST_AXES = 64
"""The highest rank of NumPy's arrays."""


class TensorSpec(NamedTuple):
    """What is known of a tensor before it is computed: ``None`` is an unknown size, or an unknown rank."""

    shape: Shape
    dtype: DType


@dataclass(frozen=True, slots=True)
class OpDefinition:
    """An op, whatever runs it.

    Attributes:
        op_type: TensorFlow's name of the op.
        infer: Takes a ``TensorSpec`` for each input, and the attributes; checks dtypes and static shapes and
            returns the spec of the output, or a tuple of specs. An attribute that holds sizes (``shape``,
            ``begin``, ...) may be ``None``: known to the run only.
        compute: Takes an array for each input, and the attributes; returns the output, or a tuple of outputs.
            An output may share the memory of an input.
    """

    op_type: str
    infer: Callable[..., TensorSpec | tuple[TensorSpec, ...]]
    compute: Callable[..., Any]


def apply_op(definition: OpDefinition, *inputs: Any, name: str | None = None, **attrs: Any) -> Tensor:
    """Run an op of one output on ``inputs``, which are converted as ``convert_to_tensor`` does."""
    arrays, specs, lent = [], [], []
    for value in inputs:
        if type(value) is Tensor:
            array, dtype = value._array, value._dtype
        else:
            # The memory of a variable or of a user's array may change later: no result may share it.
            tensor = borrow(value)
            array, dtype = tensor._array, tensor._dtype
            lent.append(array)
        arrays.append(array)
        specs.append(TensorSpec(array.shape, dtype))
    spec = definition.infer(*specs, **attrs)
    # Before NumPy sees it: some of its functions (take, in 2.4) crash the process beyond this rank.
    if type(spec) is TensorSpec and spec.shape is not None and len(spec.shape) > _MOST_AXES:
        raise ValueError(
            message(definition.op_type, "the result has too many axes", len(spec.shape), f"at most {_MOST_AXES}")
        )
    try:
        result = quietly(definition.compute, *arrays, **attrs)
    except (MemoryError, ValueError) as error:
        # All that a shape can be wrong in, ``infer`` has checked: what is left is that NumPy finds it too large.
        if isinstance(error, OpError):
            raise
        wrong = message(definition.op_type, "the result does not fit into memory", spec, "a smaller result")
        raise ResourceExhaustedError(None, None, wrong) from error
    if type(spec) is TensorSpec:
        return _as_result(result, spec.dtype, lent)
    results = zip(result, cast("tuple[TensorSpec, ...]", spec), strict=True)
    return cast("Tensor", tuple(_as_result(output, output_spec.dtype, lent) for output, output_spec in results))


def apply_op_to_many(
    definition: OpDefinition, *inputs: Any, name: str | None = None, **attrs: Any
) -> tuple[Tensor, ...]:
    """Run an op of several outputs, as ``apply_op`` does one of a single output."""
    return cast("tuple[Tensor, ...]", apply_op(definition, *inputs, name=name, **attrs))


def _as_result(result: Any, dtype: DType, lent: list[Array]) -> Tensor:
    """Return a tensor of what an op computed."""
    array = result if type(result) is np.ndarray else np.asarray(result)
    if lent and any(np.may_share_memory(array, other) for other in lent):
        array = array.copy()
    array.flags.writeable = False
    return Tensor(array, dtype, current_device())
