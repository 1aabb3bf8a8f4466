"""assign, assign_add, assign_sub: dense updates, in place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.kernels.cuda.lanes import Lane, lane_of, packing
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel, num_blocks_for
from nbvars.kernels.cuda.memory import DeviceArray, expect_arrays, expect_updatable
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.kernels.cuda.vectors import VECTOR_BYTES, are_aligned, map_vectors, on_device, vector_access
from nbvars.kernels.elements import ALL, NUMERIC, Element, element_of, same_dtype

VECTORS_PER_THREAD = 4
"""A thread has so many accesses of 16 bytes under way."""


def _by_vectors(lane: Lane) -> Callable[..., None]:
    """Return the kernel that updates vectors, and the few items after the last of them, by those of ``value``."""
    length, item_rule = lane.words_per_vector, lane.item_rule
    (load, store), combine = vector_access(length), map_vectors(lane.rule, length)

    def update_by_vectors(ref, value, num_vectors, ref_items, items, first_item, num_items):
        i = cuda.blockIdx.x * (NUM_THREADS * VECTORS_PER_THREAD) + cuda.threadIdx.x
        j, k, m = i + NUM_THREADS, i + 2 * NUM_THREADS, i + 3 * NUM_THREADS
        if m < num_vectors:
            # All loads before the first store: the compiler cannot know that both arrays lie apart.
            a, b = load(ref, i * length), load(value, i * length)
            c, d = load(ref, j * length), load(value, j * length)
            e, f = load(ref, k * length), load(value, k * length)
            g, h = load(ref, m * length), load(value, m * length)
            store(ref, i * length, combine(a, b))
            store(ref, j * length, combine(c, d))
            store(ref, k * length, combine(e, f))
            store(ref, m * length, combine(g, h))
        else:
            for _ in range(VECTORS_PER_THREAD):
                if i < num_vectors:
                    store(ref, i * length, combine(load(ref, i * length), load(value, i * length)))
                i += NUM_THREADS
        i = first_item + cuda.grid(1)
        if i < num_items:  # fewer than a vector has, so that one block has threads for all
            ref_items[i] = item_rule(ref_items[i], items[i])

    return update_by_vectors


def _by_items(lane: Lane) -> Callable[..., None]:
    """Return the kernel that updates items one by one, wherever they lie."""
    rule = lane.item_rule

    def update_by_items(ref, value, num_items):
        i = cuda.grid(1)
        if i < num_items:
            ref[i] = rule(ref[i], value[i])

    return update_by_items


def _by_one_item(lane: Lane, words_per_item: int, is_in_memory: bool) -> Callable[..., None]:
    """Return the kernel that updates all items by one: ``x``, or ``x`` and ``y`` of a complex number.

    ``is_in_memory``: the kernel takes an address of both instead. Items that do not lie in vectors begin at
    ``first_item``.
    """
    length, item_rule, packed = lane.words_per_vector, lane.item_rule, packing(lane)
    (load, store), combine = vector_access(length), map_vectors(lane.rule, length)
    is_pair = words_per_item == 2

    @on_device
    def update(ref, num_vectors, ref_items, first_item, num_items, x, y):
        word, other = packed(x), packed(y)
        vector = (word, other, word, other) if length == 4 else (word, other)
        i = cuda.blockIdx.x * (NUM_THREADS * VECTORS_PER_THREAD) + cuda.threadIdx.x
        for _ in range(VECTORS_PER_THREAD):
            if i < num_vectors:
                store(ref, i * length, combine(load(ref, i * length), vector))
            i += NUM_THREADS
        i = first_item + cuda.grid(1)
        if i < num_items:
            ref_items[i] = item_rule(ref_items[i], y if is_pair and i & 1 else x)

    def update_by_item(ref, num_vectors, ref_items, first_item, num_items, x, y):
        update(ref, num_vectors, ref_items, first_item, num_items, x, y)

    def update_by_item_at(ref, num_vectors, ref_items, first_item, num_items, value):
        update(ref, num_vectors, ref_items, first_item, num_items, value[0], value[words_per_item - 1])

    return update_by_item_at if is_in_memory else update_by_item


@functools.cache
def vectors_kernel(operation: str, element: Element) -> Kernel:
    """Return the kernel ``(ref, value, num_vectors, ref_items, items, first_item, num_items)``."""
    lane = lane_of(operation, element)
    word, item = Pointer(lane.word), Pointer(lane.item)
    signature = (word, word, INT64, item, item, INT64, INT64)
    return Kernel(f"{operation} vectors of {element.name}", _by_vectors(lane), signature)


@functools.cache
def items_kernel(operation: str, element: Element) -> Kernel:
    """Return the kernel ``(ref, value, num_items)``."""
    lane = lane_of(operation, element)
    signature = (Pointer(lane.item), Pointer(lane.item), INT64)
    return Kernel(f"{operation} items of {element.name}", _by_items(lane), signature)


@functools.cache
def one_item_kernel(operation: str, element: Element, is_in_memory: bool) -> Kernel:
    """Return the kernel ``(ref, num_vectors, ref_items, first_item, num_items, x, y)``, or an address for ``x, y``."""
    lane, words = lane_of(operation, element), element.words_per_item
    source = (Pointer(lane.item),) if is_in_memory else (lane.item, lane.item)
    signature = (Pointer(lane.word), INT64, Pointer(lane.item), INT64, INT64, *source)
    name = f"{operation} by one {element.name} x{words}{' in memory' if is_in_memory else ''}"
    return Kernel(name, _by_one_item(lane, words, is_in_memory), signature)


def _launch(where: str, operation: str, ref: DeviceArray, value: DeviceArray | npt.NDArray[Any]) -> None:
    # What passes here is most of all updates, and has nothing wrong.
    if type(value) is DeviceArray and type(ref) is DeviceArray and ref.writeable and ref.is_like(value) and ref.size:
        _by_array(operation, element_of(operation, ref.dtype, where), ref, value)
        return
    is_number = isinstance(value, (np.ndarray, np.generic)) and value.ndim == 0
    if is_number:
        expect_arrays(where, ref=ref)
    else:
        expect_arrays(where, ref=ref, value=value)
    expect_updatable(where, ref)
    same_dtype(where, "value", value, ref.dtype)
    if value.shape not in (ref.shape, ()):
        expected = f"{ref.shape}, or () for one value everywhere"
        raise ValueError(message(where, "value has the wrong shape", value.shape, expected))
    if ref.size == 0:
        return
    element = element_of(operation, ref.dtype, where)
    if value.shape == ref.shape and not is_number:
        _by_array(operation, element, ref, value)  # type: ignore[arg-type]
    else:
        _by_one(operation, element, ref, value)


@functools.cache
def _words_of(element: Element) -> Element:
    """Return an element of one word: how many make an item is all the same to arrays."""
    return element._replace(words_per_item=1)


def _by_array(operation: str, element: Element, ref: DeviceArray, value: DeviceArray) -> None:
    element = _words_of(element)
    if value.pointer != ref.pointer and value.overlaps(ref):
        value = value.copy()
    num_items, to, source = ref.nbytes // element.word.itemsize, ref.pointer, value.pointer
    if not are_aligned(to, source):
        num_blocks = num_blocks_for(num_items, NUM_THREADS)
        items_kernel(operation, element).launch(ref.device, num_blocks, NUM_THREADS, to, source, num_items)
        return
    num_vectors = ref.nbytes // VECTOR_BYTES
    first_item = num_vectors * VECTOR_BYTES // element.word.itemsize
    num_blocks = num_blocks_for(num_vectors, NUM_THREADS * VECTORS_PER_THREAD)
    vectors_kernel(operation, element).launch(
        ref.device, num_blocks, NUM_THREADS, to, source, num_vectors, to, source, first_item, num_items
    )


def _by_one(operation: str, element: Element, ref: DeviceArray, value: DeviceArray | npt.NDArray[Any]) -> None:
    num_items, num_vectors = ref.nbytes // element.word.itemsize, ref.nbytes // VECTOR_BYTES
    num_blocks = num_blocks_for(num_vectors, NUM_THREADS * VECTORS_PER_THREAD)
    first_item = num_vectors * VECTOR_BYTES // element.word.itemsize
    if not are_aligned(ref.pointer):
        num_vectors, first_item, num_blocks = 0, 0, num_blocks_for(num_items, NUM_THREADS)
    is_in_memory = isinstance(value, DeviceArray)
    source: tuple[Any, ...]
    if isinstance(value, DeviceArray):
        if value.overlaps(ref):
            value = value.copy()  # the item may be one of ref's, which change meanwhile
        source = (value.pointer,)
    else:
        words = np.ascontiguousarray(value, ref.dtype).reshape(1).view(element.word)
        source = (words[0], words[-1])
    one_item_kernel(operation, element, is_in_memory).launch(
        ref.device, num_blocks, NUM_THREADS, ref.pointer, num_vectors, ref.pointer, first_item, num_items, *source
    )


def assign(ref: DeviceArray, value: DeviceArray | npt.NDArray[Any]) -> None:
    """Copy ``value``, of the shape of ``ref`` or ``()``, into ``ref``; of shape ``()`` it may be the host's."""
    _launch("assign", "update", ref, value)


def assign_add(ref: DeviceArray, value: DeviceArray | npt.NDArray[Any]) -> None:
    """Add ``value``, of the shape of ``ref`` or ``()``, to ``ref``, in place; of shape ``()`` it may be the host's."""
    _launch("assign_add", "add", ref, value)


def assign_sub(ref: DeviceArray, value: DeviceArray | npt.NDArray[Any]) -> None:
    """Subtract ``value``, as ``assign_add``."""
    _launch("assign_sub", "sub", ref, value)


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    for operation in ("update", "add", "sub"):
        elements = {element_of(operation, dtype) for dtype in (ALL if operation == "update" else NUMERIC)}
        yield from (one_item_kernel(operation, each, is_there) for each in elements for is_there in (False, True))
        for element in {each._replace(words_per_item=1) for each in elements}:
            yield vectors_kernel(operation, element)
            yield items_kernel(operation, element)
