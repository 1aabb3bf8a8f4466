"""What graphs, sessions and runs keep in memory, and for how long."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import nbvars as tf
from nbvars.runtime import plan
from tests.reliability.test_threads import run_in_threads

NUM_ITEMS = 1 << 18
NUM_BYTES = 4 * NUM_ITEMS
TIMEOUT_S = 60


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def peak_of(function):
    """Return how many bytes more ``function`` needs at its worst than before, once it has been called."""
    function()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def growth_of(function, num_calls):
    """Return how many bytes are kept after so many calls of ``function`` that were not kept after as many before."""
    for _ in range(num_calls):
        function()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(10):
            function()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(num_calls):
            function()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


class Training:
    """A graph with a bit of everything, and its session."""

    def __init__(self):
        self.graph = tf.Graph()
        with self.graph.as_default(), tf.variable_scope("model"):
            self.x, self.rows = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.int32, [None])
            self.weight = tf.get_variable("w", [4, 4])
            y = tf.matmul(self.x, self.weight)
            self.loss = tf.reduce_mean(y * y)
            self.train = self.weight.assign_sub(0.01 * tf.matmul(self.x, y, transpose_a=True))
            self.scatter = tf.scatter_add(self.weight, self.rows, tf.gather(self.x, self.rows))
            self.branch = tf.cond(self.loss > 0, lambda: self.loss + tf.random_uniform([]), lambda: self.loss)
            self.loop = tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0])
            self.y = y
            self.session = tf.Session()
            self.session.run(tf.global_variables_initializer())
        self.call = self.session.make_callable([self.loss, self.train.op], [self.x])
        self.batch = np.ones((5, 4), np.float32)

    def step(self):
        """Make each kind of run once, those that fail included."""
        batch = self.batch + 1
        self.session.run([self.loss, {"train": self.train.op}, self.branch, self.loop], {self.x: batch})
        self.session.run(self.scatter, {self.x: batch, self.rows: [1, 3]})
        self.session.run(tf.IndexedSlices(self.y, self.rows), {self.x: batch, self.rows: [0]})
        self.call(batch)
        for feeds in ({}, {self.x: np.zeros((3, 5))}, {self.x: batch, self.rows: [7]}):
            with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
                self.session.run(self.scatter, feeds)


def test_a_training_loop_keeps_nothing():
    # Of eight runs. Python and NumPy keep some free objects; the smallest one that a run could keep has 50 bytes.
    assert growth_of(Training().step, 300) < 300 * 8 * 16


def test_building_and_dropping_graphs_keeps_nothing():
    # The smallest graph that could stay has 20 times as much.
    assert growth_of(lambda: Training().step(), 15) < 15 * 5000


def test_a_graph_and_its_sessions_are_collected_when_nobody_has_them():
    training = Training()
    training.step()
    parts = [training.graph, training.session, training.weight, training.weight.op, training.train, training.call]
    parts += [*training.session.storages.values(), *training.session._streams._streams.values(), training]
    seen = [weakref.ref(part) for part in parts]
    del training, parts
    gc.collect()
    assert [reference() for reference in seen] == [None] * len(seen)


def test_a_thread_that_dies_within_a_graph_does_not_keep_it():
    seen = []

    def die():
        training = Training()
        seen.extend(map(weakref.ref, (training.graph, training.session)))
        training.graph.as_default().__enter__()
        training.session.as_default().__enter__()
        training.graph.name_scope("a").__enter__()
        training.step()

    run_in_threads(die)
    gc.collect()
    assert [reference() for reference in seen] == [None, None]


def test_a_closed_session_frees_its_variables_though_a_callable_stays():
    training = Training()
    call = training.call
    values = [weakref.ref(storage) for storage in training.session.storages.values()]
    training.session.close()
    assert [value() for value in values] == [None]
    with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
        call(training.batch)


def test_a_run_keeps_neither_what_it_is_fed_nor_what_it_returns(graph):
    x = tf.placeholder(tf.float32, [3])
    y, session = x * 2.0 + x, tf.Session()
    call = session.make_callable(y, [x])
    for run in (call, lambda value: session.run(y, {x: value})):
        fed = np.ones(3, np.float32)
        fetched = run(fed)
        seen = weakref.ref(fed), weakref.ref(fetched)
        del fed, fetched
        assert [array() for array in seen] == [None, None]


def test_a_run_that_fails_keeps_what_it_was_fed_no_longer_than_its_error(graph):
    x, rows = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.int32, [1])
    y, session = tf.gather(x * 2.0, rows), tf.Session()
    fed = np.ones(3, np.float32)
    seen = weakref.ref(fed)
    with pytest.raises(tf.errors.InvalidArgumentError):
        session.run(y, {x: fed, rows: [3]})
    del fed
    gc.collect()
    assert seen() is None


def test_new_memory_of_a_variable_takes_the_place_of_the_old_one(graph):
    variable, x = tf.Variable(np.zeros(2, np.float32)), tf.placeholder(tf.float32, None)
    update, session = tf.assign(variable, x, validate_shape=False), tf.Session()
    session.run(variable.initializer)
    old = weakref.ref(session.storages[variable.op])
    assert session.run(update, {x: [1, 2, 3]}).tolist() == [1, 2, 3]
    assert old() is None


def chain(x, length=12):
    """Return what ``length`` ops make of ``x``, one after the other."""
    for _ in range(length):
        x = tf.tanh(x)
    return x


@pytest.mark.parametrize("shape", [[NUM_ITEMS], [None], None])
@pytest.mark.parametrize(
    "build",
    [
        lambda x: tf.reduce_sum(chain(x)),
        lambda x: tf.cond(tf.size(x) > 0, lambda: tf.reduce_sum(chain(x)), lambda: 0.0),
        lambda x: tf.reduce_sum(tf.cond(tf.size(x) > 0, lambda: chain(x), lambda: x)),
        lambda x: tf.reduce_sum(tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, chain(y)), [0, x])[1]),
    ],
)
def test_a_run_lets_go_of_large_arrays_that_nobody_needs_any_more(graph, shape, build):
    result, x = None, tf.placeholder(tf.float32, shape)
    result, session, fed = build(x), tf.Session(), np.ones(NUM_ITEMS, np.float32)
    assert peak_of(lambda: session.run(result, {x: fed})) < 3.5 * NUM_BYTES


@pytest.mark.parametrize("large_bytes", [0, plan.LARGE_BYTES])
def test_what_a_run_needs_stays_until_the_last_use(graph, monkeypatch, large_bytes):
    monkeypatch.setattr(plan, "LARGE_BYTES", large_bytes)
    variable, x = tf.Variable([1.0, 2.0]), tf.placeholder(tf.float32, [2])
    first, alias = x + variable, tf.placeholder_with_default(x * 3.0, [2])
    inner = tf.while_loop(
        lambda i, y: i < 2.0 * tf.reduce_max(first),
        lambda i, y: (i + 1.0, tf.cond(i > 1.0, lambda: y + first, lambda: y * alias)),
        [0.0, first],
    )

    def step(i, y):
        z = tf.sqrt(y) + alias
        return i + 1, z + y / z

    nested = tf.while_loop(lambda i, y: i < 2, step, [0, x])
    split = tf.split(inner[1] + nested[1], 2)
    with tf.control_dependencies(split):
        last = variable.assign_add(first * alias)
    unused = [x / 2.0, tf.tanh(first)]
    session = tf.Session()
    session.run(variable.initializer)
    fetches = [first, split, nested, inner, last, split[0] + first, *unused]
    got = session.run(fetches, {x: [1, 2]})

    first, alias, i, y = np.array([2.0, 4]), np.array([3.0, 6]), 0, np.array([2.0, 4])
    while i < 8:
        y, i = (y + first if i > 1 else y * alias), i + 1
    z = np.array([1.0, 2])
    for _ in range(2):
        root = np.sqrt(z) + alias
        z = root + z / root
    expected = [first, (y + z)[:, None], [2, z], [8, y], [7, 26], (y + z)[:1] + first, [0.5, 1], np.tanh(first)]
    for value, wanted in zip(got, expected, strict=True):
        for part, wanted_part in zip(value, wanted, strict=True):
            np.testing.assert_allclose(part, wanted_part, rtol=1e-5)


def test_a_chain_of_twenty_thousand_ops_is_built_run_and_collected():
    def build():
        with tf.Graph().as_default() as graph:
            x = y = tf.placeholder(tf.int32, [])
            for _ in range(5_000):
                y = tf.negative(tf.identity(y))
                with tf.control_dependencies([y]):
                    y = y + y - y
            branch = tf.cond(x > 0, lambda: y, lambda: x)
            assert tf.Session().run([y, branch], {x: 3}) == [3, 3]
        assert graph.version > 20_000
        return weakref.ref(graph)

    seen = build()
    gc.collect()
    assert seen() is None


def test_a_chain_of_three_thousand_ops_becomes_a_graph_def_and_back():
    pytest.importorskip("google.protobuf")
    with tf.Graph().as_default() as graph:
        x = y = tf.placeholder(tf.int32, [], name="x")
        for _ in range(1_500):
            y = tf.negative(tf.identity(y))
    with tf.Graph().as_default():
        x, y = tf.import_graph_def(graph.as_graph_def(), return_elements=["x:0", y.name])
        assert tf.Session().run(y, {x: 3}) == 3


def test_sessions_of_threads_that_end_are_collected():
    def work():
        training = Training()
        with training.session:
            training.step()
        seen.append(weakref.ref(training.session))

    seen = []
    run_in_threads(*[work] * 4)
    gc.collect()
    assert [reference() for reference in seen] == [None] * 4
    assert threading.active_count() < 50
