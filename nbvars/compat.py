"""``compat.v1``, by which programs of TensorFlow 2 name TensorFlow 1: the library itself.

Both ``tf = tf.compat.v1`` and ``import nbvars.compat.v1 as tf`` work.
"""

from __future__ import annotations

import sys
from types import ModuleType

from nbvars.graph.mode import disable_eager_execution, enable_eager_execution

v1: ModuleType = sys.modules["nbvars"]
# Here the import system looks a module up first.
sys.modules[f"{__name__}.v1"] = v1


def disable_v2_behavior() -> None:
    """Make ops join the default graph: ``disable_eager_execution()``.

    Source: TensorFlow 2 API pages, ``tf.compat.v1.disable_v2_behavior``.
    """
    disable_eager_execution()


def enable_v2_behavior() -> None:
    """Make ops run at once: ``enable_eager_execution()``.

    Source: TensorFlow 2 API pages, ``tf.compat.v1.enable_v2_behavior``.
    """
    enable_eager_execution()
