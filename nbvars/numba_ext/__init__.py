"""nbvars inside functions that the user compiles with Numba.

An eager variable is an argument like any other:

>>> import numba, numpy as np, nbvars
>>> @numba.njit(nogil=True)
... def train(table, rows, counter):
...     for row in rows:
...         step = 0.5 * table[row]
...         table.scatter_sub(row, step)
...         counter.count_up_to(100)
...     table.assign_add(1, use_locking=True)
...     return table.shape, table.value().sum()
>>> table, counter = nbvars.Variable(np.ones((3, 2))), nbvars.Variable(0)
>>> train(table, np.array([0, 2, 0]), counter)
((3, 2), 9.5)

A variable has ``shape``, ``ndim``, ``size``, ``dtype`` and ``len``. ``v[i]``, ``v[i, j]``, slices and ``value()`` read
it; views are read-only. ``numpy()`` and ``read_value()`` are copies, which take no lock. Updates are ``assign``,
``assign_add``, ``assign_sub``, ``count_up_to``, and ``scatter_update``, ``_add``, ``_sub``, ``_mul``, ``_div``,
``_min``, ``_max``, which take ``(indices, values)`` there, or one row by its number. An update returns the variable,
and leaves it as it was if it raises. With ``use_locking=True`` it holds the variable's lock, the one that Python code
takes; without, of two concurrent updates one may be lost, but those of ``nbvars.atomic``. As with arrays, Numba does
not check the indices of what is read. Elements of float16 and bfloat16 variables are their bits, uint16; updates of
those take floats, which are rounded, or bits. Variables of a graph are refused: pass the array that a ``Session``
returns.

Numba cannot compile the launchers of ``nbvars.kernels``. Those in the table below have a second form, made of the same
rules, which Numba puts in their place:

>>> import numba, numpy as np
>>> from nbvars import kernels
>>> @numba.njit(nogil=True)
... def sum_of_counts(counter, limit):
...     total = 0
...     for _ in range(limit):
...         total += kernels.count_up_to(counter, limit)
...     return total
>>> sum_of_counts(np.array(0), 10)
45

The arrays are the user's own: the value of a variable is read-only outside of nbvars. ``nogil``, ``parallel`` and
``cache=True`` work; what Numba keeps of a function on disk holds the form that nbvars had then.

A wrong type is a ``TypingError`` at compilation. The errors of a call are the launcher's, but their sentences have no
numbers. Numba keeps arguments of a function that an error leaves, of this one too, unless the function catches it.

In a ``prange`` Numba makes numbers of arrays of shape ``()``. There, ``counter.reshape(())`` of a counter of shape
``(1,)`` counts, but must not reach the limit: a ``prange`` cannot raise.
"""

from __future__ import annotations

import functools

from numba.extending import overload, overload_attribute, overload_method

from nbvars.kernels.cpu.counter import count_up_to
from nbvars.numba_ext import bits, casting, counter, dense, elements, launchers, reading, sparse
from nbvars.numba_ext.variable_type import VariableType

__all__ = ["register"]

_FUNCTIONS = {
    count_up_to: counter.count_up_to,
    **bits.FUNCTIONS,
    **casting.FUNCTIONS,
    **elements.FUNCTIONS,
    **launchers.FUNCTIONS,
    **reading.FUNCTIONS,
}
"""Of each function the one of types that gives its form in compiled code."""
_METHODS = {**reading.METHODS, **counter.METHODS, **dense.METHODS, **sparse.METHODS}
"""The same of the methods of variables."""


@functools.cache
def register() -> None:
    """Tell Numba of the forms; ``import nbvars`` does."""
    for function, form in _FUNCTIONS.items():
        overload(function)(form)
    for name, form in _METHODS.items():
        overload_method(VariableType, name)(form)
    for name, form in reading.ATTRIBUTES.items():
        overload_attribute(VariableType, name)(form)
