"""The memory of a variable: where it lies, its header, its lock."""

from __future__ import annotations

import sys
import threading
import weakref

import numpy as np
import pytest

import nbvars
from nbvars.errors import ResourceExhaustedError
from nbvars.kernels.cpu.fast_updates import fast_updates
from nbvars.kernels.cpu.header import DATA, LAYOUT, LOCK, NUM_ITEMS, NUM_LAYOUT_WORDS
from nbvars.kernels.cpu.intrinsics import NO_DIMENSION
from nbvars.storage import ALIGNMENT, CpuStorage, aligned_empty
from tests.conftest import ALL_DTYPES, LAYOUTS, numpy_dtype

SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 0, 3), (2, 3, 1, 2, 2)]


def acquired_elsewhere(storage):
    """Tell whether another thread gets the lock at once."""
    results = []

    def try_it():
        got = storage._mutex.acquire(blocking=False)
        results.append(got)
        if got:
            storage._mutex.release()

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["int8", "float32", "complex128"])
def test_aligned_empty_begins_at_a_cache_line(shape, dtype):
    array = aligned_empty(shape, np.dtype(dtype))
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.size == 0 or array.ctypes.data % ALIGNMENT == 0
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.flags.aligned


@pytest.mark.parametrize("shape", [(2**50,), (2**30, 2**30), (2**40, 2**40)], ids=str)
def test_aligned_empty_of_too_much_is_refused(shape):
    with pytest.raises(ResourceExhaustedError, match=r"the value does not fit into memory: got \d+ bytes, expected"):
        aligned_empty(shape, np.dtype("float64"))


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_storage_copies_a_value(dtype):
    value = np.arange(12).reshape(3, 4).astype(numpy_dtype(dtype))
    storage = CpuStorage(value)
    assert not np.shares_memory(storage.array, value)
    assert storage.array.dtype == value.dtype
    np.testing.assert_array_equal(storage.array, value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_storage_is_contiguous_and_native_whatever_it_is_given(layout):
    value = np.arange(12, dtype=np.float32).reshape(3, 4)
    storage = CpuStorage(LAYOUTS[layout](value))
    assert storage.array.flags.c_contiguous
    assert storage.array.flags.writeable
    assert storage.array.dtype is np.dtype(np.float32)
    np.testing.assert_array_equal(storage.array, value)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_header_describes_the_array(shape):
    storage = CpuStorage(np.zeros(shape, np.float32))
    header = storage._header
    assert storage.address == header.ctypes.data
    assert storage.data_address == header[DATA] == storage.array.ctypes.data
    assert header[LOCK] == 0
    assert header[NUM_ITEMS] == storage.array.size
    assert header[NUM_LAYOUT_WORDS] == 2 * len(shape)
    assert header[LAYOUT:].tolist() == [*shape, *storage.array.strides, NO_DIMENSION]


def test_lock_keeps_other_threads_and_the_fast_path_out():
    storage = CpuStorage(np.zeros(3))
    assert acquired_elsewhere(storage)
    with storage.locked():
        assert storage._header[LOCK] == 1
        assert not acquired_elsewhere(storage)
    assert storage._header[LOCK] == 0
    assert acquired_elsewhere(storage)


def test_lock_can_be_taken_again_by_its_holder():
    storage = CpuStorage(np.zeros(3))
    with storage.locked():
        with storage.locked():
            assert storage.read().tolist() == [0, 0, 0]
        assert storage._header[LOCK] == 1
        assert not acquired_elsewhere(storage)
    assert storage._header[LOCK] == 0


def test_lock_is_given_back_after_an_error():
    storage = CpuStorage(np.zeros(3))
    with pytest.raises(KeyError), storage.locked():
        raise KeyError
    assert storage._header[LOCK] == 0
    assert acquired_elsewhere(storage)


def test_read_waits_for_the_holder_of_the_lock():
    storage = CpuStorage(np.zeros(3))
    values = []
    reader = threading.Thread(target=lambda: values.append(storage.read()))
    with storage.locked():
        reader.start()
        storage.array[0] = 1
        reader.join(0.05)
        assert values == []
        storage.array[1:] = 1
    reader.join()
    assert values[0].tolist() == [1, 1, 1]


def test_read_is_a_copy():
    storage = CpuStorage(np.zeros((2, 2), np.float32))
    copy = storage.read()
    copy[0] = 1
    assert storage.array.tolist() == [[0, 0], [0, 0]]


def test_forgotten_lock_is_free():
    storage = CpuStorage(np.zeros(3))
    lock = storage.locked()
    lock.__enter__()
    storage._forget_lock()  # as a forked child does
    assert acquired_elsewhere(storage)
    assert storage._header[LOCK] == 0
    lock.__exit__(None, None, None)


def test_views_keep_the_memory_alive():
    storage = CpuStorage(np.ones(1000))
    alive, view = weakref.ref(storage), storage.array[::2]
    del storage
    assert alive() is None
    assert view.sum() == 500


@pytest.fixture
def free_threaded(monkeypatch):
    """Let ``sys`` tell that there is no global interpreter lock."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)


@pytest.mark.usefixtures("free_threaded")
def test_the_fast_path_stays_out_without_an_interpreter_lock():
    storage = CpuStorage(np.zeros(3))
    one = np.ones(3)

    def is_updated():
        return fast_updates(storage.array.dtype).add_array(storage.address, one, False)

    with storage.locked():
        assert not is_updated()
        assert storage.read().tolist() == [0, 0, 0]
    assert not is_updated()
    assert storage._header[LOCK] == 1
    assert acquired_elsewhere(storage)


@pytest.mark.usefixtures("free_threaded")
def test_variables_work_without_an_interpreter_lock():
    variable, counter = nbvars.Variable(np.zeros((4, 2))), nbvars.Variable(0)
    for use_locking in (False, True):
        variable.assign_add(np.ones((4, 2)), use_locking).assign_sub(2.0, use_locking)
        variable.scatter_add(nbvars.IndexedSlices(np.ones((2, 2)), np.array([1, 1])), use_locking)
    np.testing.assert_array_equal(variable.numpy(), np.array([[-2.0], [2.0], [-2.0], [-2.0]]).repeat(2, axis=1))
    assert [counter.count_up_to(3) for _ in range(3)] == [0, 1, 2]
    assert variable.assign(1.0).numpy().tolist() == [[1.0, 1.0]] * 4
