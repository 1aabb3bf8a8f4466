"""Decompositions of matrices."""

from __future__ import annotations

import numpy as np

from nbvars.checks import expect_dtype_in
from nbvars.graph.tensor import Tensor, TensorValue
from nbvars.ops.rows import FLOATING_OR_COMPLEX, HALVES
from nbvars.ops.shape_rules import check_rank_at_least
from nbvars.runtime.definition import Array, OpDefinition, TensorSpec
from nbvars.runtime.dispatch import apply_op_to_many


def _infer_qr(x: TensorSpec, full_matrices: bool) -> tuple[TensorSpec, TensorSpec]:
    expect_dtype_in("qr", "input", x.dtype, FLOATING_OR_COMPLEX, FLOATING_OR_COMPLEX.described)
    check_rank_at_least("qr", "input", x.shape, 2)
    if x.shape is None:
        return x, x
    *batch, rows, columns = x.shape
    inner = rows
    if not full_matrices:
        inner = None if rows is None or columns is None else min(rows, columns)
    return TensorSpec((*batch, rows, inner), x.dtype), TensorSpec((*batch, inner, columns), x.dtype)


def _qr(x: Array, full_matrices: bool) -> tuple[Array, Array]:
    # LAPACK knows no 16-bit types.
    exact = x.astype(np.float32) if x.dtype in HALVES else x
    q, r = np.linalg.qr(exact, "complete" if full_matrices else "reduced")
    return q.astype(x.dtype, copy=False), r.astype(x.dtype, copy=False)


QR = OpDefinition("Qr", _infer_qr, _qr)


def qr(input: TensorValue, full_matrices: bool = False, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Return ``q`` and ``r``: a matrix, or each of a batch, is ``q @ r``, with orthonormal columns in ``q``.

    Args:
        input: Floating or complex numbers of shape ``[..., m, n]``.
        full_matrices: Return ``q`` of shape ``[..., m, m]`` and ``r`` of ``[..., m, n]``, instead of
            ``[..., m, k]`` and ``[..., k, n]`` with ``k = min(m, n)``.
        name: Name of the op.

    Raises:
        TypeError: ``input`` has another dtype.
        ValueError: ``input`` has fewer than two axes.

    Source: TensorFlow 1 API pages, ``tf.linalg.qr``.
    """
    q, r = apply_op_to_many(QR, input, name=name, full_matrices=bool(full_matrices))
    return q, r
