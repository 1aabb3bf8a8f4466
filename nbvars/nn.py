"""The functions of neural networks, by TensorFlow's names in ``tf.nn``."""

from __future__ import annotations

from nbvars.ops.math_ops import tanh
from nbvars.ops.nn_ops import (
    bias_add,
    elu,
    l2_loss,
    log_softmax,
    relu,
    relu6,
    sigmoid,
    softmax,
    softplus,
    softsign,
)

__all__ = [
    "bias_add",
    "elu",
    "l2_loss",
    "log_softmax",
    "relu",
    "relu6",
    "sigmoid",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
]
