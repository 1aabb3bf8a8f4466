"""Eager and graph mode, the default graph, and who has entered what."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import nbvars as tf


@pytest.fixture(autouse=True)
def _empty_graph():
    tf.reset_default_graph()
    yield
    tf.enable_eager_execution()


def in_thread(function):
    """Return what ``function`` returns in a thread of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_eager_mode_is_the_default():
    assert tf.executing_eagerly()
    assert in_thread(tf.executing_eagerly)


def test_a_graph_that_is_entered_is_the_default_graph_in_graph_mode():
    outermost, graph = tf.get_default_graph(), tf.Graph()
    with graph.as_default() as entered:
        assert entered is graph
        assert tf.get_default_graph() is graph
        assert not tf.executing_eagerly()
        assert tf.constant(1).graph is graph
    assert tf.get_default_graph() is outermost
    assert tf.executing_eagerly()


def test_graphs_nest_and_can_be_entered_again():
    first, second = tf.Graph(), tf.Graph()
    with first.as_default():
        with second.as_default():
            with first.as_default():
                assert tf.get_default_graph() is first
            assert tf.get_default_graph() is second
        with first.as_default():
            assert tf.get_default_graph() is first
        assert tf.get_default_graph() is first


def test_modes_nest_in_any_order():
    graph = tf.Graph()
    with tf.graph_mode():
        assert not tf.executing_eagerly()
        with tf.eager_mode():
            assert tf.executing_eagerly()
            with graph.as_default():
                assert not tf.executing_eagerly()
                with tf.eager_mode():
                    assert tf.executing_eagerly()
                    assert tf.get_default_graph() is graph
                    assert (tf.constant(1) + 1).numpy() == 2
                    with tf.graph_mode():
                        assert tf.constant(1).graph is graph
                assert not tf.executing_eagerly()
            assert tf.executing_eagerly()
        assert not tf.executing_eagerly()
    assert tf.executing_eagerly()


@pytest.mark.parametrize("scope", [tf.graph_mode, tf.eager_mode, lambda: tf.Graph().as_default()])
def test_an_exception_ends_a_scope(scope):
    graph = tf.get_default_graph()
    with pytest.raises(KeyError), scope():
        raise KeyError
    assert tf.executing_eagerly()
    assert tf.get_default_graph() is graph


def test_graph_mode_adds_to_the_default_graph_of_the_process():
    with tf.graph_mode():
        tensor = tf.constant(1, name="one")
    assert tensor.graph is tf.get_default_graph()
    assert tf.get_default_graph().version == 1


def test_eager_execution_can_be_disabled_and_enabled():
    tf.disable_eager_execution()
    assert not tf.executing_eagerly()
    assert not in_thread(tf.executing_eagerly)
    with tf.eager_mode():
        assert tf.executing_eagerly()
        assert not in_thread(tf.executing_eagerly)
    assert tf.Variable(1.0).graph is tf.get_default_graph()
    assert tf.get_default_graph().version > 0
    tf.enable_eager_execution()
    assert tf.executing_eagerly()


@pytest.mark.parametrize("switch", [tf.enable_eager_execution, tf.disable_eager_execution])
@pytest.mark.parametrize("scope", [tf.graph_mode, tf.eager_mode, lambda: tf.Graph().as_default()])
def test_the_mode_of_the_process_is_not_changed_inside_a_scope(switch, scope):
    with scope(), pytest.raises(RuntimeError, match="got a call within a with block, expected a call outside of it"):
        switch()
    assert tf.executing_eagerly()


def test_threads_enter_graphs_and_modes_of_their_own():
    graph, outermost = tf.Graph(), tf.get_default_graph()

    def enter():
        with tf.Graph().as_default() as own:
            return tf.get_default_graph() is own

    with graph.as_default():
        assert in_thread(tf.executing_eagerly)
        assert in_thread(tf.get_default_graph) is outermost
        assert in_thread(enter)
        assert tf.get_default_graph() is graph


def test_reset_default_graph_replaces_the_graph_of_the_process():
    old = tf.get_default_graph()
    with tf.graph_mode():
        tf.no_op(name="a")
        tf.reset_default_graph()
        assert tf.get_default_graph() is not old
        assert tf.no_op(name="a").name == "a"
    assert [op.name for op in old.get_operations()] == ["a"]


def test_reset_default_graph_is_refused_inside_a_graph():
    graph = tf.Graph()
    words = "reset_default_graph: the default graph cannot be reset inside Graph.as_default: got a call within"
    with graph.as_default():
        with pytest.raises(AssertionError, match=words):
            tf.reset_default_graph()
        with tf.eager_mode(), pytest.raises(AssertionError, match=words):
            tf.reset_default_graph()
        with tf.Session(), pytest.raises(AssertionError, match=words):
            tf.reset_default_graph()
        assert tf.get_default_graph() is graph


