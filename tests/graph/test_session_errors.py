"""Operations that fail in a run: what stays, and what the error carries."""

from __future__ import annotations

import copy
import logging
import pickle

import numpy as np
import pytest

import nbvars as tf
from nbvars.runtime import definition
from nbvars.runtime.definition import NodeDefinition, OpDefinition, TensorSpec


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as session:
        yield session


@pytest.fixture
def own_definitions(monkeypatch):
    """Let definitions last for one test."""
    monkeypatch.setattr(definition, "DEFINITIONS", {})


def initialized(session, value, **options):
    variable = tf.Variable(value, **options)
    session.run(variable.initializer)
    return variable


USES = {
    "fetch": lambda v: v,
    "value": lambda v: v.value(),
    "read_value": lambda v: v.read_value(),
    "ref": lambda v: v.ref(),
    "plus": lambda v: v + 1,
    "index": lambda v: v[0],
    "assign_add": lambda v: v.assign_add([1, 1]),
    "assign_add of a number": lambda v: v.assign_add(1),
    "assign_add that is locked": lambda v: v.assign_add([1, 1], use_locking=True),
    "assign_sub": lambda v: v.assign_sub([1, 1]).op,
    "scatter_sub": lambda v: v.scatter_sub(tf.IndexedSlices(tf.constant([1]), tf.constant([0]))),
    "scatter_update": lambda v: tf.scatter_update(v, [0], [1]),
    "group": lambda v: tf.group(v.read_value()),
    "cached": lambda v: tf.Variable([1, 2], name="cached", caching_device="/cpu:0").value(),
    "count_up_to": lambda v: tf.Variable(1, name="count").count_up_to(3),
}


@pytest.mark.parametrize("use", USES)
def test_every_use_of_a_variable_without_a_value_names_it(session, use):
    variable = tf.Variable([1, 2], name="v")
    fetch = USES[use](variable)
    name = {"cached": "cached", "count_up_to": "count"}.get(use, "v")
    for _ in range(2):
        with pytest.raises(
            tf.errors.FailedPreconditionError, match=f"Attempting to use uninitialized value {name}"
        ) as e:
            session.run(fetch)
        assert e.value.op.name == name
        assert e.value.error_code == tf.errors.FAILED_PRECONDITION


def test_initialization_in_one_session_is_none_in_another(session):
    variable = initialized(session, 3)
    assert session.run(variable) == 3
    with pytest.raises(tf.errors.FailedPreconditionError):
        tf.Session().run(variable)


def test_what_can_be_asked_of_an_uninitialized_variable(session):
    variable = tf.Variable([1, 2])
    is_initialized = tf.is_variable_initialized(variable)
    assert session.run([is_initialized, variable.op, variable.initial_value.op]) == [False, None, None]
    assert session.run(variable.assign([3, 4])).tolist() == [3, 4]
    assert session.run(is_initialized)


def failing(session):
    """Return an operation that fails in a run, and none before."""
    index = tf.placeholder_with_default(5, [], name="index")
    return tf.gather(tf.constant([1.0, 2.0]), index, name="pick")


def test_earlier_updates_of_a_failing_run_stay_and_later_ones_are_not_made(session):
    a, b, c = (initialized(session, [1.0, 1.0]) for _ in range(3))
    first = a.assign_add([1, 1])
    second = b.assign_add(tf.fill([2], failing(session)))
    third = c.assign_add([1, 1])
    for expected in (2, 3):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices = 5 is not in \[0, 2\)"):
            session.run([third, second, first])
        assert session.run([a, b, c])[0].tolist() == [expected] * 2
        assert [value.tolist() for value in session.run([b, c])] == [[1, 1]] * 2


UPDATES = {
    "scatter_sub": lambda v: tf.scatter_sub(v, [0, 7], [[1.0, 1.0], [1.0, 1.0]]),
    "scatter_add": lambda v: tf.scatter_add(v, [0, -1], [[1.0, 1.0], [1.0, 1.0]]),
    "scatter_update": lambda v: tf.scatter_update(v, [1, 3], [[1.0, 1.0], [1.0, 1.0]]),
    "scatter_nd_add": lambda v: tf.scatter_nd_add(v, [[0, 0], [0, 2]], [1.0, 1.0]),
    "assign_add": lambda v: v.assign_add(tf.placeholder_with_default(np.ones(2, np.float32), None)),
    "assign_sub": lambda v: v.assign_sub(tf.placeholder_with_default(np.ones((3, 3), np.float32), None)),
    "assign": lambda v: v.assign(tf.placeholder_with_default(np.ones(5, np.float32), None)),
}


@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.parametrize("is_fetched", [True, False])
def test_a_failing_update_leaves_its_variable_and_is_carried_by_the_error(session, name, is_fetched):
    start = np.arange(6, dtype=np.float32).reshape(3, 2)
    variable = initialized(session, start)
    update = UPDATES[name](variable)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        session.run(update if is_fetched else update.op)
    assert caught.value.op is update.op
    assert caught.value.error_code == tf.errors.INVALID_ARGUMENT
    np.testing.assert_array_equal(session.run(variable), start)


def test_a_failing_initializer_leaves_the_variable_without_a_value(session):
    variable = tf.Variable(failing(session))
    with pytest.raises(tf.errors.InvalidArgumentError):
        session.run(variable.initializer)
    assert not session.run(tf.is_variable_initialized(variable))


