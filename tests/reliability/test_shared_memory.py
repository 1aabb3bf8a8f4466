"""Variables in shared memory: the same value and the same lock in several processes."""

from __future__ import annotations

import copy
import errno
import fcntl
import gc
import multiprocessing
import operator
import os
import pickle
import subprocess
import sys
import threading
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest

import nbvars as tf
from nbvars import shared_storage
from nbvars.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, ResourceExhaustedError
from tests.conftest import ALL_DTYPES, numpy_dtype

TIMEOUT_S = 60

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def empty_default_graph():
    tf.reset_default_graph()


def started(code, *arguments):
    """Start a Python process that is no relative: it shares no resource tracker with this one."""
    root = str(Path(tf.__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-c", f"import sys, nbvars as tf\n{code}", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    """Return what a process printed; it ends well and complains of nothing."""
    out, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, errors) == (0, "")
    return out


def finishes(function, *arguments):
    """Tell whether a call ends in time."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    thread.join(TIMEOUT_S)
    return not thread.is_alive()


def is_there(name):
    try:
        os.close(shared_storage._opened(name))
    except NotFoundError:
        return False
    return True


# One process.


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)], ids=str)
def test_sharing_keeps_value_dtype_and_shape(dtype, shape):
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(numpy_dtype(dtype))
    variable = tf.Variable(value, name="w", trainable=False)
    other = tf.Variable.from_shared_memory(variable.share_memory())
    for each in (variable, other):
        assert each.dtype == dtype
        np.testing.assert_array_equal(each.numpy(), value)
        assert each._storage.array.size == 0 or each._storage.array.ctypes.data % 64 == 0
    assert (variable.name, other.name, other.trainable) == ("w:0", "w_1:0", False)
    assert [each is other for each in tf.all_variables()] == [False, True]


@pytest.mark.parametrize("use_locking", [False, True])
def test_updates_of_one_are_updates_of_the_other(use_locking):
    variable = tf.Variable(np.zeros((4, 2), np.float32))
    live = variable.value()
    other = tf.Variable.from_shared_memory(variable.share_memory())
    variable.assign_add(np.ones((4, 2), np.float32), use_locking=use_locking)
    other.assign_sub(3.0, use_locking=use_locking)
    other.scatter_sub(tf.IndexedSlices(np.ones((2, 2), np.float32), np.array([1, 1])), use_locking=use_locking)
    assert variable.numpy().tolist() == other.numpy().tolist() == [[-2, -2], [-4, -4], [-2, -2], [-2, -2]]
    assert live.numpy().tolist() == [[0, 0]] * 4  # of the memory before


def test_a_large_shared_variable_is_updated():
    variable = tf.Variable(np.zeros(1 << 17))
    other = tf.Variable.from_shared_memory(variable.share_memory())
    other.assign_add(np.ones(1 << 17))
    assert np.all(variable.numpy() == 1)


def test_an_optimizer_steps_a_shared_variable():
    variable = tf.Variable([1.0, 2.0])
    other = tf.Variable.from_shared_memory(variable.share_memory())
    tf.train.GradientDescentOptimizer(1.0, use_locking=True).apply_gradients([(np.ones(2, np.float32), variable)])
    assert other.numpy().tolist() == [0, 1]


def test_a_counter_goes_on_counting_when_it_is_shared():
    counter = tf.Variable(np.int64(0))
    assert counter.count_up_to(10) == 0
    other = tf.Variable.from_shared_memory(counter.share_memory())
    assert [counter.count_up_to(10), other.count_up_to(10), counter.count_up_to(10)] == [1, 2, 3]


def test_copies_and_pickles_of_a_shared_variable_have_memory_of_their_own():
    variable = tf.Variable([1.0])
    variable.share_memory()
    for twin in (copy.copy(variable), copy.deepcopy(variable), pickle.loads(pickle.dumps(variable))):
        twin.assign([2.0])
        assert variable.numpy() == [1]


