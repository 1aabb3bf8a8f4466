"""scatter in any order, by atomic updates: reductions in memory for sums, compare-and-swap for the rest.

Slices of one row meet in whatever order the GPU takes them, so that sums of floats differ from run to run in their
last bits. A reduction of float32 takes subnormal numbers for 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype

from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.lanes import item_rule_of, kept_of, lane_of
from nbvars.kernels.cuda.launch import LOWEST_CAPABILITY, Kernel
from nbvars.kernels.cuda.memory import DeviceArray
from nbvars.kernels.cuda.rows import RowUpdate, launch_over_slices
from nbvars.kernels.cuda.signature import INT64, Pointer
from nbvars.kernels.cuda.status import SLOT_SIGNATURE, report_once
from nbvars.kernels.cuda.toolkit import IS_SIMULATED, cuda
from nbvars.kernels.cuda.vectors import on_device
from nbvars.kernels.elements import HALVES, NUMERIC, Element, element_of

if IS_SIMULATED:
    from nbvars.kernels.cuda import simulated_intrinsics as intrinsics
else:
    from nbvars.kernels.cuda import intrinsics  # type: ignore[no-redef]

_UINT32 = np.dtype(np.uint32)
_HOPPER = (9, 0)
_SIGNS_OF_PAIR = np.uint32(0x80008000)


class Reduction(NamedTuple):
    """An addition in memory of one unit: a word, or a vector of four."""

    name: str
    add: Any
    word: np.dtype[Any]
    length: int
    lowest_capability: tuple[int, int] = LOWEST_CAPABILITY

    @property
    def unit_bytes(self) -> int:
        """The size of what is added at a time; it is aligned to that."""
        return self.length * self.word.itemsize


def _words_of(name: str, **how: Any) -> Reduction:
    return Reduction(name, getattr(intrinsics, f"reduce_add_{name}"), np.dtype(name), 1, **how)


def _pairs_of(name: str, **how: Any) -> Reduction:
    return Reduction(f"{name} pairs", getattr(intrinsics, f"reduce_add_{name}x2"), _UINT32, 1, **how)


# By the element that is added: the widest first.
_REDUCTIONS = {
    "float32": (
        Reduction("float32 vectors", intrinsics.reduce_add_float32x4, np.dtype(np.float32), 4, _HOPPER),
        _words_of("float32"),
    ),
    "float64": (_words_of("float64"),),
    "uint32": (_words_of("uint32"),),
    "uint64": (_words_of("uint64"),),
    "float16": (
        Reduction("float16 vectors", intrinsics.reduce_add_float16x8, _UINT32, 4, _HOPPER),
        _pairs_of("float16"),
    ),
    "bfloat16": (
        Reduction("bfloat16 vectors", intrinsics.reduce_add_bfloat16x8, _UINT32, 4, _HOPPER),
        _pairs_of("bfloat16", lowest_capability=_HOPPER),
    ),
}


def _negation(element_name: str, word: np.dtype[Any]) -> Callable[..., Any]:
    """Return the function of a word that is added where it is subtracted."""
    if element_name in HALVES:
        return on_device(lambda x: np.uint32(x ^ _SIGNS_OF_PAIR))
    if word.kind == "f":
        return on_device(lambda x: -x)
    if IS_SIMULATED:
        return lambda x: kept_of(-int(x), word)
    zero = word.type(0)
    return on_device(lambda x: zero - x)


def _unit_of(operation: str, element_name: str, reduction: Reduction) -> Any:
    """Return ``(values, position)``: the unit there, with the sign that it is added with."""
    negate = _negation(element_name, reduction.word) if operation == "sub" else on_device(lambda x: x)

    load_ahead, load_ahead4 = intrinsics.load_ahead, intrinsics.load_ahead4

    def load_one(values, position):
        return negate(load_ahead(values, position))

    def load_four(values, position):
        x = load_ahead4(values, position)
        return (negate(x[0]), negate(x[1]), negate(x[2]), negate(x[3]))

    return on_device(load_one if reduction.length == 1 else load_four)


def _by_reductions(operation: str, element_name: str, reduction: Reduction) -> Callable[..., None]:
    add, length, unit_of = reduction.add, reduction.length, _unit_of(operation, element_name, reduction)

    def scatter_rows(ref, indices, values, num_slices, num_rows, claim, report, error, units, group_bits):
        i = cuda.grid(1)
        group = 1 << group_bits
        k, col = i >> group_bits, i & (group - 1)
        if k < num_slices:
            # A group has no more threads than a row has units: there is a first one, asked for beside the index.
            x = unit_of(values, (k * units + col) * length)
            row = np.int64(indices[k])
            if 0 <= row < num_rows:
                add(ref, (row * units + col) * length, x)
                col += group
                while col < units:
                    add(ref, (row * units + col) * length, unit_of(values, (k * units + col) * length))
                    col += group
            elif col == 0:
                report_once(claim, report, error, k, row, num_rows)

    return scatter_rows


@functools.cache
def reduction_kernel(operation: str, element_name: str, reduction: Reduction, index_dtype: np.dtype[Any]) -> Kernel:
    """Return ``(ref, indices, values, num_slices, num_rows, claim, report, error, units, group_bits)``."""
    word = Pointer(reduction.word)
    return Kernel(
        f"scatter_{operation} {reduction.name} at {index_dtype.name}",
        _by_reductions(operation, element_name, reduction),
        (word, Pointer(index_dtype), word, INT64, INT64, *SLOT_SIGNATURE, INT64, INT64),
        reduction.lowest_capability,
    )


def _bits_rule(operation: str, element: Element) -> tuple[np.dtype[Any], Callable[..., Any]]:
    """Return the integers that words of ``element``, of 4 or 8 bytes, are compared as, and the rule for two of them."""
    rule, word = item_rule_of(operation, element), element.word
    if word.kind != "f":
        return word, rule
    bits = 8 * word.itemsize
    float_of = getattr(intrinsics, f"float{bits}_of_bits")
    bits_of = getattr(intrinsics, f"bits_of_float{bits}")
    return np.dtype(f"uint{bits}"), on_device(lambda x, y: bits_of(rule(float_of(x), float_of(y))))


def _swap_in(rule: Callable[..., Any]) -> Any:
    """Return ``(words, position, x)``: put ``rule`` of the word there and ``x`` in its place, atomically."""
    compare_and_swap = intrinsics.compare_and_swap

    def swap_in(words, position, x):
        seen = words[position]
        while True:
            new = rule(seen, x)
            if new == seen:
                return
            before = compare_and_swap(words, position, seen, new)
            if before == seen:
                return
            seen = before

    return on_device(swap_in)


def _converting(word: np.dtype[Any]) -> Callable[..., Any]:
    """Return the conversion of integers to ``word``, which keeps the lower bits."""
    if IS_SIMULATED:
        return lambda x: kept_of(x, word)
    number = from_dtype(word)
    return on_device(lambda x: number(x))  # noqa: PLW0108 - Numba compiles a function, not a type


def _rule_in_word(operation: str, element: Element) -> Callable[..., Any]:
    """Return ``(word, shift, x)``: the word with ``rule`` of the item above ``shift`` bits, and ``x``, in its place."""
    rule, size = item_rule_of(operation, element), element.word.itemsize
    mask = np.uint32((1 << 8 * size) - 1)
    item_of, bits_of = _converting(element.word), _converting(np.dtype(f"uint{8 * size}"))

    def rule_in_word(word, shift, x):
        item = item_of((word >> shift) & mask)
        bits = np.uint32(np.uint32(bits_of(rule(item, x))) << shift)
        return np.uint32((word & ~np.uint32(mask << shift)) | bits)

    return on_device(rule_in_word)


def _by_words(swap_in: Any) -> Callable[..., None]:
    def scatter_words(ref, rows, values, num_slices, units, group_bits):
        i = cuda.grid(1)
        group = 1 << group_bits
        k, col = i >> group_bits, i & (group - 1)
        if k < num_slices:
            row = rows[k]
            if row >= 0:
                while col < units:
                    swap_in(ref, row * units + col, values[k * units + col])
                    col += group

    return scatter_words


def _by_items(operation: str, element: Element) -> Callable[..., None]:
    rule_in_word, compare_and_swap = _rule_in_word(operation, element), intrinsics.compare_and_swap
    size = element.word.itemsize
    place_bits, place_mask, item_bits = (2, 3, 8) if size == 1 else (1, 1, 16)

    @on_device
    def swap_in(words, item, x):
        position, shift = item >> place_bits, np.uint32((item & place_mask) * item_bits)
        seen = words[position]
        while True:
            new = rule_in_word(seen, shift, x)
            if new == seen:
                return
            before = compare_and_swap(words, position, seen, new)
            if before == seen:
                return
            seen = before

    def scatter_items(ref, first_item, rows, values, num_slices, units, group_bits):
        i = cuda.grid(1)
        group = 1 << group_bits
        k, col = i >> group_bits, i & (group - 1)
        if k < num_slices:
            row = rows[k]
            if row >= 0:
                while col < units:
                    swap_in(ref, first_item + row * units + col, values[k * units + col])
                    col += group

    return scatter_items


@functools.cache
def words_kernel(operation: str, element: Element) -> Kernel:
    """Return the kernel ``(ref, rows, values, num_slices, units, group_bits)`` of whole words."""
    if element.word.itemsize >= 4:
        word, rule = _bits_rule(operation, element)
    else:
        word, rule = _UINT32, lane_of(operation, element).rule
    signature = (Pointer(word), Pointer(INT64), Pointer(word), INT64, INT64, INT64)
    return Kernel(f"scatter_{operation} words of {element.name}", _by_words(_swap_in(rule)), signature)


@functools.cache
def items_kernel(operation: str, element: Element) -> Kernel:
    """Return the kernel ``(ref, first_item, rows, values, num_slices, units, group_bits)`` of items of 1 or 2 bytes.

    ``ref`` is an address of uint32 words; the variable begins ``first_item`` items behind it.
    """
    signature = (Pointer(_UINT32), INT64, Pointer(INT64), Pointer(element.word), INT64, INT64, INT64)
    return Kernel(f"scatter_{operation} items of {element.name}", _by_items(operation, element), signature)


def has_atomics(operation: str, dtype: np.dtype[Any]) -> bool:
    """Tell whether there are atomics for ``operation``: none for copies and products of more than 8 bytes."""
    return operation in ("add", "sub") or (operation != "update" and dtype.kind != "c")


def _has_words_kernel(operation: str, element: Element) -> bool:
    """Tell whether words are swapped: not where there is a reduction of them, or no rule of packed items."""
    if element.word.itemsize >= 4:
        return operation not in ("add", "sub")
    return operation in ("add", "sub")


def find_reduction(operation: str, element: Element, update: RowUpdate) -> Reduction | None:
    """Return the widest reduction that the device has and that fits the rows, if there is one."""
    if operation not in ("add", "sub"):
        return None
    capability = backend.compute_capability(update.device)
    for reduction in _REDUCTIONS.get(element.name, ()):
        numbers = (update.ref.pointer, update.values.pointer, update.row_bytes)
        fits = not any(number % reduction.unit_bytes for number in numbers)
        if fits and capability >= reduction.lowest_capability:
            return reduction
    return None


def scatter_by_reduction(reduction: Reduction, operation: str, element: Element, update: RowUpdate) -> None:
    """Add slices to rows, which have elements, or subtract them, in any order."""
    kernel = reduction_kernel(operation, element.name, reduction, update.indices.dtype)
    arrays = (update.ref.pointer, update.indices.pointer, update.values.pointer)
    sizes = (update.num_slices, update.num_rows, *update.slot_arguments())
    launch_over_slices(kernel, update, update.row_bytes // reduction.unit_bytes, *arrays, *sizes)


def scatter_by_swaps(operation: str, element: Element, update: RowUpdate, rows: DeviceArray) -> None:
    """Combine rows, which have elements, with slices, in any order; ``rows`` is what ``checked_rows`` gives."""
    ref, values, size = update.ref.pointer, update.values.pointer, element.word.itemsize
    word_bytes = max(size, _UINT32.itemsize)
    are_words = not any(number % word_bytes for number in (ref, values, update.row_bytes))
    if _has_words_kernel(operation, element) and are_words:
        kernel, units = words_kernel(operation, element), update.row_bytes // word_bytes
        launch_over_slices(kernel, update, units, ref, rows.pointer, values, update.num_slices)
    else:
        kernel, units = items_kernel(operation, element), update.row_bytes // size
        first_byte = ref % _UINT32.itemsize
        places = (ref - first_byte, first_byte // size)
        launch_over_slices(kernel, update, units, *places, rows.pointer, values, update.num_slices)


def kernels_to_compile() -> Iterator[Kernel]:
    """Yield every kernel of this module."""
    for operation in ("add", "sub"):
        for element_name, reductions in _REDUCTIONS.items():
            for reduction in reductions:
                for index_dtype in (np.dtype(np.int32), np.dtype(np.int64)):
                    yield reduction_kernel(operation, element_name, reduction, index_dtype)
    for operation in ("add", "sub", "mul", "div", "min", "max"):
        for element in {element_of(operation, dtype) for dtype in NUMERIC if has_atomics(operation, dtype)}:
            if element.word.itemsize < 4:
                yield items_kernel(operation, element)
            if _has_words_kernel(operation, element):
                yield words_kernel(operation, element)
