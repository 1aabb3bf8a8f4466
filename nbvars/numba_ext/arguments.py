"""What compiled updates take: numbers and arrays, checked by their types, then by their values."""

from __future__ import annotations

import functools

import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.extending import register_jitable
from numba.np.numpy_support import as_dtype

from nbvars.checks import message
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.kernels.cpu.intrinsics import address_of


def refuse(where, wrong, got, expected, remedy=""):
    """Raise the error of a type that does not fit, when the user's function is compiled."""
    raise TypingError(message(where, wrong, got, expected, remedy))


def is_number(value):
    """Tell whether ``value`` is the type of a number."""
    return isinstance(value, types.Number | types.Boolean)


def expect_same_kind(where, dtype, source):
    """Refuse numbers of type ``source`` for a variable of ``dtype``, by NumPy's rule ``same_kind``."""
    if not (is_number(source) and np.can_cast(as_dtype(source), as_dtype(dtype), "same_kind")):
        refuse(where, "the value has the wrong dtype", source, dtype, "convert it first")


@functools.cache
def number_to(where, dtype, source):
    """Return the compiled conversion of one number, which raises unless the number fits.

    Args:
        where: The name of the update.
        dtype: Numba's type of the variable's elements.
        source: That of the number.
    """
    source = types.unliteral(source)
    if not (isinstance(source, types.Integer) and isinstance(dtype, types.Integer)):  # whose range is checked below
        expect_same_kind(where, dtype, source)
    name = f"number_for_{where}_{source}_to_{dtype}"
    if isinstance(source, types.Boolean) or not isinstance(dtype, types.Integer):
        return item_to(dtype, source)
    wide = types.int64 if source.signed else types.uint64
    lowest, highest = (wide(end) for end in (max(dtype.minval, source.minval), min(dtype.maxval, source.maxval)))
    does_not_fit = message(where, "a number does not fit the variable", "one outside of its range", dtype)

    def convert(number):
        if not lowest <= wide(number) <= highest:
            raise ValueError(does_not_fit)
        return dtype(number)

    return jit_closure(name, convert)


@functools.cache
def item_to(dtype, source):
    """Return the compiled conversion of an element of an array, which wraps integers as NumPy does."""
    convert = (lambda item: item) if source == dtype else (lambda item: dtype(item))  # noqa: PLW0108 - a function
    return jit_closure(f"item_{source}_to_{dtype}", convert)


@register_jitable
def _overlap(array, ref):
    """Tell whether a contiguous array has bytes in common with ``ref``."""
    start, other = address_of(array), address_of(ref)
    return start < other + ref.size * ref.itemsize and other < start + array.size * array.itemsize


@register_jitable
def _contiguous_apart(array, ref):
    flat = array.reshape(array.size)
    return flat.copy() if _overlap(array, ref) else flat


@register_jitable
def _vector_apart(vector, ref):
    return vector.copy() if _overlap(vector, ref) else vector


@register_jitable
def _copied(array, ref):
    return array.copy().reshape(array.size)


def vector_apart(array):
    """Return the function that makes a vector, apart from a variable's memory, of an array of this type."""
    if array.layout != "C" or not array.aligned:
        return _copied
    return _vector_apart if array.ndim == 1 else _contiguous_apart
