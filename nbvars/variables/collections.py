"""The standard collections of variables."""

from __future__ import annotations

from typing import Any

from nbvars.graph.graph import get_collection
from nbvars.graph.keys import GraphKeys


def global_variables(scope: str | None = None) -> list[Any]:
    """Return the variables of the default graph, in the order in which they were made.

    Args:
        scope: A regular expression that the beginning of a name must match.

    Source: TensorFlow 1 API pages, ``tf.global_variables``.
    """
    return get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def all_variables() -> list[Any]:
    """Return ``global_variables()``, by its name in TensorFlow 0.x.

    Source: TensorFlow 0.x API pages, ``tf.all_variables``.
    """
    return global_variables()


def trainable_variables(scope: str | None = None) -> list[Any]:
    """Return the variables made with ``trainable=True``: the default list of the optimizers.

    Source: TensorFlow 1 API pages, ``tf.trainable_variables``.
    """
    return get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def local_variables(scope: str | None = None) -> list[Any]:
    """Return the variables of ``GraphKeys.LOCAL_VARIABLES``.

    Source: TensorFlow 1 API pages, ``tf.local_variables``.
    """
    return get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Any]:
    """Return the variables of ``GraphKeys.MODEL_VARIABLES``.

    Source: TensorFlow 1 API pages, ``tf.model_variables``.
    """
    return get_collection(GraphKeys.MODEL_VARIABLES, scope)


def moving_average_variables(scope: str | None = None) -> list[Any]:
    """Return the variables that moving averages are kept of.

    Source: TensorFlow 1 API pages, ``tf.moving_average_variables``.
    """
    return get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)
