"""What a kernel sees of a dtype: the words its arrays are viewed as, and the rule that combines two of them.

Types that an operation treats alike share one compiled kernel: int8 and uint8 add the same bits, a complex64
adds as two float32, and every type of four bytes is copied as uint32. float16 and bfloat16 are uint16 here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from ml_dtypes import bfloat16
from numba import from_dtype, types

from nbvars.checks import message
from nbvars.kernels import rules

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOATS = ("float16", bfloat16, "float32", "float64")
NUMERIC = tuple(np.dtype(known) for known in (*_INTEGERS, *_FLOATS, "complex64", "complex128"))
ALL = (np.dtype(bool), *NUMERIC)

HALVES = ("float16", "bfloat16")

Array = np.ndarray[Any, Any]

# Each rule, and the dtypes that have it: kinds as NumPy letters ("V" is bfloat16).
_RULES: dict[str, tuple[Callable[..., Any], str]] = {
    "update": (rules.replace, "biufcV"),
    "add": (rules.add, "iufcV"),
    "sub": (rules.subtract, "iufcV"),
    "mul": (rules.multiply, "iufcV"),
    "div": (rules.divide, "iufcV"),
    "min": (rules.minimum, "iufV"),
    "max": (rules.maximum, "iufV"),
}


class Element(NamedTuple):
    """One kind of word that a kernel works on."""

    name: str
    """Of the NumPy dtype whose arithmetic it has, like ``"bfloat16"``."""
    word: np.dtype[Any]
    """What arrays are viewed as."""
    words_per_item: int

    @property
    def numba_type(self) -> types.Type:
        """The word in Numba's types."""
        return from_dtype(self.word)

    @property
    def vector(self) -> types.Type:
        """Numba's contiguous vector of words."""
        return types.Array(self.numba_type, 1, "C")

    @property
    def matrix(self) -> types.Type:
        """Numba's contiguous matrix of words."""
        return types.Array(self.numba_type, 2, "C")


def _element(dtype_name: str, word_name: str = "", words_per_item: int = 1) -> Element:
    return Element(dtype_name, np.dtype(word_name or dtype_name), words_per_item)


@functools.cache
def element_of(operation: str, dtype: np.dtype[Any], where: str = "") -> Element:
    """Return how kernels of ``operation`` (``"add"``, ``"update"`` ...) see arrays of ``dtype``.

    ``where`` names the caller in the error.

    Raises:
        TypeError: ``dtype`` does not have the operation.
    """
    kinds = _RULES[operation][1]
    if dtype not in ALL or dtype.kind not in kinds:
        allowed = [known.name for known in ALL if known.kind in kinds]
        raise TypeError(message(where or operation, "ref has the wrong dtype", dtype.name, f"one of {allowed}"))
    if operation == "update":
        size = min(dtype.itemsize, 8)
        return _element(f"uint{8 * size}", words_per_item=dtype.itemsize // size)
    if dtype.name in HALVES:
        return _element(dtype.name, "uint16")
    if operation in ("add", "sub", "mul") and dtype.kind in "iu":
        return _element(f"uint{8 * dtype.itemsize}")
    if operation in ("add", "sub") and dtype.kind == "c":
        return _element(f"float{4 * dtype.itemsize}", words_per_item=2)
    return _element(dtype.name)


@functools.cache
def plain_rule_of(operation: str, element: Element) -> Callable[..., Any]:
    """Return the rule of ``operation`` for two words of ``element``, of 16-bit floats for two float32."""
    if operation == "mul" and element.word.kind == "c":
        return rules.multiply_complex
    if operation == "div" and element.name not in HALVES:
        if element.word.kind == "c":
            return rules.divide_complex
        if element.word.kind in "iu":
            return rules.divide_signed if element.word.kind == "i" else rules.divide_unsigned
    return _RULES[operation][0]


@functools.cache
def castable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return ``dtype`` in native byte order; ``TypeError`` if it cannot be cast."""
    native = dtype.newbyteorder("=")
    if native not in ALL:
        expected = f"one of {[known.name for known in ALL]}"
        raise TypeError(message("cast", "the dtype is not castable", dtype, expected))
    return np.dtype(native.type)


def same_dtype(operation: str, argument: str, array: Any, dtype: np.dtype[Any]) -> None:
    """Raise ``TypeError`` unless ``array`` has ``dtype``, in either byte order."""
    if array.dtype != dtype and array.dtype.newbyteorder("=") != dtype:
        raise TypeError(message(operation, f"{argument} has the wrong dtype", array.dtype.name, dtype.name))
