"""Giving variables their initial values, and asking which have one.

Eager variables have their value from the start. The functions pass over them, so that one program suits both modes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nbvars import dtypes
from nbvars.checks import message
from nbvars.graph.graph import Graph
from nbvars.graph.mode import executing_eagerly
from nbvars.graph.tensor import GraphTensor, Symbolic, Tensor
from nbvars.ops.array_ops import rank
from nbvars.ops.grouping_ops import group
from nbvars.ops.indexing_ops import boolean_mask
from nbvars.ops.joining_ops import stack
from nbvars.ops.math_ops import logical_not
from nbvars.ops.variable_nodes import add_is_initialized, reference_of
from nbvars.runtime.building import entered
from nbvars.runtime.conversion import convert_to_tensor
from nbvars.runtime.tensor import EagerTensor
from nbvars.variables.collections import global_variables, local_variables
from nbvars.variables.variable import Variable


def variables_initializer(var_list: Iterable[Any], name: str = "init") -> Any:
    """Return an operation that gives the variables of ``var_list`` their initial values.

    They get them in the order in which the variables were made; ``None`` in eager mode.

    Raises:
        TypeError: An element is no variable.
        ValueError: The variables are of more than one graph.

    Source: TensorFlow 1 API pages, ``tf.variables_initializer``.
    """
    initializers = []
    for variable in var_list:
        if not isinstance(variable, Variable):
            wrong = "an element of var_list has no initializer"
            raise TypeError(message("variables_initializer", wrong, repr(variable), "variables"))
        if isinstance(variable, Symbolic):
            initializers.append(variable.initializer)  # type: ignore[attr-defined]
    return group(*initializers, name=name)


def initialize_variables(var_list: Iterable[Any], name: str = "init") -> Any:
    """Return ``variables_initializer(var_list, name)``, by its name in TensorFlow 0.x.

    Source: TensorFlow 0.x API pages, ``tf.initialize_variables``.
    """
    return variables_initializer(var_list, name)


def global_variables_initializer() -> Any:
    """Return an operation that gives all ``global_variables()`` their initial values; ``None`` in eager mode.

    Source: TensorFlow 1 API pages, ``tf.global_variables_initializer``.
    """
    return None if executing_eagerly() else variables_initializer(global_variables())


def initialize_all_variables() -> Any:
    """Return ``global_variables_initializer()``, by its name in TensorFlow 0.x.

    Source: TensorFlow 0.x API pages, ``tf.initialize_all_variables``.
    """
    return global_variables_initializer()


def local_variables_initializer() -> Any:
    """Return an operation that gives all ``local_variables()`` their initial values; ``None`` in eager mode.

    Source: TensorFlow 1 API pages, ``tf.local_variables_initializer``.
    """
    return None if executing_eagerly() else variables_initializer(local_variables())


def initialize_local_variables() -> Any:
    """Return ``local_variables_initializer()``, by its name in TensorFlow 0.x.

    Source: TensorFlow 0.x API pages, ``tf.initialize_local_variables``.
    """
    return local_variables_initializer()


def report_uninitialized_variables(
    var_list: Iterable[Any] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """Return the names of the variables that have no value, as a vector of strings; in eager mode an empty one.

    Args:
        var_list: Variables; ``global_variables() + local_variables()`` if not given.
        name: Name of the scope of the operations.

    Source: TensorFlow 1 API pages, ``tf.report_uninitialized_variables``.
    """
    references = _references("report_uninitialized_variables", var_list)
    if not references and executing_eagerly():
        return EagerTensor(np.empty(0, object), dtypes.string)
    if not references:
        return convert_to_tensor([], dtypes.string, name)
    graph = references[0].graph
    with entered(graph), graph.name_scope(name):
        has_no_value = logical_not(stack([add_is_initialized(reference, None) for reference in references]))
        return boolean_mask([reference.op.name for reference in references], has_no_value)


def assert_variables_initialized(var_list: Iterable[Any] | None = None) -> Any:
    """Return a tensor whose run is a ``FailedPreconditionError`` if a variable has no value.

    Args:
        var_list: Variables; ``global_variables() + local_variables()`` if not given.

    Returns:
        The tensor, or ``None`` if there are no variables of a graph.

    Source: TensorFlow 1 API pages, ``tf.assert_variables_initialized``.
    """
    references = _references("assert_variables_initialized", var_list)
    if not references:
        return None
    graph: Graph = references[0].graph
    with entered(graph):
        ranks = [rank(reference) for reference in references]
        return ranks[0] if len(ranks) == 1 else stack(ranks)


def _references(where: str, var_list: Iterable[Any] | None) -> list[GraphTensor]:
    """Return the references to the variables that may be without a value, each once."""
    if var_list is None:
        var_list = [] if executing_eagerly() else global_variables() + local_variables()
    found = [each for each in var_list if isinstance(each, Symbolic) or not isinstance(each, Variable)]
    return list(dict.fromkeys(reference_of(where, each) for each in found))
