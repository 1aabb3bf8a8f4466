"""Random ops in graphs: a stream for each op in each session, from the seeds of graph and op."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import nbvars as tf
from nbvars import ops
from nbvars.ops import random_ops
from nbvars.variables import initializers
from tests.conftest import run_python

DRAWS = [
    lambda seed=None: ops.random_normal([8], seed=seed),
    lambda seed=None: ops.truncated_normal([8], seed=seed),
    lambda seed=None: ops.random_uniform([8], seed=seed),
    lambda seed=None: ops.random_uniform([8], 0, 2**31 - 1, "int32", seed=seed),
    lambda seed=None: ops.random_shuffle(ops.range(64), seed=seed),
    lambda seed=None: initializers.GlorotUniform(seed=seed)([8]),
    lambda seed=None: initializers.Orthogonal(seed=seed)([2, 4]),
]


@pytest.fixture(autouse=True)
def no_global_seed():
    yield
    random_ops._streams.restart(None)


def _graph(build, seed=None):
    graph = tf.Graph()
    with graph.as_default():
        if seed is not None:
            tf.set_random_seed(seed)
        output = build()
    return graph, output


def _runs(graph, output, num_runs=2):
    with tf.Session(graph=graph) as sess:
        return [sess.run(output) for _ in range(num_runs)]


def _are_equal(x, y):
    return all(np.array_equal(a, b) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("draw", DRAWS)
def test_an_op_with_a_seed_repeats_in_each_session_and_goes_on_in_each_run(draw):
    graph, output = _graph(lambda: draw(seed=3))
    first = _runs(graph, output)
    assert _are_equal(first, _runs(graph, output))
    assert not np.array_equal(*first)
    assert _are_equal(first, _runs(*_graph(lambda: draw(seed=3))))
    assert not _are_equal(first, _runs(*_graph(lambda: draw(seed=4))))
    assert not _are_equal(first, _runs(*_graph(lambda: draw(seed=3), seed=1)))


@pytest.mark.parametrize("draw", DRAWS)
def test_an_op_without_a_seed_differs_from_session_to_session(draw):
    graph, output = _graph(draw)
    first = _runs(graph, output)
    assert not np.array_equal(*first)
    assert not np.array_equal(first[0], _runs(graph, output)[0])


@pytest.mark.parametrize("draw", DRAWS)
def test_the_seed_of_the_graph_gives_each_op_numbers_of_its_own(draw):
    graph, outputs = _graph(lambda: [draw(), draw()], seed=5)
    assert graph.seed == 5
    first = _runs(graph, outputs)
    assert not np.array_equal(*first[0])
    assert not np.array_equal(first[0][0], first[1][0])
    again = _runs(*_graph(lambda: [draw(), draw()], seed=5))
    assert all(map(_are_equal, first, again))
    other = _runs(*_graph(lambda: [draw(), draw()], seed=6))
    assert not _are_equal(first[0], other[0])


@pytest.mark.parametrize(
    ("graph_seed", "op_seed", "expected"),
    [(None, None, None), (None, 7, (87654321, 7)), (5, 7, (5, 7)), (0, 0, (0, 0)), (-5, 7, (-5, 7))],
)
def test_the_seeds_of_graph_and_op_make_a_pair(graph_seed, op_seed, expected):
    _, output = _graph(lambda: ops.random_normal([2], seed=op_seed), graph_seed)
    assert output.op.get_attr("seed") == expected


def test_the_seed_of_the_graph_alone_counts_the_operations():
    with tf.Graph().as_default() as graph:
        graph.seed = 5
        ops.zeros([2])
        first, second = ops.random_shuffle(ops.zeros([2])), ops.random_shuffle(ops.zeros([3]))
        for output in (first, second):
            made_before = [op.name for op in graph.get_operations()].index(output.op.name)
            assert output.op.get_attr("seed") == (5, made_before)


def test_equal_seeds_give_equal_numbers_and_negative_seeds_others():
    with tf.Graph().as_default(), tf.Session() as sess:
        a, b, c = (ops.random_normal([4], seed=seed) for seed in (3, 3, -3))
        x, y, z = sess.run([a, b, c])
    assert np.array_equal(x, y)
    assert not np.array_equal(x, z)


def test_a_session_draws_once_per_run_and_op():
    with tf.Graph().as_default(), tf.Session() as sess:
        x = ops.random_normal([4], seed=1)
        a, b, c = sess.run([x, x + 0, ops.identity(x)])
        d = sess.run(x + 0)
    assert np.array_equal(a, b)
    assert np.array_equal(a, c)
    assert not np.array_equal(a, d)


def test_set_random_seed_of_a_graph_leaves_eager_mode_alone():
    tf.set_random_seed(1)
    expected = ops.random_normal([4]).numpy()
    tf.set_random_seed(1)
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(9)
        assert graph.seed == 9
        with pytest.raises(TypeError, match="set_random_seed: seed has the wrong type: got 'a', expected an integer"):
            tf.set_random_seed("a")
    assert np.array_equal(ops.random_normal([4]).numpy(), expected)
    assert tf.Graph().seed is None


def test_a_random_op_draws_what_eager_mode_draws_from_the_same_seeds():
    with tf.Graph().as_default(), tf.Session() as sess:
        got = sess.run(ops.random_normal([4], 2.0, 3.0, seed=7))
    draw = np.random.Generator(np.random.PCG64([2 * 87654321, 14])).standard_normal(4, np.float32)
    np.testing.assert_allclose(got, draw * 3 + 2, rtol=1e-6)


def test_variables_of_random_initial_values_repeat_by_their_seeds():
    def build():
        return tf.Variable(ops.random_normal([3], seed=1)), tf.Variable(initializers.GlorotNormal()([3, 3]))

    def values():
        graph, variables = _graph(build, seed=2)
        with tf.Session(graph=graph) as sess:
            sess.run([variable.initializer for variable in variables])
            return sess.run(list(variables))

    first = values()
    assert _are_equal(first, values())
    assert np.ptp(first[1]) > 0


def test_threads_draw_at_once_without_losing_numbers():
    num_threads, num_runs = 8, 50
    with tf.Graph().as_default():
        x = ops.random_uniform([16], seed=1)
        in_order = tf.Session()
        expected = {tuple(in_order.run(x)) for _ in range(num_threads * num_runs)}
        sess = tf.Session()
        drawn, errors = [], []

        def work():
            try:
                drawn.extend(tuple(sess.run(x)) for _ in range(num_runs))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(num_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    assert len(drawn) == num_threads * num_runs
    assert set(drawn) == expected


def test_a_forked_child_draws_numbers_of_its_own_from_unseeded_ops():
    code = """
import os
import nbvars as tf
with tf.Graph().as_default(), tf.Session() as sess:
    x, y = tf.random_normal([4]), tf.random_normal([4], seed=1)
    sess.run([x, y])
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, repr([a.tolist() for a in sess.run([x, y])]).encode())
        os._exit(0)
    os.wait()
    theirs, ours = eval(os.read(reader, 10000)), [a.tolist() for a in sess.run([x, y])]
    print(theirs[0] == ours[0], theirs[1] == ours[1])
"""
    assert run_python(code) == "False True"
