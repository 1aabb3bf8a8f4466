"""Steps of a plan that concern a GPU: copies between devices, and ops that run there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.runtime.cuda_dispatch import compute_on_gpu
from nbvars.runtime.cuda_tensor import number_of
from nbvars.runtime.definition import OpDefinition, TensorSpec
from nbvars.runtime.steps import Slots, Step


def on_device(value: Any, place: str) -> Any:
    """Return ``value``, an array of the host or of a GPU, as one on ``place``: a copy if it is not there."""
    if place == "/cpu:0":
        return value if isinstance(value, np.ndarray) else to_host(value)
    from nbvars.kernels.cuda.memory import DeviceArray, to_device

    number = number_of(place)
    if not isinstance(value, DeviceArray):
        return to_device(np.asarray(value), number)
    return value if value.device == number else value.copy_to_device(number)


def to_host(array: Any) -> npt.NDArray[Any]:
    """Return a copy of an array of a GPU in the host's memory."""
    from nbvars.cuda_storage import to_host

    return to_host(array)


def moving(source: int, target: int, place: str) -> Step:
    """Return the step that copies what is in one slot to another one, on ``place``."""

    def run(slots: Slots) -> None:
        slots[target] = on_device(slots[source], place)

    return run


def computation_on_gpu(
    definition: OpDefinition,
    specs: Sequence[TensorSpec],
    inputs: list[int],
    attrs: dict[str, Any],
    outputs: list[int],
    is_lent: bool,
) -> Step:
    """Return the step of an op of arrays on a GPU; arguments as those of ``computation``.

    The slots of ``inputs`` hold arrays of the GPU, those of attributes that only the run knows arrays of the host.
    """
    given = [key for key in definition.run_attrs if key not in attrs]

    def run(slots: Slots) -> None:
        values = [slots[slot].tolist() for slot in inputs[len(specs) :]]
        sizes = [tuple(value) if isinstance(value, list) else value for value in values]
        arrays = [slots[slot] for slot in inputs[: len(specs)]]
        known = [TensorSpec(array.shape, spec.dtype) for array, spec in zip(arrays, specs, strict=True)]
        lent = arrays if is_lent else ()
        results = compute_on_gpu(definition, arrays, known, {**attrs, **dict(zip(given, sizes, strict=True))}, lent)
        for slot, result in zip(outputs, results, strict=True):
            slots[slot] = result

    return run
