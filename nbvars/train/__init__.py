"""What goes with training: the global step, checkpoints, and graphs with their collections in files.

Source: TensorFlow 1 API pages, ``tf.train``.
"""

from __future__ import annotations

from typing import Any

from nbvars.train.checkpoint_initializers import init_from_checkpoint
from nbvars.train.checkpoint_reader import CheckpointReader
from nbvars.train.checkpoint_state import (
    CheckpointState,
    generate_checkpoint_state_proto,
    get_checkpoint_state,
    update_checkpoint_state,
)
from nbvars.train.checkpoints import (
    NewCheckpointReader,
    checkpoint_exists,
    get_checkpoint_mtimes,
    latest_checkpoint,
    list_variables,
    load_checkpoint,
    load_variable,
    remove_checkpoint,
)
from nbvars.train.global_step import (
    assert_global_step,
    create_global_step,
    get_global_step,
    get_or_create_global_step,
    global_step,
)
from nbvars.train.learning_rate_decay import (
    exponential_decay,
    inverse_time_decay,
    natural_exp_decay,
    piecewise_constant,
    polynomial_decay,
)
from nbvars.train.meta_graph import import_meta_graph
from nbvars.train.meta_graph_export import export_meta_graph
from nbvars.train.moving_averages import ExponentialMovingAverage
from nbvars.train.optimizer import Optimizer
from nbvars.train.optimizers import (
    AdadeltaOptimizer,
    AdagradOptimizer,
    AdamOptimizer,
    AdamWOptimizer,
    FtrlOptimizer,
    GradientDescentOptimizer,
    LazyAdamOptimizer,
    MomentumOptimizer,
    RMSPropOptimizer,
)
from nbvars.train.saver import Saver

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "AdamWOptimizer",
    "CheckpointReader",
    "CheckpointState",
    "ExponentialMovingAverage",
    "FtrlOptimizer",
    "GradientDescentOptimizer",
    "LazyAdamOptimizer",
    "MomentumOptimizer",
    "NewCheckpointReader",
    "Optimizer",
    "RMSPropOptimizer",
    "Saver",
    "assert_global_step",
    "checkpoint_exists",
    "create_global_step",
    "exponential_decay",
    "export_meta_graph",
    "generate_checkpoint_state_proto",
    "get_checkpoint_mtimes",
    "get_checkpoint_state",
    "get_global_step",
    "get_or_create_global_step",
    "global_step",
    "import_meta_graph",
    "init_from_checkpoint",
    "inverse_time_decay",
    "latest_checkpoint",
    "list_variables",
    "load_checkpoint",
    "load_variable",
    "natural_exp_decay",
    "piecewise_constant",
    "polynomial_decay",
    "remove_checkpoint",
    "update_checkpoint_state",
]


def __getattr__(name: str) -> Any:
    if name == "SaverDef":  # a message, so protobuf is imported when it is asked for
        from nbvars import proto

        return proto.message_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
