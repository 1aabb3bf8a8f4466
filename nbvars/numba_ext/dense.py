"""assign, assign_add, assign_sub of a variable in compiled code."""

from __future__ import annotations

import functools

from numba import types

from nbvars.checks import message
from nbvars.kernels import rules
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.numba_ext.arguments import expect_same_kind, is_number, item_to, number_to, refuse, vector_apart
from nbvars.numba_ext.locking import give_back_lock, take_lock
from nbvars.numba_ext.variable_type import ref_of, vector_of


def _by_number(method, rule, variable, value):
    convert, name = number_to(method, variable.dtype, value), f"{method}_by_number"

    def loop(ref, number):
        for i in range(ref.size):
            ref[i] = rule(ref[i], number)

    over_all = jit_closure(f"{name}_over_{variable.dtype}", loop)

    def update(variable, value, use_locking=False):
        number = convert(value)
        taken = take_lock(variable, use_locking)
        over_all(vector_of(variable), number)
        give_back_lock(variable, use_locking, taken)
        return variable

    return update


@functools.cache
def over_arrays(method, rule, dtype, source):
    """Return the compiled loop over two vectors of one size."""
    convert = item_to(dtype, source)

    def loop(ref, values):
        for i in range(ref.size):
            ref[i] = rule(ref[i], convert(values[i]))

    return jit_closure(f"{method}_{source}_over_{dtype}", loop)


def _by_array(method, rule, variable, value):
    expect_same_kind(method, variable.dtype, value.dtype)
    if value.ndim != variable.ndim:
        expected = f"{variable.ndim}; a number changes every element"
        refuse(method, "the update has the wrong number of axes", value.ndim, expected)
    over_all, to_vector = over_arrays(method, rule, variable.dtype, value.dtype), vector_apart(value)
    wrong_shape = message(method, "the update has the wrong shape", "another one", "that of the variable")

    def update(variable, value, use_locking=False):
        ref = ref_of(variable)
        if value.shape != ref.shape:
            raise ValueError(wrong_shape)
        values = to_vector(value, ref)
        taken = take_lock(variable, use_locking)
        over_all(vector_of(variable), values)
        give_back_lock(variable, use_locking, taken)
        return variable

    return update


def expect_updatable(method, rule, dtype):
    """Refuse arithmetic on a bool variable."""
    if isinstance(dtype, types.Boolean) and rule is not rules.replace:
        refuse(method, "ref has the wrong dtype", dtype, "a number")


def _dense(method, rule):
    def form(variable, value, use_locking=False):
        expect_updatable(method, rule, variable.dtype)
        if is_number(value):
            update = _by_number(method, rule, variable, value)
        elif isinstance(value, types.Array):
            update = _by_array(method, rule, variable, value)
        else:
            remedy = "take v.value() of a variable"
            refuse(method, "the value has the wrong type", value, "a number or an array", remedy)
        # Numba takes two functions of one name for the same if their arguments have the same types.
        update.__name__ = update.__qualname__ = method
        return update

    return form


_RULES = {"assign": rules.replace, "assign_add": rules.add, "assign_sub": rules.subtract}
METHODS = {method: _dense(method, rule) for method, rule in _RULES.items()}
