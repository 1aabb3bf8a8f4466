"""Many threads that build one graph, and use one session, while variables change under their hands."""

from __future__ import annotations

import itertools
import sys
import threading

import numpy as np
import pytest

import nbvars as tf
from nbvars.graph.names import GRAPH_LOCK
from tests.reliability.test_threads import TIMEOUT_S, run_in_threads

NUM_THREADS = 8


@pytest.fixture(autouse=True)
def _switching():
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def in_threads(function, num_threads=NUM_THREADS):
    """Run ``function(k)`` in that many threads at once."""
    run_in_threads(*(lambda k=k: function(k) for k in range(num_threads)))


def in_graph(graph, function):
    """Return ``function`` as one that adds to ``graph``, whatever thread calls it."""

    def work(k):
        with graph.as_default():
            function(k)

    return work


@pytest.mark.parametrize("shape", [(), (3,), (200, 200)])
def test_of_first_values_that_eight_threads_assign_one_stays(graph, shape):
    variables = [tf.Variable(np.zeros(shape, np.float32)) for _ in range(20)]
    fed = tf.placeholder(tf.float32, shape)
    first, session = [variable.assign(fed).op for variable in variables], tf.Session()

    def assign(k):
        for update in first:
            session.run(update, {fed: np.full(shape, k, np.float32)})

    in_threads(assign)
    for value in session.run(variables):
        assert value.shape == shape
        assert set(value.ravel().tolist()) <= set(range(NUM_THREADS))


def test_initializers_and_updates_of_one_variable_in_eight_threads_all_succeed(graph):
    variable = tf.Variable(np.zeros(5, np.int64))
    update = variable.assign_add(np.ones(5, np.int64), use_locking=True)
    session = tf.Session()

    def work(k):
        for _ in range(100):
            session.run(variable.initializer)
            session.run(update.op)
            assert session.run(variable).shape == (5,)

    in_threads(work)
    assert set(session.run(variable).tolist()) <= set(range(100 * NUM_THREADS))


def test_a_variable_that_changes_its_shape_is_never_used_beyond_its_end(graph):
    variable = tf.Variable(np.full(4, 4, np.float32), validate_shape=False)
    value, rows = tf.placeholder(tf.float32, None), tf.placeholder(tf.int64, [None])
    reshape = tf.assign(variable, value, validate_shape=False).op
    # None of these changes the value: an array of n elements holds n in each of them.
    keep = [
        tf.assign_add(variable, tf.zeros_like(variable)).op,
        tf.scatter_add(variable, rows, tf.zeros_like(rows, tf.float32)).op,
        tf.scatter_add(variable, rows, 0.0).op,
        tf.assign_sub(variable, 0.0).op,
    ]
    taken = tf.gather(variable, rows)
    session = tf.Session()
    sizes = [4, 70_000, 1, 300, 2_000_000, 20]

    def resize(k):
        for size in itertools.islice(itertools.cycle(sizes), 6 * 8):
            session.run(reshape, {value: np.full(size, size, np.float32)})

    def use(k):
        for step in range(150):
            some = np.array([0, sizes[step % 6] - 1])
            try:
                session.run(keep[(k + step) % 4], {rows: some})
                session.run(taken, {rows: some})
            except (tf.errors.InvalidArgumentError, ValueError) as error:
                assert any(key in str(error) for key in ("shape", "not in [0", "out of range"))  # noqa: PT017
            got = session.run(variable)
            assert np.all(got == got.size)

    session.run(reshape, {value: np.full(4, 4, np.float32)})
    run_in_threads(lambda: resize(0), lambda: resize(1), *(lambda k=k: use(k) for k in range(4)))


