"""Gradients kept within bounds: by the norm of one tensor, or by that of all together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbvars.checks import message
from nbvars.graph.indexed_slices import IndexedSlices
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.constant_ops import ones_like
from nbvars.ops.indexing_ops import where
from nbvars.ops.math_ops import add_n, greater, is_finite, maximum, minimum, sqrt
from nbvars.ops.nn_ops import l2_loss
from nbvars.ops.reduction_ops import reduce_sum
from nbvars.runtime.building import op_scope
from nbvars.runtime.conversion import borrow


def clip_by_norm(t: Any, clip_norm: TensorValue, axes: Any = None, name: str | None = None) -> Any:
    """Scale ``t`` so that its Euclidean norm is at most ``clip_norm``; a shorter one is left as it is.

    Args:
        t: A floating tensor, or ``IndexedSlices``, of which the values are scaled.
        clip_norm: A positive scalar.
        axes: Axes over which norms are taken, all without.
        name: Name of the op.

    Source: TensorFlow 1 API pages, ``tf.clip_by_norm``.
    """
    if isinstance(t, IndexedSlices):
        return IndexedSlices(clip_by_norm(t.values, clip_norm, axes, name), t.indices, t._dense_shape)
    tensor = borrow(t)
    with op_scope(name, "clip_by_norm", tensor):
        squares = reduce_sum(tensor * tensor, axes, True)
        is_positive = greater(squares, 0)
        # The root of 0 has no gradient.
        norm = where(is_positive, sqrt(where(is_positive, squares, ones_like(squares))), squares)
        return tensor * clip_norm / maximum(norm, clip_norm)


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Tensor | None:
    """Return the Euclidean norm of all elements of a list of tensors; ``None`` if all of them are ``None``.

    Source: TensorFlow 1 API pages, ``tf.global_norm``.
    """
    values = [_values_of(each) for each in _listed("global_norm", t_list) if each is not None]
    if not values:
        return None
    with op_scope(name, "global_norm", *values):
        halves = [l2_loss(value) for value in values]
        return sqrt(add_n(halves) * 2.0)


def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: TensorValue, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Tensor | None]:
    """Scale all tensors of a list by one factor so that their norm together is at most ``clip_norm``.

    Args:
        t_list: Floating tensors, ``IndexedSlices`` and ``None``, which stays ``None``.
        clip_norm: A positive scalar.
        use_norm: The norm, if it is known: ``global_norm(t_list)``.
        name: Name of the op.

    Returns:
        The list of what has become of them, and the norm before; where that is not finite, they become NaN.

    Raises:
        TypeError: ``t_list`` is no list.

    Source: TensorFlow 1 API pages, ``tf.clip_by_global_norm``; Pascanu et al. 2012.
    """
    tensors = _listed("clip_by_global_norm", t_list)
    norm = global_norm(tensors, name) if use_norm is None else borrow(use_norm)
    if norm is None:
        return tensors, None
    with op_scope(name, "clip_by_global_norm", norm):
        factor = clip_norm * minimum(1.0 / norm, ones_like(norm) / clip_norm)
        factor = where(is_finite(norm), factor, norm - norm)
        return [_scaled(each, factor) for each in tensors], norm


def _scaled(each: Any, factor: Tensor) -> Any:
    if each is None:
        return None
    if isinstance(each, IndexedSlices):
        return IndexedSlices(each.values * factor, each.indices, each._dense_shape)
    return borrow(each) * factor


def _values_of(each: Any) -> Tensor:
    return each.values if isinstance(each, IndexedSlices) else borrow(each)


def _listed(op: str, t_list: Any) -> list[Any]:
    if not isinstance(t_list, (list, tuple)):
        raise TypeError(message(op, "t_list is no list", type(t_list).__name__, "a list of tensors"))
    return list(t_list)
