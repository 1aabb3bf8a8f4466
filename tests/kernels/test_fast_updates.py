from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest

from nbvars.kernels.cpu.fast_updates import MOST_FAST_BYTES, fast_updates
from nbvars.kernels.cpu.header import LOCK, MOST_HELD_ITEMS
from nbvars.kernels.cpu.intrinsics import FAST_RANK
from tests import reference
from tests.conftest import ALL_DTYPES, FLOATS, INTEGERS, LAYOUTS, NUMERIC, assert_same_bits, numpy_dtype, random_array

REFERENCES = {"assign": reference.assign, "add": reference.assign_add, "sub": reference.assign_sub}


def header_of(variable):
    """Return the header of a variable whose memory is that of the array ``variable``."""
    layout = [*variable.shape, *variable.strides]
    return np.array([0, variable.ctypes.data, variable.size, 0, len(layout), *layout], np.int64)


def entry_point(operation, update, dtype):
    return getattr(fast_updates(numpy_dtype(dtype)), f"{operation}_{update}")


def assert_updated(operation, update, variable, value, use_locking=False):
    header = header_of(variable)
    expected = variable.copy()
    with np.errstate(all="ignore"):
        REFERENCES[operation](expected, np.asarray(value).astype(variable.dtype))
    assert entry_point(operation, update, variable.dtype.name)(header.ctypes.data, value, use_locking) is True
    assert_same_bits(variable, expected)
    assert header[LOCK] == 0


def assert_declined(operation, update, variable, value, lock=0, use_locking=False):
    header = header_of(variable)
    header[LOCK] = lock
    before = variable.tobytes()
    assert entry_point(operation, update, variable.dtype.name)(header.ctypes.data, value, use_locking) is False
    assert variable.tobytes() == before
    assert header[LOCK] == lock


@pytest.mark.parametrize(
    ("operation", "dtype"),
    [(op, dtype) for op in REFERENCES for dtype in (ALL_DTYPES if op == "assign" else NUMERIC)],
)
def test_fast_update_by_an_array_equals_the_reference(rng, operation, dtype):
    for shape in [(), (1,), (16,), (3, 5), (2, 3, 4), (2, 1, 3, 2), (0,), (2, 0)]:
        assert_updated(operation, "array", random_array(rng, dtype, shape), random_array(rng, dtype, shape))


@pytest.mark.parametrize("operation", REFERENCES)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_fast_update_by_an_integer_equals_the_reference(rng, operation, dtype):
    limits = np.iinfo(dtype)
    for number in (0, 1, 100, int(limits.min), min(int(limits.max), 2**63 - 1)):
        for shape in [(), (17,), (3, 2), (0,), (1, 1, 2, 1, 3, 2)]:
            assert_updated(operation, "number", random_array(rng, dtype, shape), number)


@pytest.mark.parametrize("operation", REFERENCES)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("number", [0.1, -2.5, 3, 1e300, float("inf"), float("nan"), -0.0, 65519.999999, 2.0**-25])
def test_fast_update_by_a_float_equals_the_reference(rng, operation, dtype, number):
    for shape in [(), (17,)]:
        assert_updated(operation, "number", random_array(rng, dtype, shape), float(number))
    assert_updated(operation, "number", random_array(rng, dtype, (2, 3)), number)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("operation", REFERENCES)
def test_fast_update_declines_an_integer_that_does_not_fit(rng, operation, dtype):
    limits = np.iinfo(dtype)
    for number in (int(limits.min) - 1, int(limits.max) + 1):
        if -(2**63) <= number < 2**63:
            assert_declined(operation, "number", random_array(rng, dtype, (3,)), number)


@pytest.mark.parametrize("operation", REFERENCES)
@pytest.mark.parametrize("shape", [(4,), (5, 4), (4, 5, 1), (20,), (2, 10), (), (1, 4, 5), (4, 5, 1, 1, 1)], ids=str)
def test_fast_update_declines_an_array_of_another_shape(operation, shape):
    variable = np.arange(20, dtype=np.float32).reshape(4, 5)
    assert_declined(operation, "array", variable, np.ones(shape, np.float32))


def test_fast_update_of_a_scalar_declines_a_vector():
    assert_declined("add", "array", np.array(1, np.float32), np.ones(1, np.float32))


