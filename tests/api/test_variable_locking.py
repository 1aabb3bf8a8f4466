"""Several threads, signal handlers and forked processes on one variable."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import OutOfRangeError
from nbvars.graph.names import GRAPH_LOCK
from nbvars.kernels.cpu.header import MOST_HELD_ITEMS

NUM_THREADS = 8
SMALL, LARGE = 16, MOST_HELD_ITEMS + 8
MOST_SECONDS = 60

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
needs_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")


@pytest.fixture(autouse=True)
def _frequent_switches():
    """Let threads take turns often, so that a lost update shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def run_in_threads(*works):
    """Run each function in a thread of its own, all at the same time; raise what they raise."""
    start, errors = threading.Barrier(len(works)), []

    def run(work):
        start.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + MOST_SECONDS
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "deadlock"
    if errors:
        raise errors[0]


def repeat(times, *updates):
    def work():
        for _ in range(times):
            for update in updates:
                update()

    return work


@pytest.mark.parametrize("dtype", ["int32", "float64"])
@pytest.mark.parametrize(("size", "times"), [(SMALL, 500), (LARGE, 100)])
def test_locked_updates_of_threads_add_up(size, times, dtype):
    variable = tf.Variable(np.zeros(size, dtype))
    ones, rows = np.ones(size, dtype), np.arange(size)
    slices = tf.IndexedSlices(ones, rows)
    run_in_threads(
        repeat(times, lambda: variable.assign_add(ones, use_locking=True)),
        repeat(times, lambda: variable.assign_add(1, use_locking=True)),
        repeat(times, lambda: variable.assign_add(tf.constant(ones), use_locking=True)),
        repeat(times, lambda: variable.scatter_add(slices, use_locking=True)),
        repeat(times, lambda: variable.scatter_sub(slices, use_locking=True), variable.numpy),
        repeat(times, lambda: tf.scatter_add(variable, rows, ones, use_locking=True)),
        repeat(times, lambda: variable.scatter_nd_add(rows[:, None], ones, use_locking=True)),
        repeat(times, lambda: tf.assign_sub(variable, ones, use_locking=True), variable.read_value),
    )
    assert variable.numpy().tolist() == [4 * times] * size


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_readers_never_see_half_of_a_locked_update(size):
    variable = tf.Variable(np.zeros(size, np.int64))
    torn = []
    done = threading.Event()

    def write(value):
        array, slices = np.full(size, value), tf.IndexedSlices(np.full(size, value), np.arange(size))
        for _ in range(150):
            variable.assign(array, use_locking=True)
            variable.scatter_update(slices, use_locking=True)
            variable.assign(value + 10, use_locking=True)
            variable.assign_add(array, use_locking=True)

    def read(take):
        while not done.is_set():
            array = np.asarray(take())
            if (array != array[0]).any():
                torn.append(array)

    readers = [
        threading.Thread(target=read, args=(take,), daemon=True)
        for take in (variable.numpy, variable.read_value, variable.eval)
    ]
    for reader in readers:
        reader.start()
    try:
        run_in_threads(lambda: write(1), lambda: write(2), lambda: write(3))
    finally:
        done.set()
    for reader in readers:
        reader.join(MOST_SECONDS)
    assert torn == []


def test_unlocked_updates_of_threads_end_and_stay_in_the_buffer():
    memory = tf.Variable(np.zeros((64, 16), np.float32))
    slices = tf.IndexedSlices(np.ones((64, 16), np.float32), np.arange(64))
    run_in_threads(*[repeat(200, lambda: memory.scatter_add(slices), lambda: memory.assign_add(1.0))] * NUM_THREADS)
    value = memory.numpy()
    assert np.isfinite(value).all()
    assert (value <= 2 * 200 * NUM_THREADS).all()


def test_indices_that_change_during_a_scatter_never_reach_outside():
    variable = tf.Variable(np.zeros((10, 1000), np.float32))
    indices = np.zeros(500, np.int64)
    values = np.ones((500, 1000), np.float32)
    done = threading.Event()

    def disturb():
        while not done.is_set():
            indices[:] = 2**40
            indices[:] = 0

    def scatter():
        try:
            for _ in range(50):
                with contextlib.suppress(tf.errors.InvalidArgumentError):
                    tf.scatter_add(variable, indices, values)
        finally:
            done.set()

    run_in_threads(disturb, scatter)
    assert (variable.numpy()[1:] == 0).all()


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_count_up_to_gives_threads_distinct_counts(dtype):
    times = 100_000 if dtype == "int32" else 10_000
    counter = tf.Variable(0, dtype=dtype)
    counts = [[] for _ in range(NUM_THREADS)]
    limit = NUM_THREADS * times

    def count(mine):
        append, count_up_to = mine.append, counter.count_up_to
        for _ in range(times):
            append(count_up_to(limit))

    run_in_threads(*[lambda mine=mine: count(mine) for mine in counts])
    everything = np.sort(np.concatenate(counts))
    np.testing.assert_array_equal(everything, np.arange(limit))
    assert all(mine == sorted(mine) for mine in counts)
    with pytest.raises(OutOfRangeError):
        counter.count_up_to(limit)
    assert counter.numpy() == limit


