"""A stable sort of row numbers on the GPU: by digits, from the lowest on (LSD radix sort).

A pass has three kernels. One counts the digits of each block's items; one makes of the counts where the items of a
digit begin, block by block; the last brings the items of a tile into order in shared memory, by the lower and then by
the upper half of the digit, and writes them where they belong. Nothing waits for the GPU.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import types

from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel, num_blocks_for
from nbvars.kernels.cuda.memory import DeviceArray, empty
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.kernels.cuda.vectors import on_device

NUM_DIGITS = NUM_THREADS
"""A thread looks after one digit: 8 bits, in the simulator 4."""
DIGIT_BITS = NUM_DIGITS.bit_length() - 1
HALF_BITS = DIGIT_BITS // 2
NUM_HALVES = 1 << HALF_BITS
HALF_MASK = np.uint32(NUM_HALVES - 1)
NUM_STEPS = DIGIT_BITS
"""A sum over the threads of a block takes so many steps."""
SUM_WORDS = 2 * NUM_THREADS
ITEMS_PER_THREAD = 8
TILE = NUM_THREADS * ITEMS_PER_THREAD
MOST_BLOCKS = 2 * NUM_THREADS
"""A block gets several tiles in a row where there are more."""
_DIGIT_AT = np.uint32(16)
"""Items in shared memory: the place in the tile in the lower bits, above them the digit."""
_PLACE_MASK = np.uint32(0xFFFF)
# One word more after every run that a thread reads: its words then are in other banks than those of its neighbours.
_TILE_WORDS = TILE + TILE // ITEMS_PER_THREAD
_COUNTER_WORDS = NUM_HALVES * NUM_THREADS + NUM_THREADS


class SortedRows(NamedTuple):
    """Row numbers in order; those of equal rows in the order they came in."""

    rows: DeviceArray
    """int64; ``num_rows`` of every index that is none, which come last."""
    order: DeviceArray
    """int64: where each was."""


def _take_indices(indices, rows, order, num_items, num_rows):
    i = cuda.grid(1)
    if i < num_items:
        row = np.int64(indices[i])
        rows[i] = row if 0 <= row < num_rows else num_rows
        order[i] = i


@on_device
def _sum_before(sums, x):
    """Return the sum of ``x`` of the threads before this one. ``sums`` is shared memory, two words a thread."""
    t = cuda.threadIdx.x
    sums[t] = x
    cuda.syncthreads()
    here, there, distance = 0, NUM_THREADS, 1
    for _ in range(NUM_STEPS):
        total = sums[here + t]
        if t >= distance:
            total += sums[here + t - distance]
        sums[there + t] = total
        here, there, distance = there, here, 2 * distance
        cuda.syncthreads()
    before = sums[here + t] - x
    cuda.syncthreads()  # before the next sum is written there
    return before


def _count_digits(rows, counts, num_items, tiles_per_block, shift):
    """Put how many items of digit ``d`` block ``b`` has into ``counts[d, b]``."""
    own = cuda.shared.array(NUM_DIGITS, types.int32)
    t, b = cuda.threadIdx.x, np.int64(cuda.blockIdx.x)
    own[t] = 0
    cuda.syncthreads()
    start = b * tiles_per_block * TILE + t
    for tile in range(tiles_per_block):
        for j in range(ITEMS_PER_THREAD):
            i = start + tile * TILE + j * NUM_THREADS
            if i < num_items:
                cuda.atomic.add(own, (rows[i] >> shift) & (NUM_DIGITS - 1), 1)
    cuda.syncthreads()
    counts[t * np.int64(cuda.gridDim.x) + b] = own[t]


def _sum_counts(counts, totals, num_blocks):
    """Replace each count of a digit by the sum of those of earlier blocks; there is one block here for each digit."""
    sums = cuda.shared.array(SUM_WORDS, types.int64)
    t = cuda.threadIdx.x
    first, k = np.int64(cuda.blockIdx.x) * num_blocks, np.int64(2) * t  # MOST_BLOCKS: two counts a thread
    x = counts[first + k] if k < num_blocks else np.int64(0)
    y = counts[first + k + 1] if k + 1 < num_blocks else np.int64(0)
    before = _sum_before(sums, x + y)
    if k < num_blocks:
        counts[first + k] = before
    if k + 1 < num_blocks:
        counts[first + k + 1] = before + x
    if t == NUM_THREADS - 1:
        totals[cuda.blockIdx.x] = before + x + y


@on_device
def _counter_at(half, t):
    k = half * NUM_THREADS + t
    return k + k // NUM_HALVES


@on_device
def _item_at(place):
    return place + place // ITEMS_PER_THREAD


@on_device
def _sort_tile(items, to, counters, sums, shift):
    """Put ``items`` into ``to`` in the order of half a digit. A thread has ``ITEMS_PER_THREAD`` neighbours of them."""
    t = np.int32(cuda.threadIdx.x)
    first, own = t * (ITEMS_PER_THREAD + 1), t * (NUM_HALVES + 1)
    for half in range(NUM_HALVES):
        counters[_counter_at(half, t)] = 0
    for j in range(ITEMS_PER_THREAD):
        counters[_counter_at(np.int32((items[first + j] >> shift) & HALF_MASK), t)] += 1
    cuda.syncthreads()
    total = np.int64(0)
    for k in range(NUM_HALVES):
        total += counters[own + k]
    before = _sum_before(sums, total)
    for k in range(NUM_HALVES):
        count = counters[own + k]
        counters[own + k] = before
        before += count
    cuda.syncthreads()
    for j in range(ITEMS_PER_THREAD):
        item = items[first + j]
        at = _counter_at(np.int32((item >> shift) & HALF_MASK), t)
        place = np.int32(counters[at])
        counters[at] = place + 1
        to[_item_at(place)] = item
    cuda.syncthreads()


def _place_items(rows, order, counts, totals, sorted_rows, sorted_order, num_items, tiles_per_block, shift):
    """Copy items to where they belong by their digit, equal ones in the order they have."""
    items = cuda.shared.array(_TILE_WORDS, types.uint32)
    others = cuda.shared.array(_TILE_WORDS, types.uint32)
    counters = cuda.shared.array(_COUNTER_WORDS, types.int32)
    sums = cuda.shared.array(SUM_WORDS, types.int64)
    firsts = cuda.shared.array(NUM_DIGITS, types.int64)
    starts = cuda.shared.array(NUM_DIGITS, types.int32)
    t, b = np.int32(cuda.threadIdx.x), np.int64(cuda.blockIdx.x)
    firsts[t] = _sum_before(sums, totals[t]) + counts[t * np.int64(cuda.gridDim.x) + b]
    for tile in range(tiles_per_block):
        start = (b * tiles_per_block + tile) * TILE
        for j in range(ITEMS_PER_THREAD):
            place = j * NUM_THREADS + t
            # Behind the last item the highest digit: it stays behind the items, whatever they are.
            digit = np.uint32(NUM_DIGITS - 1)
            if start + place < num_items:
                digit = np.uint32((rows[start + place] >> shift) & (NUM_DIGITS - 1))
            items[_item_at(place)] = np.uint32(np.uint32(digit << _DIGIT_AT) | np.uint32(place))
        cuda.syncthreads()
        _sort_tile(items, others, counters, sums, _DIGIT_AT)
        _sort_tile(others, items, counters, sums, np.uint32(_DIGIT_AT + HALF_BITS))
        for j in range(ITEMS_PER_THREAD):
            place = j * NUM_THREADS + t
            digit = items[_item_at(place)] >> _DIGIT_AT
            if place == 0 or items[_item_at(place - 1)] >> _DIGIT_AT != digit:
                starts[digit] = place
        cuda.syncthreads()
        for j in range(ITEMS_PER_THREAD):
            place = j * NUM_THREADS + t
            item = items[_item_at(place)]
            digit, i = item >> _DIGIT_AT, start + np.int64(item & _PLACE_MASK)
            if i < num_items:
                to = firsts[digit] + (place - starts[digit])
                sorted_rows[to] = rows[i]
                sorted_order[to] = order[i]
        cuda.syncthreads()
        for j in range(ITEMS_PER_THREAD):
            place = j * NUM_THREADS + t
            digit = items[_item_at(place)] >> _DIGIT_AT
            if place == TILE - 1 or items[_item_at(place + 1)] >> _DIGIT_AT != digit:
                firsts[digit] += place + 1 - starts[digit]
        cuda.syncthreads()


_WORDS = Pointer(INT64)


@functools.cache
def take_kernel(index_dtype: np.dtype[Any]) -> Kernel:
    """Return the kernel ``(indices, rows, order, num_items, num_rows)``."""
    signature = (Pointer(index_dtype), _WORDS, _WORDS, INT64, INT64)
    return Kernel(f"take {index_dtype.name} indices", _take_indices, signature)


@functools.cache
def pass_kernels() -> tuple[Kernel, Kernel, Kernel]:
    """Return the kernels of a pass."""
    return (
        Kernel("count digits", _count_digits, (_WORDS, _WORDS, INT64, INT64, INT64)),
        Kernel("sum counts of digits", _sum_counts, (_WORDS, _WORDS, INT64)),
        Kernel("place by digit", _place_items, (_WORDS,) * 6 + (INT64,) * 3),
    )


def sort_rows(indices: DeviceArray, num_rows: int) -> SortedRows:
    """Return the row numbers in ``indices``, int32 or int64 of any shape, sorted; equal ones stay in order.

    An index that is not in ``[0, num_rows)`` becomes ``num_rows``. There may be none.
    """
    device, num_items = indices.device, indices.size
    rows, order, other_rows, other_order = (empty((num_items,), INT64, device) for _ in range(4))
    if num_items == 0:
        return SortedRows(rows, order)
    take_kernel(indices.dtype).launch(
        device,
        num_blocks_for(num_items, NUM_THREADS),
        NUM_THREADS,
        indices.pointer,
        rows.pointer,
        order.pointer,
        num_items,
        num_rows,
    )
    num_tiles = -(-num_items // TILE)
    tiles_per_block = -(-num_tiles // MOST_BLOCKS)
    num_blocks = -(-num_tiles // tiles_per_block)
    counts, totals = (empty((NUM_DIGITS * each,), INT64, device) for each in (num_blocks, 1))
    count, add_up, place = pass_kernels()
    for shift in range(0, num_rows.bit_length(), DIGIT_BITS):
        from_, to = (rows.pointer, order.pointer), (other_rows.pointer, other_order.pointer)
        share = (num_items, tiles_per_block, shift)
        count.launch(device, num_blocks, NUM_THREADS, rows.pointer, counts.pointer, *share)
        add_up.launch(device, NUM_DIGITS, NUM_THREADS, counts.pointer, totals.pointer, num_blocks)
        place.launch(device, num_blocks, NUM_THREADS, *from_, counts.pointer, totals.pointer, *to, *share)
        rows, order, other_rows, other_order = other_rows, other_order, rows, order
    return SortedRows(rows, order)


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    yield from (take_kernel(np.dtype(name)) for name in ("int32", "int64"))
    yield from pass_kernels()
