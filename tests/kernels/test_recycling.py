"""The memory of large results of casts, which is used again."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from ml_dtypes import bfloat16

import nbvars
from nbvars import kernels
from nbvars.kernels.cpu import recycling
from tests.conftest import run_python

SIZE = recycling.LEAST_KEPT_BYTES // 4
X = np.arange(SIZE, dtype=np.int32)
FLOAT32 = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def empty_pool():
    """Let a test find nothing kept, and the limit as it is at first; the next one, too."""
    before = kernels.get_cast_pool_bytes()
    kernels.set_cast_pool_bytes(0)
    kernels.set_cast_pool_bytes(1 << 28)
    yield
    kernels.set_cast_pool_bytes(0)
    kernels.set_cast_pool_bytes(before)


def address(array):
    return array.__array_interface__["data"][0]


def kept_bytes():
    return recycling.POOL.kept_bytes()


def test_a_large_result_gets_the_memory_of_one_that_is_gone():
    first = kernels.cast(X, FLOAT32)
    where = address(first)
    del first
    assert kept_bytes() == X.nbytes
    again = kernels.cast(X[::-1], FLOAT32)
    assert address(again) == where
    assert kept_bytes() == 0
    assert np.array_equal(again, X[::-1].astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, bfloat16, np.bool_, np.complex128])
def test_a_recycled_result_is_like_any_other(dtype):
    x = np.arange(2 * recycling.LEAST_KEPT_BYTES).reshape(2, -1, 8) % 100
    with np.errstate(all="ignore"):
        expected = x.astype(dtype)
    for _ in range(2):
        result = kernels.cast(x, np.dtype(dtype))
        assert type(result) is np.ndarray
        assert result.dtype == dtype
        assert result.shape == x.shape
        assert result.flags.carray
        assert result.ctypes.data % 64 == 0
        assert np.array_equal(result, expected)
        del result
        assert kept_bytes() > 0


REFERENCES = {
    "array": lambda result: result,
    "slice": lambda result: result[5:9],
    "slice of slices": lambda result: result[1:][::2][3:].reshape(-1, 1)[2:5, 0],
    "view of another dtype": lambda result: result.view(np.uint8)[7:],
    "element of rank 0": lambda result: result[3:4].reshape(()),
    "subclass": lambda result: result.view(np.recarray),
    "transposed": lambda result: result.reshape(2, -1).T,
    "broadcast": lambda result: np.broadcast_to(result, (3, SIZE)),
    "memoryview": memoryview,
    "slice of a memoryview": lambda result: memoryview(result)[4:8],
    "frombuffer": lambda result: np.frombuffer(result, np.int8),
    "DLPack": np.from_dlpack,
    "iterator": lambda result: result.flat,
    "array interface": lambda result: np.asarray(Exporter(result)),
}


class Exporter:
    """Something that is no array, over the memory of one."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = array.__array_interface__


@pytest.mark.parametrize("name", REFERENCES)
def test_memory_is_not_used_again_while_anything_refers_to_it(name):
    result = kernels.cast(X, FLOAT32)
    where = address(result)
    kept = [REFERENCES[name](result)]
    del result
    gc.collect()
    assert kept_bytes() == 0
    others = [kernels.cast(-X, FLOAT32) for _ in range(3)]
    assert where not in map(address, others)
    kept.clear()
    assert kept_bytes() == X.nbytes
    assert address(kernels.cast(X, FLOAT32)) == where