def test_count_up_to_stops_threads_exactly_at_the_limit():
    counter = tf.Variable(0)
    counts = []

    def count():
        try:
            while True:
                counts.append(counter.count_up_to(5000))
        except OutOfRangeError:
            pass

    run_in_threads(*[count] * NUM_THREADS)
    assert sorted(counts) == list(range(5000))


class Alarm:
    """Calls ``handler`` in the main thread again and again, 0.2 ms after the last time, in a ``with`` block."""

    def __init__(self, handler):
        self.calls = 0
        self._handler, self._ended = handler, False

    def _on_signal(self, signum, frame):
        self.calls += 1
        self._handler()
        if not self._ended:
            signal.setitimer(signal.ITIMER_REAL, 2e-4)

    def __enter__(self):
        self._outer = signal.signal(signal.SIGALRM, self._on_signal)
        signal.setitimer(signal.ITIMER_REAL, 2e-4)
        return self

    def __exit__(self, *exception):
        self._ended = True  # a handler that runs before the next line has ended starts no timer: nobody would stop it
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._outer)


@needs_timer
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_signal_handler_updates_the_variable_that_it_interrupts(size):
    assert threading.current_thread() is threading.main_thread()
    variable = tf.Variable(np.zeros(size, np.int64))
    ones, slices = np.ones(size, np.int64), tf.IndexedSlices(np.ones(size, np.int64), np.arange(size))
    rounds = 0

    def handle():
        variable.assign_add(1, use_locking=True).scatter_add(slices, use_locking=True)
        variable.numpy()

    with variable._storage.locked():  # compiled before the clock runs
        handle()
    with Alarm(handle) as alarm:
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            variable.assign_add(ones, use_locking=True)
            variable.scatter_add(slices, use_locking=True)
            variable.assign_add(tf.constant(ones), use_locking=True)
            rounds += 1
    assert alarm.calls > 10
    assert variable.numpy().tolist() == [3 * rounds + 2 * alarm.calls + 2] * size


@needs_timer
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_signal_handler_that_raises_leaves_no_lock_behind(size):
    class StopError(Exception):
        pass

    def stop():
        raise StopError

    variable = tf.Variable(np.zeros(size, np.int64))
    slices = tf.IndexedSlices(np.ones(size, np.int64), np.arange(size))
    variable.scatter_add(slices, use_locking=True).assign_add(1)
    num_stops = 0
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        try:
            with Alarm(stop):
                while True:
                    variable.scatter_add(slices, use_locking=True)
                    variable.numpy()
        except StopError:
            num_stops += 1
    assert num_stops > 10
    before = variable.numpy()
    assert (before == before[0]).all()
    run_in_threads(repeat(10, lambda: variable.assign_add(1, use_locking=True)))
    assert (variable.numpy() == before + 10).all()
    assert variable._storage._header[0] == 0


def in_forked_child(work):
    """Return the exit status of a forked child that does ``work``: 0 if it is done in time."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)  # kills the child if it waits for ever
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


class HeldBy:
    """Another thread holds a lock, in a ``with`` block."""

    def __init__(self, lock):
        self._lock = lock
        self._held, self._release = threading.Event(), threading.Event()

    def _hold(self):
        with self._lock:
            self._held.set()
            self._release.wait(MOST_SECONDS)

    def __enter__(self):
        self._thread = threading.Thread(target=self._hold, daemon=True)
        self._thread.start()
        assert self._held.wait(MOST_SECONDS)

    def __exit__(self, *exception):
        self._release.set()
        self._thread.join()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_forked_child_updates_a_variable_that_was_locked_by_another_thread(size):
    variable = tf.Variable(np.zeros(size, np.float32))
    slices = tf.IndexedSlices(np.ones(size, np.float32), np.arange(size))
    variable.assign_add(1.0).scatter_add(slices)  # compiled in the parent

    def work():
        variable.assign_add(1.0, use_locking=True).scatter_add(slices, use_locking=True)
        assert variable.numpy().tolist() == [4.0] * size
        assert tf.Variable(variable).assign_add(1.0).numpy().tolist() == [5.0] * size

    with HeldBy(variable._storage.locked()):
        assert in_forked_child(work) == 0
    assert variable.numpy().tolist() == [2.0] * size


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_makes_variables_while_another_thread_of_its_parent_did():
    with HeldBy(GRAPH_LOCK):
        assert in_forked_child(lambda: tf.Variable(1.0, name="of_the_child")) == 0


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_counts_on_its_own():
    counter = tf.Variable(0)
    counter.count_up_to(10)

    def work():
        assert [counter.count_up_to(3) for _ in range(2)] == [1, 2]

    assert in_forked_child(work) == 0
    assert counter.count_up_to(10) == 1


def test_threads_make_variables_with_distinct_names():
    variables = [[] for _ in range(NUM_THREADS)]

    def make(mine):
        mine.extend(tf.Variable(0, name="of_threads") for _ in range(200))

    run_in_threads(*[lambda mine=mine: make(mine) for mine in variables])
    names = {variable.name for mine in variables for variable in mine}
    assert len(names) == NUM_THREADS * 200
    assert len(tf.get_collection(tf.GraphKeys.VARIABLES, "of_threads")) == NUM_THREADS * 200
