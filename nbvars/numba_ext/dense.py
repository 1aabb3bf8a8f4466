"""assign, assign_add, assign_sub of a variable in compiled code."""

from __future__ import annotations

import functools

from numba import types

from nbvars.checks import message
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.numba_ext.arguments import expect_same_kind, is_number, item_to, number_to, refuse, rule_for, vector_apart
from nbvars.numba_ext.locking import give_back_lock, take_lock
from nbvars.numba_ext.variable_type import ref_of, vector_of

OPERATIONS = {"assign": "update", "assign_add": "add", "assign_sub": "sub"}


@functools.cache
def over_number(where, operation, element):
    """Return the compiled loop over a vector, with one number."""
    rule = rule_for(where, operation, element)

    def loop(ref, number):
        for i in range(ref.size):
            ref[i] = rule(ref[i], number)

    return jit_closure(f"{where}_by_number_over_{element}", loop)


@functools.cache
def over_arrays(where, operation, element, source):
    """Return the compiled loop over two vectors of one size."""
    rule, convert = rule_for(where, operation, element), item_to(element, source)

    def loop(ref, values):
        for i in range(ref.size):
            ref[i] = rule(ref[i], convert(values[i]))

    return jit_closure(f"{where}_{source}_over_{element}", loop)


def wrong_shape(where):
    """Return the sentence of a value of another shape."""
    return message(where, "the update has the wrong shape", "another one", "that of the variable")


def _by_number(method, operation, variable, value):
    convert = number_to(method, variable.element, value)
    over_all = over_number(method, operation, variable.element)

    def update(variable, value, use_locking=False):
        number = convert(value)
        taken = take_lock(variable, use_locking)
        over_all(vector_of(variable), number)
        give_back_lock(variable, use_locking, taken)
        return variable

    return update


def _by_array(method, operation, variable, value):
    expect_same_kind(method, variable.element, value.dtype)
    if value.ndim != variable.ndim:
        expected = f"{variable.ndim}; a number changes every element"
        refuse(method, "the update has the wrong number of axes", value.ndim, expected)
    over_all = over_arrays(method, operation, variable.element, value.dtype)
    to_vector, does_not_fit = vector_apart(value), wrong_shape(method)

    def update(variable, value, use_locking=False):
        ref = ref_of(variable)
        if value.shape != ref.shape:
            raise ValueError(does_not_fit)
        values = to_vector(value, ref)
        taken = take_lock(variable, use_locking)
        over_all(vector_of(variable), values)
        give_back_lock(variable, use_locking, taken)
        return variable

    return update


def _dense(method, operation):
    def form(variable, value, use_locking=False):
        rule_for(method, operation, variable.element)
        if is_number(value):
            update = _by_number(method, operation, variable, value)
        elif isinstance(value, types.Array):
            update = _by_array(method, operation, variable, value)
        else:
            remedy = "take v.value() of a variable"
            refuse(method, "the value has the wrong type", value, "a number or an array", remedy)
        # Numba takes two functions of one name for the same if their arguments have the same types.
        update.__name__ = update.__qualname__ = method
        return update

    return form


METHODS = {method: _dense(method, operation) for method, operation in OPERATIONS.items()}
