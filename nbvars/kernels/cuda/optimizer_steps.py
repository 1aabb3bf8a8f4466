"""Steps of optimizers: parameter, slots and gradient in one pass.

float16 and bfloat16 parameters have float32 slots: a step is computed in float32 and the parameter rounded once. The
bits are those of the CPU, but of ``ftrl`` with another power than -0.5, which each device has its own function for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel, num_blocks_for
from nbvars.kernels.cuda.memory import DeviceArray, expect_arrays, expect_updatable
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.step_lanes import StepLane, step_lane_of
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.kernels.cuda.vectors import are_aligned
from nbvars.kernels.elements import NUMERIC, Element, element_of, same_dtype
from nbvars.kernels.step_rules import NUM_SETTINGS, STEPS, slot_dtype_of


def _by_vectors(lane: StepLane) -> Callable[..., None]:
    """Return the kernel that makes a step of vectors, and of single items from ``first_item`` on."""
    load_gradient, step_vector, step_item = lane.load_gradient, lane.step_vector, lane.step_item

    def step_by_vectors(
        param, grad, num_vectors, items, grad_items, first_item, num_items, slot0, slot1, slot2, a, b, c, d, e, f
    ):
        settings = (a, b, c, d, e, f)
        i = cuda.grid(1)
        if i < num_vectors:
            step_vector(param, slot0, slot1, slot2, i, load_gradient(grad, i), settings)
        i += first_item
        if i < num_items:
            step_item(items, slot0, slot1, slot2, i, grad_items[i], settings)

    return step_by_vectors


@functools.cache
def dense_kernel(name: str, element: Element) -> Kernel:
    """Return the kernel ``(param, grad, num_vectors, param, grad, first_item, num_items, *slots, *settings)``.

    There are three slots; at those that the step has not it never looks.
    """
    lane = step_lane_of(name, element)
    word, item = Pointer(lane.word), Pointer(lane.item)
    signature = (word, word, INT64, item, item, INT64, INT64, *lane.slot_pointers, *lane.settings)
    return Kernel(f"{name} step of vectors of {element.name}", _by_vectors(lane), signature)


def step(
    where: str,
    name: str,
    param: DeviceArray,
    slots: Sequence[DeviceArray],
    grad: DeviceArray,
    settings: Sequence[float],
) -> None:
    """Make the step ``name`` of a whole parameter.

    Args:
        where: Names the caller in errors.
        name: One of ``STEPS``.
        param: The parameter, floating.
        slots: As many as the step has, in the shape of ``param``; float32 for 16-bit parameters, else its dtype.
        grad: The gradient, in shape and dtype of ``param``.
        settings: In the order of ``STEPS[name].settings``.
    """
    element = check_step(where, name, param, slots)
    expect_gradient(where, param, grad)
    if grad.shape != param.shape:
        raise ValueError(message(where, "grad has the wrong shape", grad.shape, param.shape))
    if param.size == 0:
        return
    grad = apart(grad, param, slots)
    lane = step_lane_of(name, element)
    slots_at, arrays = slot_pointers(slots), (param.pointer, grad.pointer)
    num_vectors = param.size // lane.items_per_vector if are_aligned(*arrays, *slots_at) else 0
    vectors = (*(arrays if num_vectors else (0, 0)), num_vectors)
    items = (*arrays, num_vectors * lane.items_per_vector, param.size)
    num_blocks = num_blocks_for(num_vectors or param.size, NUM_THREADS)
    dense_kernel(name, element).launch(
        param.device, num_blocks, NUM_THREADS, *vectors, *items, *slots_at, *settings_as(lane.slot, settings)
    )


def check_step(where: str, name: str, param: DeviceArray, slots: Sequence[DeviceArray]) -> Element:
    """Return how kernels see the parameter; raise unless the step can be made of it and its slots."""
    expect_arrays(where, param=param)
    expect_updatable(where, param)
    if param.dtype.kind not in "fV":
        raise TypeError(message(where, "the variable has the wrong dtype", param.dtype.name, "a floating dtype"))
    slot_dtype = slot_dtype_of(param.dtype)
    for slot in slots:
        expect_arrays(where, param=param, slot=slot)
        expect_updatable(where, slot)
        if slot.shape != param.shape or slot.dtype != slot_dtype:
            got, expected = f"{slot.dtype} of shape {slot.shape}", f"{slot_dtype} of shape {param.shape}"
            raise ValueError(message(where, "a slot does not fit the variable", got, expected))
    num_slots = STEPS[name].num_slots
    if len(slots) != num_slots:
        raise ValueError(message(where, "the number of slots is wrong", len(slots), num_slots))
    return element_of("add", param.dtype, where)


def expect_gradient(where: str, param: DeviceArray, grad: DeviceArray) -> None:
    """Raise unless ``grad`` is an array on the same GPU as ``param``, of its dtype."""
    expect_arrays(where, param=param, grad=grad)
    same_dtype(where, "grad", grad, param.dtype)


def apart(grad: DeviceArray, param: DeviceArray, slots: Sequence[DeviceArray]) -> DeviceArray:
    """Return ``grad``, copied if it lies in memory that the step writes."""
    return grad.copy() if any(grad.overlaps(other) for other in (param, *slots)) else grad


def slot_pointers(slots: Sequence[DeviceArray]) -> tuple[int, ...]:
    """Return three addresses: 0 of slots that are not there."""
    return (*(slot.pointer for slot in slots), 0, 0, 0)[:3]


def settings_as(precision: np.dtype[Any], settings: Sequence[float]) -> tuple[Any, ...]:
    """Return the settings as kernels take them: ``NUM_SETTINGS`` numbers in the precision of the slots."""
    numbers = [precision.type(setting) for setting in settings]
    return (*numbers, *[precision.type(0)] * (NUM_SETTINGS - len(numbers)))


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    elements = [element_of("add", dtype) for dtype in NUMERIC if dtype.kind in "fV"]
    yield from (dense_kernel(name, element) for name in STEPS for element in elements)
