"""Misuse of variables in graph mode: the error, the words that programs look for, and a graph left as it was."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import FailedPreconditionError, InvalidArgumentError
from nbvars.graph.control_flow import ControlFlowContext


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def sess(graph):
    with tf.Session() as sess:
        yield sess


# The constructor.


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, ValueError, "initial_value must be specified"),
        (
            {"initial_value": 1.0, "variable_def": b""},
            ValueError,
            "variable_def and initial_value are mutually exclusive",
        ),
        (
            {"initial_value": 1.0, "collections": "mine"},
            ValueError,
            "collections argument to Variable constructor must be a list, tuple, or set",
        ),
        ({"initial_value": 1.0, "collections": {"mine": 1}}, ValueError, "must be a list, tuple, or set"),
        ({"initial_value": 1.0, "collections": [[]]}, TypeError, "cannot be hashed"),
        ({"initial_value": 1.5, "dtype": "int32"}, TypeError, "got float, expected int32; use cast"),
        ({"initial_value": 1j, "dtype": "float32"}, TypeError, "expected float32"),
        ({"initial_value": np.ones(2), "dtype": "int64"}, TypeError, "got float64, expected int64"),
        ({"initial_value": 300, "dtype": "int8"}, ValueError, "does not fit int8"),
        ({"initial_value": 2**40}, ValueError, "does not fit int32.* pass dtype=int64"),
        ({"initial_value": "text"}, TypeError, "strings cannot be variables"),
        ({"initial_value": [b"text"]}, TypeError, "strings cannot be variables"),
        ({"initial_value": lambda: "text"}, TypeError, "strings cannot be variables"),
        ({"initial_value": 1.0, "dtype": "string"}, TypeError, "strings cannot be variables"),
        ({"initial_value": [[1.0], [1.0, 2.0]]}, ValueError, "lists of equal lengths"),
        ({"initial_value": object()}, TypeError, "unsupported type"),
        ({"initial_value": 1.0, "dtype": "float7"}, TypeError, "float7"),
        ({"initial_value": 1.0, "constraint": 3}, TypeError, "constraint cannot be called"),
        ({"initial_value": 1.0, "caching_device": "nowhere"}, ValueError, "device"),
        ({"initial_value": 1.0, "caching_device": 3}, TypeError, "device"),
        ({"initial_value": 1.0, "name": "a b"}, ValueError, "the name is not valid"),
        ({"initial_value": 1.0, "name": "_a"}, ValueError, "the name is not valid"),
        ({"initial_value": 1.0, "synchronization": 1}, TypeError, "a VariableSynchronization"),
        ({"initial_value": 1.0, "aggregation": "sum"}, TypeError, "a VariableAggregation"),
    ],
)
def test_wrong_argument_is_an_error_and_adds_nothing(graph, arguments, error, words):
    with pytest.raises(error, match=words):
        tf.Variable(**arguments)
    assert graph.get_operations() == []
    assert graph.get_all_collection_keys() == []


@pytest.mark.parametrize("caching_device", ["nowhere", 3])
def test_eager_mode_refuses_the_same_caching_devices(caching_device):
    with pytest.raises((TypeError, ValueError), match="device"):
        tf.Variable(1.0, caching_device=caching_device)


@pytest.mark.parametrize("shape", [None, [None], [2, None]])
def test_initial_value_needs_a_known_shape(graph, shape):
    start = tf.placeholder("float32", shape)
    with pytest.raises(ValueError, match=r"initial_value must have a shape specified: got .* or validate_shape=False"):
        tf.Variable(start)
    assert graph.get_operations() == [start.op]


def test_tensor_of_another_dtype_is_no_initial_value(graph):
    start = tf.constant(1.0)
    with pytest.raises(TypeError, match="got float32, expected float64; use cast"):
        tf.Variable(start, dtype="float64")
    with pytest.raises(TypeError, match="strings cannot be variables"):
        tf.Variable(tf.constant("text"))
    assert [op.type for op in graph.get_operations()] == ["Const", "Const"]


def test_callable_must_return_something_of_the_graph(graph):
    with tf.Graph().as_default():
        start = tf.constant(1.0)
    with pytest.raises(ValueError, match="must be from the same graph"):
        tf.Variable(lambda: start)
    assert graph.get_operations() == []


def test_initial_value_of_two_graphs_is_an_error(graph):
    start = tf.constant(1.0)
    with tf.Graph().as_default(), pytest.raises(ValueError, match="must be from the same graph"):
        tf.Variable([start, tf.constant(2.0)])


def test_finalized_graph_refuses_variables_and_updates(graph):
    v = tf.Variable(1.0)
    version = graph.version
    graph.finalize()
    for add in (lambda: tf.Variable(1.0), lambda: v.assign(2.0), v.read_value, v.initialized_value, v.is_initialized):
        with pytest.raises(RuntimeError, match="Graph is finalized and cannot be modified"):
            add()
    calls: list[None] = []
    with pytest.raises(RuntimeError, match="Graph is finalized and cannot be modified"):
        tf.Variable(lambda: calls.append(None))
    assert not calls
    assert graph.version == version
    assert tf.global_variables() == [v]


def test_eager_variable_is_no_part_of_a_graph(graph):
    with tf.eager_mode():
        eager = tf.Variable(1.0)
    for use in (lambda: tf.Variable(eager), lambda: tf.Variable(2.0).assign(eager)):
        with pytest.raises(TypeError, match="an eager variable cannot become part of a graph"):
            use()


def test_tensor_of_a_graph_is_no_initial_value_in_eager_mode(graph):
    v = tf.Variable(1.0)
    with tf.eager_mode():
        for start in (v, v.value()):
            with pytest.raises(TypeError, match="no value before a Session runs it"):
                tf.Variable(start)


def test_initializer_from_inside_a_loop_is_an_error(graph):
    with graph.control_flow(ControlFlowContext("while", None, is_loop=True)):
        inside = tf.constant(1.0)
        with pytest.raises(ValueError, match=r"'w' is from inside a control-flow construct.* pass a function"):
            tf.Variable(inside, name="w")
        v = tf.Variable(lambda: tf.constant(2.0))
    assert [op.type for op in graph.get_operations()].count("VariableV2") == 1
    with tf.Session() as sess:
        sess.run(v.initializer)
        assert v.eval() == 2.0


# Updates.


@pytest.mark.parametrize("update", [tf.assign, tf.assign_add, tf.assign_sub])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda: tf.constant([1, 2]), "got int32, expected float32; use cast"),
        (lambda: tf.Variable([1.0, 2.0], dtype="float64"), "got float64, expected float32; use cast"),
        (lambda: 1j, "got complex, expected float32"),
        (lambda: "text", "expected"),
        (lambda: None, "expected"),
    ],
)
def test_value_of_another_dtype_is_an_error_when_the_graph_is_built(graph, update, value, words):
    v, wrong = tf.Variable([1.0, 2.0]), value()
    version = graph.version
    with pytest.raises(TypeError, match=words):
        update(v, wrong)
    assert graph.version == version


@pytest.mark.parametrize(
    "use",
    [
        lambda v, x: v + x,
        lambda v, x: x + v,
        lambda v, x: v * x,
        lambda v, x: v < x,
        lambda v, x: tf.matmul(v[None], x[:, None]),
    ],
)
def test_variables_never_promote(graph, use):
    v, x = tf.Variable([1.0, 2.0]), tf.constant([1, 2])
    with pytest.raises(TypeError, match="int32"):
        use(v, x)


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_update_that_the_dtype_does_not_have_is_an_error_when_the_graph_is_built(graph, dtype):
    v = tf.Variable(np.ones(2, dtype))
    version = graph.version
    with pytest.raises(TypeError, match=f"scatter_min: ref has the wrong dtype: got {dtype}"):
        tf.scatter_min(v, [0], np.ones(1, dtype))
    if dtype == "bool":
        with pytest.raises(TypeError, match="assign_add: ref has the wrong dtype: got bool"):
            v.assign_add([True, True])
    assert graph.version == version


@pytest.mark.parametrize("indices", [[0.0], [True], "a", [None]])
def test_indices_must_be_integers(graph, indices):
    v = tf.Variable([1.0, 2.0])
    with pytest.raises(TypeError, match="expected"):
        tf.scatter_add(v, indices, [1.0])


@pytest.mark.parametrize(
    "update", [tf.assign, tf.assign_add, tf.is_variable_initialized, tf.count_up_to, tf.scatter_add]
)
@pytest.mark.parametrize(
    "make", [lambda v: v.value(), lambda v: v.read_value(), lambda v: v + 1, lambda v: 1, lambda v: None]
)
def test_only_references_can_be_updated(graph, update, make):
    arguments = {tf.is_variable_initialized: [], tf.scatter_add: [[0], [1]]}.get(update, [2])
    with pytest.raises(TypeError, match=r"ref cannot be updated: got .* variable|expected a Variable"):
        update(make(tf.Variable(1)), *arguments)


@pytest.mark.parametrize("method", ["scatter_add", "scatter_sub", "scatter_update", "batch_scatter_update"])
def test_scatter_methods_refuse_what_is_no_indexed_slices(graph, method):
    with pytest.raises(ValueError, match=f"{method}: the update is no IndexedSlices: got int"):
        getattr(tf.Variable([1.0]), method)(3)


def test_value_of_another_graph_is_an_error(graph):
    with tf.Graph().as_default():
        other = tf.constant(1.0)
    v = tf.Variable(1.0)
    version = graph.version
    for use in (lambda: v.assign(other), lambda: tf.scatter_add(tf.Variable([1.0]), [0], other[None])):
        with pytest.raises(ValueError, match="must be from the same graph"):
            use()
    assert [op.type for op in graph.get_operations()[version:]].count("Assign") == 1


@pytest.mark.parametrize(
    ("start", "limit", "error", "words"),
    [
        (1.0, 3, TypeError, "ref has the wrong dtype: got float32, expected int32 or int64"),
        ([1], 3, ValueError, "ref is no scalar"),
        (1, 3.0, TypeError, "limit has the wrong type: got float"),
        (1, True, TypeError, "limit has the wrong type: got bool"),
        (1, 2**31, ValueError, "limit does not fit the dtype"),
    ],
)
def test_wrong_counter_or_limit_is_an_error_when_the_graph_is_built(graph, start, limit, error, words):
    v = tf.Variable(start)
    with pytest.raises(error, match=words):
        v.count_up_to(limit)


def test_fed_variable_cannot_be_updated(sess):
    v = tf.Variable(1.0)
    update = v.assign_add(1.0)
    with pytest.raises(InvalidArgumentError, match="no reference to a variable in this run"):
        sess.run(update, {v: 3.0})


# What a variable of a graph is not.


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (bool, "Python bool"),
        (iter, "only iterable in eager mode"),
        (len, "no value before a Session runs it"),
        (int, "no value before a Session runs it"),
        (float, "no value before a Session runs it"),
        (np.array, "no value before a Session runs it"),
        (lambda v: v.numpy(), "no value before a Session runs it"),
        (lambda v: [1, 2][v], "no value before a Session runs it"),
        (lambda v: 1 in v, "iterable"),
        (pickle.dumps, "pickle"),
        (lambda v: v.__setitem__(0, 1.0), "items cannot be assigned"),
        (lambda v: v.__iadd__(1.0), "in-place operators are ambiguous"),
        (lambda v: v.__isub__(1.0), "in-place operators are ambiguous"),
        (lambda v: v.__imul__(1.0), "in-place operators are ambiguous"),
    ],
)
def test_use_as_a_value_is_a_clear_error(graph, use, words):
    v = tf.Variable([1.0, 2.0])
    version = graph.version
    with pytest.raises(TypeError, match=words):
        use(v)
    assert graph.version == version


# Sessions.


def test_eval_and_load_need_a_session_of_the_graph(graph):
    v = tf.Variable(1.0)
    for use in (v.eval, lambda: v.load(2.0)):
        with pytest.raises(ValueError, match="No default session is registered"):
            use()
    with tf.Session(graph=tf.Graph()) as sess:
        for use in (v.eval, lambda: v.load(2.0), lambda: v.eval(sess), lambda: v.load(2.0, sess)):
            with pytest.raises(ValueError, match="must be from the same graph"):
                use()


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ([1, 2, 3], ValueError, r"Cannot feed value of shape \(3,\)"),
        (5, ValueError, r"Cannot feed value of shape \(\)"),
        ([1.5, 2.5], TypeError, "got float, expected int32"),
        (["a", "b"], TypeError, "expected"),
    ],
)
def test_load_checks_the_value(sess, value, error, words):
    v = tf.Variable([1, 2])
    sess.run(v.initializer)
    with pytest.raises(error, match=words):
        v.load(value, sess)
    assert v.eval().tolist() == [1, 2]


def test_closed_session_has_no_values(graph):
    v = tf.Variable(1.0)
    sess = tf.Session()
    sess.run(v.initializer)
    sess.close()
    for use in (lambda: v.eval(sess), lambda: v.load(2.0, sess), lambda: sess.run(v)):
        with pytest.raises(RuntimeError, match="Attempted to use a closed Session"):
            use()


def test_variable_that_starts_from_one_without_a_value_is_not_initialized(sess):
    v = tf.Variable(1.0, name="first")
    w = tf.Variable(v + 1.0)
    with pytest.raises(FailedPreconditionError, match="Attempting to use uninitialized value first"):
        sess.run(w.initializer)
    assert not sess.run(tf.is_variable_initialized(w))
