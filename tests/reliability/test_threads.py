from __future__ import annotations

import threading

import numpy as np
import pytest

from nbvars import kernels
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cpu import assign, cast, scatter, threads
from tests import reference
from tests.conftest import assert_same_bits, numpy_dtype, random_array, run_python

pytestmark = pytest.mark.usefixtures("restored_num_threads")

TIMEOUT_S = 120
ROW_BYTES = 128
NUM_SLICES = 8 * scatter.PART_BYTES // ROW_BYTES  # a part for each of eight threads


@pytest.fixture
def parts_made(monkeypatch):
    """Return the list to which every call of run_parts adds the number of its parts."""
    made: list[int] = []

    def spy(kernel, parts):
        made.append(len(parts))
        threads.run_parts(kernel, parts)

    for module in (assign, cast, scatter):
        monkeypatch.setattr(module, "run_parts", spy)
    return made


def run_in_threads(*functions):
    """Run all ``functions`` at once, each in a thread of its own; raise what any of them raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(functions))

    def run(function):
        start.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=run, args=(function,), daemon=True) for function in functions]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


@pytest.mark.parametrize(
    ("op_type", "dtype"),
    [
        ("scatter_sub", "float32"),
        ("scatter_mul", "bfloat16"),
        ("scatter_update", "int64"),
        ("scatter_div", "float16"),
        ("scatter_add", "complex64"),
    ],
)
def test_scatter_gives_the_same_bits_at_any_number_of_threads(rng, parts_made, op_type, dtype):
    width = ROW_BYTES // numpy_dtype(dtype).itemsize
    before = random_array(rng, dtype, (1001, width))
    indices = rng.integers(0, 1001, NUM_SLICES)
    values = random_array(rng, dtype, (NUM_SLICES, width))
    expected = before.copy()
    getattr(reference, op_type)(expected, indices, values)
    for num_threads in (1, 2, 4, 8):
        kernels.set_num_threads(num_threads)
        ref = before.copy()
        getattr(kernels, op_type)(ref, indices, values)
        assert_same_bits(ref, expected)
    assert parts_made[-3:] == [2, 4, 8]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex128"])
@pytest.mark.parametrize("op_type", ["assign", "assign_add"])
@pytest.mark.parametrize("shape", ["same", "one"])
def test_dense_updates_give_the_same_bits_at_any_number_of_threads(rng, parts_made, op_type, dtype, shape):
    num_items = 8 * assign.PART_BYTES // numpy_dtype(dtype).itemsize + 5
    before = random_array(rng, dtype, (num_items,))
    value = random_array(rng, dtype, (num_items,) if shape == "same" else ())
    expected = before.copy()
    getattr(reference, op_type)(expected, value)
    for num_threads in (1, 2, 4, 8):
        kernels.set_num_threads(num_threads)
        ref = before.copy()
        getattr(kernels, op_type)(ref, value)
        assert_same_bits(ref, expected)
    assert parts_made[-3:] == [2, 4, 8]


@pytest.mark.parametrize(("source", "target"), [("float32", "bfloat16"), ("float64", "int32"), ("int8", "float16")])
def test_cast_gives_the_same_bits_at_any_number_of_threads(rng, parts_made, source, target):
    widest = max(numpy_dtype(source).itemsize, numpy_dtype(target).itemsize)
    x = random_array(rng, source, (8 * cast.PART_BYTES // widest + 3,))
    kernels.set_num_threads(1)
    expected = kernels.cast(x, numpy_dtype(target))
    assert_same_bits(expected[:1000], reference.cast(x[:1000], numpy_dtype(target)))
    for num_threads in (2, 4, 8):
        kernels.set_num_threads(num_threads)
        assert_same_bits(kernels.cast(x, numpy_dtype(target)), expected)
    assert parts_made[-3:] == [2, 4, 8]


def test_a_scatter_of_narrow_rows_is_not_shared_out(parts_made):
    kernels.set_num_threads(8)
    ref = np.zeros((10, 16), np.float32)
    num_slices = 2 * scatter.PART_BYTES // ref.strides[0]
    kernels.scatter_add(ref, np.arange(num_slices) % 10, np.ones((num_slices, 16), np.float32))
    assert max(parts_made, default=1) == 1
    assert ref.sum() == 16 * num_slices


@pytest.mark.parametrize("num_threads", [1, 3, 256, np.int32(2), np.uint8(5)])
def test_set_num_threads_is_what_get_num_threads_tells(num_threads):
    kernels.set_num_threads(num_threads)
    assert kernels.get_num_threads() == num_threads
    assert type(kernels.get_num_threads()) is int


@pytest.mark.parametrize(
    "num_threads", [0, -1, 257, 10**30, 2.0, True, None, "4", "two", [2], np.float32(2.5)], ids=str
)
def test_set_num_threads_refuses_what_is_not_from_1_to_256(num_threads):
    kernels.set_num_threads(3)
    with pytest.raises(ValueError, match=r"set_num_threads: .*: got .*, expected an integer from 1 to 256"):
        kernels.set_num_threads(num_threads)
    assert kernels.get_num_threads() == 3


def test_nbvars_num_threads_sets_the_number_of_threads():
    code = "from nbvars import kernels; print(kernels.get_num_threads())"
    assert run_python(code, NBVARS_NUM_THREADS="3") == "3"


@pytest.mark.parametrize("asked", ["0", "many", "", "1.5"])
def test_nbvars_num_threads_that_is_no_number_is_an_error(asked):
    code = """
