from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest
from numba import njit
from numba.core.errors import NumbaTypeError

import nbvars

NUMBA_DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64", "complex64", "complex128"),
]


@njit
def same(variable):
    return variable


@njit
def value(variable):
    return variable.value()


@njit
def item(variable, index):
    return variable[index]


@njit
def described(variable):
    return variable.shape, variable.ndim, variable.size, len(variable)


@njit
def total(variable):
    result = 0.0
    for i in range(variable.shape[0]):
        for j in range(variable.shape[1]):
            result += variable[i, j]
    return result


def make(dtype="float32", shape=(3, 2)):
    return nbvars.Variable(np.arange(np.prod(shape)).reshape(shape).astype(dtype))


@pytest.mark.parametrize("dtype", NUMBA_DTYPES)
def test_a_variable_of_any_type_that_numba_has_is_read(dtype):
    variable = make(dtype, (3,))
    assert item(variable, 2) == variable.numpy()[2]
    seen = value(variable)
    assert seen.dtype == dtype
    np.testing.assert_array_equal(seen, variable.numpy())


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 2), (2, 0, 3), (2, 3, 4, 1, 2)])
def test_shape_rank_and_size_are_those_of_the_variable(shape):
    size = int(np.prod(shape))
    assert described(make(shape=shape)) == (shape, len(shape), size, shape[0])


def test_elements_are_read_one_by_one():
    assert total(make()) == 15
    assert item(make(), (2, 1)) == 5
    assert item(make(), (-1, -2)) == 4
    assert item(make(shape=()), ()) == 0


def test_rows_and_slices_are_views_that_cannot_be_written_to():
    variable = make()
    last, rest = item(variable, 2), item(variable, slice(1, None))
    variable.assign_add(1.0)
    np.testing.assert_array_equal(last, [5, 6])
    np.testing.assert_array_equal(rest, [[3, 4], [5, 6]])
    for view in (last, rest, value(variable)):
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 0


def test_a_view_cannot_be_written_to_in_compiled_code():
    @njit
    def write(variable):
        variable.value()[0, 0] = 7

    variable = make()
    with pytest.raises(Exception, match="Cannot modify readonly array"):
        write(variable)
    assert variable.numpy()[0, 0] == 0


def test_the_variable_itself_comes_back():
    variable = make()
    assert same(variable) is variable


@pytest.mark.parametrize("call", [same, value, described, total, lambda v: item(v, 1), lambda v: item(v, (1, 1))])
def test_calls_keep_no_reference(call):
    variable = make()
    call(variable)
    before = sys.getrefcount(variable)
    for _ in range(1000):
        call(variable)
    assert sys.getrefcount(variable) == before


def test_a_view_keeps_the_memory_of_a_variable_that_nobody_else_has():
    variable = make()
    alive, view = weakref.ref(variable), value(variable)
    del variable
    gc.collect()
    assert alive() is not None
    np.testing.assert_array_equal(view, [[0, 1], [2, 3], [4, 5]])
    del view
    gc.collect()
    assert alive() is None


def test_numba_learns_the_type_of_a_variable_once():
    variables = [make(), make()]
    for variable in variables:
        same(variable)
    assert variables[0]._numba_type_ is variables[1]._numba_type_
    assert len(same.signatures) == len({str(signature) for signature in same.signatures})


def test_a_variable_in_shared_memory_is_read_there():
    variable = make()
    assert item(variable, (1, 1)) == 3
    variable.share_memory()
    variable.assign_add(1.0)
    assert item(variable, (1, 1)) == 4


@pytest.mark.parametrize("validate_shape", [True, False])
def test_a_variable_of_a_graph_is_refused_with_the_way_out(validate_shape):
    with nbvars.graph_mode():
        initial_value = nbvars.placeholder(nbvars.float32, None if not validate_shape else [2])
        variable = nbvars.Variable(initial_value, validate_shape=validate_shape)
        with pytest.raises(TypeError, match=r"a variable of a graph has no value in compiled code: .*Session"):
            same(variable)


def test_a_global_variable_is_refused_with_the_way_out():
    variable = make()

    @njit
    def read():
        return variable[0, 0]

    with pytest.raises(NumbaTypeError, match="pass it as an argument"):
        read()
