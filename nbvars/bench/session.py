"""Runs of a session: the same program by nbvars and by TensorFlow 1's API, beside nbvars' eager calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbvars.bench.case import Case
from nbvars.bench.libraries import load

SERIES = ("nbvars", "nbvars eager", "tensorflow")
GRAPH_SERIES = ("nbvars", "tensorflow")
NUM_ELEMENTS = 16

RUNS = {
    "run": "session.run(op)",
    "run and fetch": "session.run(added)",
    "feed": "session.run(fed_op, {fed: delta})",
    "callable": "call()",
    "callable with feed": "call_fed(delta)",
    "ten updates": "session.run(ten)",
}
_EAGER = {"run and fetch": "variable.assign_add(delta).numpy()", "ten updates": "add_ten()"}


def session(series: str, work: str) -> Case:
    """Return one of ``RUNS``, which adds an array of 16 float32 to a variable; ten times in ``"ten updates"``."""
    return _eager(work) if series == "nbvars eager" else _in_graph(series, work)


def _in_graph(library: str, work: str) -> Case:
    tf = _graph_library(library)
    delta = np.ones(NUM_ELEMENTS, np.float32)
    with tf.Graph().as_default():
        # TensorFlow 1's own kind of variable; nbvars has one kind.
        variable = tf.Variable(np.zeros(NUM_ELEMENTS, np.float32), use_resource=False)
        fed = tf.placeholder(tf.float32, [NUM_ELEMENTS])
        added, fed_op = variable.assign_add(delta), variable.assign_add(fed).op
        ten = tf.group(*[variable.assign_add(delta) for _ in range(10)])
        opened = tf.Session()
    opened.run(variable.initializer)
    names = {"session": opened, "variable": variable, "op": added.op, "added": added, "ten": ten}
    names |= {"fed": fed, "fed_op": fed_op, "delta": delta}
    names |= {"call": opened.make_callable(added.op), "call_fed": opened.make_callable(fed_op, [fed])}
    return Case(RUNS[work], "session.run(variable)", **names)


def _eager(work: str) -> Case:
    variable = load("nbvars").Variable(np.zeros(NUM_ELEMENTS, np.float32))
    delta = np.ones(NUM_ELEMENTS, np.float32)

    def add_ten() -> None:
        for _ in range(10):
            variable.assign_add(delta)

    statement = _EAGER.get(work, "variable.assign_add(delta)")
    return Case(statement, "variable.numpy()", variable=variable, delta=delta, add_ten=add_ten)


def build_graph(series: str, num_ops: int) -> Case:
    """Return the building of a graph of ``num_ops`` additions; the state is how many operations it has."""
    tf = _graph_library(series)

    def build() -> int:
        with tf.Graph().as_default() as graph:
            x = tf.placeholder(tf.float32, [NUM_ELEMENTS])
            for _ in range(num_ops):
                x = tf.add(x, x)
        return len(graph.get_operations())

    return Case("size = build()", "size", build=build, size=0)


def _graph_library(library: str) -> Any:
    found = load(library)
    return found.compat.v1 if library == "tensorflow" else found
