from __future__ import annotations

import doctest
import os
import sys
import threading
from itertools import chain

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from nbvars import kernels, numba_ext
from nbvars.errors import OutOfRangeError
from tests.conftest import LAYOUTS, run_python


@njit(nogil=True)
def count(counter, limit):
    return kernels.count_up_to(counter, limit)


@njit(nogil=True)
def count_all(counter, limit, counts):
    """Write the counts until the limit into ``counts``; return how many they are."""
    num_counts = 0
    try:
        while True:
            counts[num_counts] = kernels.count_up_to(counter, limit)
            num_counts += 1
    except Exception:  # Numba knows no other clause
        return num_counts


@njit(nogil=True)
def count_often(counter, limit, num_counts):
    total = 0
    for _ in range(num_counts):
        total += kernels.count_up_to(counter, limit)
    return total


# Numba compiles the function, or Python runs it and calls the launcher.
both_ways = pytest.mark.parametrize("run", [count, count.py_func], ids=["compiled", "python"])


@both_ways
@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("start", [0, -3, 6])
def test_it_counts_up_to_the_limit_and_then_raises(run, dtype, start):
    counter = np.array(start, dtype)
    assert [run(counter, 7) for _ in range(7 - start)] == list(range(start, 7))
    for _ in range(2):
        with pytest.raises(OutOfRangeError, match="count_up_to: Reached limit"):
            run(counter, 7)
    assert counter == 7


