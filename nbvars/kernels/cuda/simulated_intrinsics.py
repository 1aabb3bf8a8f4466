"""The functions of ``intrinsics`` for the simulator, where a pointer is a ``HostPointer``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from nbvars.kernels.cuda.simulator import HostPointer

_atomic = threading.Lock()
_HALVES = {"f16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}


def pointer_to(word: np.dtype[Any]) -> Callable[[Any], HostPointer]:
    return lambda address: HostPointer(int(address), word)


def _vector_load(length: int) -> Callable[..., Any]:
    def load_vector(pointer: Any, position: int) -> tuple[Any, ...]:
        pointer.expect_aligned(position, 16)
        return tuple(pointer[position + k] for k in range(length))

    return load_vector


def _vector_store(length: int) -> Callable[..., None]:
    def store_vector(pointer: Any, position: int, words: tuple[Any, ...]) -> None:
        pointer.expect_aligned(position, 16)
        for k in range(length):
            pointer[position + k] = words[k]

    return store_vector


load_vector4, store_vector4 = _vector_load(4), _vector_store(4)
load_ahead4 = load_vector4
load_vector2, store_vector2 = _vector_load(2), _vector_store(2)


def load_ahead(pointer: Any, position: int) -> Any:
    return pointer[position]


def _reduction(length: int = 1, half: str = "") -> Callable[..., None]:
    def reduce_in_memory(pointer: Any, position: int, value: Any) -> None:
        pointer.expect_aligned(position, length * pointer.word.itemsize)
        with _atomic, np.errstate(all="ignore"):
            for k, word in enumerate(value if length > 1 else (value,)):
                before, delta = (np.asarray(each, pointer.word) for each in (pointer[position + k], word))
                if half:
                    dtype = _HALVES[half]
                    before, delta = (each.reshape(1).view(dtype) for each in (before, delta))
                    pointer[position + k] = (before + delta).view(pointer.word)[0]
                else:
                    pointer[position + k] = before + delta

    return reduce_in_memory


reduce_add_float32 = reduce_add_float64 = reduce_add_uint32 = reduce_add_uint64 = _reduction()
reduce_add_float32x4 = _reduction(4)
reduce_add_float16x8, reduce_add_bfloat16x8 = _reduction(4, "f16"), _reduction(4, "bf16")
reduce_add_float16x2, reduce_add_bfloat16x2 = _reduction(1, "f16"), _reduction(1, "bf16")


def reduce_max_int64(pointer: Any, position: int, value: Any) -> None:
    with _atomic:
        pointer[position] = max(pointer[position], value)


def fence_system() -> None:
    """Do nothing: Python threads see the stores of each other in order."""


def compare_and_swap(pointer: Any, position: int, expected: Any, new: Any) -> Any:
    with _atomic:
        before = pointer[position]
        if before == expected:
            pointer[position] = new
        return before


def exchange(pointer: Any, position: int, new: Any) -> Any:
    with _atomic:
        before = pointer[position]
        pointer[position] = new
        return before


def pointer_of(array: Any) -> Any:
    return getattr(array, "_ary", array).reshape(-1)


def _bitcast(source: type[np.generic], target: type[np.generic]) -> Callable[[Any], Any]:
    def bitcast(x: Any) -> Any:
        return np.array([x], source).view(target)[0]

    return bitcast


bits_of_float32, float32_of_bits = _bitcast(np.float32, np.uint32), _bitcast(np.uint32, np.float32)
bits_of_float64, float64_of_bits = _bitcast(np.float64, np.uint64), _bitcast(np.uint64, np.float64)
_half_of_bits, _bits_of_half = _bitcast(np.uint16, np.float16), _bitcast(np.float16, np.uint16)


def half_to_float32(bits: Any) -> Any:
    return np.float32(_half_of_bits(bits))


def float32_to_half(x: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.uint16(0x7FFF) if x != x else _bits_of_half(np.float32(x).astype(np.float16))


def float64_to_half(x: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.uint16(0x7FFF) if x != x else _bits_of_half(np.float64(x).astype(np.float16))


def _to_integer(source: str, target: str) -> Callable[[Any], Any]:
    limits = np.iinfo(target)
    # Processors make 0 of a NaN where neither side has 64 bits, and else the number whose first bit alone is set.
    of_nan = 0 if source == "float32" and limits.bits == 32 else limits.min or limits.max // 2 + 1

    def convert(x: Any) -> Any:
        assert x.dtype == source, x.dtype
        if x != x:
            return limits.dtype.type(of_nan)
        whole = int(np.clip(x, -(2.0**64), 2.0**64))
        return limits.dtype.type(min(max(whole, limits.min), limits.max))

    return convert


FLOAT_TO_INTEGER = {
    (source, target): _to_integer(source, target)
    for source in ("float32", "float64")
    for target in ("int32", "uint32", "int64", "uint64")
}
