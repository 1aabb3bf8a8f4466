"""How copies of a variable on several machines would be kept together: recorded, for TensorFlow's sake."""

from __future__ import annotations

import enum


class VariableSynchronization(enum.Enum):
    """When the copies of a distributed variable would be synchronised.

    Source: TensorFlow 1 API pages, ``tf.VariableSynchronization``.
    """

    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


class VariableAggregation(enum.Enum):
    """How the updates of the copies of a distributed variable would be put together.

    Source: TensorFlow 1 API pages, ``tf.VariableAggregation``.
    """

    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
