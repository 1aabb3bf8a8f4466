from __future__ import annotations

import doctest
import threading

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

import nbvars
from nbvars import atomic
from tests.conftest import INTEGERS, LAYOUTS

OPS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "min": np.minimum,
    "max": np.maximum,
}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint64", "float32", "float64"])
def test_an_element_is_updated_and_what_was_there_comes_back(op, dtype):
    array = np.array([3, 100, 7], dtype)
    expected = array.copy()
    for value in (5, 100, 1):
        before = expected[1]
        with np.errstate(over="ignore"):
            expected[1] = OPS[op](expected[1], np.array(value, dtype)[()])
        assert getattr(atomic, op)(array, 1, value) == before
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("op", ["min", "max"])
def test_nan_goes_on(op):
    array = np.array([np.nan, 1.0])
    getattr(atomic, op)(array, 0, 2.0)
    getattr(atomic, op)(array, 1, np.nan)
    assert np.isnan(array).all()


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", "float64"])
def test_compare_and_swap_stores_only_where_it_finds_what_it_expects(dtype):
    array = np.array([3, 4], dtype)
    assert atomic.compare_and_swap(array, 1, 3, 9) == 4
    assert array.tolist() == [3, 4]
    assert atomic.compare_and_swap(array, 1, 4, 9) == 4
    assert array.tolist() == [3, 9]


def test_compare_and_swap_finds_nan():
    array = np.array([np.nan])
    assert np.isnan(atomic.compare_and_swap(array, 0, array[0], 1.0))
    assert array[0] == 1


def test_elements_of_variables_are_updated():
    variable = nbvars.Variable(np.zeros((2, 3), np.float32))
    assert atomic.add(variable, (1, -1), 2.5) == 0
    assert atomic.sub(variable, (1, 2), 1) == 2.5
    np.testing.assert_array_equal(variable.numpy(), [[0, 0, 0], [0, 0, 1.5]])
    scalar = nbvars.Variable(5)
    assert atomic.max(scalar, (), 7) == 5
    assert scalar.numpy() == 7


def test_elements_of_strided_arrays_are_updated():
    array = np.zeros((3, 4))
    atomic.add(array[::2, ::-1], (1, 0), 1)
    assert array[2, 3] == array.sum() == 1


@pytest.mark.parametrize("index", [(2, 0), (0, 3), (-3, 0), (0, -4), (2**40, 0), (np.uint64(2**64 - 1), 0)], ids=str)
def test_an_index_outside_changes_nothing(index):
    array = np.zeros((2, 3), np.int64)
    with pytest.raises(IndexError, match="atomic: the index is out of range"):
        atomic.add(array, index, 1)
    assert not array.any()


@pytest.mark.parametrize(
    ("ref", "index", "value", "wrong"),
    [
        (np.zeros(2), (0, 0), 1, "the index does not name one element: got UniTuple(int64 x 2), expected 1 integers"),
        (np.zeros(2), 0.0, 1, "the index does not name one element: got float64, expected 1 integers"),
        (np.zeros(2, np.int32), 0, 1.5, "the value has the wrong dtype: got float64, expected int32; convert it first"),
        (
            np.zeros(2, complex),
            0,
            1,
            "ref has the wrong dtype: got complex128, expected an integer, float32 or float64",
        ),
        (np.zeros(2, bool), 0, True, "ref has the wrong dtype: got bool, expected an integer, float32 or float64"),
        (LAYOUTS["read_only"](np.zeros(2)), 0, 1, "ref cannot be updated: got readonly array(float64, 1d, C)"),
        (3, 0, 1, "ref cannot be updated: got int64, expected a variable or a writable array"),
    ],
    ids=["indices", "float index", "float", "complex", "bool", "read-only", "number"],
)
def test_wrong_types_are_refused(ref, index, value, wrong):
    with pytest.raises(TypingError) as caught:
        atomic.add(ref, index, value)
    assert f"atomic.add: {wrong}" in str(caught.value)


def test_a_number_that_does_not_fit_changes_nothing():
    array = np.zeros(1, np.int8)
    with pytest.raises(ValueError, match=r"atomic.add: a number does not fit the variable"):
        atomic.add(array, 0, 128)
    assert array[0] == 0


def test_an_unaligned_array_is_refused():
    array = LAYOUTS["unaligned"](np.zeros(2))
    with pytest.raises(ValueError, match=r"atomic.add: ref cannot be updated in place: got an unaligned array"):
        atomic.add(array, 0, 1)
    assert not array.any()


@njit(nogil=True)
def count_often(array, index, num_times):
    for _ in range(num_times):
        atomic.add(array, index, 1)


@pytest.mark.parametrize("dtype", [*INTEGERS, "float32", "float64"])
def test_no_update_of_a_thread_is_lost(dtype):
    variable, num_threads = nbvars.Variable(np.zeros(3, dtype)), 4
    num_times = 31 if dtype.endswith("int8") else 8_000 if dtype.endswith("int16") else 50_000
    count_often(variable, 1, 0)
    threads = [threading.Thread(target=count_often, args=(variable, 1, num_times)) for _ in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert variable.numpy().tolist() == [0, num_threads * num_times, 0]


def test_the_docstring_shows_what_the_code_prints():
    result = doctest.testmod(atomic)
    assert result.attempted > 0
    assert result.failed == 0
