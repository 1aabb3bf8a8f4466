"""Work that is captured in a CUDA graph, and replayed."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import FailedPreconditionError, InvalidArgumentError

OPTIMIZERS = {
    "sgd": lambda: tf.train.GradientDescentOptimizer(0.1),
    "momentum": lambda: tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adagrad": lambda: tf.train.AdagradOptimizer(0.1),
    "adadelta": lambda: tf.train.AdadeltaOptimizer(0.1),
    "rmsprop": lambda: tf.train.RMSPropOptimizer(0.1, momentum=0.5),
    "ftrl": lambda: tf.train.FtrlOptimizer(0.1),
    "adam": lambda: tf.train.AdamOptimizer(0.01),
    "adamw": lambda: tf.train.AdamWOptimizer(weight_decay=0.01),
    "lazy adam": lambda: tf.train.LazyAdamOptimizer(0.01),
}


def on_gpu(value):
    with tf.device("/gpu:0"):
        return tf.Variable(value)


def constant_on_gpu(value):
    with tf.device("/gpu:0"):
        return tf.constant(value)


@pytest.fixture(autouse=True)
def nothing_is_left():
    """No capture, and no stream of one, stays behind a test."""
    from nbvars.capturing import recording
    from nbvars.kernels.cuda.memory import DeviceArray
    from nbvars.kernels.cuda.streams import current_stream

    before = current_stream()
    yield
    assert recording() is None
    assert current_stream() is before
    assert not isinstance(vars(DeviceArray)["pointer"], property)


def test_nothing_is_done_before_a_replay_and_everything_at_each():
    variable, delta = on_gpu([1.0, 2.0]), on_gpu([10.0, 20.0])
    with tf.cuda.capture() as graph:
        variable.assign_add(delta)
        variable.assign_sub(1.0)
    assert variable.numpy().tolist() == [1, 2]
    graph.replay()
    assert variable.numpy().tolist() == [10, 21]
    delta.assign([0.0, 5.0])
    graph.replay()
    graph.replay()
    assert variable.numpy().tolist() == [8, 29]


def test_scatters_casts_and_copies_are_captured():
    table, seen, counter = on_gpu(np.zeros((4, 3), np.float32)), on_gpu(np.zeros(3, np.int32)), on_gpu(np.int64(0))
    rows, positions, values = on_gpu(np.array([1, 1, 3])), on_gpu(np.array([[0, 2]])), on_gpu(np.ones((3, 3), "f4"))
    with tf.cuda.capture("/gpu:0") as graph:
        table.scatter_add(tf.IndexedSlices(values, rows), deterministic=True)
        table.scatter_nd_sub(positions, 2.0)
        seen.assign(tf.cast(table[1], tf.int32))
        counter.assign_add(1)
        copied = tf.identity(table)
    graph.replay()
    values.assign(np.full((3, 3), 2, np.float32))
    rows.assign(np.array([0, 2, 2]))
    graph.replay()
    expected = np.array([[2, 2, -2], [2, 2, 2], [4, 4, 4], [1, 1, 1]], np.float32)
    np.testing.assert_array_equal(table.numpy(), expected)
    np.testing.assert_array_equal(copied.numpy(), expected)
    assert counter.numpy() == 2
    assert seen.numpy().tolist() == [2, 2, 2]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_replays_of_a_step_have_the_bits_of_steps_that_are_not_captured(name):
    rng, shapes = np.random.default_rng(3), [(3,), (40,), (5, 7), (1,)]
    values = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    steps = [[rng.standard_normal(shape).astype(np.float32) for shape in shapes] for _ in range(4)]
    captured, plain = OPTIMIZERS[name](), OPTIMIZERS[name]()
    here, there = [tf.Variable(value) for value in values], [on_gpu(value) for value in values]
    grads, count, counted = [on_gpu(value) for value in values], tf.Variable(0), on_gpu(0)
    with tf.cuda.capture() as graph:
        captured.apply_gradients(zip(grads, there, strict=True), global_step=count)
        counted.assign_add(1)
    for k, step in enumerate(steps):
        plain.apply_gradients(zip(step, here, strict=True))
        for grad, value in zip(grads, step, strict=True):
            grad.assign(value)
        if k == 2:  # the two ways mix
            captured.apply_gradients(zip(grads, there, strict=True), global_step=count)
        else:
            graph.replay()
    for got, expected in zip(there, here, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected.numpy())
    assert (count.numpy(), counted.numpy()) == (4, 3)
    for name_of_slot in plain.get_slot_names():
        got, expected = captured.get_slot(there[1], name_of_slot), plain.get_slot(here[1], name_of_slot)
        np.testing.assert_array_equal(got.numpy(), expected.numpy())


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_steps_of_every_dtype_are_captured(dtype):
    value = np.linspace(-1, 1, 33).astype(dtype.numpy_dtype)
    here, there, grad = tf.Variable(value), on_gpu(value), on_gpu(value)
    captured, plain = tf.train.AdamOptimizer(0.01), tf.train.AdamOptimizer(0.01)
    with tf.cuda.capture() as graph:
        captured.apply_gradients([(grad, there)])
    for _ in range(3):
        graph.replay()
        plain.apply_gradients([(tf.constant(value), here)])
    np.testing.assert_array_equal(there.numpy(), here.numpy())


def test_a_learning_rate_is_that_of_the_replay():
    rate, variable, grad = tf.Variable(np.float32(0.5)), on_gpu([1.0]), on_gpu([1.0])
    by_variable, by_function = tf.train.GradientDescentOptimizer(rate), tf.train.GradientDescentOptimizer(lambda: 2.0)
    with tf.cuda.capture() as graph:
        by_variable.apply_gradients([(grad, variable)])
        by_function.apply_gradients([(grad, variable)])
    graph.replay()
    assert variable.numpy().tolist() == [-1.5]
    rate.assign(0.25)
    graph.replay()
    assert variable.numpy().tolist() == [-3.75]


def test_a_whole_training_step_is_captured():
    x = np.linspace(-1, 1, 20, dtype=np.float32)
    slope, offset, given, wanted = on_gpu(np.float32(0)), on_gpu(np.float32(0)), on_gpu(x), on_gpu(3 * x - 1)
    optimizer = tf.train.AdamOptimizer(0.1)
    with tf.cuda.capture() as graph, tf.device("/gpu:0"):
        optimizer.minimize(lambda: tf.reduce_mean(tf.square(slope * given + offset - wanted)), var_list=[slope, offset])
    assert slope.numpy() == 0
    for _ in range(150):
        graph.replay()
    np.testing.assert_allclose([slope.numpy(), offset.numpy()], [3, -1], atol=0.05)


def test_tensors_of_the_block_have_the_values_of_the_last_replay():
    variable = on_gpu([1.0, 2.0])
    with tf.cuda.capture() as graph:
        doubled = variable * 2.0
        variable.assign_add(doubled)
    graph.replay()
    assert doubled.numpy().tolist() == [2, 4]
    graph.replay()
    assert doubled.numpy().tolist() == [6, 12]
    assert variable.numpy().tolist() == [9, 18]


REFUSED = {
    "numpy": lambda v: v.numpy(),
    "float": lambda v: float(tf.reduce_sum(v)),
    "print": repr,
    "eval of an array": np.asarray,
    "a list": lambda v: v.assign_add([1.0, 2.0]),
    "an array": lambda v: v.assign(np.ones(2, np.float32)),
    "a constant": lambda v: constant_on_gpu([1.0, 2.0]),
    "rows of the host": lambda v: tf.scatter_add(v, [0, 1], 1.0),
    "positions of the host": lambda v: tf.scatter_nd_add(v, [[0]], 1.0),
    "a variable of the host": lambda v: v.assign_add(tf.Variable(1.0)),
    "an op of a variable of the host": lambda v: v * tf.Variable(2.0),
    "an average that counts on the host": lambda v: tf.train.ExponentialMovingAverage(0.5, tf.Variable(3)).apply([v]),
    "an export": lambda v: v.__dlpack__(),
    "waiting": lambda v: tf.synchronize(),
    "a stream": lambda v: tf.cuda.stream().__enter__(),
    "another capture": lambda v: tf.cuda.capture().__enter__(),
    "a replay": lambda v: _GRAPH.replay(),
    "a shape that depends on values": lambda v: tf.boolean_mask(v, v > 1.0),
    "an op that looks at values": lambda v: tf.gather(v, tf.cast(v, tf.int32)),
    "a variable of a tensor": lambda v: on_gpu(v * 2.0),
    "a step of rows with Adam": lambda v: tf.train.LazyAdamOptimizer().apply_gradients(
        [(tf.IndexedSlices(tf.identity(v), tf.cast(v, tf.int64)), v)]
    ),
    "a step of rows with a function": lambda v: tf.train.GradientDescentOptimizer(lambda: 0.1).apply_gradients(
        [(tf.IndexedSlices(tf.identity(v), tf.cast(v, tf.int64)), v)]
    ),
    "a step of the host": lambda v: tf.train.GradientDescentOptimizer(0.1).apply_gradients(
        [([1.0], tf.Variable([1.0]))]
    ),
    "gradients of the host": lambda v: tf.train.GradientDescentOptimizer(0.1).apply_gradients([([1.0, 2.0], v)]),
    "one variable twice": lambda v: tf.train.GradientDescentOptimizer(0.1).apply_gradients([(v * 1.0, v)] * 2),
}
_GRAPH = None


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("is_caught", [False, True])
def test_what_the_gpu_alone_cannot_do_is_refused_and_nothing_changed(what, is_caught):
    global _GRAPH
    variable = on_gpu([1.0, 2.0])
    with tf.cuda.capture() as _GRAPH:
        pass

    def block():
        with tf.cuda.capture() as graph:
            variable.assign_add(5.0)
            if is_caught:
                with pytest.raises(FailedPreconditionError):
                    REFUSED[what](variable)
            else:
                REFUSED[what](variable)
        return graph

    with pytest.raises(FailedPreconditionError, match=r"got a step that is being captured, expected .*; "):
        block()
    assert variable.numpy().tolist() == [1, 2]
    variable.assign_add(1.0)  # at once, as before
    assert variable.numpy().tolist() == [2, 3]


def test_averages_that_count_on_the_gpu_are_captured():
    variable, count = on_gpu([1.0]), on_gpu(0)
    average = tf.train.ExponentialMovingAverage(0.5, count)
    average.apply([variable])
    with tf.cuda.capture() as graph:
        variable.assign_add(1.0)
        count.assign_add(1)
        average.apply([variable])
    for _ in range(2):
        graph.replay()
    expected = 1.0
    for k in (1, 2):
        decay = min(0.5, (1 + k) / (10 + k))
        expected = decay * expected + (1 - decay) * (1.0 + k)
    np.testing.assert_allclose(average.average(variable).numpy(), [expected], rtol=1e-6)


def test_counting_for_the_host_is_refused_before_anything_is_counted():
    counter = on_gpu(np.int64(0))
    with pytest.raises(FailedPreconditionError, match=r"count_up_to: .*; use assign_add"), tf.cuda.capture():
        counter.count_up_to(3)
    assert counter.count_up_to(3) == 0


def test_an_error_in_the_block_ends_the_capture():
    variable, kept = on_gpu([1.0]), []

    def block():
        with tf.cuda.capture() as graph:
            kept.append(graph)
            variable.assign(5.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    with pytest.raises(FailedPreconditionError, match="replay: there is nothing to replay"):
        kept[0].replay()
    with tf.cuda.capture() as graph:
        variable.assign_add(1.0)
    graph.replay()
    assert variable.numpy().tolist() == [2]


def test_a_graph_keeps_the_memory_of_its_arrays_and_no_longer():
    variable, delta = on_gpu([1.0, 1.0]), constant_on_gpu([2.0, 3.0])
    array = variable._storage.array
    other = array.reshape((1, 2))
    with tf.cuda.capture() as graph:
        variable.assign_add(delta)
        variable.assign_add(variable * 1.0)
    died = weakref.ref(array._owner)
    del variable, delta, array
    gc.collect()
    graph.replay()
    assert other.copy_to_host().tolist() == [[6, 8]]
    del other
    gc.collect()
    assert died() is not None
    graph.replay()
    del graph
    gc.collect()
    assert died() is None


def test_arrays_of_other_libraries_are_kept():
    class Theirs:
        def __init__(self, variable):
            self.__cuda_array_interface__ = variable.__cuda_array_interface__
            self.variable = variable

    variable = on_gpu([0.0, 0.0])
    with tf.cuda.capture() as graph:
        variable.assign_add(Theirs(on_gpu([1.0, 2.0])))
    gc.collect()
    graph.replay()
    assert variable.numpy().tolist() == [1, 2]


def test_threads_capture_each_for_itself_and_others_go_on():
    variables = [on_gpu([0.0]) for _ in range(3)]
    graphs, begun, done = {}, threading.Barrier(3), threading.Barrier(3)

    def capture(k):
        with tf.cuda.capture() as graphs[k]:
            begun.wait()
            variables[k].assign_add(float(k + 1))
            done.wait()

    threads = [threading.Thread(target=capture, args=(k,)) for k in (0, 1)]
    for thread in threads:
        thread.start()
    begun.wait()
    variables[2].assign_add(7.0)
    assert variables[2].numpy().tolist() == [7]
    done.wait()
    for thread in threads:
        thread.join()
    assert [variable.numpy().tolist() for variable in variables] == [[0], [0], [7]]
    replays = [threading.Thread(target=graphs[k].replay) for k in (0, 1, 1)]
    for thread in replays:
        thread.start()
    for thread in replays:
        thread.join()
    assert [variable.numpy().tolist() for variable in variables] == [[1], [4], [7]]


def test_a_replay_is_on_the_current_stream_and_after_the_last_one():
    from nbvars.kernels.cuda.streams import current_stream

    variable = on_gpu([0.0])
    with tf.cuda.capture() as graph:
        variable.assign_add(1.0)
    graph.replay()
    first = current_stream()
    with tf.cuda.stream():
        second = current_stream()
        graph.replay()
        graph.replay()
    if hasattr(second, "waited_for"):
        assert second.waited_for == [first, first]
    assert variable.numpy().tolist() == [3]


def test_a_bad_index_is_reported_by_the_replay():
    table, rows, one = on_gpu(np.zeros(4, np.float32)), on_gpu(np.array([0, 9])), on_gpu(np.float32(1))
    sentence = r"scatter_add: .*indices\[1\] = 9 is not in \[0, 4\)"
    with tf.cuda.capture() as graph:
        tf.scatter_add(table, rows, 1.0)
        one.assign_add(1.0)
    graph.replay()
    with pytest.raises(InvalidArgumentError, match=sentence):
        tf.synchronize()
    tf.cuda.set_index_checking("sync")
    try:
        with tf.cuda.capture() as graph:
            tf.scatter_add(table, rows, 1.0)
        with pytest.raises(InvalidArgumentError, match=sentence):
            graph.replay()
    finally:
        tf.cuda.set_index_checking("deferred")
    assert table.numpy().tolist() == [2, 0, 0, 0]


def test_what_was_reported_before_is_raised_before_the_capture_begins():
    table = on_gpu(np.zeros(4, np.float32))
    tf.scatter_add(table, constant_on_gpu([7]), 1.0)
    with pytest.raises(InvalidArgumentError, match="indices"), tf.cuda.capture():
        raise AssertionError
    with tf.cuda.capture() as graph:
        tf.scatter_add(table, rows_of(table), 1.0)
    tf.scatter_add(table, constant_on_gpu([7]), 1.0)
    with pytest.raises(InvalidArgumentError, match="indices"):
        graph.replay()
    graph.replay()
    assert table.numpy().tolist() == [1, 0, 0, 0]


def rows_of(table):
    return tf.cast(tf.zeros_like(table)[:1], tf.int32)


def test_a_graph_of_sessions_is_captured_but_no_steps_of_it():
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.device("/gpu:0"):
            variable = tf.Variable(np.ones(2, np.float32), name="v")
            update = variable.assign_add(variable * 2.0)
            total, grad = tf.reduce_sum(variable), variable * 1.0
        train = tf.train.GradientDescentOptimizer(0.5).apply_gradients([(grad, variable)])
        session.run(tf.global_variables_initializer())
        with tf.cuda.capture() as graph:
            session.run(update.op)
        graph.replay()
        assert session.run(variable).tolist() == [3, 3]
        with pytest.raises(FailedPreconditionError, match="capture apply_gradients in eager mode"), tf.cuda.capture():
            session.run(train)
        with pytest.raises(FailedPreconditionError, match="read it after a replay"), tf.cuda.capture():
            session.run(total)


def test_graphs_say_what_they_are():
    variable = on_gpu([1.0])
    with tf.cuda.capture() as graph:
        assert repr(graph) == "<nbvars.cuda.CudaGraph device='/gpu:0', not captured>"
        variable.assign_add(1.0)
    assert repr(graph) == "<nbvars.cuda.CudaGraph device='/gpu:0', keeps 1 arrays>"


def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(InvalidArgumentError, match="no such device was found: got '/gpu:9'"):
        tf.cuda.capture("/gpu:9")
    with pytest.raises(ValueError, match="the device is no GPU: got '/cpu:0'"):
        tf.cuda.capture("/cpu:0")


@pytest.mark.gpu
def test_a_captured_step_of_many_variables_costs_the_host_one_launch():
    variables = [on_gpu(np.ones(4096, np.float32)) for _ in range(400)]
    grads = [on_gpu(np.full(4096, 0.001, np.float32)) for _ in range(400)]
    optimizer = tf.train.AdamOptimizer(0.01)
    with tf.cuda.capture() as graph:
        optimizer.apply_gradients(zip(grads, variables, strict=True))
    for _ in range(100):
        graph.replay()
    tf.synchronize()
    here, plain = tf.Variable(np.ones(4096, np.float32)), tf.train.AdamOptimizer(0.01)
    for _ in range(100):
        plain.apply_gradients([(tf.constant(np.full(4096, 0.001, np.float32)), here)])
    for variable in variables:
        np.testing.assert_array_equal(variable.numpy(), here.numpy())
    start = time.perf_counter()
    for _ in range(1000):
        graph.replay()
    assert (time.perf_counter() - start) / 1000 < 1e-3
    tf.synchronize()