def test_reset_default_graph_inside_a_name_scope_starts_outside_of_all_scopes():
    with tf.name_scope("outer"):
        tf.reset_default_graph()
        assert tf.get_default_graph().unique_name("a") == "a"
    assert tf.get_default_graph().get_name_scope() == ""


def test_blocks_that_are_not_nested_are_an_error_and_end_all_the_same():
    outermost, first, second = tf.get_default_graph(), tf.Graph(), tf.Graph()
    one, two = first.as_default(), second.as_default()
    one.__enter__()
    two.__enter__()
    with pytest.raises(AssertionError, match="with blocks are not nested: got an exit before that of a later block"):
        one.__exit__(None, None, None)
    assert tf.get_default_graph() is second
    assert not tf.executing_eagerly()
    two.__exit__(None, None, None)
    assert tf.get_default_graph() is outermost
    assert tf.executing_eagerly()


def test_interactive_sessions_end_in_any_order():
    graphs = [tf.Graph() for _ in range(3)]
    sessions = [tf.InteractiveSession(graph=graph) for graph in graphs]
    for closed, left in ((0, 2), (2, 1)):
        sessions[closed].close()
        assert tf.get_default_session() is sessions[left]
        assert tf.get_default_graph() is graphs[left]
        assert not tf.executing_eagerly()
    sessions[1].close()
    assert tf.get_default_session() is None
    assert tf.executing_eagerly()


def test_default_sessions_nest_and_end_with_their_blocks():
    with tf.Graph().as_default():
        tf.no_op()
        first, second = tf.Session(), tf.Session()
        with first.as_default():
            with second.as_default():
                assert tf.get_default_session() is second
                with pytest.raises(KeyError), first.as_default():
                    raise KeyError
                assert tf.get_default_session() is second
            assert tf.get_default_session() is first
            assert in_thread(tf.get_default_session) is None
        assert tf.get_default_session() is None


def test_tensors_of_a_graph_build_in_their_own_graph_in_eager_mode():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder("float32", [2], name="x")
        variable = tf.Variable([1.0, 2.0])
    made = [x + 1.0, 2.0 * x, tf.exp(x), tf.concat([x, x], 0), x[0], tf.reduce_sum(variable), variable + x, -variable]
    made += [tf.group(x), variable.assign_add(x), tf.convert_to_tensor(x), tf.convert_to_tensor(variable)]
    assert tf.executing_eagerly()
    assert all(each.graph is graph for each in made)
    assert tf.get_default_graph().version == 0
    with tf.Session(graph=graph) as session:
        session.run(variable.initializer)
        assert session.run(made[0], {x: [1, 2]}).tolist() == [2, 3]


def test_tensors_of_a_graph_build_in_their_own_graph_inside_another():
    graph, other = tf.Graph(), tf.Graph()
    with graph.as_default():
        x = tf.constant([1.0, 2.0])
    with other.as_default():
        assert (x + 1.0).graph is graph
        assert tf.reduce_sum(x).graph is graph
    assert other.version == 0


def test_eager_tensors_become_constants_of_a_graph():
    eager = tf.constant([1.0, 2.0])
    with tf.Graph().as_default() as graph, tf.Session() as session:
        total = tf.constant([1.0, 1.0]) + eager
        assert session.run(total).tolist() == [2, 3]
        assert [op.type for op in graph.get_operations()] == ["Const", "Const", "AddV2"]


def test_eager_variables_are_refused_by_a_graph():
    eager = tf.Variable([1.0, 2.0])
    words = "an eager variable cannot become part of a graph: got .*, expected a variable or tensor of the graph; make"
    with tf.Graph().as_default() as graph:
        x = tf.constant([1.0, 2.0])
        variable = tf.Variable([1.0, 2.0])
        for use in (
            lambda: x + eager,
            lambda: eager + x,
            lambda: tf.exp(eager),
            lambda: tf.identity(eager),
            lambda: variable.assign(eager),
            lambda: tf.Variable(eager),
            lambda: tf.convert_to_tensor(eager),
        ):
            with pytest.raises(TypeError, match=words):
                use()
        assert (x + eager.read_value()).graph is graph
    np.testing.assert_array_equal(eager, [1, 2])


def test_control_dependencies_in_eager_mode_call_functions():
    called = []
    with tf.control_dependencies([lambda: called.append(1), tf.constant(1)]):
        assert called == [1]
    with tf.control_dependencies(None):
        pass


def test_control_dependencies_in_eager_mode_concern_the_graph_of_their_tensors():
    with tf.Graph().as_default():
        x, first = tf.constant(1.0), tf.no_op()
    with tf.control_dependencies([first]), tf.colocate_with(x):
        y = tf.exp(x)
    assert y.op.control_inputs == [first]
    assert y.op.colocation_groups() == [b"loc:@Const"]
    with tf.colocate_with(tf.constant(1)):
        assert (tf.constant(1) + 1).numpy() == 2
