"""Variables in graph mode: what the constructor adds, how values are read, and what belongs to a session."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest

import nbvars as tf
from tests.conftest import assert_same_bits, numpy_dtype


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def sess(graph):
    with tf.Session() as sess:
        yield sess


def names_of(graph):
    return [op.name for op in graph.get_operations()]


def initialized(sess, *args, **kwargs):
    variable = tf.Variable(*args, **kwargs)
    sess.run(variable.initializer)
    return variable


# What the constructor adds.


def test_constructor_adds_the_four_operations_of_the_page(graph):
    v = tf.Variable([1.0, 2.0], name="x")
    assert [(op.name, op.type) for op in graph.get_operations()] == [
        ("x/initial_value", "Const"),
        ("x", "VariableV2"),
        ("x/Assign", "Assign"),
        ("x/read", "Identity"),
    ]
    assert v.op is graph.get_operation_by_name("x")
    assert v.initializer is graph.get_operation_by_name("x/Assign")
    assert v.initial_value is graph.get_tensor_by_name("x/initial_value:0")
    assert v.value() is graph.get_tensor_by_name("x/read:0")
    assert v.ref() is graph.get_tensor_by_name("x:0")
    assert v.graph is graph


def test_names_are_made_unique(graph):
    variables = [tf.Variable(0), tf.Variable(0), tf.Variable(0, name="a"), tf.Variable(0, name="a")]
    assert [v.name for v in variables] == ["Variable:0", "Variable_1:0", "a:0", "a_1:0"]


def test_variable_lies_in_its_name_scope(graph):
    with tf.name_scope("outer"):
        v = tf.Variable([1.0], name="x")
    assert v.name == "outer/x:0"
    assert names_of(graph) == ["outer/x/initial_value", "outer/x", "outer/x/Assign", "outer/x/read"]


def test_callable_initial_value_is_called_once_in_a_scope_of_its_own(graph):
    calls = []

    def initial_value():
        calls.append(tf.get_default_graph())
        return tf.constant([1, 2], name="value")

    v = tf.Variable(initial_value, name="x")
    assert calls == [graph]
    assert names_of(graph) == ["x/Initializer/value", "x", "x/Assign", "x/read"]
    assert v.initial_value.name == "x/Initializer/value:0"


def test_callable_may_return_a_number(graph, sess):
    v = initialized(sess, lambda: 7, name="x", dtype="int64")
    assert names_of(graph)[0] == "x/Initializer/initial_value"
    assert v.eval(sess) == 7
    assert v.dtype.base_dtype is tf.int64


def test_tensor_as_initial_value_is_used_as_it_is(graph):
    start = tf.constant([1.0, 2.0])
    v = tf.Variable(start, name="x")
    assert v.initial_value is start
    assert names_of(graph)[1:] == ["x", "x/Assign", "x/read"]


def test_variable_as_initial_value_gives_the_value_that_it_has_then(graph, sess):
    v = tf.Variable([1.0, 2.0])
    w = tf.Variable(v)
    sess.run(v.initializer)
    sess.run(v.assign_add([1.0, 1.0]))
    sess.run(w.initializer)
    assert w.eval(sess).tolist() == [2.0, 3.0]
    assert w.op is not v.op


def test_initial_value_of_another_graph_puts_the_variable_there(graph):
    with tf.Graph().as_default() as other:
        start = tf.constant(1.0)
    v = tf.Variable(start)
    assert v.graph is other
    assert not graph.get_operations()
    assert other.get_collection(tf.GraphKeys.VARIABLES) == [v]


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (1, None, "int32"),
        (1.0, None, "float32"),
        (True, None, "bool"),
        (1j, None, "complex128"),
        (1, "float64", "float64"),
        (1, "bfloat16", "bfloat16"),
        (np.arange(3), None, "int64"),
        (np.ones(2, "complex64"), None, "complex64"),
        ([1.5, 2.5], tf.float16, "float16"),
        ([[True], [False]], None, "bool"),
    ],
)
def test_initial_value_gets_its_dtype_and_arrives_in_the_session(sess, value, dtype, expected):
    v = initialized(sess, value, dtype=dtype)
    assert v.dtype.name == f"{expected}_ref"
    got = sess.run(v)
    assert_same_bits(np.asarray(got), np.array(value).astype(numpy_dtype(expected)))


def test_dtype_is_a_reference_type(graph):
    v = tf.Variable([1.0, 2.0, 3.0])
    assert v.dtype.is_ref_dtype
    assert v.dtype.base_dtype is tf.float32
    assert v.dtype == tf.float32.as_ref
    assert tf.float32.is_compatible_with(v.dtype)
    assert not v.dtype.is_compatible_with(tf.float32)
    assert v.value().dtype is tf.float32
    assert v.ref().dtype is v.dtype


def test_repr_shows_name_shape_and_dtype(graph):
    assert repr(tf.Variable([1.0, 2.0, 3.0])) == "<nbvars.Variable 'Variable:0' shape=(3,) dtype=float32_ref>"
    assert repr(tf.Variable(0, validate_shape=False)) == (
        "<nbvars.Variable 'Variable_1:0' shape=<unknown> dtype=int32_ref>"
    )


def test_variable_is_an_instance_of_the_public_class(graph):
    assert isinstance(tf.Variable(0), tf.Variable)


def test_variables_equal_themselves_alone_and_can_be_keys(graph):
    v, w = tf.Variable(1), tf.Variable(1)
    assert v == v
    assert v != w
    assert v in [w, v]
    assert {v: "v", w: "w"}[w] == "w"


def test_copies_of_a_variable_are_the_variable(graph):
    v = tf.Variable(1)
    assert copy.copy(v) is v
    assert copy.deepcopy({"v": v})["v"] is v


def test_arguments_without_effect_are_recorded(graph):
    v = tf.Variable(
        0,
        use_resource=True,
        synchronization=tf.VariableSynchronization.ON_WRITE,
        aggregation=tf.VariableAggregation.MEAN,
    )
    assert v.synchronization is tf.VariableSynchronization.ON_WRITE
    assert v.aggregation is tf.VariableAggregation.MEAN
    assert v.dtype.is_ref_dtype


def test_constraint_is_kept(graph):
    def constraint(tensor):
        return tensor

    assert tf.Variable(0.0, constraint=constraint).constraint is constraint
    assert tf.Variable(0.0).constraint is None


@pytest.mark.parametrize(
    ("trainable", "synchronization", "expected"),
    [
        (True, None, True),
        (False, None, False),
        (None, None, True),
        (None, tf.VariableSynchronization.ON_READ, False),
    ],
)
@pytest.mark.parametrize("scope", [tf.graph_mode, tf.eager_mode])
def test_trainable_variables_join_their_collection(scope, trainable, synchronization, expected):
    with tf.Graph().as_default() as graph, scope():
        v = tf.Variable(0.0, trainable=trainable, synchronization=synchronization)
        assert v.trainable is expected
        assert tf.global_variables() == [v]
        assert (graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES) == [v]) is expected


@pytest.mark.parametrize("kind", [list, tuple, set])
def test_collections_replace_the_default_one(graph, kind):
    v = tf.Variable(0, trainable=False, collections=kind(["mine", tf.GraphKeys.LOCAL_VARIABLES]))
    assert tf.get_collection("mine") == [v]
    assert tf.local_variables() == [v]
    assert tf.all_variables() == []


def test_collections_keep_variables_alive(graph):
    tf.Variable(0, name="kept")
    gc.collect()
    assert [v.name for v in tf.all_variables()] == ["kept:0"]


def test_control_dependencies_do_not_concern_the_operations_of_a_variable(graph):
    before = tf.constant(1.0)
    with tf.control_dependencies([before]):
        v = tf.Variable(lambda: tf.constant(2.0))
        update = v.assign(3.0)
    assert v.initial_value.op.control_inputs == []
    assert v.op.control_inputs == v.initializer.control_inputs == v.value().op.control_inputs == []
    # The constant of the update has waited already.
    assert update.op.inputs[1].op.control_inputs == [before.op]


def test_device_scope_places_the_variable_and_its_updates(graph):
    with tf.device("/cpu:0"):
        v = tf.Variable([1.0])
    with graph.device("/job:worker"):
        update, delta = v.assign_add([1.0]), tf.scatter_add(v, [0], [1.0])
    for op in (v.op, v.initializer, v.value().op, update.op, delta.op):
        assert op.device == "/device:CPU:0"
    for op in (v.initializer, v.value().op, update.op, delta.op, tf.is_variable_initialized(v).op):
        assert op.colocation_groups() == [b"loc:@Variable"]


def test_variable_joins_the_graph_and_not_the_default_one_when_updated(graph):
    v = tf.Variable(1.0)
    with tf.Graph().as_default() as other:
        assert v.assign(2.0).graph is graph
        assert v.read_value().graph is graph
        assert (v + 1.0).graph is graph
        assert v.initialized_value().graph is graph
        assert not other.get_operations()
    with tf.eager_mode():
        assert v.assign_add(1.0).graph is graph


# Reading.


def test_value_is_live_and_a_read_value_is_a_copy(sess):
    v = initialized(sess, 1.0)
    early = v.read_value()
    bump = v.assign_add(1.0)
    late = v.read_value()
    assert sess.run([early, v.value(), v, bump, late]) == [1.0, 2.0, 2.0, 2.0, 2.0]


def test_value_without_caching_device_shows_updates_that_come_before_its_use(sess):
    v = initialized(sess, [1.0, 2.0])
    value = v.value()
    with tf.control_dependencies([v.assign_add([10.0, 10.0])]):
        used = value + 0.0
    assert sess.run(used).tolist() == [11.0, 12.0]


@pytest.mark.parametrize("caching_device", ["/cpu:0", tf.DeviceSpec(device_type="CPU", device_index=0), lambda op: ""])
def test_value_on_a_caching_device_is_read_once_a_run(sess, caching_device):
    v = initialized(sess, [1.0, 2.0], caching_device=caching_device)
    with tf.control_dependencies([v.assign_add([10.0, 10.0])]):
        used, fresh = v + 0.0, v.read_value()
    got_used, got_fresh, got_variable = sess.run([used, fresh, v])
    assert got_used.tolist() == [1.0, 2.0]
    assert got_fresh.tolist() == got_variable.tolist() == [11.0, 12.0]
    assert sess.run(v.value()).tolist() == [11.0, 12.0]


def test_caching_device_places_the_read_alone(graph):
    with tf.device("/cpu:0"):
        v = tf.Variable([1.0], caching_device="/cpu:1")
    assert v.value().op.device == "/device:CPU:1"
    assert v.op.device == v.device == "/device:CPU:0"


def test_initialized_value_runs_the_initializer_first_and_once(sess):
    v = tf.Variable(tf.random_uniform([4]))
    one, two = v.initialized_value() * 1.0, v.initialized_value() * 1.0
    got_one, got_two, got_variable = sess.run([one, two, v])
    assert got_one.tolist() == got_two.tolist() == got_variable.tolist()
    assert len(set(got_one.tolist())) == 4


def test_variables_may_start_from_initialized_values_of_others(graph):
    v = tf.Variable([1.0, 2.0])
    w = tf.Variable(v.initialized_value() * 2.0)
    u = tf.Variable(w.initialized_value() + v.initialized_value())
    for fetches in (u.initializer, [v.initializer, w.initializer, u.initializer]):
        with tf.Session() as sess:
            sess.run(fetches)
            assert sess.run([v, w, u])[2].tolist() == [3.0, 6.0]


def test_eval_gives_a_copy(sess):
    v = initialized(sess, [1.0, 2.0])
    got = v.eval()
    got[:] = 9.0
    assert v.eval(sess).tolist() == [1.0, 2.0]
    sess.run(v.assign([5.0, 6.0]))
    assert got.tolist() == [9.0, 9.0]


def test_fetched_scalar_is_a_numpy_number(sess):
    v = initialized(sess, 3)
    assert type(v.eval()) is np.int32


def test_load_replaces_the_value_without_adding_to_the_graph(graph, sess):
    v = tf.Variable([1.0, 2.0])
    version = graph.version
    source = np.array([3.0, 4.0], np.float32)
    v.load(source, sess)
    source[:] = 0.0
    assert v.eval().tolist() == [3.0, 4.0]
    v.load([5, 6])
    assert v.eval().tolist() == [5.0, 6.0]
    assert graph.version == version


def test_loading_and_evaluating_works_in_a_finalized_graph(graph, sess):
    v = tf.Variable(tf.zeros([2]) + 1.0)
    graph.finalize()
    sess.run(v.initializer)
    v.load([7.0, 8.0])
    assert v.eval().tolist() == [7.0, 8.0]


def test_value_of_a_variable_can_be_fed(sess):
    v = tf.Variable([1.0, 2.0])
    total = tf.reduce_sum(v)
    assert sess.run(total, {v: [10.0, 20.0]}) == 30.0
    assert sess.run(total, {v.value(): [1.0, 1.0]}) == 2.0
    assert sess.run("Variable:0", {"Variable:0": [4.0, 5.0]}).tolist() == [4.0, 5.0]


def test_set_shape_adds_to_what_is_known(graph):
    v = tf.Variable([1.0, 2.0], validate_shape=False)
    v.set_shape([2])
    assert v.shape.as_list() == v.value().shape.as_list() == [2]
    with pytest.raises(ValueError, match="expected"):
        v.set_shape([3])


def test_eager_variables_take_the_same_calls():
    v = tf.Variable([1.0, 2.0])
    v.set_shape([None])
    with pytest.raises(ValueError, match="expected"):
        v.set_shape([3])
    assert v.assign(3.0, read_value=False).assign_add(1.0, read_value=False).assign_sub(2.0, read_value=False) is v
    assert v.numpy().tolist() == [2.0, 2.0]


# Operators.


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda v: v + 1, [3.0, 5.0]),
        (lambda v: 1 + v, [3.0, 5.0]),
        (lambda v: v - 1.0, [1.0, 3.0]),
        (lambda v: 1 - v, [-1.0, -3.0]),
        (lambda v: v * [2.0, 3.0], [4.0, 12.0]),
        (lambda v: np.array([2.0, 3.0], np.float32) * v, [4.0, 12.0]),
        (lambda v: v / 2, [1.0, 2.0]),
        (lambda v: 8 / v, [4.0, 2.0]),
        (lambda v: v // 3, [0.0, 1.0]),
        (lambda v: 9 // v, [4.0, 2.0]),
        (lambda v: v % 3, [2.0, 1.0]),
        (lambda v: 7 % v, [1.0, 3.0]),
        (lambda v: v**2, [4.0, 16.0]),
        (lambda v: 2**v, [4.0, 16.0]),
        (lambda v: -v, [-2.0, -4.0]),
        (lambda v: +v, [2.0, 4.0]),
        (lambda v: abs(-v), [2.0, 4.0]),
        (lambda v: v < 3, [True, False]),
        (lambda v: v <= 2, [True, False]),
        (lambda v: v > 3, [False, True]),
        (lambda v: tf.constant(3.0) >= v, [True, False]),
        (lambda v: ~(v < 3), [False, True]),
        (lambda v: (v < 3) | (v > 3), [True, True]),
        (lambda v: (v < 3) & (v > 3), [False, False]),
        (lambda v: (v < 3) ^ (v > 3), [True, True]),
        (lambda v: v[0], 2.0),
        (lambda v: v[::-1], [4.0, 2.0]),
        (lambda v: v[None, 1:], [[4.0]]),
        (lambda v: v[None] @ [[1.0], [2.0]], [[10.0]]),
        (lambda v: [[1.0, 2.0]] @ v[:, None], [[10.0]]),
        (lambda v: v + v, [4.0, 8.0]),
        (lambda v: v.gather_nd([[1]]), [4.0]),
        (lambda v: v.sparse_read([1, 0]), [4.0, 2.0]),
    ],
)
def test_operators_of_tensors_work_on_variables(sess, operation, expected):
    v = initialized(sess, [2.0, 4.0])
    tensor = operation(v)
    assert isinstance(tensor, tf.Tensor)
    assert np.array_equal(sess.run(tensor), expected)


# Conditionals and loops.


@pytest.mark.parametrize("is_up", [True, False])
def test_updates_inside_a_conditional_are_made_in_the_branch_that_runs(sess, is_up):
    v = initialized(sess, [1.0, 2.0])
    chosen = tf.cond(tf.constant(is_up), lambda: v.assign_add([1.0, 1.0]), lambda: v.assign_sub([1.0, 1.0]))
    expected = [2.0, 3.0] if is_up else [0.0, 1.0]
    assert sess.run(chosen).tolist() == expected
    assert v.eval().tolist() == expected


def test_updates_inside_a_loop_are_made_each_time(sess):
    v = initialized(sess, 0.0)

    def body(i):
        with tf.control_dependencies([v.assign_add(2.0)]):
            return i + 1

    assert sess.run(tf.while_loop(lambda i: i < 3, body, [tf.constant(0)])) == 3
    assert v.eval() == 6.0


def test_variable_made_inside_a_conditional_belongs_to_the_graph(sess):
    made = []

    def branch():
        made.append(tf.Variable(lambda: tf.constant(5.0), name="inner"))
        return made[0] * 2.0

    chosen = tf.cond(tf.constant(True), branch, lambda: 0.0)
    assert tf.global_variables() == made
    sess.run(tf.global_variables_initializer())
    assert sess.run(chosen) == 10.0


# Sessions.


def test_each_session_has_its_own_value(graph):
    v = tf.Variable(1.0)
    bump = v.assign_add(1.0)
    with tf.Session() as one, tf.Session() as two:
        one.run(v.initializer)
        two.run(v.initializer)
        assert [one.run(bump), one.run(bump), two.run(bump)] == [2.0, 3.0, 2.0]
        assert (v.eval(one), v.eval(two)) == (3.0, 2.0)


def test_closing_a_session_frees_the_values(graph):
    v = tf.Variable(np.ones(100, np.float32))
    sess = tf.Session()
    run = sess.make_callable(v.assign_add(np.ones(100, np.float32)))
    sess.run(v.initializer)
    run()
    memory = weakref.ref(sess.storages[v.op])
    sess.close()
    gc.collect()
    assert memory() is None


def test_a_session_that_is_dropped_frees_the_values(graph):
    v = tf.Variable(np.ones(100, np.float32))
    sess = tf.Session()
    sess.run([v.initializer, v.assign_add(1.0)])
    memory = weakref.ref(sess.storages[v.op])
    del sess
    gc.collect()
    assert memory() is None


def test_runs_add_nothing_to_the_graph(graph, sess):
    v = initialized(sess, [1.0, 2.0])
    fetches = [v.assign_add([1.0, 1.0]), v, v.value(), v.initializer]
    sess.run(fetches)
    version = graph.version
    for _ in range(5):
        sess.run(fetches)
        v.eval()
    assert graph.version == version


def test_graph_does_not_share_memory_with_the_array_that_it_was_given(sess):
    start = np.array([1.0, 2.0], np.float32)
    v = tf.Variable(start)
    start[:] = 9.0
    sess.run(v.initializer)
    assert v.eval().tolist() == [1.0, 2.0]
    sess.run(v.assign_add([1.0, 1.0]))
    sess.run(v.initializer)
    assert v.eval().tolist() == [1.0, 2.0]


def test_slices_are_described_by_a_class_of_the_variable():
    info = tf.Variable.SaveSliceInfo("whole", [10, 4], [5, 0], [5, 4])
    assert info.spec == "10 4 5,5:0,4"
