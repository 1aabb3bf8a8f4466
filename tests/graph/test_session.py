"""Sessions: their life, the default one, options, callables, and the plans that they keep."""

from __future__ import annotations

import functools
import gc
import threading
import weakref

import numpy as np
import pytest

import nbvars as tf

CLOSED = "Attempted to use a closed Session"


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def plans(monkeypatch):
    """Return a list to which each plan that is built adds its fetches."""
    built = []
    make = tf.Session._make_plan

    def counting(self, fetches, feeds):
        built.append(fetches)
        return make(self, fetches, feeds)

    monkeypatch.setattr(tf.Session, "_make_plan", counting)
    return built


# Life.


def test_a_session_runs_the_default_graph_unless_it_is_given_one(graph):
    other = tf.Graph()
    assert tf.Session().graph is graph
    assert tf.Session(graph=other).graph is other
    assert tf.Session("", other).graph is other


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [({"target": 3}, "target"), ({"graph": "g"}, "graph"), ({"config": 3}, "config"), ({"config": "c"}, "config")],
)
def test_arguments_of_another_type_are_type_errors(arguments, wrong):
    for kind in (tf.Session, tf.InteractiveSession):
        with pytest.raises(TypeError, match=rf"Session: {wrong} is no .*got .*expected"):
            kind(**arguments)
    assert tf.get_default_session() is None


def test_an_empty_graph_cannot_be_run(graph):
    session = tf.Session()
    for fetches in ([], (), {}, "x", None):
        with pytest.raises(RuntimeError, match="The Session graph is empty"):
            session.run(fetches)
    x = tf.constant(1)
    assert session.run(x) == 1


def test_sessions_hold_values_of_their_own(graph):
    variable = tf.Variable(1)
    update = variable.assign_add(1)
    first, second = tf.Session(), tf.Session()
    first.run(variable.initializer)
    first.run(update)
    with pytest.raises(tf.errors.FailedPreconditionError):
        second.run(variable)
    second.run(variable.initializer)
    first.close()
    assert second.run([update, variable]) == [2, 2]


def test_sessions_of_two_graphs_do_not_meet():
    variables, sessions = [], []
    for start in (10, 20):
        with tf.Graph().as_default() as graph:
            variables.append(tf.Variable(start, name="same"))
            sessions.append(tf.Session(graph=graph))
    for variable, session in zip(variables, sessions, strict=True):
        session.run(variable.initializer)
    assert [session.run("same:0") for session in sessions] == [10, 20]
    with pytest.raises(ValueError, match="not an element of this graph"):
        sessions[0].run(variables[1])


def test_values_survive_from_run_to_run_and_a_new_initialization_resets_them(graph):
    variable = tf.Variable([1.0, 2.0])
    session = tf.Session()
    session.run(variable.initializer)
    for step in range(1, 4):
        np.testing.assert_array_equal(session.run(variable.assign_add([1, 1])), [1 + step, 2 + step])
    session.run(variable.initializer)
    np.testing.assert_array_equal(session.run(variable), [1, 2])


def closed_uses(graph):
    """Return functions that use a closed session in each of the ways that there are."""
    x, fed = tf.constant(1), tf.placeholder(tf.int32)
    variable = tf.Variable(1)
    session = tf.Session()
    session.run(variable.initializer)
    session.run([variable, x])
    call, call_fed = session.make_callable(variable), session.make_callable(fed, [fed])
    with_options = session.make_callable(x, accept_options=True)
    session.close()
    return session, [
        lambda: session.run(variable),
        lambda: session.run(x),
        lambda: session.run([]),
        lambda: session.run(None),
        lambda: session.run([variable, x]),
        lambda: session.run(variable.initializer),
        lambda: session.run(fed, {fed: 1}),
        lambda: session.make_callable(x),
        lambda: variable.eval(session),
        lambda: x.eval(session=session),
        lambda: variable.initializer.run(session=session),
        lambda: variable.load(3, session),
        call,
        lambda: call_fed(1),
        lambda: call_fed("not even a number"),
        with_options,
    ]


def test_every_use_of_a_closed_session_is_a_runtime_error(graph):
    session, uses = closed_uses(graph)
    for use in uses:
        with pytest.raises(RuntimeError, match=CLOSED):
            use()
    session.close()
    assert not session.storages


def test_closing_frees_the_values_of_variables(graph):
    variable = tf.Variable(np.zeros(1000))
    session = tf.Session()
    session.run(variable.initializer)
    memory = weakref.ref(session.storages[variable.op])
    session.close()
    gc.collect()
    assert memory() is None


def test_a_session_that_nobody_holds_is_freed_with_its_values(graph):
    variable = tf.Variable(np.zeros(1000))
    session = tf.Session()
    session.run([variable.initializer, variable + 1])
    gone = [weakref.ref(session), weakref.ref(session.storages[variable.op])]
    del session
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_a_session_says_what_it_is(graph):
    assert "nbvars.Session" in repr(tf.Session())


def test_there_are_no_partial_runs(graph):
    assert not hasattr(tf.Session, "partial_run")


# The default session.


