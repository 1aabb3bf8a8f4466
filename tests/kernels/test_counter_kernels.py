from __future__ import annotations

import threading

import numpy as np
import pytest

from nbvars.errors import OutOfRangeError
from nbvars.kernels import find_kernel
from nbvars.kernels.cpu.counter import count_up_to_entry
from tests import reference
from tests.conftest import LAYOUTS


@pytest.fixture
def count_up_to(device):
    return find_kernel("count_up_to", device)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("start", [0, -3, 5, 100])
def test_count_up_to_counts_like_the_reference(count_up_to, dtype, start):
    ref = np.array(start, dtype)
    expected = ref.copy()
    while int(expected) < 7:
        count = count_up_to(ref, 7)
        assert count == reference.count_up_to(expected, 7)
        assert type(count) is int
        assert ref == expected
    with pytest.raises(IndexError):
        reference.count_up_to(expected, 7)
    for _ in range(2):
        with pytest.raises(OutOfRangeError, match=f"Reached limit of 7: got {int(expected)}, expected less than 7"):
            count_up_to(ref, 7)
    assert ref == expected


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_count_up_to_reaches_the_highest_number_and_no_further(count_up_to, dtype):
    highest = int(np.iinfo(dtype).max)
    ref = np.array(highest - 1, dtype)
    assert count_up_to(ref, highest) == highest - 1
    with pytest.raises(OutOfRangeError, match=f"Reached limit of {highest}: got {highest}, "):
        count_up_to(ref, highest)
    assert ref == highest


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_count_up_to_starts_at_the_lowest_number(count_up_to, dtype):
    lowest = int(np.iinfo(dtype).min)
    ref = np.array(lowest, dtype)
    assert count_up_to(ref, lowest + 2) == lowest
    assert count_up_to(ref, lowest + 2) == lowest + 1
    assert ref == lowest + 2
    with pytest.raises(OutOfRangeError, match=f"Reached limit of {lowest + 2}"):
        count_up_to(ref, lowest + 2)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_every_number_has_reached_the_lowest_limit(count_up_to, dtype):
    lowest, highest = (int(end) for end in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    for start in (lowest, 0, highest):
        ref = np.array(start, dtype)
        with pytest.raises(OutOfRangeError, match=f"Reached limit of {lowest}: got {start}, "):
            count_up_to(ref, lowest)
        assert ref == start


@pytest.mark.parametrize(("dtype", "limit"), [("int32", 2**31), ("int32", -(2**31) - 1), ("int64", 2**63)])
def test_count_up_to_refuses_a_limit_that_does_not_fit(count_up_to, dtype, limit):
    ref = np.array(0, dtype)
    with pytest.raises(ValueError, match=f"count_up_to: the limit does not fit the counter: got {limit}, expected"):
        count_up_to(ref, limit)
    assert ref == 0


@pytest.mark.parametrize("limit", [1.5, "7", None])
def test_count_up_to_refuses_a_limit_that_is_not_an_integer(count_up_to, limit):
    ref = np.array(0, np.int32)
    with pytest.raises(TypeError):
        count_up_to(ref, limit)
    assert ref == 0


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint32", "uint64", "float32", "bool", "complex64"])
def test_count_up_to_refuses_another_dtype(count_up_to, dtype):
    ref = np.array(0, dtype)
    with pytest.raises(TypeError, match=rf"got {dtype} of shape \(\), expected an int32 or int64 scalar"):
        count_up_to(ref, 5)
    assert ref == 0


@pytest.mark.parametrize("shape", [(1,), (2, 2), (0,)])
def test_count_up_to_refuses_an_array(count_up_to, shape):
    ref = np.zeros(shape, np.int32)
    with pytest.raises(TypeError, match="count_up_to: ref cannot count: got int32 of shape "):
        count_up_to(ref, 5)
    assert not np.any(ref)


@pytest.mark.parametrize("layout", ["big_endian", "unaligned", "read_only"])
def test_count_up_to_refuses_a_counter_that_it_cannot_update_in_place(count_up_to, layout):
    ref = LAYOUTS[layout](np.array(1, np.int64))
    with pytest.raises(ValueError, match="expected a C-contiguous, writable, aligned array in native byte order"):
        count_up_to(ref, 5)
    assert ref == 1


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_threads_never_get_the_same_count(count_up_to, dtype):
    num_threads, limit = 8, 20_000
    ref = np.array(0, dtype)
    counts: list[list[int]] = [[] for _ in range(num_threads)]
    start = threading.Barrier(num_threads)

    def count(own):
        start.wait()
        try:
            while True:
                own.append(count_up_to(ref, limit))
        except OutOfRangeError:
            pass

    threads = [threading.Thread(target=count, args=(own,)) for own in counts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for own in counts for number in own) == list(range(limit))
    assert ref == limit


def test_the_entry_point_answers_the_limit_once_it_is_reached():
    ref = np.array(4, np.int64)
    entry = count_up_to_entry(ref.dtype)
    assert [entry(ref.ctypes.data, 6) for _ in range(4)] == [4, 5, 6, 6]
    assert ref == 6


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_the_entry_point_takes_negative_limits(dtype):
    ref = np.array(-3, dtype)
    entry = count_up_to_entry(ref.dtype)
    assert [entry(ref.ctypes.data, -1) for _ in range(3)] == [-3, -2, -1]
    assert ref == -1


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        *((wrong, TypeError) for wrong in (True, 5.0, np.int64(5), "5", None)),
        *((wrong, OverflowError) for wrong in (2**63, -(2**63) - 1)),
    ],
    ids=repr,
)
def test_the_entry_point_takes_no_other_numbers_than_ints_of_64_bits(limit, error):
    ref = np.array(0, np.int64)
    entry = count_up_to_entry(ref.dtype)
    with pytest.raises(error):
        entry(ref.ctypes.data, limit)
    assert ref == 0
