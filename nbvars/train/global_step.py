"""The global step: the variable that counts the steps of a training."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from nbvars.checks import message
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.keys import GraphKeys
from nbvars.graph.mode import entered_graph
from nbvars.graph.tensor import Symbolic, Tensor
from nbvars.variables.distribution import VariableAggregation
from nbvars.variables.variable import Variable

_log = logging.getLogger("nbvars")


def create_global_step(graph: Graph | None = None) -> Variable:
    """Make the global step: an int64 variable ``global_step`` at 0, which is not trainable.

    It joins ``GLOBAL_VARIABLES`` and ``GLOBAL_STEP`` of ``graph``, or of the default graph.

    Raises:
        ValueError: There is one already.

    Source: TensorFlow 1 API pages, ``tf.train.create_global_step``.
    """
    if get_global_step(graph) is not None:
        wrong = '"global_step" already exists'
        raise ValueError(message("create_global_step", wrong, "a graph with one", "a graph without one"))
    if graph is not None:
        with entered_graph(graph):
            return _create(graph)
    return _create(get_default_graph())


def _create(graph: Graph) -> Variable:
    with graph.name_scope(None):
        step = Variable(
            lambda: np.zeros((), np.int64),
            trainable=False,
            collections=[GraphKeys.GLOBAL_VARIABLES],
            name=GraphKeys.GLOBAL_STEP,
            aggregation=VariableAggregation.ONLY_FIRST_REPLICA,
        )
    # Not weakly, as collections hold eager variables: the count must not start again when nobody looks.
    graph.add_to_collection(GraphKeys.GLOBAL_STEP, step)
    return step


def get_global_step(graph: Graph | None = None) -> Any:
    """Return the global step: that of the collection ``GLOBAL_STEP``, or else the tensor ``global_step:0``.

    Returns:
        The variable or tensor; ``None`` if there is none, or if the collection holds several.

    Raises:
        TypeError: It is no scalar of an integer dtype.

    Source: TensorFlow 1 API pages, ``tf.train.get_global_step``.
    """
    graph = graph or get_default_graph()
    found = graph.get_collection(GraphKeys.GLOBAL_STEP)
    if len(found) > 1:
        _log.error("get_global_step: the collection global_step holds several: got %s, expected one", found)
        return None
    if not found:
        try:
            found = [graph.get_tensor_by_name(f"{GraphKeys.GLOBAL_STEP}:0")]
        except KeyError:
            return None
    assert_global_step(found[0])
    return found[0]


def get_or_create_global_step(graph: Graph | None = None) -> Any:
    """Return ``get_global_step(graph)``, or ``create_global_step(graph)`` where there is none.

    Source: TensorFlow 1 API pages, ``tf.train.get_or_create_global_step``.
    """
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found


def assert_global_step(global_step_tensor: Any) -> None:
    """Raise ``TypeError`` unless ``global_step_tensor`` is a variable or tensor, scalar and of an integer dtype.

    Source: TensorFlow 1 API pages, ``tf.train.assert_global_step``.
    """
    step, where = global_step_tensor, "assert_global_step"
    if not isinstance(step, (Variable, Tensor)):
        wrong = 'Existing "global_step" must be a Variable or Tensor'
        raise TypeError(message(where, wrong, repr(step), "a Variable or Tensor"))
    if not step.dtype.base_dtype.is_integer:
        wrong = 'Existing "global_step" does not have integer type'
        raise TypeError(message(where, wrong, step.dtype, "an integer dtype"))
    if step.shape.ndims != 0 and step.shape.is_fully_defined():
        raise TypeError(message(where, 'Existing "global_step" is not scalar', step.shape, "()"))


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """Return the value of the global step in ``sess`` as an ``int``; of an eager one without a session.

    Args:
        sess: A ``Session``.
        global_step_tensor: The variable or tensor, or its name.

    Source: TensorFlow 1 API pages, ``tf.train.global_step``.
    """
    is_eager = isinstance(global_step_tensor, (Variable, Tensor)) and not isinstance(global_step_tensor, Symbolic)
    return int(global_step_tensor if is_eager else sess.run(global_step_tensor))
