"""Runs of a session: the same program by nbvars and by TensorFlow 1's API, beside eager calls and plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.bench.case import Case
from nbvars.bench.libraries import load

SERIES = ("nbvars", "nbvars eager", "tensorflow")
GRAPH_SERIES = ("nbvars", "tensorflow")
TRAINING_SERIES = ("nbvars", "numpy", "tensorflow")
NUM_ELEMENTS = 16
BATCH, FEATURES, CLASSES, RATE = 64, 64, 10, 0.1
"""The digits of scikit-learn: 8x8 pixels, ten classes."""

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


def training_step(series: str) -> Case:
    """Return a step of gradient descent of a softmax regression, the batch fed; by hand in NumPy."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((BATCH, FEATURES), np.float32), rng.integers(0, CLASSES, BATCH)
    start, names = rng.standard_normal((FEATURES, CLASSES), np.float32), {"images": images, "labels": labels}
    if series == "numpy":
        regression = _Regression(start)
        regression.train(images, labels)
        return Case("regression.train(images, labels)", "regression.weights", regression=regression, **names)
    tf = _graph_library(series)
    with tf.Graph().as_default():
        x, y = tf.placeholder(tf.float32, [None, FEATURES]), tf.placeholder(tf.int64, [None])
        weights = tf.Variable(start, use_resource=False)
        bias = tf.Variable(np.zeros(CLASSES, np.float32), use_resource=False)
        logits = tf.matmul(x, weights) + bias
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
        train = tf.train.GradientDescentOptimizer(RATE).minimize(loss)
        opened, initialize = tf.Session(), tf.global_variables_initializer()
    opened.run(initialize)
    opened.run(train, {x: images, y: labels})  # so that the next one depends on the bias
    names |= {"session": opened, "train": train, "x": x, "y": y, "weights": weights}
    return Case("session.run(train, {x: images, y: labels})", "session.run(weights)", **names)


class _Regression:
    """The step written out by who knows the gradient: what is left to graphs at best."""

    def __init__(self, start: npt.NDArray[np.float32]) -> None:
        self.weights = start
        self._bias = np.zeros(CLASSES, np.float32)

    def train(self, images: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> None:
        """Step against the gradient of the mean loss."""
        logits = images @ self.weights + self._bias
        grad = np.exp(logits - logits.max(-1, keepdims=True))
        grad /= grad.sum(-1, keepdims=True)
        grad[np.arange(len(labels)), labels] -= 1
        grad /= len(labels)
        self.weights -= RATE * (images.T @ grad)
        self._bias -= RATE * grad.sum(0)


def _graph_library(library: str) -> Any:
    found = load(library)
    return found.compat.v1 if library == "tensorflow" else found
