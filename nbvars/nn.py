"""The functions of neural networks, by TensorFlow's names in ``tf.nn``."""

from __future__ import annotations

from nbvars.ops.embedding_ops import embedding_lookup
from nbvars.ops.loss_ops import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits,
    sparse_softmax_cross_entropy_with_logits,
)
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
    "embedding_lookup",
    "l2_loss",
    "log_softmax",
    "relu",
    "relu6",
    "sigmoid",
    "sigmoid_cross_entropy_with_logits",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "softplus",
    "softsign",
    "sparse_softmax_cross_entropy_with_logits",
    "tanh",
]