def test_indices_that_change_between_check_and_use_lead_nowhere_else(graph):
    num, far = 1 << 20, 1 << 38
    table, data = tf.Variable(np.zeros(1000, np.float32)), tf.Variable(np.zeros(num, np.float32))
    indices, given = tf.Variable(np.zeros(num, np.int64)), tf.placeholder(tf.int64, [num])
    change, summed = indices.assign(given).op, tf.convert_to_tensor(tf.IndexedSlices(data, indices, [1000]))
    uses = [summed, table[indices], tf.gather(table, indices), tf.gather_nd(table, indices[:, None])]
    uses = [each.op for each in (*uses, tf.scatter_add(table, indices, data))]
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    contents, done = [np.zeros(num, np.int64), np.full(num, far)], threading.Event()

    def write():
        for each in itertools.cycle(contents):
            session.run(change, {given: each})
            if done.is_set():
                return

    def use():
        try:
            for each in uses * 30:
                try:
                    session.run(each)
                except tf.errors.InvalidArgumentError as error:
                    assert "= 0 is" in str(error) or str(far) in str(error)  # noqa: PT017
        finally:
            done.set()

    run_in_threads(write, write, use)


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (lambda table, mask, rows: tf.boolean_mask(table, mask), []),
        (lambda table, mask, rows: table[mask], []),
        (lambda table, mask, rows: tf.where(mask)[:, 0], []),
        (lambda table, mask, rows: table[rows], [5, 5]),
        (lambda table, mask, rows: tf.gather(table, rows), [5, 5]),
        (lambda table, mask, rows: tf.gather_nd(table, rows[:, None]), [5, 5]),
        (lambda table, mask, rows: tf.convert_to_tensor(tf.IndexedSlices([1, 1], rows, [2])), [2, 0]),
    ],
)
def test_an_op_goes_where_its_own_copy_of_indices_or_of_a_mask_leads(graph, monkeypatch, op, expected):
    for module in (tf.ops.getitem_ops, tf.ops.indexing_ops):
        monkeypatch.setattr(module, "snapshot", np.zeros_like)
    table, mask, rows = tf.Variable([5, 6]), tf.Variable([True, True]), tf.Variable([1, 1])
    result, session = op(table, mask, rows), tf.Session()
    session.run(tf.global_variables_initializer())
    assert session.run(result).tolist() == expected


def test_threads_that_build_one_graph_get_names_of_their_own(graph):
    made = [[] for _ in range(NUM_THREADS)]

    def build(k):
        with tf.name_scope("layer"), tf.control_dependencies([start]):
            for _ in range(40):
                made[k] += [tf.add(start, 1.0, name="x").op, tf.Variable(0.0, name="v").op, tf.no_op("n")]
                tf.add_to_collection("ops", made[k][-1])

    start = tf.constant(1.0)
    in_threads(in_graph(graph, build))
    ops = list(itertools.chain(*made))
    assert len({op.name.lower() for op in ops}) == len(ops) == 3 * 40 * NUM_THREADS
    assert set(ops) <= set(graph.get_operations())
    assert [graph.get_operation_by_name(op.name) for op in ops] == ops
    assert sorted(op.name for op in tf.get_collection("ops")) == sorted(op.name for op in ops if op.type == "NoOp")
    assert len(tf.global_variables()) == 40 * NUM_THREADS
    assert len({op.name.rpartition("/")[0] for op in ops}) == NUM_THREADS
    assert all(start.op in op.control_inputs for op in ops if op.type == "NoOp")
    tf.Session().run([op for op in ops if op.type != "VariableV2"])


def test_threads_that_ask_for_one_variable_or_template_share_it(graph):
    def affine(x):
        return x * tf.get_variable("w", [], initializer=tf.zeros_initializer()) + 1.0

    template, found = tf.make_template("t", affine), [None] * NUM_THREADS

    def build(k):
        with tf.variable_scope("s", reuse=tf.AUTO_REUSE, auxiliary_name_scope=False):
            variables = [tf.get_variable(f"v{i}", [2]) for i in range(20)]
        found[k] = variables, template(tf.constant(2.0))

    in_threads(in_graph(graph, build))
    assert all(variables == found[0][0] for variables, _ in found)
    assert len(tf.global_variables()) == 21
    assert [variable.name for variable in template.variables] == ["t/w:0"]
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    assert session.run([result for _, result in found]) == [1] * NUM_THREADS