def test_a_with_block_makes_session_and_graph_the_default_and_closes_at_the_end():
    graph = tf.Graph()
    with tf.Session(graph=graph) as session:
        assert tf.get_default_session() is session
        assert tf.get_default_graph() is graph
        assert not tf.executing_eagerly()
        x = tf.constant(2)
        assert x.eval() == 2
    assert tf.get_default_session() is None
    assert tf.get_default_graph() is not graph
    assert tf.executing_eagerly()
    with pytest.raises(RuntimeError, match=CLOSED):
        session.run(x)


def test_with_blocks_nest(graph):
    x = tf.constant(1)
    with tf.Session() as outer:
        with tf.Graph().as_default(), tf.Session() as inner:
            y = tf.constant(2)
            assert tf.get_default_session() is inner
            assert y.eval() == 2
            with pytest.raises(ValueError, match="must be from the same graph"):
                x.eval()
        assert tf.get_default_session() is outer
        assert x.eval() == 1
        with outer.as_default(), outer.as_default():
            assert x.eval() == 1
        assert x.eval() == 1


def test_as_default_leaves_the_graph_and_the_session_as_they_are(graph):
    other = tf.Graph()
    session = tf.Session(graph=other)
    with session.as_default() as entered:
        assert entered is session
        assert tf.get_default_session() is session
        assert tf.get_default_graph() is graph
    with other.as_default():
        x = tf.constant(1)
    assert session.run(x) == 1


def test_a_with_block_that_raises_closes_the_session_and_lets_the_error_through(graph):
    x = tf.constant(1)
    with pytest.raises(ZeroDivisionError), tf.Session() as session:
        raise ZeroDivisionError
    assert tf.get_default_session() is None
    assert tf.get_default_graph() is graph
    with pytest.raises(RuntimeError, match=CLOSED):
        session.run(x)
    kept = tf.Session()
    with pytest.raises(ZeroDivisionError), kept.as_default():
        raise ZeroDivisionError
    assert tf.get_default_session() is None
    assert kept.run(x) == 1


def test_a_session_is_entered_once_at_a_time(graph):
    x = tf.constant(1)
    with tf.Session() as session:
        with pytest.raises(RuntimeError, match="not re-entrant"):
            session.__enter__()
        assert x.eval() == 1
    with session, pytest.raises(RuntimeError, match=CLOSED):
        x.eval()
    assert tf.get_default_session() is None


def test_without_a_default_session_evaluation_is_an_error(graph):
    x, variable = tf.constant(1), tf.Variable(1)
    for evaluate in (x.eval, variable.eval, variable.initializer.run, lambda: variable.load(1)):
        with pytest.raises(ValueError, match="No default session is registered"):
            evaluate()


def test_an_interactive_session_is_the_default_until_it_is_closed(graph):
    x = tf.constant(1)
    session = tf.InteractiveSession()
    assert tf.get_default_session() is session
    assert x.eval() == 1
    session.close()
    session.close()
    assert tf.get_default_session() is None
    with pytest.raises(RuntimeError, match=CLOSED):
        session.run(x)


def test_an_interactive_session_of_a_graph_enters_the_graph():
    graph = tf.Graph()
    session = tf.InteractiveSession(graph=graph)
    assert tf.get_default_graph() is graph
    assert not tf.executing_eagerly()
    session.close()
    assert tf.get_default_graph() is not graph
    assert tf.executing_eagerly()


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_interactive_sessions_close_in_any_order(order):
    before = tf.get_default_graph()
    graphs = [tf.Graph(), tf.Graph(), None]
    sessions = [tf.InteractiveSession(graph=each) for each in graphs]
    left = list(range(3))
    for k in order:
        sessions[k].close()
        left.remove(k)
        assert tf.get_default_session() is (sessions[left[-1]] if left else None)
        with_graph = [i for i in left if graphs[i] is not None]
        assert tf.get_default_graph() is (graphs[with_graph[-1]] if with_graph else before)
        assert tf.executing_eagerly() is not bool(with_graph)


def test_an_interactive_session_may_outlive_a_with_block(graph):
    x = tf.constant(1)
    with tf.Session():
        inner = tf.InteractiveSession()
    assert tf.get_default_session() is inner
    assert x.eval() == 1
    inner.close()
    assert tf.get_default_session() is None


def test_another_thread_may_close_an_interactive_session(graph):
    x = tf.constant(1)
    session = tf.InteractiveSession()
    closing = threading.Thread(target=session.close)
    closing.start()
    closing.join(60)
    assert tf.get_default_session() is None
    with pytest.raises(RuntimeError, match=CLOSED):
        session.run(x)


def test_an_interactive_session_in_a_with_block_is_closed_at_its_end(graph):
    x = tf.constant(1)
    with tf.InteractiveSession() as session:
        assert x.eval() == 1
    assert tf.get_default_session() is None
    with pytest.raises(RuntimeError, match=CLOSED):
        session.run(x)


# Options.