def test_the_block_has_the_name_that_it_is_given_until_its_variable_goes():
    name = f"nbvars-test-{os.getpid()}"
    variable = tf.Variable([1.0])
    assert variable.share_memory(name) == name
    assert variable.share_memory() == variable.share_memory(name) == name
    with pytest.raises(ValueError, match=f"the variable is shared already: got 'other', expected '{name}'"):
        variable.share_memory("other")
    with pytest.raises(AlreadyExistsError, match=f"the name is taken: got '{name}', expected a new name"):
        tf.Variable([2.0]).share_memory(name)
    other = tf.Variable.from_shared_memory(name)
    del variable
    gc.collect()
    assert not is_there(name)
    assert other.assign_add([1.0], use_locking=True).numpy() == [2]


def test_arrays_over_the_block_keep_it_mapped():
    variable = tf.Variable([1.0])
    variable.share_memory()
    live = variable.value()
    variable.assign([2.0])
    del variable
    gc.collect()
    assert live.numpy() == [2]


def test_both_variables_of_a_process_have_one_lock():
    variable = tf.Variable([1.0])
    other = tf.Variable.from_shared_memory(variable.share_memory())
    updated = threading.Thread(target=other.assign, args=([2.0], True))
    with variable._storage.locked():
        with other._storage.locked():  # the same thread may take it again
            pass
        updated.start()
        updated.join(0.05)
        assert variable.numpy() == [1]
    updated.join(TIMEOUT_S)
    assert variable.numpy() == [2]


def test_what_the_system_takes_for_a_deadlock_is_tried_again(monkeypatch):
    variable = tf.Variable([1.0])
    variable.share_memory()
    refusals, lockf = [OSError(errno.EDEADLK, "deadlock")], fcntl.lockf

    def refuse_once(fd, operation):
        if refusals and operation == fcntl.LOCK_EX:
            raise refusals.pop()
        lockf(fd, operation)

    monkeypatch.setattr(fcntl, "lockf", refuse_once)
    assert variable.assign_add([1.0], use_locking=True).numpy() == [2]
    assert refusals == []


# Bad input.


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        (
            "nbvars-is-not-there",
            NotFoundError,
            "no such shared memory: got 'nbvars-is-not-there', expected a name from",
        ),
        ("", ValueError, "the name is not valid: got '', expected 1 to 200 characters"),
        ("a/b", ValueError, "the name is not valid: got 'a/b', expected"),
        ("a\0b", ValueError, "the name is not valid"),
        ("a" * 201, ValueError, "the name is not valid"),
        (3, TypeError, "the name is no string: got int, expected a string"),
    ],
)
def test_a_wrong_name_is_a_clear_error(name, error, sentence):
    with pytest.raises(error, match=sentence):
        tf.Variable.from_shared_memory(name)
    if error is not NotFoundError:
        variable = tf.Variable([1.0])
        with pytest.raises(error, match=sentence):
            variable.share_memory(name)
        assert variable.assign([2.0]).numpy() == [2]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no variable: got something else, expected a variable of share_memory"),
        (b"nbvars\0\0\7\0\0\0\0\0\0\0", "got one of layout 7, where this nbvars knows 1"),
    ],
)
def test_a_block_of_something_else_is_a_clear_error(content, sentence):
    block = SharedMemory(create=True, size=4096)
    try:
        block.buf[: len(content)] = content
        with pytest.raises(InvalidArgumentError, match=sentence):
            tf.Variable.from_shared_memory(block.name)
    finally:
        block.close()
        block.unlink()


def test_a_value_beyond_the_shared_memory_changes_nothing(monkeypatch):
    def refuse(fd, offset, size):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    variable, name = tf.Variable([1.0]), f"nbvars-full-{os.getpid()}"
    with pytest.raises(ResourceExhaustedError, match=r"does not fit into shared memory: got \d+ bytes, expected fewer"):
        variable.share_memory(name)
    assert not is_there(name)
    assert variable.assign([2.0]).numpy() == [2]