from nbvars import kernels
try:
    kernels.get_num_threads()
except ValueError as error:
    print(error)
kernels.set_num_threads(2)
print(kernels.get_num_threads())
"""
    error, num_threads = run_python(code, NBVARS_NUM_THREADS=asked).splitlines()
    assert error.startswith("NBVARS_NUM_THREADS: the number of threads is not usable: got ")
    assert error.endswith(", expected an integer from 1 to 256")
    assert asked in error
    assert num_threads == "2"


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_run_parts_waits_for_all_parts_and_raises_what_one_raised(failing):
    kernels.set_num_threads(3)
    go, done = threading.Event(), []

    def part(number):
        if number == failing:
            go.set()
            raise ZeroDivisionError(number)
        go.wait(TIMEOUT_S)
        done.append(number)

    if failing != 0:
        go.set()  # the caller runs part 0 before it waits for the others
    with pytest.raises(ZeroDivisionError, match=str(failing)):
        threads.run_parts(part, [(0,), (1,), (2,)])
    assert sorted(done) == [number for number in range(3) if number != failing]


def test_run_parts_does_all_itself_where_no_thread_can_be_started(monkeypatch):
    kernels.set_num_threads(4)

    def refuse(*arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = []
    threads.run_parts(lambda number: done.append((number, threading.get_ident())), [(0,), (1,), (2,)])
    assert done == [(number, threading.get_ident()) for number in range(3)]


def test_threads_update_different_arrays_at_once(rng):
    kernels.set_num_threads(2)
    before = random_array(rng, "float32", (500, 32))
    indices = rng.integers(0, 500, 3 * NUM_SLICES // 8)
    values = random_array(rng, "float32", (indices.size, 32))
    expected = before.copy()
    reference.scatter_sub(expected, indices, values)
    dense = np.ones(1 << 19, np.float32)
    tables = [before.copy() for _ in range(8)]
    totals = [np.zeros(1 << 19, np.float32) for _ in range(8)]

    def work(number):
        kernels.scatter_sub(tables[number], indices, values)
        for _ in range(3):
            kernels.assign_add(totals[number], dense)
        assert np.all(kernels.cast(totals[number], np.dtype(np.int32)) == 3)

    run_in_threads(*[lambda number=number: work(number) for number in range(8)])
    for table, total in zip(tables, totals, strict=True):
        assert_same_bits(table, expected)
        assert np.all(total == 3)


def test_threads_update_one_array_at_once_and_stay_inside_it(rng):
    kernels.set_num_threads(2)
    memory = np.zeros((3, 1000, 32), np.float32)
    ref = memory[1]
    indices = rng.permutation(1000).repeat(20)
    dense = np.zeros((1 << 19) + 2, np.float32)

    def work(number):
        own = np.full((indices.size, 32), number, np.float32)
        for _ in range(3):
            kernels.scatter_update(ref, indices, own)
            kernels.assign(dense[1:-1], np.full(dense.size - 2, number, np.float32))

    run_in_threads(*[lambda number=number: work(number) for number in range(1, 9)])
    assert set(np.unique(ref)) <= set(range(1, 9))
    assert set(np.unique(dense[1:-1])) <= set(range(1, 9))
    assert not memory[[0, 2]].any()
    assert dense[0] == dense[-1] == 0


def test_the_number_of_threads_may_change_during_updates():
    totals = [np.zeros(1 << 20, np.float32) for _ in range(3)]
    one = np.ones(1 << 20, np.float32)

    def update(total):
        for _ in range(10):
            kernels.assign_add(total, one)

    def change():
        for num_threads in (1, 2, 4, 3) * 10:
            kernels.set_num_threads(num_threads)

    run_in_threads(change, *[lambda total=total: update(total) for total in totals])
    for total in totals:
        assert np.all(total == 10)


@pytest.mark.parametrize("row_shape", [(), (32,)], ids=str)
def test_indices_changed_by_another_thread_never_lead_outside(row_shape):
    kernels.set_num_threads(2)
    memory = np.zeros((48, *row_shape), np.float32)
    ref = memory[16:32]
    num_slices = 30_000
    good = np.arange(num_slices) % 16
    indices, values = good.copy(), np.ones((num_slices, *row_shape), np.float32)
    finished = threading.Event()

    def change():
        # Far outside, too: what a lost check would let through should not only hit the guard rows.
        bad = np.array([16, -1, 31, -16, 2**40, -(2**40), 2**63 - 1])
        for k in range(100_000_000):
            if finished.is_set():
                return
            indices[(k * 7919) % num_slices] = bad[k % bad.size]
            if k % 50 == 0:
                indices[:] = good

    def scatter_often():
        try:
            for _ in range(60):
                try:
                    kernels.scatter_add(ref, indices, values)
                except InvalidArgumentError:
                    indices[:] = good
        finally:
            finished.set()

    run_in_threads(change, scatter_often)
    assert not memory[:16].any()
    assert not memory[32:].any()


def test_importing_the_kernels_compiles_nothing_and_starts_no_thread():
    code = """
