"""Decompositions of matrices: what their factors promise."""

from __future__ import annotations

import numpy as np
import pytest

from nbvars.dtypes import as_dtype
from nbvars.ops.decomposition_ops import qr

TOLERANCE = {"float16": 1e-2, "bfloat16": 5e-2, "float32": 1e-5, "float64": 1e-12, "complex64": 1e-5}


def matrices(rng, dtype, shape):
    numbers = rng.standard_normal(shape)
    if dtype == "complex64":
        numbers = numbers + 1j * rng.standard_normal(shape)
    return numbers.astype(as_dtype(dtype).numpy_dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (1, 1), (2, 5, 3)])
@pytest.mark.parametrize("full_matrices", [False, True])
def test_the_factors_of_qr_give_the_matrix_back(rng, dtype, shape, full_matrices):
    x = matrices(rng, dtype, shape)
    q, r = qr(x, full_matrices)
    assert q.dtype == r.dtype == dtype
    exact = np.complex128 if dtype == "complex64" else np.float64
    q, r = q.numpy().astype(exact), r.numpy().astype(exact)
    inner = shape[-2] if full_matrices else min(shape[-2:])
    assert q.shape == (*shape[:-1], inner)
    assert r.shape == (*shape[:-2], inner, shape[-1])
    np.testing.assert_allclose(q @ r, x.astype(exact), rtol=0, atol=4 * TOLERANCE[dtype])
    gram = np.conj(np.swapaxes(q, -1, -2)) @ q
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(inner), gram.shape), rtol=0, atol=2 * TOLERANCE[dtype])
    assert not np.tril(r, -1).any()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 2, 2)])
def test_qr_of_nothing_is_nothing(shape):
    q, r = qr(np.zeros(shape, np.float32))
    inner = min(shape[-2:])
    assert q.numpy().shape == (*shape[:-1], inner)
    assert r.numpy().shape == (*shape[:-2], inner, shape[-1])


def test_qr_refuses_integers():
    with pytest.raises(TypeError, match=r"qr: input has the wrong dtype: got int32, expected a floating or complex"):
        qr([[1, 2], [3, 4]])


@pytest.mark.parametrize("x", [1.0, [1.0, 2.0]])
def test_qr_refuses_what_is_no_matrix(x):
    with pytest.raises(ValueError, match=r"qr: input has the wrong rank: got [01], expected 2 or more"):
        qr(x)