@pytest.mark.parametrize("operation", REFERENCES)
@pytest.mark.parametrize("layout", ["strided", "fortran", "reversed", "unaligned"])
def test_fast_update_declines_another_layout(operation, layout):
    variable = np.arange(20, dtype=np.float32).reshape(4, 5)
    assert_declined(operation, "array", variable, LAYOUTS[layout](np.ones((4, 5), np.float32)))


def test_fast_update_reads_a_read_only_array():
    value = LAYOUTS["read_only"](np.ones((4, 5), np.float32))
    assert_updated("add", "array", np.arange(20, dtype=np.float32).reshape(4, 5), value)


@pytest.mark.parametrize("operation", REFERENCES)
@pytest.mark.parametrize("ranks", [(5, 5), (4, 5), (5, 4), (6, 6), (2, 20)], ids=str)
def test_fast_update_declines_ranks_above_four(operation, ranks):
    assert FAST_RANK == 4
    variable, value = (np.ones((2,) * min(rank, 2) + (1,) * (rank - 2), np.float32) for rank in ranks)
    assert_declined(operation, "array", variable, value)


@pytest.mark.parametrize("operation", REFERENCES)
@pytest.mark.parametrize("update", ["array", "number"])
def test_fast_update_declines_while_the_lock_is_held(operation, update):
    value = np.ones(3, np.float32) if update == "array" else 1.0
    assert_declined(operation, update, np.zeros(3, np.float32), value, lock=1)


@pytest.mark.parametrize("operation", REFERENCES)
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_fast_update_declines_exactly_what_threads_may_share(rng, operation, dtype):
    limit = MOST_FAST_BYTES // np.dtype(dtype).itemsize
    for num_items, ended in ((limit - 1, assert_updated), (limit, assert_declined)):
        variable, value = (random_array(rng, dtype, (num_items,)) for _ in range(2))
        ended(operation, "array", variable, value)
        ended(operation, "number", variable, 3)


@pytest.mark.parametrize("operation", REFERENCES)
@pytest.mark.parametrize(
    ("num_items", "ended"), [(MOST_HELD_ITEMS, assert_updated), (MOST_HELD_ITEMS + 1, assert_declined)]
)
def test_fast_update_holds_the_lock_where_it_holds_the_interpreter(rng, operation, num_items, ended):
    variable, value = (random_array(rng, "float32", (num_items,)) for _ in range(2))
    ended(operation, "array", variable, value, use_locking=True)
    ended(operation, "number", variable, 3.0, use_locking=True)


def test_a_large_fast_update_lets_other_threads_run_and_needs_no_lock(rng):
    variable, value = (random_array(rng, "float32", (MOST_FAST_BYTES // 4 - 1,)) for _ in range(2))
    header = header_of(variable)
    header[LOCK] = 1
    add, stop, counts = entry_point("add", "array", "float32"), threading.Event(), [0]

    def count():
        while not stop.is_set():
            counts[0] += 1
            time.sleep(0)  # gives the interpreter back

    thread, interval = threading.Thread(target=count), sys.getswitchinterval()
    sys.setswitchinterval(100)  # nobody has to give up the interpreter: it must be given
    try:
        thread.start()
        before = counts[0]
        for _ in range(20):
            assert add(header.ctypes.data, value, False) is True
        during = counts[0] - before
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    assert during > 0
    assert header[LOCK] == 1


@pytest.mark.parametrize("operation", REFERENCES)
def test_fast_update_by_the_variable_itself_equals_the_reference(rng, operation):
    variable = random_array(rng, "float32", (4, 5))
    assert_updated(operation, "array", variable, variable)


def test_fast_updates_of_one_dtype_are_made_once():
    assert fast_updates(np.dtype("float32")) is fast_updates(np.dtype("float32"))
    assert fast_updates(np.dtype("float32")).add_array is fast_updates(np.dtype("float32")).add_array


@pytest.mark.parametrize("name", ["mul_array", "add_vector", "assign", "update", "_add_array"])
def test_fast_updates_have_no_other_operations(name):
    with pytest.raises(AttributeError):
        getattr(fast_updates(np.dtype("float32")), name)


def test_fast_update_holds_no_reference_to_the_array():
    variable, value = np.zeros(3, np.float32), np.ones(3, np.float32)
    header = header_of(variable)
    before = sys.getrefcount(value)
    for _ in range(100):
        entry_point("add", "array", "float32")(header.ctypes.data, value, False)
        entry_point("add", "array", "float32")(header.ctypes.data, value[:2], False)
    assert sys.getrefcount(value) == before
    assert variable[0] == 100
