"""What goes with training: the global step, and graphs with their collections in files.

Source: TensorFlow 1 API pages, ``tf.train``.
"""

from __future__ import annotations

from nbvars.train.global_step import (
    assert_global_step,
    create_global_step,
    get_global_step,
    get_or_create_global_step,
    global_step,
)
from nbvars.train.meta_graph import export_meta_graph, import_meta_graph

__all__ = [
    "assert_global_step",
    "create_global_step",
    "export_meta_graph",
    "get_global_step",
    "get_or_create_global_step",
    "global_step",
    "import_meta_graph",
]