import threading
from numba.core import event
with event.install_recorder("numba:compile") as compiles:
    import nbvars, nbvars.kernels
    from nbvars.kernels.cpu.compiled import COMPILED
print(len(compiles.buffer), len(COMPILED), threading.active_count())
"""
    assert run_python(code) == "0 0 1"


def test_a_helper_that_comes_after_the_update_does_nothing(monkeypatch):
    late = []

    class Busy:
        """As the pool while its threads are at something long."""

        def call_helpers(self, update, num_helpers):
            late.extend(update.new_helper() for _ in range(num_helpers))

    kernels.set_num_threads(4)
    monkeypatch.setattr(threads._Current, "pool", Busy())
    ref = np.zeros(8 * assign.PART_BYTES // 4, np.float32)
    kernels.assign_add(ref, np.ones_like(ref))
    assert len(late) == 3
    for help_out in late:
        help_out()
    assert np.all(ref == 1)


def test_threads_that_help_take_no_time_while_there_is_nothing_to_do():
    code = """
import time
import numpy as np
from nbvars import kernels
kernels.set_num_threads(8)
ref = np.zeros(1 << 23, np.float32)
kernels.assign_add(ref, np.ones_like(ref))
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before < 0.02)
"""
    assert run_python(code) == "True"


def test_the_threads_of_a_pool_end_when_their_number_is_changed():
    kernels.set_num_threads(4)
    threads.run_parts(lambda number: None, [(number,) for number in range(4)])
    pool = threads._Current.pool
    assert len(pool._threads) == 3
    kernels.set_num_threads(2)
    for thread in pool._threads:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def test_every_part_is_done_once_whoever_does_it():
    kernels.set_num_threads(4)
    for num_parts in (0, 1, 2, 4, 50):
        done = []
        threads.run_parts(done.append, [(number,) for number in range(num_parts)])
        assert sorted(done) == list(range(num_parts))