def test_options_of_a_session_are_kept():
    config = tf.ConfigProto(True, device_count={"GPU": 0}, intra_op_parallelism_threads=2)
    assert (config.allow_soft_placement, config.log_device_placement) == (True, False)
    assert (config.device_count, config.intra_op_parallelism_threads) == ({"GPU": 0}, 2)
    config.gpu_options.allow_growth = True
    config.graph_options.optimizer_options = "any"
    config.inter_op_parallelism_threads = 4
    config.log_device_placement = True
    assert config.gpu_options.allow_growth
    assert "inter_op_parallelism_threads=4" in repr(config)
    assert not hasattr(tf.ConfigProto().gpu_options, "allow_growth")


def test_options_that_tensorflow_does_not_have_are_refused():
    with pytest.raises(ValueError, match=r"there is no such option: got 'speed', expected one of allow_soft_placement"):
        tf.ConfigProto(speed=3)
    with pytest.raises(AttributeError, match="speed"):
        tf.ConfigProto().speed = 3


# Callables.


def test_a_callable_takes_values_in_the_order_of_its_feeds(graph):
    x, y = tf.placeholder(tf.int32), tf.placeholder(tf.int32, name="y")
    session = tf.Session()
    assert session.make_callable({"d": x - y}, [x, "y:0"])(5, 3) == {"d": 2}
    assert session.make_callable([x - y, x], (y, x))([3, 1], 5)[0].tolist() == [2, 4]


def test_a_callable_runs_updates_and_shares_values_with_the_session(graph):
    variable = tf.Variable(0)
    session = tf.Session()
    initialize, count = session.make_callable(variable.initializer), session.make_callable(variable.assign_add(1))
    assert initialize() is None
    assert [count() for _ in range(3)] == [1, 2, 3]
    assert session.run(variable) == 3


@pytest.mark.parametrize("accept_options", [False, True])
@pytest.mark.parametrize("num_feeds", [0, 1, 2])
def test_a_callable_counts_its_values(graph, accept_options, num_feeds):
    feeds = [tf.placeholder(tf.int32) for _ in range(num_feeds)]
    call = tf.Session().make_callable(tf.constant(1), feeds, accept_options)
    assert call(*range(num_feeds)) == 1
    for wrong in {0, 1, 2, 3} - {num_feeds}:
        with pytest.raises(TypeError, match=r"wrong number of values|positional argument"):
            call(*range(wrong))


def test_options_are_accepted_where_they_were_asked_for(graph):
    x = tf.placeholder(tf.int32)
    session = tf.Session()
    call = session.make_callable(x, [x], accept_options=True)
    assert call(3, options=None, run_metadata=None) == 3
    assert session.run(x, {x: 3}, options=None, run_metadata=None) == 3
    with pytest.raises(TypeError, match="options"):
        session.make_callable(x, [x])(3, options=None)


def test_a_feed_list_is_a_list(graph):
    x = tf.placeholder(tf.int32)
    with pytest.raises(TypeError, match="feed_list is no list"):
        tf.Session().make_callable(x, x)


# Plans.


def test_a_plan_is_built_once_for_its_fetches_and_feeds(graph, plans):
    x, variable = tf.placeholder(tf.int32), tf.Variable(0)
    y, update = x + 1, variable.assign_add(1)
    session = tf.Session()
    session.run(variable.initializer)
    runs = [
        lambda: session.run(update),
        lambda: session.run([update]),
        lambda: session.run((update, variable)),
        lambda: session.run({"u": [update, {"v": variable}]}),
        lambda: session.run("Variable:0"),
        lambda: session.run(y, {x: 1}),
        lambda: session.run([y, x], {x: 1}),
        lambda: session.run(y, {(x,): [1]}),
        lambda: session.make_callable(y, [x])(1),
        session.make_callable(update),
        functools.partial(variable.load, 3, session),
    ]
    plans.clear()
    for run in runs:
        run()
    # That of ``update`` was there; the callable with a feed and the key that is a tuple have the plan of (y, x).
    assert len(plans) == 7
    for _ in range(3):
        for run in runs:
            run()
    assert len(plans) == 7


def test_a_growing_graph_rebuilds_no_plan(graph, plans):
    x, variable = tf.placeholder(tf.int32), tf.Variable(0)
    update, fed = variable.assign_add(1), variable.assign_add(x)
    session = tf.Session()
    session.run(variable.initializer)
    session.run([update, fed], {x: 1})
    session.run(update)
    plans.clear()
    for _ in range(5):
        tf.constant(1) + update
        variable.assign(0)
        tf.Variable(1)
        session.run(update)
        session.run([update, fed], {x: 1})
    assert plans == []


def test_fetches_that_cannot_be_had_leave_no_plan(graph):
    x = tf.constant(1)
    session = tf.Session()
    for wrong in (None, [None], {1}, "missing", [[{1}]]):
        for feeds in (None, {x: 1}):
            with pytest.raises((TypeError, ValueError)):
                session.run(wrong, feeds)
    assert session._plans == {}
    assert session.run(x) == 1


def test_a_plan_that_could_not_be_built_is_built_when_it_can(graph):
    tf.constant(0)
    session = tf.Session()
    with pytest.raises(ValueError, match="later"):
        session.run("later:0")
    tf.constant(5, name="later")
    assert session.run("later:0") == 5
