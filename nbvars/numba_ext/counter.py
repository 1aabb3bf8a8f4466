"""The form of ``kernels.count_up_to`` in compiled code."""

from __future__ import annotations

from numba import types
from numba.core.errors import TypingError
from numba.extending import register_jitable

from nbvars.checks import message
from nbvars.errors import OutOfRangeError
from nbvars.kernels.cpu import counter
from nbvars.kernels.cpu.intrinsics import address_of
from nbvars.numba_ext.variable_type import ref_of


def _expect_counter(ref, limit):
    counts = isinstance(ref, types.Array) and ref.dtype in (types.int32, types.int64) and ref.ndim == 0
    if not (counts and ref.mutable):
        raise TypingError(
            message("count_up_to", "ref cannot count", ref, "a writable int32 or int64 array of shape ()")
        )
    if not isinstance(limit, types.Integer):
        raise TypingError(message("count_up_to", "limit has the wrong type", limit, "an integer"))


def count_up_to(ref, limit):
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

    def count(ref, limit):
        if not lowest <= wide(limit) <= highest:
            raise ValueError(does_not_fit)
        address, end = address_of(ref), types.int64(limit)
        if address % size != 0:  # which the types of Numba do not tell
            raise ValueError(unaligned)
        count = count_at(address, end)
        if count == end:
            raise OutOfRangeError(None, None, reached)
        return count

    return count


def _count_variable(variable, limit):
    if variable.ndim != 0 or variable.dtype not in (types.int32, types.int64):
        raise TypingError(message("count_up_to", "ref cannot count", variable, "an int32 or int64 scalar"))
    count = register_jitable(count_up_to(variable.ref, limit))
    return lambda variable, limit: count(ref_of(variable), limit)


METHODS = {"count_up_to": _count_variable}
