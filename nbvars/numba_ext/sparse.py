"""Updates of rows of a variable in compiled code."""

from __future__ import annotations

import functools

import numpy as np
from numba import types

from nbvars.checks import message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.numba_ext.arguments import expect_same_kind, is_number, item_to, number_to, refuse, rule_for, vector_apart
from nbvars.numba_ext.dense import over_arrays
from nbvars.numba_ext.locking import give_back_lock, take_lock
from nbvars.numba_ext.variable_type import ref_of, vector_of

OPERATIONS = {f"scatter_{operation}": operation for operation in ("update", "add", "sub", "mul", "div", "min", "max")}


@functools.cache
def all_inside(index):
    """Return the compiled ``(indices, num_rows)``: whether all indices of a vector name a row."""

    def check(indices, num_rows):
        num_inside = np.int64(0)  # no early exit: good indices are the rule
        for i in range(indices.size):
            num_inside += np.int64(np.uint64(np.int64(indices[i])) < np.uint64(num_rows))
        return num_inside == indices.size

    return jit_closure(f"all_{index}_inside", check)


@functools.cache
def none_divides_by_zero(operation, element, source):
    """Return the compiled check of a vector of divisors; of what is not divided, or is no integer, it takes all."""
    convert, name = item_to(element, source), f"none_of_{source}_{operation}_{element}_by_zero"
    if operation != "div" or not isinstance(element, types.Integer):
        return jit_closure(name, lambda values: True)

    def check(values):
        num_zeros = np.int64(0)
        for i in range(values.size):
            num_zeros += np.int64(convert(values[i]) == 0)
        return num_zeros == 0

    return jit_closure(name, check)


@functools.cache
def over_rows(where, operation, element, source, index):
    """Return the compiled loop over rows of ``width`` elements of a vector, in the order of the indices."""
    rule, convert = rule_for(where, operation, element), item_to(element, source)

    def loop(ref, indices, values, width):
        # Another thread may change the indices after they were checked: what they name now must be a row, too.
        num_rows = ref.size // width
        for i in range(np.uint64(indices.size)):
            row = np.uint64(np.int64(indices[i]))
            if row < num_rows:
                start, source = row * width, i * width
                for col in range(width):
                    ref[start + col] = rule(ref[start + col], convert(values[source + col]))

    return jit_closure(f"{where}_{source}_over_{element}_by_{index}", loop)


def expect_indices(where, ref, indices):
    """Refuse what has no rows, and what names none."""
    if ref.ndim == 0:
        refuse(where, "ref has no rows", ref, "one of one axis or more")
    if not isinstance(indices, types.Array | types.Integer):
        refuse(where, "indices has the wrong type", indices, "an array of integers, or one")
    if isinstance(indices, types.Array) and not isinstance(indices.dtype, types.Integer):
        refuse(where, "indices has the wrong dtype", indices.dtype, "an integer dtype")


def num_axes_of_update(ref, indices):
    """Return how many axes the rows have that the indices name."""
    return getattr(indices, "ndim", 0) + ref.ndim - 1


def _expect_slices(method, variable, indices, values):
    expect_indices(method, variable, indices)
    num_axes = num_axes_of_update(variable, indices)
    if num_axes == 0 and isinstance(indices, types.Integer) and is_number(values):
        return
    if not isinstance(values, types.Array):
        refuse(method, "values has the wrong type", values, "an array")
    expect_same_kind(method, variable.element, values.dtype)
    if values.ndim != num_axes:
        refuse(method, "the update has the wrong number of axes", values.ndim, num_axes)


def words_of(where):
    """Return the sentences of a wrong shape, of a wrong index, and of a division of integers by zero."""
    expected = "that of indices and of a row of the variable"
    wrong_shape = message(where, "the update has the wrong shape", "another one", expected)
    expected, remedy = "indices in [0, number of rows)", "nothing was written"
    outside = message(where, "an index is out of range", "one outside", expected, remedy)
    return wrong_shape, outside, message(where, "values divides integers by zero", 0, "no zero", remedy)


def _one_element(method, operation, variable, value):
    rule, convert = rule_for(method, operation, variable.element), number_to(method, variable.element, value)
    (_, outside, by_zero), divides = (
        words_of(method),
        operation == "div" and isinstance(variable.element, types.Integer),
    )

    def update(variable, indices, values, use_locking=False):
        ref, item, row = ref_of(variable), convert(values), np.uint64(np.int64(indices))
        if row >= np.uint64(ref.size):
            raise InvalidArgumentError(None, None, outside)
        if divides and item == 0:
            raise InvalidArgumentError(None, None, by_zero)
        taken = take_lock(variable, use_locking)
        ref[row] = rule(ref[row], item)
        give_back_lock(variable, use_locking, taken)
        return variable

    return update


def _one_row(method, operation, variable, values):
    loop, to_values = over_arrays(method, operation, variable.element, values.dtype), vector_apart(values)
    is_divisor = none_divides_by_zero(operation, variable.element, values.dtype)
    wrong_shape, outside, by_zero = words_of(method)

    def update(variable, indices, values, use_locking=False):
        ref, row = ref_of(variable), np.uint64(np.int64(indices))
        if values.shape != ref.shape[1:]:
            raise ValueError(wrong_shape)
        if row >= np.uint64(len(ref)):
            raise InvalidArgumentError(None, None, outside)
        source, first = to_values(values, ref), np.int64(row) * values.size
        if not is_divisor(source):
            raise InvalidArgumentError(None, None, by_zero)
        taken = take_lock(variable, use_locking)
        loop(vector_of(variable)[first : first + source.size], source)
        give_back_lock(variable, use_locking, taken)
        return variable

    return update


def _rows(method, operation, variable, indices, values):
    loop = over_rows(method, operation, variable.element, values.dtype, indices.dtype)
    is_inside, index_ndim = all_inside(indices.dtype), indices.ndim
    are_divisors = none_divides_by_zero(operation, variable.element, values.dtype)
    to_indices, to_values = vector_apart(indices), vector_apart(values)
    wrong_shape, outside, by_zero = words_of(method)

    def update(variable, indices, values, use_locking=False):
        ref = ref_of(variable)
        if values.shape[:index_ndim] != indices.shape or values.shape[index_ndim:] != ref.shape[1:]:
            raise ValueError(wrong_shape)
        rows = to_indices(indices, ref)
        if not is_inside(rows, len(ref)):
            raise InvalidArgumentError(None, None, outside)
        if values.size > 0:
            slices = to_values(values, ref)
            if not are_divisors(slices):
                raise InvalidArgumentError(None, None, by_zero)
            taken = take_lock(variable, use_locking)
            loop(vector_of(variable), rows, slices, np.uint64(values.size // indices.size))
            give_back_lock(variable, use_locking, taken)
        return variable

    return update


def _scatter(method, operation):
    def form(variable, indices, values, use_locking=False):
        rule_for(method, operation, variable.element)
        _expect_slices(method, variable, indices, values)
        if isinstance(indices, types.Array):
            update = _rows(method, operation, variable, indices, values)
        elif isinstance(values, types.Array):
            update = _one_row(method, operation, variable, values)
        else:
            update = _one_element(method, operation, variable, values)
        update.__name__ = update.__qualname__ = method
        return update

    return form


METHODS = {method: _scatter(method, operation) for method, operation in OPERATIONS.items()}