@both_ways
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_it_works_at_the_ends_of_the_dtype(run, dtype):
    lowest, highest = (int(end) for end in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    counter = np.array(highest - 1, dtype)
    assert run(counter, highest) == highest - 1
    with pytest.raises(OutOfRangeError):
        run(counter, highest)
    with pytest.raises(OutOfRangeError):
        run(counter, lowest)
    assert counter == highest
    counter[...] = lowest
    assert run(counter, -5) == lowest
    assert counter == lowest + 1


@pytest.mark.parametrize("limit", [np.int8(2), np.uint8(2), np.uint64(2), 2], ids=lambda limit: type(limit).__name__)
def test_a_limit_of_any_integer_type_counts(limit):
    counter = np.array(0, np.int32)
    assert [count(counter, limit), count(counter, limit)] == [0, 1]
    with pytest.raises(OutOfRangeError):
        count(counter, limit)


@both_ways
@pytest.mark.parametrize(
    ("dtype", "limit"),
    [
        ("int32", 2**31),
        ("int32", -(2**31) - 1),
        ("int32", np.uint64(2**31)),
        ("int64", np.uint64(2**63)),
        ("int64", np.uint64(2**64 - 1)),
    ],
)
def test_a_limit_that_does_not_fit_counts_nothing(run, dtype, limit):
    counter = np.array(-1, dtype)
    with pytest.raises(ValueError, match=f"count_up_to: the limit does not fit the counter: got .*, expected {dtype}"):
        run(counter, limit)
    assert counter == -1


@pytest.mark.parametrize(
    ("ref", "got"),
    [
        (np.zeros(1, np.int64), "array(int64, 1d, C)"),
        (np.array(0, np.uint32), "array(uint32, 0d, C)"),
        (np.array(0.0), "array(float64, 0d, C)"),
        (LAYOUTS["read_only"](np.array(0)), "readonly array(int64, 0d, C)"),
        (3, "int64"),
    ],
    ids=str,
)
def test_what_cannot_count_is_refused_when_the_function_is_compiled(ref, got):
    with pytest.raises(TypingError) as caught:
        count(ref, 5)
    expected = "expected a writable int32 or int64 array of shape ()"
    assert f"count_up_to: ref cannot count: got {got}, {expected}" in str(caught.value)
    assert np.all(np.asarray(ref) == (3 if isinstance(ref, int) else 0))


@both_ways
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_an_unaligned_counter_is_refused(run, dtype):
    counter = LAYOUTS["unaligned"](np.array(1, dtype))
    with pytest.raises(ValueError, match=r"count_up_to: ref cannot be updated in place: got .*, expected .*aligned"):
        run(counter, 5)
    assert counter == 1


@pytest.mark.parametrize(("limit", "got"), [(5.0, "float64"), (True, "bool"), (None, "none"), ("5", "unicode_type")])
def test_a_limit_that_is_no_integer_is_refused_when_the_function_is_compiled(limit, got):
    counter = np.array(0)
    with pytest.raises(TypingError) as caught:
        count(counter, limit)
    assert f"count_up_to: limit has the wrong type: got {got}, expected an integer" in str(caught.value)
    assert counter == 0


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_threads_never_get_the_same_count(dtype):
    num_threads, limit = 8, 400_000
    counter, counts = np.array(0, dtype), np.full((num_threads, limit), -1)
    nums = [0] * num_threads
    count_all(np.array(0, dtype), 1, counts[0].copy())  # compiled before they start
    start = threading.Barrier(num_threads)

    def work(k):
        start.wait()
        nums[k] = count_all(counter, limit, counts[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = sorted(chain.from_iterable(own[:num] for own, num in zip(counts.tolist(), nums, strict=True)))
    assert taken == list(range(limit))
    assert counter == limit


def test_compiled_code_and_python_count_together():
    counter = np.array(0)
    counts = np.zeros(100, np.int64)
    mine = [kernels.count_up_to(counter, 100), count(counter, 100), kernels.count_up_to(counter, 100)]
    assert mine == [0, 1, 2]
    assert count_all(counter, 100, counts) == 97
    assert counts[:97].tolist() == list(range(3, 100))


def test_counters_are_not_kept_where_no_error_gets_out():
    counter, counts = np.array(0), np.zeros(10, np.int64)
    before = sys.getrefcount(counter)
    assert count_often(counter, 1000, 990) == sum(range(990))
    assert [count_all(counter, 1000, counts) for _ in range(10)] == [10] + [0] * 9
    assert sys.getrefcount(counter) == before


def test_an_array_made_in_compiled_code_counts():
    @njit
    def count_in_row(table, row):
        own = np.zeros((), np.int64)
        for _ in range(3):
            kernels.count_up_to(own, 10)
            kernels.count_up_to(ref=table[row : row + 1].reshape(()), limit=5)
        return own.item()

    table = np.zeros(3, np.int32)
    assert count_in_row(table, 1) == 3
    assert table.tolist() == [0, 3, 0]


CACHED = """
from numba import njit
from nbvars import kernels

@njit(cache=True, nogil=True)
def count(counter, limit):
    return kernels.count_up_to(counter, limit)
"""
USE_CACHED = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from cached import count
from nbvars.errors import OutOfRangeError

for dtype in sys.argv[2:]:
    counter = np.array(3, dtype)
    print(count(counter, 5), count(counter, 5), end=" ")
    try:
        count(counter, 5)
    except OutOfRangeError:
        print(int(counter), end=" ")
print("loaded", sum(count.stats.cache_hits.values()))
"""


def test_functions_in_numbas_cache_count_in_other_processes(tmp_path):
    (tmp_path / "cached.py").write_text(CACHED)

    def use(*dtypes):
        code = f"import sys; sys.argv = {['', str(tmp_path), *dtypes]!r}\n{USE_CACHED}"
        return run_python(code, NUMBA_CACHE_DIR=str(tmp_path / "cache"))

    # Of two processes each leaves one compiled function, which meet in the third.
    assert use("int64") == "3 4 5 loaded 0"
    assert use("int32") == "3 4 5 loaded 0"
    assert use("int64", "int32") == "3 4 5 3 4 5 loaded 2"


IN_PARALLEL = """
import numpy as np
from numba import njit, prange
from nbvars import kernels

@njit(parallel=True)
def count(counter, seen):
    for _ in prange(seen.size):
        seen[kernels.count_up_to(counter.reshape(()), seen.size)] += 1

counter, seen = np.zeros(1, np.int64), np.zeros(100_000, np.int64)
count(counter, seen)
print(counter, seen.min(), seen.max())
"""


def test_a_prange_counts():
    assert run_python(IN_PARALLEL, NUMBA_NUM_THREADS="4") == "[100000] 1 1"


FORKED = """
import os, threading, warnings
import numpy as np
from numba import njit
from nbvars.kernels import count_up_to

warnings.simplefilter("ignore", DeprecationWarning)  # of forks while other threads run

@njit(nogil=True)
def count_often(counter, limit, num_counts):
    total = 0
    for _ in range(num_counts):
        total += count_up_to(counter, limit)
    return total

LIMIT = 10**7
counter = np.array(0)
count_often(counter, LIMIT, 10)
worker = threading.Thread(target=count_often, args=(counter, LIMIT, LIMIT - 10))
worker.start()
child = os.fork()
if child == 0:
    first = int(counter)
    total = count_often(counter, first + 1000, 1000)
    os._exit(0 if total == sum(range(first, first + 1000)) and counter == first + 1000 else 1)
worker.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int(counter) == LIMIT)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs where there is os.fork")
def test_a_child_forked_while_a_thread_counts_goes_on_by_itself():
    assert run_python(FORKED) == "0 True"


def test_the_docstring_shows_what_the_code_prints():
    result = doctest.testmod(numba_ext)
    assert result.attempted > 0
    assert result.failed == 0
