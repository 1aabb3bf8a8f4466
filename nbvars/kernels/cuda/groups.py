"""Many small variables in one launch: dense updates, and steps of optimizers, of all arrays in a list."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from nbvars.checks import message
from nbvars.kernels.cuda import assign
from nbvars.kernels.cuda.group_tables import (
    ARRAY_SHIFT,
    PART,
    PART_MASK,
    ROW_WORDS,
    VECTORS_PER_THREAD,
    Group,
    remembered,
)
from nbvars.kernels.cuda.lanes import Lane, lane_of
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel
from nbvars.kernels.cuda.memory import DeviceArray, expect_arrays, expect_updatable
from nbvars.kernels.cuda.optimizer_steps import check_step, settings_as, step
from nbvars.kernels.cuda.signature import INT64, pointers
from nbvars.kernels.cuda.step_lanes import StepLane, step_lane_of
from nbvars.kernels.cuda.toolkit import IS_SIMULATED, cuda
from nbvars.kernels.cuda.vectors import map_vectors, on_device, vector_access
from nbvars.kernels.elements import ALL, NUMERIC, Element, element_of, same_dtype
from nbvars.kernels.step_rules import STEPS, slot_dtype_of

if IS_SIMULATED:
    from nbvars.kernels.cuda.simulated_intrinsics import pointer_to
else:
    from nbvars.kernels.cuda.intrinsics import pointer_to

_UPDATES: dict[str, tuple[str, Callable[..., None]]] = {
    "assign": ("update", assign.assign),
    "assign_add": ("add", assign.assign_add),
    "assign_sub": ("sub", assign.assign_sub),
}


def _update_group(lane: Lane) -> Callable[..., None]:
    length, item_rule = lane.words_per_vector, lane.item_rule
    (load, store), combine = vector_access(length), map_vectors(lane.rule, length)
    words_at, items_at = pointer_to(lane.word), pointer_to(lane.item)
    items_per_vector = length * lane.items_per_word

    def update_group(table, sources, blocks):
        block = blocks[cuda.blockIdx.x]
        k = block >> ARRAY_SHIFT
        address, source = table[k * ROW_WORDS], sources[k]
        num_vectors, num_items = table[k * ROW_WORDS + 4], table[k * ROW_WORDS + 5]
        i = (block & PART_MASK) * PART + cuda.threadIdx.x
        j = i + NUM_THREADS
        if j < num_vectors:
            ref, value = words_at(address), words_at(source)
            # All loads before the first store: the compiler cannot know that both arrays lie apart.
            a, b = load(ref, i * length), load(value, i * length)
            c, d = load(ref, j * length), load(value, j * length)
            store(ref, i * length, combine(a, b))
            store(ref, j * length, combine(c, d))
        elif i < num_vectors:
            ref, value = words_at(address), words_at(source)
            store(ref, i * length, combine(load(ref, i * length), load(value, i * length)))
        i += num_vectors * items_per_vector
        for _ in range(VECTORS_PER_THREAD):
            if i < num_items:
                ref_items, items = items_at(address), items_at(source)
                ref_items[i] = item_rule(ref_items[i], items[i])
            i += NUM_THREADS

    return update_group


def step_body(lane: StepLane) -> Any:
    """Return ``(table, sources, block, thread, settings)``: what a thread does in the step of a group."""
    load_gradient, step_vector, step_item = lane.load_gradient, lane.step_vector, lane.step_item
    words_at, items_at, slot_at = pointer_to(lane.word), pointer_to(lane.item), pointer_to(lane.slot)
    items_per_vector = lane.items_per_vector

    def step_part(table, sources, block, thread, settings):
        k = block >> ARRAY_SHIFT
        row, grad = k * ROW_WORDS, sources[k]
        param, num_vectors, num_items = table[row], table[row + 4], table[row + 5]
        slot0, slot1, slot2 = slot_at(table[row + 1]), slot_at(table[row + 2]), slot_at(table[row + 3])
        i = (block & PART_MASK) * PART + thread
        for _ in range(VECTORS_PER_THREAD):
            if i < num_vectors:
                step_vector(words_at(param), slot0, slot1, slot2, i, load_gradient(words_at(grad), i), settings)
            at = num_vectors * items_per_vector + i
            if at < num_items:
                step_item(items_at(param), slot0, slot1, slot2, at, items_at(grad)[at], settings)
            i += NUM_THREADS

    return on_device(step_part)


def _step_group(lane: StepLane) -> Callable[..., None]:
    body = step_body(lane)

    def step_group(table, sources, blocks, a, b, c, d, e, f):
        body(table, sources, blocks[cuda.blockIdx.x], cuda.threadIdx.x, (a, b, c, d, e, f))

    return step_group


@functools.cache
def update_kernel(operation: str, element: Element) -> Kernel:
    """Return the kernel ``(table, sources, blocks)``."""
    name = f"{operation} vectors of a group of {element.name}"
    return Kernel(name, _update_group(lane_of(operation, element)), pointers(INT64, 3))


@functools.cache
def step_kernel(name: str, element: Element) -> Kernel:
    """Return the kernel ``(table, sources, blocks, *settings)``."""
    lane = step_lane_of(name, element)
    signature = (*pointers(INT64, 3), *lane.settings)
    return Kernel(f"{name} step of vectors of a group of {element.name}", _step_group(lane), signature)


def group_update(operation: str, refs: Sequence[DeviceArray], values: Sequence[DeviceArray]) -> None:
    """Make the update ``"assign"``, ``"assign_add"`` or ``"assign_sub"`` of every array in ``refs``, in one launch.

    All are of one dtype and on one GPU, each value in the shape of its ref. The values are read as they were before the
    first update. Only arrays that have memory in common are updated one after another.
    """
    where = "group_update"
    _expect_as_many(where, refs=refs, values=values)
    if not refs:
        return
    group = remembered(operation, refs, lambda: _group_of_refs(where, operation, refs))
    values = group.ready("values", values)
    if group.are_apart:
        group.update(values, ())
        return
    for ref, value in zip(refs, values, strict=True):
        _UPDATES[operation][1](ref, value)


def _group_of_refs(where: str, operation: str, refs: Sequence[DeviceArray]) -> Group:
    for ref in refs:
        expect_arrays(where, ref=ref)
        expect_arrays(where, first=refs[0], ref=ref)
        expect_updatable(where, ref)
        same_dtype(where, "ref", ref, refs[0].dtype)
    kind = _UPDATES[operation][0]
    element = element_of(kind, refs[0].dtype, where)._replace(words_per_item=1)
    return Group(where, update_kernel(kind, element), element, refs, [()] * len(refs))


def group_step(
    where: str,
    name: str,
    params: Sequence[DeviceArray],
    slots: Sequence[Sequence[DeviceArray]],
    grads: Sequence[DeviceArray],
    settings: Sequence[float],
) -> None:
    """Make the step ``name`` of every parameter, with its slots and its gradient, in one launch.

    All parameters are of one dtype and on one GPU; else as ``optimizer_steps.step``. The gradients are read as they
    were before the first step. Only arrays that have memory in common are updated one after another.
    """
    _expect_as_many(where, params=params, slots=slots, grads=grads)
    if not params:
        return
    arrays = [*params, *chain.from_iterable(slots)]
    group = remembered(name, arrays, lambda: _group_of_steps(where, name, params, slots))
    grads = group.ready("grads", grads)
    if group.are_apart:
        group.update(grads, settings_as(slot_dtype_of(group.dtype), settings))
        return
    for param, of_param, grad in zip(params, slots, grads, strict=True):
        step(where, name, param, of_param, grad, settings)


def _group_of_steps(
    where: str, name: str, params: Sequence[DeviceArray], slots: Sequence[Sequence[DeviceArray]]
) -> Group:
    element = check_steps(where, name, params, slots)
    return Group(where, step_kernel(name, element), element, params, slots)


def check_steps(
    where: str, name: str, params: Sequence[DeviceArray], slots: Sequence[Sequence[DeviceArray]]
) -> Element:
    """Return how kernels see the parameters, of which there are some; raise unless they make a step together."""
    for param, of_param in zip(params, slots, strict=True):
        element = check_step(where, name, param, of_param)
        expect_arrays(where, first=params[0], param=param)
        same_dtype(where, "param", param, params[0].dtype)
    return element


def _expect_as_many(where: str, **lists: Sequence[Any]) -> None:
    if len({len(each) for each in lists.values()}) > 1:
        got = ", ".join(f"{len(each)} {name}" for name, each in lists.items())
        raise ValueError(message(where, "the lists have different lengths", got, "one length"))


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    for operation in ("update", "add", "sub"):
        dtypes = ALL if operation == "update" else NUMERIC
        for element in {element_of(operation, dtype)._replace(words_per_item=1) for dtype in dtypes}:
            yield update_kernel(operation, element)
    elements = [element_of("add", dtype) for dtype in NUMERIC if dtype.kind in "fV"]
    yield from (step_kernel(name, element) for name in STEPS for element in elements)
