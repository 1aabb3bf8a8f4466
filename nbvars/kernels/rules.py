"""Rules: the arithmetic of one element, written once for every device.

A rule takes the element of the variable first and the element of the update second. A kernel decides which
elements meet; a rule decides what comes of it.
"""

from __future__ import annotations

from numba import njit


@njit
def add(x, y):
    """Return ``x + y``; integers wrap."""
    return x + y


@njit
def subtract(x, y):
    """Return ``x - y``; integers wrap."""
    return x - y


@njit
def multiply(x, y):
    """Return ``x * y``; integers wrap."""
    return x * y


@njit
def multiply_complex(x, y):
    """Return ``x * y`` of complex numbers, NaN where ``inf - inf`` comes up, as in NumPy."""
    # By parts: from Python 3.14 on, ``x * y`` itself makes infinities of some of those, in Numba too.
    return complex(x.real * y.real - x.imag * y.imag, x.real * y.imag + x.imag * y.real)


@njit(error_model="numpy")
def divide(x, y):
    """Return ``x / y`` of floating numbers; division by zero follows IEEE 754."""
    return x / y


@njit(error_model="numpy")
def divide_complex(x, y):
    """Return ``x / y`` of complex numbers (Smith 1962); division by zero gives infinities and NaN, as in NumPy."""
    if abs(y.real) >= abs(y.imag):
        if y.real == 0:
            zero = abs(y.real)
            return complex(x.real / zero, x.imag / zero)
        ratio = y.imag / y.real
        scale = y.real + y.imag * ratio
        return complex((x.real + x.imag * ratio) / scale, (x.imag - x.real * ratio) / scale)
    ratio = y.real / y.imag
    scale = y.real * ratio + y.imag
    return complex((x.real * ratio + x.imag) / scale, (x.imag * ratio - x.real) / scale)


@njit(error_model="numpy")
def divide_signed(x, y):
    """Return ``x / y`` of signed integers, rounded towards zero; ``y`` is not 0."""
    # The processor traps on the one quotient that does not fit, lowest / -1; negation wraps instead.
    if y == -1:
        return -x
    quotient = x // y
    if quotient < 0 and quotient * y != x:
        quotient += 1
    return quotient


@njit(error_model="numpy")
def divide_unsigned(x, y):
    """Return ``x / y`` of unsigned integers, rounded down; ``y`` is not 0."""
    return x // y


@njit
def minimum(x, y):
    """Return the smaller of ``x`` and ``y``; NaN if either is NaN."""
    return x if x < y or x != x else y


@njit
def maximum(x, y):
    """Return the larger of ``x`` and ``y``; NaN if either is NaN."""
    return x if x > y or x != x else y


@njit
def replace(x, y):
    """Return ``y``: the update takes the place of the element."""
    return y
