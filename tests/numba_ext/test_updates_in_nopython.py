from __future__ import annotations

import sys
import threading
from itertools import chain

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

import nbvars
from nbvars.errors import InvalidArgumentError, OutOfRangeError
from nbvars.kernels.cpu.header import MOST_HELD_ITEMS
from tests import reference
from tests.conftest import LAYOUTS, assert_same_bits, random_array
from tests.numba_ext.test_variables_in_nopython import NUMBA_DTYPES


@njit
def assign(variable, value, use_locking):
    return variable.assign(value, use_locking=use_locking)


@njit
def assign_add(variable, value, use_locking):
    return variable.assign_add(value, use_locking=use_locking)


@njit
def assign_sub(variable, value, use_locking):
    return variable.assign_sub(value, use_locking=use_locking)


@njit
def scatter_add(variable, indices, values, use_locking):
    return variable.scatter_add(indices, values, use_locking=use_locking)


@njit
def scatter_sub(variable, indices, values, use_locking):
    return variable.scatter_sub(indices, values, use_locking=use_locking)


@njit
def scatter_update(variable, indices, values, use_locking):
    return variable.scatter_update(indices, values, use_locking=use_locking)


@njit
def scatter_mul(variable, indices, values, use_locking):
    return variable.scatter_mul(indices, values, use_locking=use_locking)


@njit
def scatter_div(variable, indices, values, use_locking):
    return variable.scatter_div(indices, values, use_locking=use_locking)


@njit
def scatter_min(variable, indices, values, use_locking):
    return variable.scatter_min(indices, values, use_locking=use_locking)


@njit
def scatter_max(variable, indices, values, use_locking):
    return variable.scatter_max(indices, values, use_locking=use_locking)


@njit(nogil=True)
def add_often(variable, delta, num_times, use_locking):
    for _ in range(num_times):
        variable.assign_add(delta, use_locking=use_locking)


@njit(nogil=True)
def count_all(counter, limit, counts):
    num_counts = 0
    try:
        while True:
            counts[num_counts] = counter.count_up_to(limit)
            num_counts += 1
    except Exception:  # Numba knows no other clause
        return num_counts


@njit
def count(counter, limit):
    return counter.count_up_to(limit)


DENSE = {"assign": assign, "assign_add": assign_add, "assign_sub": assign_sub}
SCATTER = {
    "scatter_add": scatter_add,
    "scatter_div": scatter_div,
    "scatter_max": scatter_max,
    "scatter_min": scatter_min,
    "scatter_mul": scatter_mul,
    "scatter_sub": scatter_sub,
    "scatter_update": scatter_update,
}
locking = pytest.mark.parametrize("use_locking", [False, True], ids=["unlocked", "locked"])


@pytest.fixture
def variable():
    return nbvars.Variable(np.arange(6, dtype=np.float32).reshape(3, 2))


def assert_unchanged(variable):
    np.testing.assert_array_equal(variable.numpy(), np.arange(6, dtype=np.float32).reshape(3, 2))
    assert_is_free(variable)


def assert_is_free(variable):
    """Fail unless another thread can take the lock, and the fast path too."""
    taken = []

    def take():
        taken.append(variable._storage._mutex.acquire(blocking=False))
        if taken[0]:
            variable._storage._mutex.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    assert taken == [True]
    assert variable._storage._header[0] == 0


@pytest.mark.parametrize(
    ("op", "dtype", "layout"),
    [
        *((op, dtype, "contiguous") for op in DENSE for dtype in ("int8", "float32")),
        *(("assign_sub", dtype, "contiguous") for dtype in ("uint64", "complex128")),
        *(("assign_sub", "float32", layout) for layout in ("strided", "fortran", "reversed", "read_only", "unaligned")),
    ],
)
def test_an_array_updates_like_the_reference(rng, op, dtype, layout):
    before, value = (random_array(rng, dtype, (3, 5)) for _ in range(2))
    variable = nbvars.Variable(before)
    assert DENSE[op](variable, LAYOUTS[layout](value), True) is variable
    with np.errstate(all="ignore"):
        getattr(reference, op)(before, value)
    assert_same_bits(variable.numpy(), before)
    assert_is_free(variable)