def test_the_value_of_a_tensor_is_not_used_again_while_a_view_of_it_lives():
    tensor = nbvars.cast(nbvars.constant(X), "float32")
    part = nbvars.reshape(tensor, [2, -1])[1, :4]
    array = np.asarray(tensor)[8:]
    where = address(array) - 32
    del tensor
    assert kept_bytes() == 0
    del array
    others = [nbvars.cast(nbvars.constant(-X), "float32") for _ in range(2)]
    assert part.numpy().tolist() == X[SIZE // 2 : SIZE // 2 + 4].tolist()
    del others, part
    assert kept_bytes() >= 2 * X.nbytes
    assert where in {address(block) for block in recycling.POOL._blocks}


def test_a_view_that_another_thread_holds_keeps_its_memory():
    handed_over, may_end, seen = threading.Event(), threading.Event(), []
    inbox = [kernels.cast(X, FLOAT32)[100:200]]

    def hold():
        view = inbox.pop()
        handed_over.set()
        may_end.wait(60)
        seen.append(view.tolist())

    holder = threading.Thread(target=hold)
    holder.start()
    assert handed_over.wait(60)
    for _ in range(5):
        kernels.cast(-X, FLOAT32)
    may_end.set()
    holder.join(60)
    assert seen == [list(range(100, 200))]


def test_threads_never_get_the_same_memory():
    errors, start = [], threading.Barrier(4)

    def work(number):
        start.wait()
        x = np.full(SIZE, number, np.int32)
        for _ in range(30):
            results = [kernels.cast(x, FLOAT32) for _ in range(2)]
            if not all(np.all(result == number) for result in results):
                errors.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not errors
    assert 0 < kept_bytes() <= kernels.get_cast_pool_bytes()


def test_results_of_nearly_the_same_size_share_memory():
    first = kernels.cast(X, FLOAT32)
    where = address(first)
    del first
    assert address(kernels.cast(np.resize(X, SIZE - 100).astype(np.int64), FLOAT32)) != where
    larger = kernels.cast(np.resize(X, 2 * SIZE - 1000), FLOAT32)
    where = address(larger)
    del larger
    assert address(kernels.cast(np.resize(X, 2 * SIZE - 1), FLOAT32)) == where


def test_the_oldest_memory_goes_first_where_there_is_too_much():
    kernels.set_cast_pool_bytes(3 * X.nbytes)
    results = [kernels.cast(X, FLOAT32) for _ in range(5)]
    places = [address(result) for result in results]
    while results:
        del results[0]
    assert [address(block) for block in recycling.POOL._blocks] == places[2:]
    kernels.set_cast_pool_bytes(2 * X.nbytes - 1)
    assert [address(block) for block in recycling.POOL._blocks] == places[4:]
    assert kernels.get_cast_pool_bytes() == 2 * X.nbytes - 1


def test_small_results_and_those_beyond_the_limit_are_not_kept():
    kernels.set_cast_pool_bytes(X.nbytes)
    kernels.cast(X[:-1], FLOAT32)
    assert kept_bytes() == 0
    kernels.cast(np.resize(X, SIZE + 1), FLOAT32)
    assert kept_bytes() == 0
    kernels.cast(X, FLOAT32)
    assert kept_bytes() == X.nbytes


def test_nothing_is_kept_with_a_limit_of_0():
    result = kernels.cast(X, FLOAT32)
    kernels.cast(X, FLOAT32)
    assert kept_bytes() == X.nbytes
    nbvars.set_cast_pool_bytes(0)
    assert kept_bytes() == 0
    kernels.cast(X, FLOAT32)
    del result
    assert kept_bytes() == 0
    assert nbvars.get_cast_pool_bytes() == 0


@pytest.mark.parametrize("wrong", [-1, 1.5, "1", None, True])
def test_set_cast_pool_bytes_refuses_what_is_no_number_of_bytes(wrong):
    with pytest.raises(ValueError, match=r"^set_cast_pool_bytes: .*: got .*, expected an integer of 0 or more$"):
        kernels.set_cast_pool_bytes(wrong)
    assert kernels.get_cast_pool_bytes() == 1 << 28


CODE = """
import numpy as np
from nbvars import kernels
from nbvars.kernels.cpu import recycling
"""


@pytest.mark.parametrize(("asked", "kept"), [("0", 0), ("1000000", 0), ("8000000", 4 << 20)])
def test_the_environment_says_how_much_is_kept(asked, kept):
    code = CODE + "kernels.cast(np.ones(1 << 20, np.int32), np.dtype('f4'))\n"
    code += "print(kernels.get_cast_pool_bytes(), recycling.POOL.kept_bytes())"
    assert run_python(code, NBVARS_CAST_POOL_BYTES=asked) == f"{asked} {kept}"


def test_a_wrong_environment_is_an_error_at_the_first_large_cast():
    code = (
        CODE
        + """
try:
    kernels.cast(np.ones(1 << 20, np.int32), np.dtype("f4"))
except ValueError as error:
    print(error)
"""
    )
    said = "NBVARS_CAST_POOL_BYTES: the number of bytes is not usable: got 'much', expected an integer of 0 or more"
    assert run_python(code, NBVARS_CAST_POOL_BYTES="much") == said


def test_a_forked_child_has_its_own_pool_and_the_limit_of_its_parent():
    code = (
        CODE
        + """
import os
kernels.set_cast_pool_bytes(9 << 20)
x = np.arange(1 << 20, dtype=np.int32)
held, gone = kernels.cast(x, np.dtype("f4")), kernels.cast(x, np.dtype("f4"))
del gone
pid = os.fork()
if pid == 0:
    again = kernels.cast(-x, np.dtype("f4"))
    fine = kernels.get_cast_pool_bytes() == 9 << 20 and again[5] == -5 and recycling.POOL.kept_bytes() == 0
    del held, again
    fine = fine and recycling.POOL.kept_bytes() == 8 << 20
    kernels.set_cast_pool_bytes(0)
    os._exit(0 if fine else 1)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(status, recycling.POOL.kept_bytes() >> 20, held[5])
"""
    )
    assert run_python(code) == "0 4 5.0"
