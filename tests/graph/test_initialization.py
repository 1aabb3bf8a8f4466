"""Initializers of many variables, the questions which have a value, and the collections that they go by."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import FailedPreconditionError

INITIALIZERS = [tf.initialize_all_variables, tf.global_variables_initializer]
LOCAL_INITIALIZERS = [tf.initialize_local_variables, tf.local_variables_initializer]
LIST_INITIALIZERS = [tf.initialize_variables, tf.variables_initializer]


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def sess(graph):
    with tf.Session() as sess:
        yield sess


def local_variable(value, name=None):
    return tf.Variable(value, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES], name=name)


# Initializers.


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_initializer_of_all_gives_each_global_variable_its_value(sess, initializer):
    v, w, local = tf.Variable(1.0), tf.Variable([2, 3]), local_variable(4)
    init = initializer()
    assert isinstance(init, tf.Operation)
    assert init.name == "init"
    assert sess.run(init) is None
    assert (sess.run(v), sess.run(w).tolist()) == (1.0, [2, 3])
    with pytest.raises(FailedPreconditionError, match=f"uninitialized value {local.op.name}"):
        sess.run(local)


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_initializer_of_all_sets_variables_back(sess, initializer):
    v = tf.Variable([1.0, 2.0])
    init = initializer()
    sess.run(init)
    sess.run(v.assign_add([1.0, 1.0]))
    sess.run(init)
    assert v.eval().tolist() == [1.0, 2.0]


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_variables_that_start_from_others_are_initialized_with_them(sess, initializer):
    v = tf.Variable(tf.random_uniform([3]), name="v")
    w = tf.Variable(v.initialized_value() * 2.0, name="w")
    u = tf.Variable(w + v, name="u")
    sess.run(initializer())
    got_v, got_w, got_u = sess.run([v, w, u])
    assert (got_w == got_v * 2).all()
    assert (got_u == got_w + got_v).all()


@pytest.mark.parametrize("initializer", LOCAL_INITIALIZERS)
def test_initializer_of_local_variables_leaves_the_others(sess, initializer):
    v, local = tf.Variable(1.0), local_variable(4)
    sess.run(initializer())
    assert local.eval() == 4
    with pytest.raises(FailedPreconditionError):
        v.eval()


@pytest.mark.parametrize("initializer", LIST_INITIALIZERS)
def test_initializer_of_a_list_takes_those_alone(sess, initializer):
    v, w = tf.Variable(1.0, name="v"), tf.Variable(2.0, name="w")
    init = initializer([w], name="some")
    assert init.name == "some"
    sess.run(init)
    assert w.eval() == 2.0
    with pytest.raises(FailedPreconditionError):
        v.eval()


@pytest.mark.parametrize("initializer", [*INITIALIZERS, *LOCAL_INITIALIZERS, lambda: tf.variables_initializer([])])
def test_initializer_of_nothing_is_an_operation_too(sess, initializer):
    init = initializer()
    assert init.type == "NoOp"
    sess.run(init)


def test_initializer_refuses_what_is_no_variable(graph):
    with pytest.raises(TypeError, match=r"variables_initializer: .* has no initializer: got 3"):
        tf.variables_initializer([tf.Variable(1.0), 3])


def test_initializer_refuses_variables_of_two_graphs(graph):
    v = tf.Variable(1.0)
    with tf.Graph().as_default():
        w = tf.Variable(2.0)
    with pytest.raises(ValueError, match="graph"):
        tf.variables_initializer([v, w])


def test_initializer_joins_the_graph_of_its_variables(graph):
    v = tf.Variable(1.0)
    with tf.Graph().as_default() as other:
        assert tf.variables_initializer([v]).graph is graph
        assert not other.get_operations()


def test_initializers_wait_for_control_dependencies(sess):
    v, w = tf.Variable(1.0), tf.Variable(2.0)
    sess.run(v.initializer)
    with tf.control_dependencies([v.assign(5.0)]):
        init = tf.variables_initializer([w])
    sess.run(init)
    assert (v.eval(), w.eval()) == (5.0, 2.0)


# Questions.


def test_is_variable_initialized_tells_without_a_value(sess):
    v = tf.Variable([1.0, 2.0])
    known = tf.is_variable_initialized(v)
    assert known.dtype is tf.bool
    assert known.shape.as_list() == []
    assert not sess.run(known)
    sess.run(v.initializer)
    assert sess.run(known)
    assert sess.run(v.is_initialized())


def test_is_variable_initialized_sees_what_happens_before_it_in_a_run(sess):
    v = tf.Variable(1.0)
    before = tf.is_variable_initialized(v)
    update = v.assign(2.0)
    after = tf.is_variable_initialized(v)
    assert [bool(x) for x in sess.run([before, update.op, after])[::2]] == [False, True]


def test_is_variable_initialized_takes_references(sess):
    v = tf.Variable(1.0)
    assert not sess.run(tf.is_variable_initialized(v.ref(), name="asked"))
    assert tf.get_default_graph().get_operation_by_name("asked").type == "IsVariableInitialized"


def test_report_names_the_variables_without_a_value(sess):
    v, w, local = tf.Variable(1.0, name="v"), tf.Variable([2.0], name="w"), local_variable(0, "local")
    with tf.name_scope("s"):
        tf.Variable(1.0, name="x")
    report = tf.report_uninitialized_variables()
    assert report.dtype is tf.string
    assert report.shape.as_list() == [None]
    got = sess.run(report)
    assert got.tolist() == [b"v", b"w", b"s/x", b"local"]
    assert got.shape == (4,)
    sess.run([v.initializer, local.initializer])
    assert sess.run(report).tolist() == [b"w", b"s/x"]
    sess.run([tf.global_variables_initializer(), w.assign([3.0])])
    assert sess.run(report).shape == (0,)


def test_report_of_a_list_looks_at_those_alone(sess):
    v, w = tf.Variable(1.0, name="v"), tf.Variable(1.0, name="w")
    tf.Variable(1.0, name="other")
    report = tf.report_uninitialized_variables([w, v.ref(), w], name="mine")
    assert report.name.startswith("mine/")
    assert sess.run(report).tolist() == [b"w", b"v"]


@pytest.mark.parametrize("var_list", [None, []])
def test_report_of_a_graph_without_variables_is_empty(sess, var_list):
    got = sess.run(tf.report_uninitialized_variables(var_list))
    assert got.shape == (0,)
    assert got.dtype == object


def test_report_refuses_what_is_no_variable(graph):
    with pytest.raises(TypeError, match=r"report_uninitialized_variables: .*got 3"):
        tf.report_uninitialized_variables([3])


def test_assert_variables_initialized_fails_until_all_have_a_value(sess):
    v, local = tf.Variable([1.0], name="v"), local_variable(0, "local")
    check = tf.assert_variables_initialized()
    with pytest.raises(FailedPreconditionError, match="uninitialized value v"):
        sess.run(check)
    sess.run(v.initializer)
    with pytest.raises(FailedPreconditionError, match="uninitialized value local"):
        sess.run(check)
    sess.run(local.initializer)
    sess.run(check)


def test_assert_variables_initialized_takes_a_list(sess):
    v = tf.Variable([1.0], name="v")
    w = tf.Variable([1.0], name="w")
    check = tf.assert_variables_initialized([w])
    sess.run(w.initializer)
    sess.run(check)
    with pytest.raises(FailedPreconditionError, match="uninitialized value v"):
        sess.run(tf.assert_variables_initialized([v]))


def test_assert_variables_initialized_of_no_variables_is_none(graph):
    assert tf.assert_variables_initialized() is None
    assert tf.assert_variables_initialized([]) is None


# Eager mode.


@pytest.fixture
def eager():
    with tf.Graph().as_default(), tf.eager_mode():
        yield


@pytest.mark.parametrize("initializer", [*INITIALIZERS, *LOCAL_INITIALIZERS])
def test_initializers_do_nothing_in_eager_mode(eager, initializer):
    v = tf.Variable(1.0)
    v.assign(2.0)
    assert initializer() is None
    assert v.numpy() == 2.0


def test_initializer_of_a_list_passes_over_eager_variables(eager):
    v = tf.Variable(1.0)
    assert tf.variables_initializer([v]) is None
    with tf.graph_mode(), tf.Session() as sess:
        w = tf.Variable(2.0)
        sess.run(tf.variables_initializer([v, w]))
        assert w.eval() == 2.0


def test_report_in_eager_mode_is_an_empty_vector_of_strings(eager):
    v = tf.Variable(1.0)
    for report in (tf.report_uninitialized_variables(), tf.report_uninitialized_variables([v])):
        assert report.dtype is tf.string
        assert report.shape.as_list() == [0]
        assert report.numpy().tolist() == []
        assert len(report) == 0


def test_questions_in_eager_mode_have_their_answers(eager):
    v = tf.Variable(1.0)
    assert tf.is_variable_initialized(v) is True
    assert tf.assert_variables_initialized() is None
    assert tf.assert_variables_initialized([v]) is None


def test_one_program_runs_in_both_modes():
    def program():
        v = tf.Variable([1.0, 2.0])
        init, report = tf.global_variables_initializer(), tf.report_uninitialized_variables()
        return v, init, report

    with tf.Graph().as_default(), tf.Session() as sess:
        v, init, report = program()
        sess.run(init)
        in_graph = v.eval(), sess.run(report)
        with tf.eager_mode():
            v, init, report = program()
            eagerly = v.eval(), report.eval()
    assert in_graph[0].tolist() == eagerly[0].tolist()
    assert in_graph[1].tolist() == eagerly[1].tolist()


# Collections.


def test_collections_of_variables_have_functions_of_their_own(graph):
    keys = tf.GraphKeys
    with tf.name_scope("s"):
        v = tf.Variable(1.0, collections=[keys.MODEL_VARIABLES, keys.MOVING_AVERAGE_VARIABLES])
    w = tf.Variable(1.0, trainable=False, collections=[keys.GLOBAL_VARIABLES, keys.MODEL_VARIABLES])
    assert tf.model_variables() == [v, w]
    assert tf.model_variables("s/") == [v]
    assert tf.moving_average_variables() == [v]
    assert tf.moving_average_variables(scope="x") == []
    assert tf.global_variables() == tf.all_variables() == [w]
    assert tf.trainable_variables() == [v]
    assert tf.trainable_variables("Variable") == []


def test_graph_keys_are_those_of_tensorflow_1():
    keys = {name: value for name, value in vars(tf.GraphKeys).items() if name.isupper()}
    assert keys == {
        "ACTIVATIONS": "activations",
        "ASSET_FILEPATHS": "asset_filepaths",
        "BIASES": "biases",
        "CONCATENATED_VARIABLES": "concatenated_variables",
        "COND_CONTEXT": "cond_context",
        "EVAL_STEP": "eval_step",
        "GLOBAL_STEP": "global_step",
        "GLOBAL_VARIABLES": "variables",
        "INIT_OP": "init_op",
        "LOCAL_INIT_OP": "local_init_op",
        "LOCAL_RESOURCES": "local_resources",
        "LOCAL_VARIABLES": "local_variables",
        "LOSSES": "losses",
        "METRIC_VARIABLES": "metric_variables",
        "MODEL_VARIABLES": "model_variables",
        "MOVING_AVERAGE_VARIABLES": "moving_average_variables",
        "QUEUE_RUNNERS": "queue_runners",
        "READY_FOR_LOCAL_INIT_OP": "ready_for_local_init_op",
        "READY_OP": "ready_op",
        "REGULARIZATION_LOSSES": "regularization_losses",
        "RESOURCES": "resources",
        "SAVEABLE_OBJECTS": "saveable_objects",
        "SAVERS": "savers",
        "SUMMARIES": "summaries",
        "SUMMARY_OP": "summary_op",
        "TABLE_INITIALIZERS": "table_initializer",
        "TRAINABLE_RESOURCE_VARIABLES": "trainable_resource_variables",
        "TRAINABLE_VARIABLES": "trainable_variables",
        "TRAIN_OP": "train_op",
        "UPDATE_OPS": "update_ops",
        "VARIABLES": "variables",
        "WEIGHTS": "weights",
        "WHILE_CONTEXT": "while_context",
    }


def test_large_variables_are_initialized_in_full(sess):
    start = np.arange(300_000, dtype=np.float32)
    v = tf.Variable(start)
    sess.run(tf.global_variables_initializer())
    assert (v.eval() == start).all()