@pytest.mark.parametrize("dtype", NUMBA_DTYPES)
def test_a_number_updates_every_element(dtype):
    variable = nbvars.Variable(np.ones(3, dtype))
    assign(variable, True, False)
    assert variable.numpy().tolist() == [True] * 3
    if dtype != "bool":
        assign_add(variable, 4, False)
        assign_sub(variable, 2, True)
        assert variable.numpy().tolist() == [3] * 3


@locking
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0), (MOST_HELD_ITEMS + 1,)], ids=str)
def test_every_size_is_updated(shape, use_locking):
    variable = nbvars.Variable(np.zeros(shape, np.float32))
    assign_add(variable, 2.5, use_locking)
    if shape:
        assign_add(variable, np.full(shape, 0.5), use_locking)
    np.testing.assert_array_equal(variable.numpy(), np.full(shape, 3 if shape else 2.5, np.float32))
    assert_is_free(variable)


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, np.uint64(2**63)])
def test_a_number_that_does_not_fit_changes_nothing(number):
    variable = nbvars.Variable(np.zeros(2, np.int32))
    with pytest.raises(ValueError, match=r"assign: a number does not fit the variable: got .*, expected int32"):
        assign(variable, number, True)
    assert variable.numpy().tolist() == [0, 0]
    assert_is_free(variable)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (1j, "the value has the wrong dtype: got complex128, expected float32"),
        (np.ones((3, 2), complex), "the value has the wrong dtype: got complex128, expected float32"),
        (np.ones(2), "the update has the wrong number of axes: got 1, expected 2; a number changes every element"),
        ("x", "the value has the wrong type: got unicode_type, expected a number or an array"),
    ],
    ids=["complex", "complex array", "vector", "text"],
)
def test_a_wrong_type_is_refused_when_the_function_is_compiled(variable, value, wrong):
    with pytest.raises(TypingError) as caught:
        assign_add(variable, value, True)
    assert f"assign_add: {wrong}" in str(caught.value)
    assert_unchanged(variable)


@locking
def test_a_wrong_shape_changes_nothing(variable, use_locking):
    with pytest.raises(ValueError, match="assign_sub: the update has the wrong shape"):
        assign_sub(variable, np.ones((2, 3)), use_locking)
    assert_unchanged(variable)


def test_bool_variables_have_no_arithmetic():
    with pytest.raises(TypingError, match="assign_add: ref has the wrong dtype: got bool"):
        assign_add(nbvars.Variable(True), True, False)


def test_an_update_by_a_view_of_the_variable_reads_the_old_value():
    @njit
    def reverse(variable):
        variable.assign(variable.value()[::-1])
        variable.assign_add(variable.value())

    variable = nbvars.Variable(np.arange(5))
    reverse(variable)
    assert variable.numpy().tolist() == [8, 6, 4, 2, 0]


@pytest.mark.parametrize(
    ("op", "dtype", "row", "index_dtype"),
    [
        *((op, "float32", (3,), "int64") for op in SCATTER),
        *(("scatter_sub", dtype, (3,), "int64") for dtype in ("int8", "uint64", "complex128")),
        *(("scatter_sub", "float32", row, "int32") for row in ((), (2, 3))),
        ("scatter_sub", "float32", (3,), "uint8"),
        *(("scatter_div", dtype, (3,), "int64") for dtype in ("int8", "uint64")),
    ],
)
def test_scatter_updates_rows_like_the_reference(rng, op, dtype, row, index_dtype):
    before, values = random_array(rng, dtype, (5, *row)), random_array(rng, dtype, (2, 3, *row))
    indices = np.array([[4, 0, 4], [1, 4, 1]], index_dtype)
    variable = nbvars.Variable(before)
    assert SCATTER[op](variable, indices, values, True) is variable
    with np.errstate(all="ignore"):
        getattr(reference, op)(before, indices, values)
    assert_same_bits(variable.numpy(), before)
    assert_is_free(variable)


