"""The forms of the launchers of ``nbvars.kernels`` in compiled code: updates of arrays, by one thread.

The results are the launchers' own, to the bit. As there, nothing is converted, and nothing is written unless all is
well.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import types
from numba.extending import register_jitable
from numba.np.numpy_support import as_dtype

from nbvars import kernels
from nbvars.checks import message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.kernels.cpu.intrinsics import address_of, array_at
from nbvars.numba_ext import dense, sparse
from nbvars.numba_ext.arguments import is_number, refuse, rule_for, vector_apart
from nbvars.numba_ext.dense import over_arrays, over_number
from nbvars.numba_ext.sparse import all_inside, none_divides_by_zero, over_rows


def expect_array(where, argument, array, *, updated):
    """Refuse what is no array that Numba computes with, or, if it is ``updated``, not one that can be."""
    if not isinstance(array, types.Array):
        refuse(where, f"{argument} has the wrong type", array, "an array")
    if array.dtype == types.float16:
        remedy = "float16_to_float32 takes the bits, x.view(numpy.uint16)"
        refuse(where, f"{argument} has the wrong dtype", array.dtype, "one that Numba computes with", remedy)
    if updated and not (array.layout == "C" and array.mutable):
        refuse(where, f"{argument} cannot be updated in place", array, "a C-contiguous, writable array")


def _expect_dtype(where, argument, value, dtype):
    if not (is_number(value) or isinstance(value, types.Array)):
        refuse(where, f"{argument} has the wrong type", value, "an array or a number")
    got = value.dtype if isinstance(value, types.Array) else value
    if got != dtype:
        refuse(where, f"{argument} has the wrong dtype", got, dtype, "convert it first")


@functools.cache
def vector_in(where, argument, dtype):
    """Return the compiled function that makes a vector of a contiguous array. Raises ``ValueError``."""
    alignment = as_dtype(dtype).alignment
    unaligned = message(where, f"{argument} cannot be updated in place", "an unaligned array", "an aligned one")

    def vector(array):
        if address_of(array) % alignment != 0:  # which the types of Numba do not tell
            raise ValueError(unaligned)
        return array_at(address_of(array), array.size, dtype)

    return jit_closure(f"vector_of_{dtype}_{argument}_for_{where}", vector)


def _number_of(value):
    """Return the function that gives the number of a value that is one, or an array of shape ``()``."""
    return register_jitable((lambda value: value[()]) if isinstance(value, types.Array) else lambda value: value)


def _dense(where, operation):
    def form(ref, value):
        expect_array(where, "ref", ref, updated=True)
        rule_for(where, operation, ref.dtype)
        _expect_dtype(where, "value", value, ref.dtype)
        to_vector, dtype = vector_in(where, "ref", ref.dtype), ref.dtype
        num_axes = getattr(value, "ndim", 0)
        if num_axes == 0:
            fill, number_of = over_number(where, operation, dtype), _number_of(value)

            def update(ref, value):
                fill(to_vector(ref), number_of(value))

        elif num_axes == ref.ndim:
            over_all, apart, does_not_fit = (
                over_arrays(where, operation, dtype, dtype),
                vector_apart(value),
                dense.wrong_shape(where),
            )

            def update(ref, value):
                if value.shape != ref.shape:
                    raise ValueError(does_not_fit)
                over_all(to_vector(ref), apart(value, ref))

        else:
            refuse(where, "value has the wrong number of axes", num_axes, f"{ref.ndim}, or 0 for one value everywhere")
        update.__name__ = update.__qualname__ = where
        return update

    return form


def _rows_of(indices):
    """Return the function that makes a vector of the indices, apart from ``ref``; a number is one of one."""
    if isinstance(indices, types.Array):
        return vector_apart(indices)
    return register_jitable(lambda indices, ref: np.full(1, np.int64(indices)))


def _slices_of(ref, indices, values):
    """Return the functions ``(ref, indices, values)``: whether the shapes fit, and the vector of the slices."""
    if getattr(values, "ndim", 0) == 0 < sparse.num_axes_of_update(ref, indices):
        number_of = _number_of(values)

        @register_jitable
        def repeated(ref, rows, values):
            return np.full(rows.size * (ref.size // max(len(ref), 1)), number_of(values))

        return register_jitable(lambda ref, indices, values: True), repeated
    if not isinstance(values, types.Array):
        return register_jitable(lambda ref, indices, values: True), register_jitable(
            lambda ref, rows, values: np.full(1, values)
        )
    apart, index_ndim = vector_apart(values), getattr(indices, "ndim", 0)
    slices = register_jitable(lambda ref, rows, values: apart(values, ref))
    if index_ndim == 0 and not isinstance(indices, types.Array):
        return register_jitable(lambda ref, indices, values: values.shape == ref.shape[1:]), slices

    @register_jitable
    def fits(ref, indices, values):
        return values.shape[:index_ndim] == indices.shape and values.shape[index_ndim:] == ref.shape[1:]

    return fits, slices


def _scatter(where, operation):
    def form(ref, indices, values):
        expect_array(where, "ref", ref, updated=True)
        rule_for(where, operation, ref.dtype)
        sparse.expect_indices(where, ref, indices)
        _expect_dtype(where, "values", values, ref.dtype)
        num_axes = sparse.num_axes_of_update(ref, indices)
        if getattr(values, "ndim", 0) not in (0, num_axes):
            expected = f"{num_axes}, or 0 for one value everywhere"
            refuse(where, "values has the wrong number of axes", values.ndim, expected)
        dtype, index_dtype = ref.dtype, getattr(indices, "dtype", types.int64)
        loop, is_inside = over_rows(where, operation, dtype, dtype, index_dtype), all_inside(index_dtype)
        are_divisors, to_vector = none_divides_by_zero(operation, dtype, dtype), vector_in(where, "ref", dtype)
        to_rows, (fits, to_slices) = _rows_of(indices), _slices_of(ref, indices, values)
        wrong_shape, outside, by_zero = sparse.words_of(where)

        def update(ref, indices, values):
            table = to_vector(ref)
            if not fits(ref, indices, values):
                raise ValueError(wrong_shape)
            rows = to_rows(indices, ref)
            if not is_inside(rows, len(ref)):
                raise InvalidArgumentError(None, None, outside)
            slices = to_slices(ref, rows, values)
            if not are_divisors(slices):
                raise InvalidArgumentError(None, None, by_zero)
            if slices.size > 0:
                loop(table, rows, slices, np.uint64(slices.size // rows.size))

        update.__name__ = update.__qualname__ = where
        return update

    return form


FUNCTIONS = {
    **{getattr(kernels, name): _dense(name, operation) for name, operation in dense.OPERATIONS.items()},
    **{getattr(kernels, name): _scatter(name, operation) for name, operation in sparse.OPERATIONS.items()},
}