def test_graph_mode_has_no_shared_variables():
    name = tf.Variable([1.0]).share_memory()
    with tf.Graph().as_default():
        with pytest.raises(TypeError, match=r"its memory in a Session: got <nbvars.*, expected an eager variable"):
            tf.Variable([1.0]).share_memory()
        with pytest.raises(RuntimeError, match="got graph mode, expected eager mode"):
            tf.Variable.from_shared_memory(name)


# Several processes.


def test_locked_updates_and_counts_of_several_processes_are_all_there():
    table, counter = tf.Variable(np.zeros(1000)), tf.Variable(np.int64(0))
    code = """
table, counter = map(tf.Variable.from_shared_memory, sys.argv[1:])
counts = []
for _ in range(1000):
    table.assign_add(1.0, use_locking=True)
    counts.append(counter.count_up_to(10000))
print(*counts)
"""
    children = [started(code, table.share_memory(), counter.share_memory()) for _ in range(2)]
    counts = [int(count) for child in children for count in finished(child).split()]
    assert sorted(counts) == list(range(2000))
    assert np.all(table.numpy() == 2000)
    # Neither of them took the name along.
    assert tf.Variable.from_shared_memory(counter.share_memory()).numpy() == 2000


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_shared_variable_that_goes_through_multiprocessing_is_the_same_memory(method):
    counter = tf.Variable(np.int32(0))
    counter.share_memory()
    with multiprocessing.get_context(method).Pool(2) as pool:
        counts = pool.map(operator.methodcaller("count_up_to", 100), [counter] * 20)
        returned = pool.apply(operator.methodcaller("assign_add", 5, True), (counter,))
        pool.close()
        pool.join()
    assert sorted(counts) == list(range(20))
    assert counter.numpy() == returned.numpy() == 25
    returned.assign(7)
    assert counter.numpy() == 7


def test_a_killed_process_gives_its_lock_back():
    variable = tf.Variable([1.0])
    holder = started(
        """
with tf.Variable.from_shared_memory(sys.argv[1])._storage.locked():
    print("held", flush=True)
    sys.stdin.read()
""",
        variable.share_memory(),
    )
    assert holder.stdout.readline() == "held\n"
    update = threading.Thread(target=variable.assign_add, args=([1.0], True))
    update.start()
    update.join(0.05)
    assert update.is_alive()
    holder.kill()
    holder.communicate(timeout=TIMEOUT_S)
    update.join(TIMEOUT_S)
    assert not update.is_alive()
    assert variable.numpy() == [2]


def test_the_name_of_a_killed_creator_goes():
    creator = started("name = tf.Variable([1.0]).share_memory\nprint(name(), flush=True)\nsys.stdin.read()")
    name = creator.stdout.readline().strip()
    assert is_there(name)
    variable = tf.Variable.from_shared_memory(name)
    creator.kill()
    creator.communicate(timeout=TIMEOUT_S)  # until the resource tracker has closed its stderr, too
    creator.wait()
    assert not is_there(name)
    assert variable.assign_add([1.0], use_locking=True).numpy() == [2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs where there is os.fork")
def test_a_forked_child_neither_unlinks_nor_waits_for_threads_of_its_parent():
    variable = tf.Variable(np.int64(0))
    name = variable.share_memory()
    held, go = threading.Event(), threading.Event()

    def hold():
        with variable._storage.locked():
            held.set()
            go.wait(TIMEOUT_S)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(TIMEOUT_S)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            variable.count_up_to(10)
            updated = finishes(variable.assign_add, 10, True)
            variable = None
            gc.collect()
            status = 0 if updated else 1
        finally:
            os._exit(status)
    go.set()
    holder.join(TIMEOUT_S)
    assert os.waitpid(child, 0)[1] == 0
    assert is_there(name)
    assert variable.numpy() == 11
