"""nbvars inside functions that the user compiles with Numba.

Numba cannot compile the launchers of ``nbvars.kernels``. Those in the table below have a second form, made of the same
compiled loops, which Numba puts in their place:

>>> import numba, numpy as np
>>> from nbvars import kernels
>>> @numba.njit(nogil=True)
... def sum_of_counts(counter, limit):
...     total = 0
...     for _ in range(limit):
...         total += kernels.count_up_to(counter, limit)
...     return total
>>> sum_of_counts(np.array(0), 10)
45

The arrays are the user's own: the value of a variable is read-only outside of nbvars. ``nogil`` and ``cache=True``
work; what Numba keeps of a function on disk holds the form that nbvars had then.

A wrong type is a ``TypingError`` at compilation. The errors of a call are the launcher's, but their sentences have no
numbers. Numba keeps arguments of a function that an error leaves, of this one too, unless the function catches it.

In a ``prange`` Numba makes numbers of arrays of shape ``()``. There, ``counter.reshape(())`` of a counter of shape
``(1,)`` counts, but must not reach the limit: a ``prange`` cannot raise.
"""

from __future__ import annotations

import functools

from numba import types
from numba.core.errors import TypingError
from numba.extending import overload

from nbvars.checks import message
from nbvars.errors import OutOfRangeError
from nbvars.kernels.cpu import counter
from nbvars.kernels.cpu.intrinsics import address_of


def _expect_counter(ref, limit):
    counts = isinstance(ref, types.Array) and ref.dtype in (types.int32, types.int64) and ref.ndim == 0
    if not (counts and ref.mutable):
        raise TypingError(
            message("count_up_to", "ref cannot count", ref, "a writable int32 or int64 array of shape ()")
        )
    if not isinstance(limit, types.Integer):
        raise TypingError(message("count_up_to", "limit has the wrong type", limit, "an integer"))


def _count_up_to(ref, limit):
    _expect_counter(ref, limit)
    count_at, half = counter.counting_loop(ref.dtype), 2 ** (ref.dtype.bitwidth - 1)
    # Numba compares int64 with uint64 as floats.
    wide = types.int64 if limit.signed else types.uint64
    lowest, highest = wide(-half if limit.signed else 0), wide(half - 1)
    got, name = "a limit outside of its range", ref.dtype.name
    does_not_fit = message("count_up_to", "the limit does not fit the counter", got, name)
    unaligned = message("count_up_to", "ref cannot be updated in place", "an unaligned array", "an aligned one")
    reached = message("count_up_to", "Reached limit", "a counter at its limit", "one below it")
    size = ref.dtype.bitwidth // 8

    def count_up_to(ref, limit):
        if not lowest <= wide(limit) <= highest:
            raise ValueError(does_not_fit)
        address, end = address_of(ref), types.int64(limit)
        if address % size != 0:  # which the types of Numba do not tell
            raise ValueError(unaligned)
        count = count_at(address, end)
        if count == end:
            raise OutOfRangeError(None, None, reached)
        return count

    return count_up_to


_FORMS = {counter.count_up_to: _count_up_to}
"""Of each launcher the function of types that gives its form in compiled code."""


@functools.cache
def register() -> None:
    """Tell Numba of the forms; ``import nbvars`` does."""
    for launcher, form in _FORMS.items():
        overload(launcher)(form)
