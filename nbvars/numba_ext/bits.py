"""The forms of ``nbvars.kernels.bits`` in compiled code."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import register_jitable

from nbvars.checks import message
from nbvars.kernels import bits as public
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.kernels.cpu.halves import half_of
from nbvars.numba_ext.arguments import item_to, refuse


def _over_array(name, convert, source, target):
    """Return the form for arrays of ``source``, given the conversion of an element."""

    def loop(array, out):
        for i in range(out.size):
            out[i] = convert(array[i])

    over_vector = jit_closure(f"{name}_over_{source}", loop)

    def over_array(array):
        out = np.empty(array.shape, target)
        over_vector(array.ravel(), out.ravel())
        return out

    return register_jitable(over_array)


def _from_bits(where, dtype):
    does_not_fit = message(where, "bits does not fit", "an integer outside of its range", "uint16")

    def form(bits):
        half = half_of(dtype)
        assert half
        convert = half.to_float32
        if isinstance(bits, types.Array) and bits.dtype == types.uint16:
            over_array = _over_array(where, convert, bits.dtype, types.float32)
            return lambda bits: over_array(bits)  # noqa: PLW0108 - with the name of the argument
        if not isinstance(bits, types.Integer):
            refuse(where, "bits has the wrong type", bits, "uint16, or an integer")
        wide = types.int64 if bits.signed else types.uint64
        if bits == types.uint16:
            return lambda bits: convert(bits)  # noqa: PLW0108

        def from_integer(bits):
            if not wide(0) <= wide(bits) <= wide(0xFFFF):
                raise ValueError(does_not_fit)
            return convert(types.uint16(bits))

        return from_integer

    return form


def _to_bits(where, dtype):
    def form(x):
        source = x.dtype if isinstance(x, types.Array) else x
        if source not in (types.float32, types.float64):
            refuse(where, "x has the wrong dtype", x, f"one of {list(public.WIDE)}")
        convert = item_to(dtype, source)
        if isinstance(x, types.Array):
            over_array = _over_array(where, convert, source, types.uint16)
            return lambda x: over_array(x)  # noqa: PLW0108
        return lambda x: convert(x)  # noqa: PLW0108

    return form


FUNCTIONS = {
    public.float16_to_float32: _from_bits("float16_to_float32", "float16"),
    public.bfloat16_to_float32: _from_bits("bfloat16_to_float32", "bfloat16"),
    public.float32_to_float16: _to_bits("float32_to_float16", "float16"),
    public.float32_to_bfloat16: _to_bits("float32_to_bfloat16", "bfloat16"),
}