def test_a_counter_at_its_limit_stays_there(session):
    counter = initialized(session, 2, name="counter")
    count = counter.count_up_to(3)
    assert session.run(count) == 2
    for _ in range(2):
        with pytest.raises(tf.errors.OutOfRangeError, match="Reached limit of 3") as caught:
            session.run(count)
        assert caught.value.op is count.op
        assert session.run(counter) == 3


def test_a_session_goes_on_after_an_error(session):
    fetch, fine = failing(session), tf.constant(1) + 1
    index = session.graph.get_tensor_by_name("index:0")
    for _ in range(3):
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run([fine, fetch])
        assert session.run([fine, fetch], {index: 1}) == [2, 2.0]


def test_errors_carry_operation_message_and_code(session):
    fetch = failing(session)
    with pytest.raises(tf.errors.OpError) as caught:
        session.run(fetch)
    error = caught.value
    assert error.op is fetch.op
    assert error.message == str(error)
    assert error.error_code == tf.errors.INVALID_ARGUMENT


def test_an_error_of_a_run_can_be_pickled_without_its_graph(session):
    with pytest.raises(tf.errors.OpError) as caught:
        session.run(failing(session))
    for twin in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(twin) is tf.errors.InvalidArgumentError
        assert (twin.op, twin.node_def, str(twin)) == (None, None, str(caught.value))


def test_shapes_that_only_a_run_knows_are_checked_by_it(session):
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    product = tf.matmul(x, y, name="product")
    with pytest.raises(tf.errors.InvalidArgumentError, match="in the operation 'product'") as caught:
        session.run(product, {x: np.ones((2, 3)), y: np.ones((2, 3))})
    assert caught.value.op is product.op
    assert isinstance(caught.value.__cause__, ValueError)


RAISED = [
    (ValueError("it is wrong"), tf.errors.InvalidArgumentError, "it is wrong; in the operation 'bad'"),
    (MemoryError("too much"), tf.errors.ResourceExhaustedError, "too much; in the operation 'bad'"),
    (MemoryError(), tf.errors.ResourceExhaustedError, "out of memory; in the operation 'bad'"),
    (tf.errors.AbortedError(None, None, "stopped"), tf.errors.AbortedError, "stopped"),
]


@pytest.mark.parametrize(("error", "kind", "sentence"), RAISED)
def test_what_a_step_raises_becomes_an_error_with_its_operation(session, own_definitions, error, kind, sentence):
    def step(slots):
        raise error

    bad = NodeDefinition("Bad", lambda op, plan: plan.add_step(op, step))
    op = session.graph._add_op("Bad", (), (), "bad", {}, bad)
    with pytest.raises(kind, match=sentence) as caught:
        session.run([tf.constant(1) + 1, op])
    assert caught.value.op is op
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("error", [MemoryError("much"), ValueError("Maximum allowed dimension exceeded")])
def test_what_an_op_computes_beyond_memory_is_resource_exhausted(session, own_definitions, error):
    def compute():
        raise error

    huge = OpDefinition("Huge", lambda: TensorSpec((), tf.float32), compute)
    op = session.graph._add_op("Huge", (), [(tf.float32, tf.TensorShape(()))], "huge", {}, huge)
    with pytest.raises(tf.errors.ResourceExhaustedError, match="does not fit into memory") as caught:
        session.run(op)
    assert caught.value.op is op
    assert isinstance(caught.value, MemoryError)


def test_an_operation_without_a_kernel_is_unimplemented(session):
    op = session.graph.create_op("Mystery", [], [tf.float32], name="what")
    with pytest.raises(tf.errors.UnimplementedError, match=r"'what': got Mystery") as caught:
        session.run(op.outputs[0])
    assert caught.value.op is op


def on_gpu(name="far"):
    with tf.device("/gpu:0"):
        return tf.add(tf.constant(1, name="one"), 2, name=name)


def test_a_device_that_is_not_there_is_an_error_that_names_operation_and_devices(session):
    if "/gpu:0" in tf.list_devices():
        pytest.skip("runs where there is no GPU")
    total = on_gpu()
    with pytest.raises(tf.errors.InvalidArgumentError, match="Cannot assign a device for operation 'one'") as caught:
        session.run(total)
    assert caught.value.op.name == "one"
    assert "'/gpu:0'" in str(caught.value)
    assert "/cpu:0" in str(caught.value)
    assert session.run(tf.constant(3)) == 3


def test_soft_placement_runs_on_the_cpu_what_asks_for_more(session):
    total = on_gpu()
    with tf.device("/cpu:7"):
        other = total * 2
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as soft:
        assert soft.run([total, other]) == [3, 6]


def test_soft_placement_is_not_for_other_machines(session):
    with tf.device("/job:ps/task:1"):
        total = tf.constant(1) + 2
    for config in (None, tf.ConfigProto(allow_soft_placement=True)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="another machine"):
            tf.Session(config=config).run(total)


def test_a_variable_of_a_device_that_is_not_there_cannot_be_initialized(session):
    if "/gpu:0" in tf.list_devices():
        pytest.skip("runs where there is no GPU")
    with tf.device("/gpu:0"):
        variable = tf.Variable(1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Cannot assign a device"):
        session.run(variable.initializer)


def test_placement_is_logged_where_it_is_asked_for(session, caplog):
    with tf.device("/cpu:0"):
        total = tf.add(tf.constant(1, name="one"), 2, name="total")
    with caplog.at_level(logging.INFO, "nbvars"):
        session.run(total)
        assert not caplog.records
        with tf.Session(config=tf.ConfigProto(log_device_placement=True)) as chatty:
            chatty.run(total)
    assert "one: (Const): /cpu:0" in caplog.messages
    assert f"total: ({total.op.type}): /cpu:0" in caplog.messages
