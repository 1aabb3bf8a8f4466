"""``GraphKeys``: the standard names of collections."""

from __future__ import annotations


class GraphKeys:
    """Standard names of graph collections.

    Source: TensorFlow API pages, ``tf.GraphKeys``.
    """

    GLOBAL_VARIABLES = "variables"
    VARIABLES = "variables"
    """TensorFlow 0.x's name of ``GLOBAL_VARIABLES``: the same collection."""
    TRAINABLE_VARIABLES = "trainable_variables"
    LOCAL_VARIABLES = "local_variables"
    MODEL_VARIABLES = "model_variables"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    REGULARIZATION_LOSSES = "regularization_losses"
    LOSSES = "losses"
    UPDATE_OPS = "update_ops"
    INIT_OP = "init_op"
    SUMMARIES = "summaries"
    GLOBAL_STEP = "global_step"
