"""Ctrl-C, signal handlers and errors in the midst of building and running."""

from __future__ import annotations

import os
import signal
import sys
import threading

import numpy as np
import pytest

import nbvars as tf
from nbvars.graph import mode
from nbvars.graph.names import GRAPH_LOCK
from nbvars.variables.scope_state import ScopeState
from nbvars.variables.variable_store import VariableStore
from tests.reliability.test_threads import TIMEOUT_S

SOURCES = os.path.dirname(tf.__file__)


def interrupted(function, at):
    """Call ``function``, with Ctrl-C at the ``at``-th of the places where Python lets it come; tell if it came.

    Those are where a function of Python begins and where one in C has ended, here those of nbvars and of contextlib.
    """
    count = 0

    def profile(frame, event, arg):
        nonlocal count
        file = frame.f_code.co_filename
        if event in ("call", "c_return") and (file.startswith(SOURCES) or file.endswith("contextlib.py")):
            count += 1
            if count == at:
                sys.setprofile(None)
                raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    except KeyboardInterrupt:
        pass
    finally:
        sys.setprofile(before)
    return count >= at


class Model:
    """A small graph with a session, and ways to build and run more."""

    def __init__(self):
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.x = tf.placeholder(tf.float32, [3])
            self.variable = tf.Variable(np.zeros(3, np.float32))
            self.update = self.variable.assign_add(self.x, use_locking=True)
            self.result = tf.tanh(self.update) + tf.random_uniform([3], seed=1)
            self.session = tf.Session()
        self.session.run(self.variable.initializer)
        self.feeds = {self.x: np.ones(3, np.float32)}

    def build_in_scopes(self):
        with (
            self.graph.as_default(),
            tf.name_scope("a"),
            tf.control_dependencies([self.update]),
            tf.device("/cpu:0"),
            self.graph.colocate_with(self.variable.op),
        ):
            self.variable.assign(self.x)

    def build_variables(self):
        with self.graph.as_default(), tf.variable_scope("s"):
            tf.get_variable("w", [2], initializer=tf.zeros_initializer())

    def build_control_flow(self):
        with self.graph.as_default():
            tf.cond(self.x[0] > 0, lambda: self.x, lambda: -self.x)
            tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0])

    def run(self):
        with self.session.as_default():
            self.session.run([self.result, self.variable], self.feeds)
            self.session.run(self.update.op, self.feeds)

    def check(self):
        """Fail unless the thread is out of all scopes, no lock is held, and all that is there runs."""
        graph, entered = self.graph, self.graph._entered
        assert (mode._thread.scopes, mode._thread.sessions) == ([], [])
        assert tf.executing_eagerly()
        assert (graph.get_name_scope(), graph._own(ScopeState).current.name) == ("", "")
        assert not any(getattr(entered, name) for name in type(entered).__slots__)
        self.check_locks()
        ops = graph.get_operations()
        assert [op._id for op in ops] == list(range(len(ops)))
        assert {op for each in ops for x in each.outputs for op in x.consumers()} <= set(ops)
        with graph.as_default():
            more = self.x + 1
            self.session.run(tf.global_variables_initializer())
            self.session.run([more, self.result, *(op for op in ops if op._context is None)], self.feeds)

    def check_locks(self):
        """Fail unless another thread can take each lock."""
        storages = self.session.storages.values()
        locks = [GRAPH_LOCK, self.session._lock, self.graph._own(VariableStore)._lock]
        locks += [storage._mutex for storage in storages]
        locks += [stream._lock for stream in self.session._streams._streams.values()]
        taken = []

        def take():
            for lock in locks:
                taken.append(lock.acquire(blocking=False))
                if taken[-1]:
                    lock.release()

        thread = threading.Thread(target=take)
        thread.start()
        thread.join(TIMEOUT_S)
        assert taken == [True] * len(locks)
        assert [int(storage._header[0]) for storage in storages] == [0] * len(storages)


# Python ends a generator that nobody goes on with, and tells of a Ctrl-C that comes then, but goes on.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("work", ["run", "build_in_scopes", "build_variables", "build_control_flow"])
def test_ctrl_c_at_any_place_leaves_graph_and_session_as_good_as_before(work):
    at, model = 1, Model()
    while interrupted(getattr(model, work), at):
        model.check()
        at, model = at + 5, Model()
    assert at > 100


def test_ctrl_c_at_any_place_of_a_lock_of_a_variable_gives_it_back():
    at, model = 1, Model()
    model.run()
    while interrupted(lambda: model.session.run(model.update.op, model.feeds), at):
        model.check_locks()
        at += 1
    assert model.session.run(model.update, model.feeds)[0] > 1


