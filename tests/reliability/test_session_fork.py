"""Processes forked while threads build a graph and use a session: parent and child both go on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import numpy as np
import pytest
from numba import types
from numba.core.compiler_lock import global_compiler_lock

import nbvars as tf
from nbvars.graph.names import GRAPH_LOCK
from nbvars.kernels.cpu.compiled import compile_kernel
from nbvars.locks import ForkSafeLock
from nbvars.runtime import streams
from nbvars.runtime.streams import Stream
from nbvars.variables.variable_store import VariableStore
from tests.reliability.test_fork import TIMEOUT_S, in_forked_child

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs where there is os.fork")


class Model:
    """A graph with a bit of everything, and a session that has run it."""

    def __init__(self):
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.x = tf.placeholder(tf.float32, [])
            self.template = tf.make_template("t", lambda: tf.get_variable("w", [], initializer=tf.ones_initializer()))
            self.weight = self.template()
            self.update = self.weight.assign_add(self.x, use_locking=True)
            self.seeded = tf.random_uniform([3], seed=7)
            self.unseeded = tf.random_uniform([3])
            self.session = tf.Session()
            self.session.run(tf.global_variables_initializer())
        assert self.session.run(self.update, {self.x: 1}) == 2
        self.session.run([self.seeded, self.unseeded])

    def locks(self):
        """Return a lock of each kind that is held for longer than it takes to draw random numbers."""
        stores = [self.graph._own(VariableStore)._lock, self.template._lock, self.session._lock]
        storages = [storage.locked() for storage in self.session.storages.values()]
        return [GRAPH_LOCK, *stores, *storages]

    def use(self):
        """Build and run; return what a run of the update should have added up to."""
        with self.graph.as_default():
            y = tf.cond(self.x > 0, lambda: self.template() * 2, lambda: self.x)
            with tf.variable_scope(None, "new"):
                v = tf.get_variable("v", [], initializer=tf.zeros_initializer())
        self.session.run([v.initializer, self.seeded, self.unseeded, y], {self.x: 1})
        return float(self.session.run(self.update, {self.x: 1}))


@pytest.fixture
def model():
    return Model()


@contextlib.contextmanager
def held_by_a_thread(locks):
    """Hold ``locks`` in another thread during a ``with`` block."""
    held, done = threading.Event(), threading.Event()

    def hold():
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            assert done.wait(TIMEOUT_S)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    assert held.wait(TIMEOUT_S)
    try:
        yield
    finally:
        done.set()
        holder.join(TIMEOUT_S)


def test_a_child_forked_while_a_thread_holds_every_lock_builds_and_runs(model):
    with held_by_a_thread(model.locks()):
        assert in_forked_child(model.use) == "3.0"
    assert model.session.run(model.weight) == 2
    assert model.use() == 3


def test_a_child_of_a_child_builds_and_runs(model):
    assert in_forked_child(lambda: (model.use(), in_forked_child(model.use))) == "(3.0, '4.0')"
    assert model.use() == 3


def test_a_child_forked_by_a_thread_that_holds_the_locks_itself_gives_them_back(model):
    def fork_within():
        with contextlib.ExitStack() as stack:
            for lock in model.locks():
                stack.enter_context(lock)
            reading, writing = os.pipe()
            child = os.fork()
            if child:
                os.close(writing)
                with os.fdopen(reading) as answers:
                    answer = answers.read()
                os.waitpid(child, 0)
                return answer
        # Only the child comes here, out of the block.
        os.write(writing, str(model.use()).encode())
        os._exit(0)

    # In a child, so that a failure in the grandchild cannot go on with the tests.
    assert in_forked_child(fork_within) == "3.0"


def test_parent_and_child_go_on_with_a_seeded_stream_and_part_with_an_unseeded_one(model):
    fetches = [model.seeded, model.unseeded]
    child = in_forked_child(lambda: [each.tolist() for each in model.session.run(fetches)])
    seeded, unseeded = model.session.run(fetches)
    assert child.startswith(f"[{seeded.tolist()}, ")
    assert str(unseeded.tolist()) not in child


def test_a_fork_waits_for_draws_of_other_threads():
    stream, drawing, drawn = Stream([1]), threading.Event(), threading.Event()

    def draw():
        stream.draw(lambda generator: (drawing.set(), drawn.wait(TIMEOUT_S), generator.random()))

    drawer = threading.Thread(target=draw, daemon=True)
    forker = threading.Thread(target=lambda: (streams._fork.before(), streams._fork.after()), daemon=True)
    drawer.start()
    assert drawing.wait(TIMEOUT_S)
    forker.start()
    forker.join(0.02)
    assert forker.is_alive()
    drawn.set()
    forker.join(TIMEOUT_S)
    assert not forker.is_alive()
    child = in_forked_child(lambda: stream.draw(np.random.Generator.random))
    assert child == str(stream.draw(np.random.Generator.random))


def test_a_fork_waits_for_a_compilation_of_another_thread():
    held, never = threading.Event(), threading.Event()

    def compile_for_a_while():
        with global_compiler_lock:
            held.set()
            never.wait(0.05)

    def compiled_answer():
        return compile_kernel("answer", lambda: 42, types.int64())()

    compiling = threading.Thread(target=compile_for_a_while, daemon=True)
    compiling.start()
    assert held.wait(TIMEOUT_S)
    assert in_forked_child(compiled_answer) == "42"
    compiling.join(TIMEOUT_S)


def test_children_forked_while_threads_build_and_run_all_go_on(model):
    done = threading.Event()
    big = tf.Graph()
    with big.as_default():
        variable = tf.Variable(np.zeros(1 << 18, np.float32))
        update = variable.assign_add(tf.random_uniform([1 << 18], seed=1), use_locking=True)
        session = tf.Session()
        session.run(variable.initializer)

    def work():
        with big.as_default():
            while not done.is_set():
                session.run([update.op, variable * 2.0])

    def child():
        with big.as_default():
            return session.run([update, tf.get_variable("v", []).initializer, variable + 1.0])[2].shape

    workers = [threading.Thread(target=work, daemon=True) for _ in range(3)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(8):
            assert in_forked_child(child) == f"({1 << 18},)"
    finally:
        done.set()
        for worker in workers:
            worker.join(TIMEOUT_S)
    assert not any(worker.is_alive() for worker in workers)
    assert session.run(update).shape == (1 << 18,)


def test_a_signal_handler_may_fork_while_its_thread_builds_and_runs(model):
    children = []

    def fork(signum, frame):
        children.append(in_forked_child(model.use))

    before = signal.signal(signal.SIGUSR1, fork)
    try:
        with GRAPH_LOCK, model.session._lock:
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert children == ["3.0"]
    assert model.use() == 3


def test_a_lock_that_is_renewed_is_free_unless_its_own_thread_holds_it():
    lock = ForkSafeLock()
    with held_by_a_thread([lock]):
        assert not lock.acquire(blocking=False)
        assert in_forked_child(lambda: lock.acquire(blocking=False)) == "True"
    with lock:
        lock.renew()
        tried = []
        trying = threading.Thread(target=lambda: tried.append(lock.acquire(blocking=False)))
        trying.start()
        trying.join(TIMEOUT_S)
        assert tried == [False]
