"""Steps of optimizers in a captured graph: their settings lie in the GPU's memory, so that each replay has its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from nbvars.capturing import expect_no_capture
from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.group_tables import Group, remembered
from nbvars.kernels.cuda.groups import check_steps, step_body
from nbvars.kernels.cuda.launch import Kernel
from nbvars.kernels.cuda.memory import DeviceArray, empty
from nbvars.kernels.cuda.optimizer_steps import settings_as
from nbvars.kernels.cuda.signature import INT64, Pointer, pointers
from nbvars.kernels.cuda.step_lanes import StepLane, step_lane_of
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.kernels.elements import NUMERIC, Element, element_of
from nbvars.kernels.step_rules import NUM_SETTINGS, STEPS, slot_dtype_of


class SettingsInMemory:
    """Settings of a step in the memory of a GPU, which are sent there when they differ from the last."""

    def __init__(self, dtype: np.dtype[Any], device: int) -> None:
        # ``dtype`` is that of the parameters.
        self.array = empty((NUM_SETTINGS,), slot_dtype_of(dtype), device)
        self._sent = b""

    def send(self, settings: Sequence[float]) -> None:
        """Have steps that the current stream is asked for from now on make use of ``settings``."""
        numbers = np.array(settings_as(self.array.dtype, settings), self.array.dtype)
        if numbers.tobytes() != self._sent:
            backend.copy_from_host(self.array.device, self.array.pointer, numbers)
            self._sent = numbers.tobytes()


def _step_group(lane: StepLane) -> Callable[..., None]:
    body = step_body(lane)

    def step_group(table, sources, blocks, settings):
        given = (settings[0], settings[1], settings[2], settings[3], settings[4], settings[5])
        body(table, sources, blocks[cuda.blockIdx.x], cuda.threadIdx.x, given)

    return step_group


@functools.cache
def step_kernel(name: str, element: Element) -> Kernel:
    """Return the kernel ``(table, sources, blocks, settings)``."""
    lane = step_lane_of(name, element)
    signature = (*pointers(INT64, 3), Pointer(lane.slot))
    what = f"{name} step of vectors of a group of {element.name} with settings in memory"
    return Kernel(what, _step_group(lane), signature)


def captured_group_step(
    where: str,
    name: str,
    params: Sequence[DeviceArray],
    slots: Sequence[Sequence[DeviceArray]],
    grads: Sequence[DeviceArray],
    settings: SettingsInMemory,
) -> None:
    """Make the step ``name`` of every parameter in one launch, as ``group_step``, by what ``settings`` are by then.

    Raises:
        FailedPreconditionError: Some of the arrays have memory in common.
    """
    arrays = [*params, *chain.from_iterable(slots)]
    group = remembered(f"{name} captured", arrays, lambda: _group_of(where, name, params, slots))
    grads = group.ready("grads", grads)
    if not group.are_apart:
        wrong = "variables or slots that have memory in common cannot make a step together"
        expect_no_capture(where, wrong, "apply their gradients one after another")
    group.update(grads, (settings.array.pointer,))


def _group_of(where: str, name: str, params: Sequence[DeviceArray], slots: Sequence[Sequence[DeviceArray]]) -> Group:
    element = check_steps(where, name, params, slots)
    return Group(where, step_kernel(name, element), element, params, slots)


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    elements = [element_of("add", dtype) for dtype in NUMERIC if dtype.kind in "fV"]
    yield from (step_kernel(name, element) for name in STEPS for element in elements)
