"""Atomic updates of one element of an array or of an eager variable: from Python, ``@njit`` functions and ``prange``.

>>> import numba, numpy as np, nbvars
>>> @numba.njit(parallel=True)
... def histogram(bins, counts):
...     for i in numba.prange(bins.size):
...         nbvars.atomic.add(counts, bins[i], 1)
>>> counts = nbvars.Variable(np.zeros(3, np.int32))
>>> histogram(np.arange(1000) % 3, counts)
>>> counts.numpy()
array([334, 333, 333], dtype=int32)

No update of another thread is lost or seen half done; several elements, or several calls, are not updated as one. No
lock is taken, not that of a variable either. All functions return what was there before. ``index`` is an integer, or a
tuple with one for each axis, and may be negative, as in NumPy; one outside changes nothing and is an ``IndexError``,
which a ``prange`` cannot raise. The dtypes are integers, float32 and float64. Numbers are converted to the dtype by
NumPy's ``same_kind`` rule, and an integer that does not fit is a ``ValueError``. Integers wrap.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba import config, njit

from nbvars.checks import message

__all__ = ["add", "compare_and_swap", "max", "min", "sub"]


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function in compiled code, for callers in Python."""
    name = f"atomic.{function.__name__}"
    if config.DISABLE_JIT:  # pyright: ignore[reportAttributeAccessIssue] - Numba sets it by its name
        raise RuntimeError(message(name, "nothing is atomic without the JIT", "NUMBA_DISABLE_JIT=1", "it unset or 0"))

    def call(ref, index, *values):  # type: ignore[no-untyped-def]
        return function(ref, index, *values)

    compiled: Callable[..., Any] = njit(call)
    return compiled


def add(ref: Any, index: int | tuple[int, ...], value: Any) -> Any:
    """Add ``value`` to ``ref[index]``; return what was there."""
    return _compiled(add)(ref, index, value)


def sub(ref: Any, index: int | tuple[int, ...], value: Any) -> Any:
    """Subtract ``value`` from ``ref[index]``; return what was there."""
    return _compiled(sub)(ref, index, value)


def min(ref: Any, index: int | tuple[int, ...], value: Any) -> Any:
    """Keep the smaller of ``ref[index]`` and ``value``, NaN if either is NaN; return what was there."""
    return _compiled(min)(ref, index, value)


def max(ref: Any, index: int | tuple[int, ...], value: Any) -> Any:
    """Keep the larger of ``ref[index]`` and ``value``, NaN if either is NaN; return what was there."""
    return _compiled(max)(ref, index, value)


def compare_and_swap(ref: Any, index: int | tuple[int, ...], expected: Any, desired: Any) -> Any:
    """Store ``desired`` in ``ref[index]`` if ``expected`` is there; return what was there.

    Floating numbers are compared bit by bit: NaN equals itself, and 0.0 is not -0.0.
    """
    return _compiled(compare_and_swap)(ref, index, expected, desired)
