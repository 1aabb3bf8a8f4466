"""The form of ``kernels.cast`` in compiled code."""

from __future__ import annotations

import functools

import numpy as np
from numba import types
from numba.core.typing.npydecl import parse_dtype

from nbvars import kernels
from nbvars.checks import message
from nbvars.kernels.cpu.cast import conversion
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.numba_ext.arguments import refuse, vector_apart
from nbvars.numba_ext.launchers import expect_array, vector_in


@functools.cache
def _item_cast(source, target):
    """Return the compiled cast of one element."""
    name = f"element_{source}_to_{target}"
    if target == types.boolean:
        return jit_closure(name, lambda x: x != 0)
    if source == types.boolean:
        convert = conversion("uint8", target.name) if target not in types.complex_domain else target
        return jit_closure(name, lambda x: convert(types.uint8(x)))
    if target in types.complex_domain:
        part = target.underlying_float
        if source in types.complex_domain:
            return jit_closure(name, lambda x: target(complex(part(x.real), part(x.imag))))
        return jit_closure(name, lambda x: target(part(x)))
    if source in types.complex_domain:
        of_real = _item_cast(source.underlying_float, target)
        return jit_closure(name, lambda x: of_real(x.real))
    return conversion(source.name, target.name)


@functools.cache
def _over_elements(source, target):
    convert = _item_cast(source, target)

    def loop(x, out):
        for i in range(out.size):
            out[i] = convert(x[i])

    return jit_closure(f"cast_{source}_to_{target}", loop)


def _target_of(dtype):
    target = parse_dtype(dtype)
    if not isinstance(target, types.Number | types.Boolean) or target == types.float16:
        remedy = "float32_to_float16 and float32_to_bfloat16 return the bits of 16-bit numbers"
        refuse("cast", "the dtype is not castable", target or dtype, "one that Numba computes with", remedy)
    return target


def _expect_out(x, target, out):
    expect_array("cast", "out", out, updated=True)
    if out.dtype != target or out.ndim != x.ndim:
        refuse("cast", "out does not take the result", out, f"{target} of {x.ndim} axes")


def _cast(x, dtype, out=None):
    expect_array("cast", "x", x, updated=False)
    target = _target_of(dtype)
    loop, apart = _over_elements(x.dtype, target), vector_apart(x)
    to_vector = vector_in("cast", "out", target)
    if out is None or isinstance(out, types.NoneType | types.Omitted):

        def cast(x, dtype, out=None):
            result = np.empty(x.shape, target)
            loop(apart(x, result), to_vector(result))
            return result

        return cast
    _expect_out(x, target, out)
    wrong_shape = message("cast", "out does not take the result", "another shape", "that of x")

    def cast_into(x, dtype, out=None):
        if out.shape != x.shape:
            raise ValueError(wrong_shape)
        loop(apart(x, out), to_vector(out))
        return out

    return cast_into


FUNCTIONS = {kernels.cast: _cast}
