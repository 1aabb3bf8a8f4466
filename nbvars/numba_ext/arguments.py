"""What compiled updates take: numbers and arrays, checked by their types, then by their values.

An *element* is Numba's type of an element of the variable, or, where that is of 16 floating bits, the name of its
dtype: in compiled code such an element is its bits, a uint16.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.extending import register_jitable
from numba.np.numpy_support import as_dtype

from nbvars.checks import message
from nbvars.dtypes import as_numeric_dtype
from nbvars.kernels import rules
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.kernels.cpu.elements import rule_of
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.intrinsics import address_of
from nbvars.kernels.elements import Element, element_of


def refuse(where, wrong, got, expected, remedy=""):
    """Raise the error of a type that does not fit, when the user's function is compiled."""
    raise TypingError(message(where, wrong, got, expected, remedy))


def is_number(value):
    """Tell whether ``value`` is the type of a number."""
    return isinstance(value, types.Number | types.Boolean)


def is_half(element):
    """Tell whether an element is one of 16 floating bits."""
    return isinstance(element, str)


def expect_same_kind(where, element, source):
    """Refuse numbers of type ``source`` for an ``element``, by NumPy's rule ``same_kind``."""
    if is_half(element):
        if source not in (types.uint16, types.float32, types.float64):
            expected = f"float32, float64, or uint16: the bits of a {element}"
            refuse(where, "the value has the wrong dtype", source, expected, "convert it first")
    elif not (is_number(source) and np.can_cast(as_dtype(source), as_dtype(element), "same_kind")):
        refuse(where, "the value has the wrong dtype", source, element, "convert it first")


@functools.cache
def rule_for(where, operation, element):
    """Return the compiled rule of ``operation`` for an ``element``; refuse one that does not have it."""
    name = element if is_half(element) else element.name
    dtype = as_numeric_dtype(name).numpy_dtype
    try:
        element_of(operation, dtype, where)
    except TypeError as error:
        raise TypingError(str(error)) from error
    if operation == "update":
        return rules.replace
    return rule_of(operation, Element(name, np.dtype(np.uint16) if is_half(element) else dtype, 1))


@functools.cache
def number_to(where, element, source):
    """Return the compiled conversion of one number, which raises unless the number fits.

    Args:
        where: The name of the update.
        element: That of the variable.
        source: Numba's type of the number.
    """
    source = types.unliteral(source)
    if not (isinstance(source, types.Integer) and isinstance(element, types.Integer)):  # whose range is checked below
        expect_same_kind(where, element, source)
    name = f"number_for_{where}_{source}_to_{element}"
    if isinstance(source, types.Boolean) or not isinstance(element, types.Integer):
        return item_to(element, source)
    wide = types.int64 if source.signed else types.uint64
    lowest, highest = (wide(end) for end in (max(element.minval, source.minval), min(element.maxval, source.maxval)))
    does_not_fit = message(where, "a number does not fit the variable", "one outside of its range", element)

    def convert(number):
        if not lowest <= wide(number) <= highest:
            raise ValueError(does_not_fit)
        return element(number)

    return jit_closure(name, convert)


@functools.cache
def item_to(element, source):
    """Return the compiled conversion of an element of an array, which wraps integers as NumPy does."""
    if is_half(element) and source != types.uint16:
        half = half_of(element)
        assert half
        return half.from_float32 if source == types.float32 else half.from_float64
    if is_half(element) or source == element:
        return jit_closure(f"item_{source}_to_{element}", lambda item: item)
    return jit_closure(f"item_{source}_to_{element}", lambda item: element(item))  # noqa: PLW0108 - a function


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