def test_a_device_function_may_wait_for_a_thread_that_builds_the_same_graph(graph):
    def build_elsewhere(op):
        builder = threading.Thread(target=in_graph(graph, tf.constant), args=(1,), daemon=True)
        builder.start()
        builder.join(TIMEOUT_S)
        assert not builder.is_alive()
        return "/cpu:0"

    with tf.device(build_elsewhere):
        x = tf.no_op()
    assert x.device == "/device:CPU:0"
    assert graph.version == 2


def test_the_name_of_an_op_goes_to_one_of_those_that_ask_for_it_by_a_slash(graph):
    made, refused = [], []

    def build(k):
        for i in range(50):
            try:
                made.append(tf.constant(k, name=f"x{i}/"))
            except ValueError as error:
                refused.append(str(error))

    in_threads(in_graph(graph, build))
    assert sorted(x.op.name for x in made) == sorted(f"x{i}" for i in range(50))
    assert len(refused) == 50 * (NUM_THREADS - 1)
    assert all("the name of the operation is taken" in sentence for sentence in refused)


@pytest.mark.parametrize("scope", ["name_scope", "device", "control_dependencies", "colocate_with", "as_default"])
def test_a_block_that_another_thread_leaves_is_left_in_its_own(graph, scope):
    other = tf.Graph()
    enter = {
        "name_scope": lambda: graph.name_scope("theirs"),
        "device": lambda: graph.device("/cpu:1"),
        "control_dependencies": lambda: graph.control_dependencies([start]),
        "colocate_with": lambda: graph.colocate_with(start),
        "as_default": other.as_default,
    }[scope]

    def blocks():
        with enter():
            yield
            yield

    def state():
        x = tf.no_op("x")
        return x.graph, x.name.rpartition("/")[0], x.device, x.control_inputs, x.colocation_groups()[0] == start_group

    start, generator, states, left = tf.no_op("start"), blocks(), [], threading.Event()
    start_group = start.colocation_groups()[0]

    def theirs():
        with graph.as_default():
            states.append(state())
            next(generator)
            entered.set()
            assert left.wait(TIMEOUT_S)
            states.append(state())

    entered = threading.Event()
    thread = threading.Thread(target=theirs, daemon=True)
    thread.start()
    assert entered.wait(TIMEOUT_S)
    with graph.name_scope("ours"), graph.device("/cpu:0"):
        before = state()
        generator.close()
        left.set()
        thread.join(TIMEOUT_S)
        assert state() == before
    assert states[0] == states[1]


def test_a_thread_that_dies_in_the_midst_of_it_all_leaves_nothing_locked(graph):
    variable, x = tf.Variable(0), tf.placeholder(tf.int32)
    update = variable.assign_add(x, use_locking=True)
    session = tf.Session()
    session.run(variable.initializer)

    def fail(*args, **kwargs):
        raise SystemExit

    def use(k):
        with session.as_default(), tf.device(fail):
            session.run(update, {x: 1})
            tf.get_variable("v", [2])

    with pytest.raises(SystemExit):
        run_in_threads(lambda: in_graph(graph, use)(0))
    assert GRAPH_LOCK.acquire(blocking=False)
    GRAPH_LOCK.release()
    tf.get_variable("v", [2])
    assert session.run(update, {x: 2}) == 3


@pytest.mark.parametrize("attempt", range(3))
def test_a_session_that_is_closed_in_the_midst_of_initializations_keeps_nothing(graph, attempt):
    variables = [tf.Variable(np.zeros(3)) for _ in range(10)]
    initialize, session = tf.global_variables_initializer(), tf.Session()
    run, has_run = session.make_callable(initialize), threading.Barrier(NUM_THREADS)

    def run_for_ever(initializer):
        while True:
            run()
            session.run(initializer)

    def work(k):
        run()
        has_run.wait(TIMEOUT_S)
        if k == attempt:
            session.close()
        with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
            run_for_ever(variables[k].initializer)

    in_threads(work)
    assert session.storages == {}
