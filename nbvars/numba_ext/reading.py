"""What compiled code reads of a variable: its shape, its elements, views and copies of its value."""

from __future__ import annotations

import operator

from numba import types

from nbvars.numba_ext.variable_type import VariableType, ref_of, value_of


def _shape(variable):
    return lambda variable: ref_of(variable).shape


def _ndim(variable):
    return lambda variable: ref_of(variable).ndim


def _size(variable):
    return lambda variable: ref_of(variable).size


def _dtype(variable):
    return lambda variable: ref_of(variable).dtype


def _value(variable):
    return lambda variable: value_of(variable)  # noqa: PLW0108 - Numba wants a function


def _copy(variable):
    return lambda variable: ref_of(variable).copy()


def _len(variable):
    if isinstance(variable, VariableType) and variable.ndim:
        return lambda variable: len(ref_of(variable))
    return None


def _names_one_element(index, ndim):
    parts = tuple(index) if isinstance(index, types.BaseTuple) else (index,)
    return len(parts) == ndim and all(isinstance(part, types.Integer) for part in parts)


def _getitem(variable, index):
    if not isinstance(variable, VariableType):
        return None
    if _names_one_element(index, variable.ndim):  # which needs no reference
        return lambda variable, index: ref_of(variable)[index]
    return lambda variable, index: value_of(variable)[index]


ATTRIBUTES = {"shape": _shape, "ndim": _ndim, "size": _size, "dtype": _dtype}
METHODS = {"value": _value, "read_value": _copy, "numpy": _copy}
FUNCTIONS = {len: _len, operator.getitem: _getitem}
