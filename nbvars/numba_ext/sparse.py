"""Updates of rows of a variable in compiled code."""

from __future__ import annotations

import functools

import numpy as np
from numba import types

from nbvars.checks import message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels import rules
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.numba_ext.arguments import expect_same_kind, is_number, item_to, number_to, refuse, vector_apart
from nbvars.numba_ext.dense import expect_updatable, over_arrays
from nbvars.numba_ext.locking import give_back_lock, take_lock
from nbvars.numba_ext.variable_type import ref_of, vector_of


@functools.cache
def _all_inside(index):
    def all_inside(indices, num_rows):
        num_inside = np.int64(0)  # no early exit: good indices are the rule
        for i in range(indices.size):
            num_inside += np.int64(np.uint64(np.int64(indices[i])) < np.uint64(num_rows))
        return num_inside == indices.size

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
    if variable.ndim == 0:
        refuse(method, "ref has no rows", variable, "a variable of one axis or more")
    if not isinstance(indices, types.Array | types.Integer):
        refuse(method, "indices has the wrong type", indices, "an array of integers, or one")
    if isinstance(indices, types.Array) and not isinstance(indices.dtype, types.Integer):
        refuse(method, "indices has the wrong dtype", indices.dtype, "an integer dtype")
    num_axes = getattr(indices, "ndim", 0) + variable.ndim - 1
    if num_axes == 0 and isinstance(indices, types.Integer) and is_number(values):
        return
    if not isinstance(values, types.Array):
        refuse(method, "values has the wrong type", values, "an array")
    expect_same_kind(method, variable.dtype, values.dtype)
    if values.ndim != num_axes:
        refuse(method, "the update has the wrong number of axes", values.ndim, num_axes)


def _words_of(method):
    """Return the sentences of a wrong shape and of a wrong index."""
    expected = "that of indices and of a row of the variable"
    wrong_shape = message(method, "the update has the wrong shape", "another one", expected)
    expected, remedy = "indices in [0, number of rows)", "nothing was written"
    return wrong_shape, message(method, "an index is out of range", "one outside", expected, remedy)


def _one_element(method, rule, variable, value):
    convert, (_, outside) = number_to(method, variable.dtype, value), _words_of(method)

    def update(variable, indices, values, use_locking=False):
        ref, item, row = ref_of(variable), convert(values), np.uint64(np.int64(indices))
        if row >= np.uint64(ref.size):
            raise InvalidArgumentError(None, None, outside)
        taken = take_lock(variable, use_locking)
        ref[row] = rule(ref[row], item)
        give_back_lock(variable, use_locking, taken)
        return variable

    return update


def _one_row(method, rule, variable, values):
    loop, to_values = over_arrays(method, rule, variable.dtype, values.dtype), vector_apart(values)
    wrong_shape, outside = _words_of(method)

    def update(variable, indices, values, use_locking=False):
        ref, row = ref_of(variable), np.uint64(np.int64(indices))
        if values.shape != ref.shape[1:]:
            raise ValueError(wrong_shape)
        if row >= np.uint64(len(ref)):
            raise InvalidArgumentError(None, None, outside)
        source, first = to_values(values, ref), np.int64(row) * values.size
        taken = take_lock(variable, use_locking)
        loop(vector_of(variable)[first : first + source.size], source)
        give_back_lock(variable, use_locking, taken)
        return variable

    return update


def _rows(method, rule, variable, indices, values):
    loop = _over_rows(method, rule, variable.dtype, values.dtype, indices.dtype)
    all_inside, index_ndim = _all_inside(indices.dtype), indices.ndim
    to_indices, to_values = vector_apart(indices), vector_apart(values)
    wrong_shape, outside = _words_of(method)

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
            loop(vector_of(variable), rows, slices, np.uint64(values.size // indices.size))
            give_back_lock(variable, use_locking, taken)
        return variable

    return update


def _scatter(method, rule):
    def form(variable, indices, values, use_locking=False):
        _expect_slices(method, rule, variable, indices, values)
        if isinstance(indices, types.Array):
            update = _rows(method, rule, variable, indices, values)
        elif isinstance(values, types.Array):
            update = _one_row(method, rule, variable, values)
        else:
            update = _one_element(method, rule, variable, values)
        update.__name__ = update.__qualname__ = method
        return update

    return form


_RULES = {"scatter_update": rules.replace, "scatter_add": rules.add, "scatter_sub": rules.subtract}
METHODS = {method: _scatter(method, rule) for method, rule in _RULES.items()}