@locking
@pytest.mark.parametrize("index", [3, -1, 2**40])
def test_an_index_out_of_range_changes_nothing(variable, index, use_locking):
    with pytest.raises(InvalidArgumentError, match=r"scatter_sub: an index is out of range: .*; nothing was written"):
        scatter_sub(variable, np.array([0, 1, index]), np.ones((3, 2)), use_locking)
    assert_unchanged(variable)


@pytest.mark.parametrize(("num_indices", "shape"), [(2, (3, 2)), (3, (3, 3)), (1, (0, 2))])
def test_slices_of_another_shape_change_nothing(variable, num_indices, shape):
    with pytest.raises(ValueError, match="scatter_sub: the update has the wrong shape"):
        scatter_sub(variable, np.zeros(num_indices, np.int64), np.ones(shape), True)
    assert_unchanged(variable)


def test_one_row_is_updated_by_its_number(variable):
    scatter_sub(variable, 1, np.ones(2), True)
    scatter_add(variable, np.int8(2), np.ones(2, np.float32), True)
    np.testing.assert_array_equal(variable.numpy(), [[0, 1], [1, 2], [5, 6]])
    vector = nbvars.Variable(np.zeros(3, np.int8))
    scatter_sub(vector, 2, 5, True)
    assert vector.numpy().tolist() == [0, 0, -5]
    assert_is_free(variable)


@pytest.mark.parametrize("index", [3, -1, 2**40, np.uint64(2**64 - 1)])
def test_the_number_of_a_row_that_is_not_there_changes_nothing(variable, index):
    with pytest.raises(InvalidArgumentError, match=r"scatter_sub: an index is out of range: .*; nothing was written"):
        scatter_sub(variable, index, np.ones(2), True)
    with pytest.raises(ValueError, match="scatter_sub: the update has the wrong shape"):
        scatter_sub(variable, 1, np.ones(3), True)
    vector = nbvars.Variable(np.zeros(3, np.int8))
    with pytest.raises(InvalidArgumentError):
        scatter_sub(vector, index, 5, True)
    assert not vector.numpy().any()
    assert_unchanged(variable)


@pytest.mark.parametrize(
    ("indices", "values"),
    [(np.array([1, 0]), np.array([2, 0])), (np.array([1, 0]), np.array([2, 256])), (2, 0)],
    ids=["zero", "zero in int8", "number"],
)
def test_integers_are_not_divided_by_zero(indices, values):
    variable = nbvars.Variable(np.full(3, 6, np.int8))
    with pytest.raises(InvalidArgumentError, match="scatter_div: values divides integers by zero"):
        scatter_div(variable, indices, values, True)
    assert variable.numpy().tolist() == [6, 6, 6]
    assert_is_free(variable)


def test_floating_numbers_are_divided_by_zero():
    variable = nbvars.Variable([6.0])
    scatter_div(variable, 0, 0.0, True)
    assert variable.numpy().tolist() == [np.inf]


def test_complex_numbers_have_no_minimum():
    with pytest.raises(TypingError, match="scatter_min: ref has the wrong dtype: got complex64"):
        scatter_min(nbvars.Variable(np.zeros(3, np.complex64)), 0, 1.0, True)


def test_no_slices_change_nothing(variable):
    scatter_sub(variable, np.zeros(0, np.int64), np.ones((0, 2)), True)
    assert_unchanged(variable)


