"""Updates of rows of a variable in compiled code."""

from __future__ import annotations

import functools

import numpy as np
from numba import types

from nbvars.checks import message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels import rules
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.numba_ext.arguments import expect_same_kind, item_to, refuse, vector_apart
from nbvars.numba_ext.dense import expect_updatable
from nbvars.numba_ext.locking import give_back_lock, take_lock
from nbvars.numba_ext.variable_type import ref_of


@functools.cache
def _all_inside(index):
    def all_inside(indices, num_rows):
        num_outside = 0  # no early exit: good indices are the rule
        for i in range(indices.size):
            num_outside += np.uint64(np.int64(indices[i])) >= np.uint64(num_rows)
        return num_outside == 0

    return jit_closure(f"all_{index}_inside", all_inside)


@functools.cache
def _over_rows(method, rule, dtype, source, index):
    convert = item_to(dtype, source)

    def loop(ref, indices, values, width):
        # Another thread may change the indices after they were checked: what they name now must be a row, too.
        num_rows = ref.size // width
        for i in range(np.uint64(indices.size)):
            row = np.uint64(np.int64(indices[i]))
            if row < num_rows:
                start, source = row * width, i * width
                for col in range(width):
                    ref[start + col] = rule(ref[start + col], convert(values[source + col]))

    return jit_closure(f"{method}_{source}_over_{dtype}_by_{index}", loop)


def _expect_slices(method, rule, variable, indices, values):
    expect_updatable(method, rule, variable.dtype)
    for name, array in {"indices": indices, "values": values}.items():
        if not isinstance(array, types.Array):
            refuse(method, f"{name} has the wrong type", array, "an array")
    if not isinstance(indices.dtype, types.Integer):
        refuse(method, "indices has the wrong dtype", indices.dtype, "an integer dtype")
    expect_same_kind(method, variable.dtype, values.dtype)
    if variable.ndim == 0:
        refuse(method, "ref has no rows", variable, "a variable of one axis or more")
    num_axes = indices.ndim + variable.ndim - 1
    if values.ndim != num_axes:
        refuse(method, "the update has the wrong number of axes", values.ndim, num_axes)


def _scatter(method, rule):
    def form(variable, indices, values, use_locking=False):
        _expect_slices(method, rule, variable, indices, values)
        loop = _over_rows(method, rule, variable.dtype, values.dtype, indices.dtype)
        all_inside, index_ndim = _all_inside(indices.dtype), indices.ndim
        to_indices, to_values = vector_apart(indices), vector_apart(values)
        wrong_shape = message(
            method, "the update has the wrong shape", "another one", "that of indices and of a row of the variable"
        )
        remedy = "nothing was written"
        outside = message(method, "an index is out of range", "one outside", "indices in [0, number of rows)", remedy)

        def update(variable, indices, values, use_locking=False):
            ref = ref_of(variable)
            if values.shape[:index_ndim] != indices.shape or values.shape[index_ndim:] != ref.shape[1:]:
                raise ValueError(wrong_shape)
            rows = to_indices(indices, ref)
            if not all_inside(rows, len(ref)):
                raise InvalidArgumentError(None, None, outside)
            if values.size > 0:
                slices = to_values(values, ref)
                taken = take_lock(variable, use_locking)
                loop(ref.reshape(ref.size), rows, slices, np.uint64(values.size // indices.size))
                give_back_lock(variable, use_locking, taken)
            return variable

        update.__name__ = update.__qualname__ = method
        return update

    return form


_RULES = {"scatter_update": rules.replace, "scatter_add": rules.add, "scatter_sub": rules.subtract}
METHODS = {method: _scatter(method, rule) for method, rule in _RULES.items()}
