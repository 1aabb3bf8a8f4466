"""cast: every pair of dtypes, to the bits of the CPU.

A thread casts runs of items that are whole vectors of 16 bytes on both sides: one of the narrower, several of the
other. Items that are not aligned to vectors, and those behind the last run, go one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbvars.checks import message
from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.conversions import FLOATS, PARTS, Rule, conversion
from nbvars.kernels.cuda.launch import NUM_THREADS, Kernel, num_blocks_for
from nbvars.kernels.cuda.memory import DeviceArray, empty, expect_arrays
from nbvars.kernels.cuda.runs import in_groups, joining, loading, side_of, splitting, storing
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.kernels.cuda.vectors import VECTOR_BYTES, are_aligned, on_device, vector_access
from nbvars.kernels.elements import ALL, castable

VECTORS_PER_THREAD = 4
"""A thread has so many accesses of 16 bytes under way on the wider side, or those of one run."""


class Run(NamedTuple):
    """What a thread casts at a time."""

    num_items: int
    vectors: int
    """Of the source."""
    out_vectors: int
    per_thread: int
    """So many runs, ``NUM_THREADS`` apart."""


@functools.cache
def run_of(source: str, target: str) -> Run:
    """Return the runs of a pair that has a kernel."""
    item_bytes, out_bytes = side_of(source).item_bytes, side_of(target).item_bytes
    narrow = min(item_bytes, out_bytes)
    vectors, out_vectors = item_bytes // narrow, out_bytes // narrow
    per_thread = max(1, VECTORS_PER_THREAD // max(vectors, out_vectors))
    return Run(VECTOR_BYTES // narrow, vectors, out_vectors, per_thread)


@functools.cache
def _over_words(source: str, target: str, num_items: int) -> Rule:
    """Return the function of the words of ``num_items`` items, as a tuple, to those of the result."""
    x, out = side_of(source), side_of(target)
    parts, made = num_items * x.parts_per_item, num_items * out.parts_per_item
    stages = [in_groups(conversion(source, target), x.parts_per_item, parts)]
    if x.parts_per_word > 1:
        stages.insert(0, in_groups(splitting(x), 1, parts // x.parts_per_word))
    if out.parts_per_word > 1:
        stages.append(in_groups(joining(out), out.parts_per_word, made))
    return functools.reduce(lambda first, then: on_device(lambda words: then(first(words))), stages)


def _over_runs(source: str, target: str, num_runs: int) -> Rule:
    """Return ``(x, out, first)``, which casts ``num_runs`` runs from the ``first``: all loads, then all stores."""
    run = run_of(source, target)
    x_vector, out_vector = (side_of(name).words_per_vector for name in (source, target))
    words, out_words = run.vectors * x_vector, run.out_vectors * out_vector
    load = loading(vector_access(x_vector)[0], run.vectors, x_vector)
    store = storing(vector_access(out_vector)[1], run.out_vectors, out_vector, out_vector)
    load = loading(load, num_runs, NUM_THREADS * words)
    store = storing(store, num_runs, NUM_THREADS * out_words, out_words)
    convert = in_groups(_over_words(source, target, run.num_items), words, num_runs * words)
    # The compiler cannot know that both arrays lie apart, and would keep a load behind a store.
    return on_device(lambda x, out, first: store(out, first * out_words, convert(load(x, first * words))))


def _over_item(source: str, target: str) -> Rule:
    """Return ``(x, out, i)``, which casts one item."""
    rule, makes_pair = conversion(source, target), target in PARTS
    one, two = on_device(lambda x, i: (x[i],)), on_device(lambda x, i: (x[2 * i], x[2 * i + 1]))
    item_of = two if source in PARTS else one

    def cast_item(x: Any, out: Any, i: int) -> None:
        out[i] = rule(item_of(x, i))[0]

    def cast_item_to_pair(x: Any, out: Any, i: int) -> None:
        made = rule(item_of(x, i))
        out[2 * i], out[2 * i + 1] = made[0], made[1]

    return on_device(cast_item_to_pair if makes_pair else cast_item)


def _by_vectors(source: str, target: str) -> Callable[..., None]:
    """Return the kernel that casts runs, and the few items after the last of them."""
    runs_per_thread = run_of(source, target).per_thread
    cast_runs, cast_run = (_over_runs(source, target, count) for count in (runs_per_thread, 1))
    cast_item, last = _over_item(source, target), (runs_per_thread - 1) * NUM_THREADS

    def cast_by_vectors(x, out, num_runs, items, out_items, first_item, num_items):
        run = cuda.blockIdx.x * (NUM_THREADS * runs_per_thread) + cuda.threadIdx.x
        if run + last < num_runs:
            cast_runs(x, out, run)
        else:
            for _ in range(runs_per_thread):
                if run < num_runs:
                    cast_run(x, out, run)
                run += NUM_THREADS
        i = first_item + cuda.grid(1)
        if i < num_items:  # fewer than a run has, so that one block has threads for all
            cast_item(items, out_items, i)

    return cast_by_vectors


def _by_items(source: str, target: str) -> Callable[..., None]:
    """Return the kernel that casts items one by one, wherever they lie."""
    cast_item = _over_item(source, target)

    def cast_by_items(x, out, num_items):
        i = cuda.grid(1)
        if i < num_items:
            cast_item(x, out, i)

    return cast_by_items


@functools.cache
def vectors_kernel(source: str, target: str) -> Kernel:
    """Return the kernel ``(x, out, num_runs, items, out_items, first_item, num_items)``."""
    x, out = side_of(source), side_of(target)
    signature = (Pointer(x.word), Pointer(out.word), INT64, Pointer(x.part), Pointer(out.part), INT64, INT64)
    # Of items whose upper half is not needed the assembler loads the lower one alone, not vectors.
    needs_lower_half = (source in PARTS and target != "bool") or (source, target) == ("uint64", "uint32")
    items = "low halves" if needs_lower_half else "vectors"
    return Kernel(f"cast {items} of {source} to {target}", _by_vectors(source, target), signature)


@functools.cache
def items_kernel(source: str, target: str) -> Kernel:
    """Return the kernel ``(x, out, num_items)``."""
    signature = (Pointer(side_of(source).part), Pointer(side_of(target).part), INT64)
    return Kernel(f"cast items of {source} to {target}", _by_items(source, target), signature)


@functools.cache
def kernel_pair(source: str, target: str) -> tuple[str, str]:
    """Return the dtypes of the kernel that casts a pair; twice the same where the bits are copied.

    Pairs that make the same bits of the same bits share one kernel; two complex types are cast by parts.
    """
    if source == target or (source in PARTS and target in PARTS):
        return PARTS.get(source, source), PARTS.get(target, target)
    source = "uint8" if source == "bool" else source
    if source in FLOATS or source in PARTS:
        return source, target
    size, is_integer = np.dtype(source).itemsize, target not in FLOATS and target not in PARTS
    unsigned = f"uint{8 * size}"
    if target == "bool":
        return unsigned, target
    if is_integer:
        out_size = np.dtype(target).itemsize
        return unsigned if size >= out_size else source, f"uint{8 * out_size}"
    return source, target


def cast(x: DeviceArray, dtype: npt.DTypeLike, out: DeviceArray | None = None) -> DeviceArray:
    """Return ``x`` converted to ``dtype``, in ``out`` if it is given, which may lie in the memory of ``x``."""
    expect_arrays("cast", x=x, **({} if out is None else {"out": out}))
    castable(x.dtype)
    target = castable(np.dtype(dtype))
    if out is None:
        out = empty(x.shape, target, x.device)
    elif out.shape != x.shape or out.dtype != target or not out.writeable:
        got = f"{out.dtype} of shape {out.shape}"
        expected = f"C-contiguous writable {target.name} of shape {x.shape}"
        raise ValueError(message("cast", "out does not take the result", got, expected))
    if x.size:
        _launch(x, out)
    return out


def _launch(x: DeviceArray, out: DeviceArray) -> None:
    # A thread that writes its items where it read them is in nobody's way.
    if x.overlaps(out) and (x.pointer, x.nbytes) != (out.pointer, out.nbytes):
        x = x.copy()
    source, target = kernel_pair(x.dtype.name, out.dtype.name)
    if source == target:
        if x.pointer != out.pointer:
            backend.copy_on_device(x.device, out.pointer, x.pointer, x.nbytes)
        return
    num_items = x.nbytes // side_of(source).item_bytes
    if not are_aligned(x.pointer, out.pointer):
        num_blocks = num_blocks_for(num_items, NUM_THREADS)
        items_kernel(source, target).launch(x.device, num_blocks, NUM_THREADS, x.pointer, out.pointer, num_items)
        return
    run = run_of(source, target)
    num_runs = num_items // run.num_items
    num_blocks = num_blocks_for(num_runs, NUM_THREADS * run.per_thread)
    vectors_kernel(source, target).launch(
        x.device,
        num_blocks,
        NUM_THREADS,
        x.pointer,
        out.pointer,
        num_runs,
        x.pointer,
        out.pointer,
        num_runs * run.num_items,
        num_items,
    )


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    pairs = {kernel_pair(source.name, target.name) for source in ALL for target in ALL}
    for source, target in sorted(pairs):
        if source != target:
            yield vectors_kernel(source, target)
            yield items_kernel(source, target)
