"""The work of graph mode that is measured: the same program by nbvars and by TensorFlow 1's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import Case, load

LIBRARIES = ["nbvars", "tensorflow"]
WORK = ["run", "run and fetch", "feed", "callable", "callable with feed", "ten updates"]
NUM_ELEMENTS = 16


def update(library: str, work: str) -> Case:
    """One run of a session that adds an array of 16 float32 to a variable; ten such updates in ``"ten updates"``."""
    tf = _graph_library(library)
    with tf.Graph().as_default():
        # TensorFlow 1's own kind of variable; nbvars has one kind.
        variable = tf.Variable(np.zeros(NUM_ELEMENTS, np.float32), use_resource=False)
        delta = np.ones(NUM_ELEMENTS, np.float32)
        fed = tf.placeholder(tf.float32, [NUM_ELEMENTS])
        added, added_fed = variable.assign_add(delta), variable.assign_add(fed)
        ten = tf.group(*[variable.assign_add(delta) for _ in range(10)])
        session = tf.Session()
    session.run(variable.initializer)
    run = _runner(session, work, added, added_fed, fed, delta, ten)
    return Case(run, lambda: session.run(variable))


def _runner(
    session: Any, work: str, added: Any, added_fed: Any, fed: Any, delta: np.ndarray, ten: Any
) -> Callable[[], Any]:
    op, fed_op = added.op, added_fed.op
    if work == "run":
        return lambda: session.run(op)
    if work == "run and fetch":
        return lambda: session.run(added)
    if work == "feed":
        return lambda: session.run(fed_op, {fed: delta})
    if work == "callable":
        return session.make_callable(op)
    if work == "callable with feed":
        call = session.make_callable(fed_op, [fed])
        return lambda: call(delta)
    return lambda: session.run(ten)


def eager_update(work: str) -> Case:
    """The eager calls of nbvars that do the same as ``update``."""
    tf = load("nbvars")
    variable = tf.Variable(np.zeros(NUM_ELEMENTS, np.float32))
    delta = np.ones(NUM_ELEMENTS, np.float32)

    def add_and_read() -> Any:
        return variable.assign_add(delta).numpy()

    def add_ten() -> None:
        for _ in range(10):
            variable.assign_add(delta)

    runs = {"run and fetch": add_and_read, "ten updates": add_ten}
    return Case(runs.get(work, lambda: variable.assign_add(delta)), variable.numpy)


def expect_agreement(work: str, cases: dict[str, Case]) -> None:
    """Run each of ``cases`` twice; fail unless the variable then has the right value."""
    expected = np.full(NUM_ELEMENTS, 20 if work == "ten updates" else 2, np.float32)
    for library, case in cases.items():
        case.run()
        case.run()
        np.testing.assert_array_equal(case.read(), expected, library)


def build(library: str, num_ops: int) -> int:
    """Build a graph of ``num_ops`` additions; return how many operations it has, constants included."""
    tf = _graph_library(library)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [NUM_ELEMENTS])
        for _ in range(num_ops):
            x = tf.add(x, x)
    return len(graph.get_operations())


def _graph_library(library: str) -> Any:
    found = load(library)
    return found.compat.v1 if library == "tensorflow" else found
