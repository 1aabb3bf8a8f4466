from __future__ import annotations

import re

import numpy as np
import pytest

from nbvars.errors import OutOfRangeError
from tests.cuda.conftest import HAS_NUMBA_CUDA

if HAS_NUMBA_CUDA:
    from nbvars.kernels.cuda.toolkit import cuda  # global: the simulator finds it there


def counter_of(start, dtype="int64"):
    from nbvars.kernels.cuda.memory import to_device

    return to_device(np.array(start, dtype), 0)


def count_up_to(ref, limit):
    from nbvars.kernels import find_kernel

    return find_kernel("count_up_to", "gpu")(ref, limit)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("start", [0, -2, 7])
def test_count_up_to_returns_each_number_below_the_limit_once(dtype, start):
    ref = counter_of(start, dtype)
    assert [count_up_to(ref, start + 3) for _ in range(3)] == [start, start + 1, start + 2]
    reached = f"count_up_to: Reached limit of {start + 3}: got {start + 3}, expected less than {start + 3}"
    with pytest.raises(OutOfRangeError, match=re.escape(reached)):
        count_up_to(ref, start + 3)
    assert ref.copy_to_host() == start + 3


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_count_up_to_reaches_the_highest_number(dtype):
    highest = int(np.iinfo(dtype).max)
    ref = counter_of(highest - 1, dtype)
    assert count_up_to(ref, highest) == highest - 1
    with pytest.raises(OutOfRangeError, match=f"got {highest}, expected less than {highest}"):
        count_up_to(ref, highest)


def test_a_counter_beyond_its_limit_stays_there():
    ref = counter_of(9)
    with pytest.raises(OutOfRangeError, match="Reached limit of 4: got 9, expected less than 4"):
        count_up_to(ref, 4)
    assert ref.copy_to_host() == 9


def test_count_up_to_refuses_what_cannot_count():
    cases = [
        (counter_of(0, "float32"), 3, TypeError, "ref cannot count: got float32 of shape ()"),
        (counter_of([0, 0]), 3, TypeError, "ref cannot count: got int64 of shape (2,)"),
        (counter_of(0), 2.5, TypeError, "limit has the wrong type: got float, expected an integer"),
        (counter_of(0, "int32"), 2**31, ValueError, "the limit does not fit the counter: got 2147483648"),
        (counter_of(0).read_only(), 3, ValueError, "ref cannot be updated in place"),
        (np.array(0), 3, TypeError, "ref has the wrong type"),
    ]
    for ref, limit, error, sentence in cases:
        with pytest.raises(error, match=re.escape(f"count_up_to: {sentence}")):
            count_up_to(ref, limit)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_threads_of_a_users_kernel_count_every_number_once(dtype, shape):
    from nbvars.kernels.cuda.counter import count_in_kernel

    @cuda.jit
    def count(counter, limit, counted):
        counted[cuda.grid(1)] = count_in_kernel(counter, limit)

    counter, counted = cuda.to_device(np.full(shape, 3, dtype)), cuda.to_device(np.zeros(40, np.int64))
    count[5, 8](counter, 20, counted)
    assert sorted(counted.copy_to_host()) == [*range(3, 20), *[20] * 23]
    assert counter.copy_to_host().reshape(-1)[0] == 20
