"""The page of ``tf.Variable`` in TensorFlow 0.x: its examples, and what it promises, in its order."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import nbvars as tf
from nbvars import GraphKeys
from nbvars.errors import FailedPreconditionError, OutOfRangeError


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def started():
    """Return a function that starts a session with these variables initialized."""
    sessions = []

    def start(*variables):
        sessions.append(tf.Session())
        sessions[-1].run([variable.initializer for variable in variables])
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


# The introduction.


def test_example_of_construction_and_use():
    # Create a variable.
    w = tf.Variable([[1.0, 2.0], [3.0, 4.0]], name="w")
    # Use the variable in the graph like any tensor.
    y = tf.matmul(w, tf.constant([[1.0], [-1.0]]))
    # The overloaded operators are available too.
    z = tf.sigmoid(w + y)
    # Assign a new value to the variable.
    assigned = w.assign(w + 1.0)
    added = w.assign_add(1.0)

    start = np.float32([[1, 2], [3, 4]])
    with tf.Session() as sess:
        # Run the variable initializer.
        sess.run(w.initializer)
        np.testing.assert_array_equal(sess.run(y), [[-1], [-1]])
        np.testing.assert_allclose(sess.run(z), 1 / (1 + np.exp(1 - start)), rtol=1e-6)
        np.testing.assert_array_equal(sess.run(assigned), start + 1)
        np.testing.assert_array_equal(sess.run(added), start + 2)
        np.testing.assert_array_equal(w.eval(), start + 2)


def test_example_of_initializing_all_variables():
    w = tf.Variable([1.0, 2.0])
    b = tf.Variable(3, trainable=False)
    # Add an op to initialize all variables.
    init_op = tf.initialize_all_variables()
    assert isinstance(init_op, tf.Operation)
    with tf.Session() as sess:
        assert sess.run(init_op) is None
        w_value, b_value = sess.run([w, b])
    np.testing.assert_array_equal(w_value, [1, 2])
    assert b_value == 3


def test_state_is_kept_from_run_to_run(started):
    v = tf.Variable(0)
    add = v.assign_add(2)
    sess = started(v)
    assert [sess.run(add) for _ in range(3)] == [2, 4, 6]
    assert sess.run(v) == 6


@pytest.mark.parametrize("value", [True, 7, 2.5, [[1, 2, 3]], np.float64(1), np.zeros((2, 0, 3), np.int8), 1j])
def test_initial_value_defines_type_and_shape(value, started):
    v = tf.Variable(value)
    tensor = tf.constant(value)
    assert v.dtype.base_dtype is tensor.dtype
    assert v.get_shape() == tensor.get_shape() == np.shape(value)
    got = started(v).run(v)
    assert got.dtype == tensor.dtype.numpy_dtype
    np.testing.assert_array_equal(got, value)


def test_type_and_shape_are_fixed_after_construction():
    v = tf.Variable([1.0, 2.0])
    with pytest.raises(ValueError, match=r"wrong shape: got \(3,\), expected \(2,\)"):
        v.assign([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="got int32, expected float32"):
        v.assign(tf.constant([1, 2]))


def test_assign_without_validate_shape_changes_the_shape(started):
    v = tf.Variable([1.0, 2.0], validate_shape=False)
    change = tf.assign(v, [[1.0, 2.0, 3.0]], validate_shape=False)
    sess = started(v)
    assert sess.run(v).shape == (2,)
    sess.run(change)
    np.testing.assert_array_equal(sess.run(v), [[1, 2, 3]])


def test_operators_of_tensors_are_carried_over_to_variables(started):
    a, b = tf.Variable([7, -3]), tf.Variable([2, 5])
    x, y = np.array([7, -3], np.int32), np.array([2, 5], np.int32)
    cases = [
        (a + b, x + y),
        (a - 1, x - 1),
        (3 * b, 3 * y),
        (a // b, x // y),
        (a % b, x % y),
        (-a, -x),
        (abs(a), abs(x)),
    ]
    cases += [(a < b, x < y), (a >= b, x >= y), (b**2, y**2), (a / b, x / y), (a[1], x[1]), (10 - a, 10 - x)]
    sess = started(a, b)
    for number, (tensor, expected) in enumerate(cases):
        assert isinstance(tensor, tf.Tensor)
        np.testing.assert_array_equal(sess.run(tensor), expected, err_msg=str(number))


def test_variable_must_be_initialized_before_its_value_is_used():
    v = tf.Variable(1.0, name="v")
    with tf.Session() as sess:
        for use in (v, v + 1.0, v.assign_add(1.0)):
            with pytest.raises(FailedPreconditionError, match="Attempting to use uninitialized value v") as caught:
                sess.run(use)
            assert caught.value.op is v.op


def test_assign_initializes_too():
    v = tf.Variable(1.0)
    assign = v.assign(5.0)
    with tf.Session() as sess:
        assert sess.run(assign) == 5
        assert sess.run(v) == 5


def test_initializer_is_just_an_assign_of_the_initial_value():
    v = tf.Variable([1.0, 2.0], name="v")
    assert v.initializer.type == "Assign"
    assert v.initializer.inputs[0] is v.ref()
    assert v.initializer.inputs[1] is v.initial_value


def test_variables_are_collected_in_the_graph_where_they_are_created(graph):
    step = tf.Variable(0, name="step", trainable=False)
    with tf.Graph().as_default():
        tf.Variable(1.0)
        assert step not in tf.all_variables()
    w = tf.Variable(1.0, name="w")
    assert tf.all_variables() == graph.get_collection(GraphKeys.VARIABLES) == [step, w]
    assert tf.trainable_variables() == graph.get_collection(GraphKeys.TRAINABLE_VARIABLES) == [w]


# The constructor.


def test_constructor_takes_the_arguments_of_the_page_in_their_order():
    names = list(inspect.signature(tf.Variable).parameters)[:8]
    page = "initial_value trainable collections validate_shape caching_device name variable_def dtype"
    assert names == page.split()


def test_collections_replace_the_default_one():
    v = tf.Variable(1.0, collections=["mine", GraphKeys.LOCAL_VARIABLES])
    assert tf.get_collection("mine") == tf.local_variables() == tf.trainable_variables() == [v]
    assert tf.all_variables() == []
    with pytest.raises(ValueError, match="collections argument to Variable constructor must be a list, tuple, or set"):
        tf.Variable(1.0, collections="mine")


def test_constructor_adds_a_variable_op_and_an_assign_op(graph):
    tf.Variable(tf.constant(1.0), name="v")
    assert [op.name for op in graph.get_operations()] == ["Const", "v", "v/Assign", "v/read"]
    tf.Variable(1.0, name="u")
    assert [op.name for op in graph.get_operations()[4:]] == ["u/initial_value", "u", "u/Assign", "u/read"]


def test_callable_initial_value_is_called_once(started):
    calls = []
    v = tf.Variable(lambda: calls.append(1) or tf.fill([2], 3), dtype=tf.int32)
    np.testing.assert_array_equal(started(v).run(v), [3, 3])
    assert calls == [1]


def test_initial_value_must_have_a_shape_unless_validate_shape_is_false():
    x = tf.placeholder(tf.float32, [None])
    with pytest.raises(ValueError, match=r"initial_value must have a shape specified: got \(\?,\)"):
        tf.Variable(x)
    v = tf.Variable(x, validate_shape=False)
    assert v.get_shape().ndims is None
    with tf.Session() as sess:
        for value in ([1, 2, 3], [4]):
            sess.run(v.initializer, {x: value})
            np.testing.assert_array_equal(sess.run(v), value)


def test_caching_device_is_where_reads_are_kept(started):
    v = tf.Variable(1.0, caching_device="/cpu:0")
    assert v.value().device == "/device:CPU:0"
    assert started(v).run(v + 1.0) == 2


def test_name_defaults_to_variable_and_is_made_unique():
    assert [tf.Variable(1.0, name=name).name for name in (None, None, "a", "a")] == [
        "Variable:0",
        "Variable_1:0",
        "a:0",
        "a_1:0",
    ]


def test_variable_def_and_initial_value_are_mutually_exclusive():
    pytest.importorskip("google.protobuf", reason="pip install protobuf")
    v = tf.Variable(1.0)
    with pytest.raises(ValueError, match="variable_def and initial_value are mutually exclusive"):
        tf.Variable(1.0, variable_def=v.to_proto())


def test_initial_value_must_be_specified():
    with pytest.raises(ValueError, match="initial_value must be specified"):
        tf.Variable()


def test_dtype_converts_and_without_it_the_type_of_a_tensor_is_kept():
    assert tf.Variable(1, dtype=tf.float64).dtype.base_dtype is tf.float64
    assert tf.Variable(tf.constant(1, tf.int64)).dtype.base_dtype is tf.int64
    assert tf.Variable(1).dtype.base_dtype is tf.int32
    assert tf.Variable(1.0).dtype.base_dtype is tf.float32


# initialized_value.


def test_example_of_initialized_value_picks_random_values_only_once():
    # Initialize 'v' with a random tensor.
    v = tf.Variable(tf.truncated_normal([10, 40]))
    # 'v' has been initialized before its value is used to initialize 'w'.
    w = tf.Variable(v.initialized_value() * 2.0)
    with tf.Session() as sess:
        sess.run(tf.initialize_all_variables())
        v_value, w_value = sess.run([v, w])
    np.testing.assert_array_equal(w_value, v_value * 2)
    assert v_value.std() > 0.5
    with tf.Session() as sess:
        sess.run(w.initializer)  # takes 'v' along
        v_value, w_value = sess.run([v, w])
    np.testing.assert_array_equal(w_value, v_value * 2)


# Changing a variable's value.


@pytest.mark.parametrize("use_locking", [False, True])
@pytest.mark.parametrize(("method", "expected"), [("assign", [5, 6]), ("assign_add", [6, 8]), ("assign_sub", [-4, -4])])
def test_assign_methods_are_shortcuts_that_hold_the_new_value(method, expected, use_locking, started):
    v, twin = tf.Variable([1, 2]), tf.Variable([1, 2])
    by_method = getattr(v, method)([5, 6], use_locking=use_locking)
    by_function = getattr(tf, method)(twin, [5, 6], use_locking=use_locking)
    assert by_method.op.type == by_function.op.type
    sess = started(v, twin)
    np.testing.assert_array_equal(sess.run(by_method), expected)
    np.testing.assert_array_equal(sess.run(by_function), expected)
    np.testing.assert_array_equal(sess.run(v), expected)


def test_scatter_sub_is_a_shortcut_of_the_function(started):
    v, twin = tf.Variable(tf.zeros([3, 2])), tf.Variable(tf.zeros([3, 2]))
    delta = tf.IndexedSlices(values=tf.constant([[1.0, 2.0], [3.0, 4.0]]), indices=tf.constant([2, 2]))
    by_method = v.scatter_sub(delta)
    by_function = tf.scatter_sub(twin, delta.indices, delta.values)
    sess = started(v, twin)
    for result in sess.run([by_method, by_function]):
        np.testing.assert_array_equal(result, [[0, 0], [0, 0], [-4, -6]])


@pytest.mark.parametrize("delta", [1.0, [[1.0, 2.0]], np.zeros((3, 2), np.float32), None])
def test_scatter_sub_of_no_indexed_slices_is_a_value_error(delta):
    with pytest.raises(ValueError, match="no IndexedSlices"):
        tf.Variable(tf.zeros([3, 2])).scatter_sub(delta)


def test_count_up_to_gives_distinct_values_until_the_limit(started):
    v = tf.Variable(0)
    count = v.count_up_to(3)
    sess = started(v)
    assert [sess.run(count) for _ in range(3)] == [0, 1, 2]
    for _ in range(2):
        with pytest.raises(OutOfRangeError, match="Reached limit of 3"):
            sess.run(count)
        assert sess.run(v) == 3


def test_example_of_eval(capsys):
    v = tf.Variable([1, 2])
    init = tf.initialize_all_variables()
    with tf.Session() as sess:
        sess.run(init)
        # Usage passing the session explicitly.
        print(v.eval(sess))
        # Usage with the default session, which the 'with' block makes 'sess'.
        print(v.eval())
    assert capsys.readouterr().out == "[1 2]\n[1 2]\n"


def test_eval_adds_no_ops_and_returns_a_copy(graph, started):
    v = tf.Variable([1, 2])
    sess = started(v)
    num_ops = len(graph.get_operations())
    value = v.eval(sess)
    assert isinstance(value, np.ndarray)
    value[:] = 9
    np.testing.assert_array_equal(v.eval(sess), [1, 2])
    assert len(graph.get_operations()) == num_ops
    with pytest.raises(ValueError, match="No default session is registered"):
        v.eval()


# Properties and the other methods.


def test_properties(graph):
    with tf.device("/cpu:0"):
        v = tf.Variable([[1.0, 2.0]], name="v")
    assert v.name == "v:0"
    assert v.dtype is tf.float32.as_ref
    assert isinstance(v.get_shape(), tf.TensorShape)
    assert v.get_shape().as_list() == [1, 2]
    assert v.device == "/device:CPU:0"
    assert v.initializer.name == "v/Assign"
    assert v.graph is graph
    assert v.op is graph.get_operation_by_name("v")


def test_initial_value_is_not_the_initialized_value(started):
    start = tf.constant(1.0)
    v = tf.Variable(start)
    assert v.initial_value is start
    initialized = v.initialized_value()
    sess = started(v)
    v.load(5.0, sess)
    assert sess.run(v.initial_value) == 1
    assert sess.run(v) == 5  # to look at the initial value has run no initializer
    assert sess.run(initialized) == 1
    assert sess.run(v) == 1


def test_ref_can_be_assigned_to_and_value_cannot(started):
    v = tf.Variable(1.0)
    assign = tf.assign(v.ref(), 4.0)
    assert started(v).run(assign) == 4
    with pytest.raises(TypeError, match="assign: ref cannot be updated"):
        tf.assign(v.value(), 4.0)


def test_value_is_live_and_read_value_is_read_in_its_place(started):
    v = tf.Variable(1.0)
    before = v.read_value()
    live = v.value()
    with tf.control_dependencies([v.assign_add(10.0)]):
        after = v.read_value()
        seen = live + 0.0
    assert live.dtype is tf.float32
    assert started(v).run([before, seen, after]) == [1, 11, 11]


def test_variable_comes_back_from_its_proto(started):
    pytest.importorskip("google.protobuf", reason="pip install protobuf")
    v = tf.Variable([1.0, 2.0], name="v")
    again = tf.Variable.from_proto(v.to_proto())
    assert again is not v
    assert (again.name, again.op, again.initializer, again.ref()) == (v.name, v.op, v.initializer, v.ref())
    assert tf.Variable(variable_def=v.to_proto()).value() is v.value()
    sess = started(again)
    np.testing.assert_array_equal(sess.run(v), [1, 2])


# The functions around.


def test_initialize_variables_is_the_group_of_their_initializers():
    a, b, c = tf.Variable(1), tf.Variable(2), tf.Variable(3)
    init = tf.initialize_variables([a, b])
    with tf.Session() as sess:
        sess.run(tf.initialize_variables([]))  # an op without effect
        sess.run(init)
        assert sess.run([a, b]) == [1, 2]
        assert [sess.run(tf.is_variable_initialized(v)) for v in (a, b, c)] == [True, True, False]
        assert list(sess.run(tf.report_uninitialized_variables())) == [b"Variable_2"]
        with pytest.raises(FailedPreconditionError, match="Variable_2"):
            sess.run(tf.assert_variables_initialized())
        sess.run(c.initializer)
        sess.run(tf.assert_variables_initialized())
