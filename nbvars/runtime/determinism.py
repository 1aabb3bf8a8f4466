"""Whether updates of rows on a GPU add in a fixed order; on the CPU they always do."""

from __future__ import annotations

_is_enabled = False


def enable_deterministic_ops() -> None:
    """Have ops on a GPU give the same bits in every run; ``deterministic=False`` of one call undoes it for that.

    By default a scatter on a GPU adds slices of one row in whatever order they come. In a fixed order, that of the
    indices, it takes longer: they are sorted first. On the CPU the order is always fixed.

    Source: TensorFlow 2 API pages, ``tf.config.experimental.enable_op_determinism``.
    """
    global _is_enabled  # noqa: PLW0603 - one setting of the process
    _is_enabled = True


def disable_deterministic_ops() -> None:
    """Undo ``enable_deterministic_ops``."""
    global _is_enabled  # noqa: PLW0603
    _is_enabled = False


def is_deterministic(asked: bool | None = None) -> bool:
    """Return what a call ``asked`` for, and what was enabled if that is ``None``."""
    return _is_enabled if asked is None else asked