@pytest.mark.parametrize(
    ("indices", "values", "wrong"),
    [
        (np.array([0.0]), np.ones((1, 2)), "indices has the wrong dtype: got float64, expected an integer dtype"),
        (1.0, np.ones(2), "indices has the wrong type: got float64, expected an array of integers, or one"),
        (1, np.ones((1, 2)), "the update has the wrong number of axes: got 2, expected 1"),
        (1, 2.0, "values has the wrong type: got float64, expected an array"),
        (np.array([0]), np.ones(2), "the update has the wrong number of axes: got 1, expected 2"),
        (np.array([0]), np.ones((1, 2), complex), "the value has the wrong dtype: got complex128, expected float32"),
    ],
    ids=["indices", "index", "slices", "number", "axes", "dtype"],
)
def test_slices_of_a_wrong_type_are_refused_when_the_function_is_compiled(variable, indices, values, wrong):
    with pytest.raises(TypingError) as caught:
        scatter_sub(variable, indices, values, True)
    assert f"scatter_sub: {wrong}" in str(caught.value)
    assert_unchanged(variable)


@pytest.mark.parametrize("num_items", [1, MOST_HELD_ITEMS + 1])
def test_locked_updates_of_many_threads_all_count(num_items):
    variable = nbvars.Variable(np.zeros(num_items, np.int64))
    num_threads, num_times = 4, 100_000 if num_items == 1 else 200
    add_often(variable, 0, 1, True)
    threads = [threading.Thread(target=add_often, args=(variable, 1, num_times, True)) for _ in range(num_threads)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        variable.assign_add(1, use_locking=True)
        with variable._locked():
            before = variable._storage.array[0]
            assert variable._storage.array[-1] == before  # no update is under way
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(variable.numpy(), num_threads * num_times + 200)
    assert_is_free(variable)


def test_compiled_code_waits_for_the_lock_of_python_code():
    variable = nbvars.Variable(0)
    add_often(variable, 0, 1, True)
    thread = threading.Thread(target=add_often, args=(variable, 1, 1, True))
    with variable._locked():
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        add_often(variable, 10, 1, True)  # this thread has it already
        assert variable._storage.array == 10
    thread.join()
    assert variable.numpy() == 11
    assert_is_free(variable)


def test_locked_updates_of_shared_memory_take_its_lock():
    variable = nbvars.Variable(np.zeros(2))
    variable.share_memory()
    assign_add(variable, 1, True)
    with variable._locked():
        assign_add(variable, np.ones(2), True)
    assert variable.numpy().tolist() == [2, 2]
    assert variable._storage._block.holder == 0


def test_updates_keep_no_reference(variable):
    ones, indices = np.ones((3, 2), np.float32), np.arange(3)
    add_often(variable, ones, 1, True)
    scatter_sub(variable, indices, ones, True)
    before = [sys.getrefcount(argument) for argument in (variable, ones, indices)]
    for _ in range(500):
        add_often(variable, ones, 2, True)
        assert scatter_sub(variable, indices, ones, True) is variable
    with variable._locked():
        add_often(variable, ones, 2, True)
    assert [sys.getrefcount(argument) for argument in (variable, ones, indices)] == before


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_a_variable_counts_in_threads_without_repeats(dtype):
    num_threads, limit = 4, 200_000
    counter, counts = nbvars.Variable(np.zeros((), dtype)), np.zeros((num_threads, limit), np.int64)
    assert count(counter, 1) == 0
    with pytest.raises(OutOfRangeError, match="count_up_to: Reached limit"):
        count(counter, 1)
    assert counter.count_up_to(2) == 1
    count_all(counter, 2, counts[0])
    nums = [0] * num_threads

    def work(k):
        nums[k] = count_all(counter, limit, counts[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = sorted(chain.from_iterable(own[:num] for own, num in zip(counts.tolist(), nums, strict=True)))
    assert taken == list(range(2, limit))


def test_a_variable_that_cannot_count_is_refused():
    with pytest.raises(TypingError, match=r"count_up_to: ref cannot count: got .*, expected an int32 or int64 scalar"):
        count(nbvars.Variable([0]), 1)