@pytest.fixture
def handler():
    """Return a function that sets the handler of SIGALRM, and the seconds until it is called; and again, and again."""
    before = signal.getsignal(signal.SIGALRM)

    def handle(function, seconds, every=0.0):
        signal.signal(signal.SIGALRM, lambda signum, frame: function())
        signal.setitimer(signal.ITIMER_REAL, seconds, every)

    yield handle
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


needs_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")


def interrupt():
    raise KeyboardInterrupt


@needs_timer
def test_ctrl_c_ends_a_loop_that_would_not_end(handler):
    with tf.Graph().as_default():
        variable = tf.Variable(0)
        with tf.control_dependencies([variable.assign_add(1)]):
            start = tf.constant(0)
        endless = tf.while_loop(lambda i: i >= 0, lambda i: i * 1, [start])
        session = tf.Session()
        session.run(variable.initializer)
        session.run(start)  # compiled before the signals come
        for attempt in range(3):
            handler(interrupt, 0.03)
            with pytest.raises(KeyboardInterrupt):
                session.run(endless)
            # The update that ran before the loop is made, as with any run that fails.
            assert session.run(variable) == attempt + 2


@needs_timer
def test_a_signal_handler_runs_the_session_and_builds_while_its_thread_does(handler):
    with tf.Graph().as_default() as graph:
        ours, theirs = tf.Variable(np.zeros(4, np.int64)), tf.Variable(np.zeros(4, np.int64))
        one = np.ones(4, np.int64)
        both, mine = [ours.assign_add(one, use_locking=True), theirs.assign_add(one)], tf.random_uniform([3])
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        session.run([*both, mine])
        counts, busy = {"ours": 1, "theirs": 1}, []

        def handle():
            if not busy:
                busy.append(True)
                with graph.as_default(), tf.name_scope("handler"):
                    doubled = theirs * 2
                session.run([doubled, mine, both[1].op])
                session.run(both[0].op)
                counts["theirs"] += 1
                counts["ours"] += 1
                busy.pop()

        handler(handle, 0.001, 0.002)
        while counts["theirs"] < 60:
            with tf.name_scope("main"):
                total = ours + 1
            session.run([total, mine])
            session.run(both[0])
            counts["ours"] += 1
            assert total.name.startswith("main")
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert session.run(theirs).tolist() == [counts["theirs"]] * 4
        assert session.run(ours).tolist() == [counts["ours"]] * 4
        names = [op.name for op in graph.get_operations()]
        assert len(set(names)) == len(names)


class _Error(Exception):
    pass


def fail(*args, **kwargs):
    raise _Error


def in_scope(scope, function):
    with scope:
        function()


@pytest.mark.parametrize(
    "use",
    [
        lambda model: tf.Variable(fail, name="v"),
        lambda model: tf.get_variable("v", [2], initializer=fail),
        lambda model: tf.get_variable("v", [2], regularizer=fail),
        lambda model: tf.get_variable("v", [2], custom_getter=fail),
        lambda model: tf.get_variable("v", [2], partitioner=fail),
        lambda model: tf.cond(model.x[0] > 0, fail, lambda: model.x),
        lambda model: tf.cond(model.x[0] > 0, lambda: model.x, fail),
        lambda model: tf.while_loop(fail, lambda i: i, [0]),
        lambda model: tf.while_loop(lambda i: i < 1, fail, [0]),
        lambda model: tf.make_template("v", fail)(),
        lambda model: in_scope(tf.device(fail), lambda: tf.constant(1.0, name="v")),
    ],
)
def test_a_function_of_the_user_that_fails_leaves_nothing_half_made(use):
    model = Model()
    with pytest.raises(_Error), model.graph.as_default(), tf.variable_scope("s"), tf.name_scope("a"):
        use(model)
    model.check()
    with model.graph.as_default(), tf.variable_scope("s", reuse=tf.AUTO_REUSE):
        variable = tf.get_variable("v", [2], initializer=tf.zeros_initializer())
    assert model.session.run([variable.initializer, variable], model.feeds)[1].shape == (2,)


def test_a_generator_that_nobody_goes_on_with_leaves_its_blocks():
    model = Model()

    def blocks():
        with (
            model.graph.as_default(),
            model.session.as_default(),
            tf.name_scope("a"),
            tf.control_dependencies([model.update]),
            tf.device("/cpu:0"),
            tf.variable_scope("s"),
        ):
            yield tf.no_op()

    assert next(blocks()).name == "a/s/NoOp"
    model.check()
