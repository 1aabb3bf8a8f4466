"""One session in many threads, and in forked processes."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading

import numpy as np
import pytest

import nbvars as tf
from tests.reliability.test_fork import in_forked_child

NUM_THREADS = 8
TIMEOUT_S = 60


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def _switching():
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


pytestmark = pytest.mark.usefixtures("_switching")


def in_threads(function, num_threads=NUM_THREADS):
    """Return the results of ``function(k)`` in that many threads, which start together; raise what one raises."""
    barrier = threading.Barrier(num_threads)
    results, raised = [None] * num_threads, []

    def work(k):
        try:
            barrier.wait(TIMEOUT_S)
            results[k] = function(k)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=work, args=(k,), daemon=True) for k in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
    if raised:
        raise raised[0]
    return results


def started(variable):
    session = tf.Session(graph=variable.graph)
    session.run(variable.initializer)
    return session


def test_counts_of_eight_threads_are_exact_and_distinct(graph):
    counter = tf.Variable(0)
    count, session = counter.count_up_to(10_000), started(counter)
    counts = in_threads(lambda k: [session.run(count) for _ in range(1000)])
    assert sorted(itertools.chain(*counts)) == list(range(8000))
    assert session.run(counter) == 8000


def test_no_thread_counts_beyond_the_limit(graph):
    counter = tf.Variable(0)
    count, session = counter.count_up_to(500), started(counter)

    def work(k):
        counted = []
        with contextlib.suppress(tf.errors.OutOfRangeError):
            while True:
                counted.append(session.run(count))
        return counted

    assert sorted(itertools.chain(*in_threads(work))) == list(range(500))
    assert session.run(counter) == 500


@pytest.mark.parametrize("shape", [(), (5,), (300, 300)])
def test_locked_updates_of_eight_threads_add_up(graph, shape):
    num_runs = 1000 if np.prod(shape) < 10 else 25
    variable = tf.Variable(np.zeros(shape, np.float32))
    update = variable.assign_add(np.ones(shape, np.float32), use_locking=True)
    session = started(variable)
    run = session.make_callable(update.op)
    in_threads(lambda k: [run() if k % 2 else session.run(update) for _ in range(num_runs)])
    np.testing.assert_array_equal(session.run(variable), np.full(shape, NUM_THREADS * num_runs))


def test_locked_row_updates_of_eight_threads_add_up(graph):
    variable, rows = tf.Variable(np.zeros((4, 3), np.int64)), tf.placeholder(tf.int32, [None])
    delta = tf.ones([2, 3], tf.int64)
    update = tf.scatter_add(variable, rows, delta, use_locking=True).op
    session = started(variable)
    in_threads(lambda k: [session.run(update, {rows: [k % 4, 3]}) for _ in range(250)])
    expected = np.array([500, 500, 500, 2500])[:, None] * np.ones(3)
    np.testing.assert_array_equal(session.run(variable), expected)


def test_a_plan_keeps_the_runs_of_threads_apart(graph):
    x = tf.placeholder(tf.int64, [None])
    for _ in range(5):
        y = x * 2 + 1
    fetches = {"y": y, "views": [y[::-1], tf.reshape(y, [-1, 1]), x]}
    session = tf.Session()

    def work(k):
        for step in range(200):
            given = np.arange(k, k + 1 + step % 5)
            got = session.run(fetches, {x: given})
            np.testing.assert_array_equal(got["y"], given * 2 + 1)
            np.testing.assert_array_equal(got["views"][0], got["y"][::-1])
            np.testing.assert_array_equal(got["views"][1][:, 0], got["y"])
            np.testing.assert_array_equal(got["views"][2], given)

    in_threads(work)


def test_threads_that_ask_for_the_same_plan_at_once_build_it_once(graph, monkeypatch):
    built, make, missing = [], tf.Session._make_plan, tf.Session._new_plan
    all_miss_it = threading.Barrier(NUM_THREADS)

    def new_plan(self, *args):
        all_miss_it.wait(TIMEOUT_S)
        return missing(self, *args)

    monkeypatch.setattr(tf.Session, "_new_plan", new_plan)
    monkeypatch.setattr(tf.Session, "_make_plan", lambda self, *args: built.append(args) or make(self, *args))
    session, x = tf.Session(), tf.constant(1) + 2
    assert in_threads(lambda k: session.run([x])) == [[3]] * NUM_THREADS
    assert len(built) == 1


def test_threads_may_add_to_the_graph_while_others_run_it(graph):
    variable = tf.Variable(0)
    session, count = started(variable), variable.count_up_to(10**6)

    def work(k):
        with graph.as_default():
            for step in range(60):
                total = tf.constant(k) + step
                assert session.run([total, count])[0] == k + step

    in_threads(work)
    assert session.run(variable) == 60 * NUM_THREADS


def test_each_thread_has_a_default_session_of_its_own(graph):
    x = tf.constant(1)
    with tf.Session():

        def work(k):
            assert tf.get_default_session() is None
            with graph.as_default(), tf.Session() as own:
                for _ in range(100):
                    assert tf.get_default_session() is own
                    assert x.eval() == 1

        in_threads(work)


def test_initializing_from_many_threads_leaves_one_value(graph):
    variable = tf.Variable(tf.ones([100]))
    session = tf.Session()
    fetches = [variable.initializer, variable.read_value()]
    for values in in_threads(lambda k: [session.run(fetches)[1] for _ in range(50)]):
        for value in values:
            assert value.tolist() == [1] * 100


@pytest.mark.parametrize("attempt", range(5))
def test_closing_while_others_run_ends_their_runs(graph, attempt):
    variable, fed = tf.Variable(np.zeros(10)), tf.placeholder(tf.float64, [10])
    update = variable.assign_add(fed)
    for _ in range(10):
        update = update + variable.read_value()
    session, fetched = started(variable), variable + 1
    call = session.make_callable([update, variable], [fed])
    one = np.ones(10)
    has_run = threading.Barrier(NUM_THREADS)

    def run_for_ever(run):
        while True:
            assert run().shape == (10,)

    def work(k):
        session.run([update, variable], {fed: one})
        has_run.wait(TIMEOUT_S)
        if k == 0:
            session.close()
        with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
            run_for_ever(lambda: call(one)[1] if k % 2 else session.run([fetched])[0])

    in_threads(work)
    with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
        session.run(variable)


def test_a_session_that_is_closed_in_another_thread_is_closed_here(graph):
    x = tf.constant(1)
    session = tf.Session()
    call = session.make_callable(x)
    in_threads(lambda k: session.close(), 1)
    for use in (call, lambda: session.run(x)):
        with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
            use()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs where there is os.fork")


@needs_fork
def test_a_forked_child_has_values_of_its_own(graph):
    variable = tf.Variable(1)
    update, session = variable.assign_add(1, use_locking=True), started(variable)
    assert session.run(update) == 2
    assert in_forked_child(lambda: [int(session.run(update)) for _ in range(3)]) == "[3, 4, 5]"
    assert session.run(update) == 3


@needs_fork
def test_a_child_forked_while_a_thread_builds_a_plan_or_holds_a_variable_goes_on(graph):
    variable = tf.Variable(1)
    update, session = variable.assign_add(1, use_locking=True), started(variable)
    session.run(update)
    held, done = threading.Event(), threading.Event()

    def hold():
        with session._lock, session.storages[variable.op].locked():
            held.set()
            done.wait(TIMEOUT_S)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    assert held.wait(TIMEOUT_S)

    def work():
        tripled = variable * 3
        return [int(session.run(each)) for each in (update, variable, tripled, update)]

    try:
        assert in_forked_child(work) == "[3, 3, 9, 4]"
    finally:
        done.set()
        holder.join(TIMEOUT_S)
    assert session.run(update) == 3
