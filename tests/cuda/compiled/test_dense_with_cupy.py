"""Dense mathematics by the CuPy that is installed, with CUDA's calls taken out: see ``cupy_without_cuda.py``."""

from __future__ import annotations

import importlib.util
import textwrap
from pathlib import Path

import pytest

from tests.conftest import run_python

ROOT = Path(__file__).parents[3]

if importlib.util.find_spec("cupy") is None:
    pytest.skip("CuPy is not installed: pip install cupy-cuda13x", allow_module_level=True)


def test_every_op_finds_its_functions_and_gives_its_shape_and_dtype():
    code = """
        import os, sys
        sys.path.append({root!r})
        import numpy as np
        from tests.cuda import cupy_without_cuda
        cupy = cupy_without_cuda.install()

        import nbvars as tf
        from nbvars.ops import adjoint_ops, indexing_ops, math_ops
        from nbvars.runtime.cuda_dispatch import MADE_ON_HOST, OF_HOST
        from nbvars.runtime.quiet import quietly
        from tests.api.test_op_definitions import CASES, DEFINITIONS

        # Zeros are what every kernel leaves: no divisors, and of a count of elements none.
        math_ops.check_no_zero = lambda *_: None
        indexing_ops.check_indices = lambda *_: None
        indexing_ops.add_at = adjoint_ops.add_at = lambda *_: None  # a kernel of nbvars
        OPEN = ("Where", "BooleanMask", "StridedSlice", "GatherNd")
        # Thrust, by which unique sorts, asks CUDA by itself, and so do batches of cuSOLVER; that numbers are finite
        # a kernel would have to say.
        OTHERS = {{"Cast", "Eye", "Unique", "CheckNumerics", *OF_HOST, *MADE_ON_HOST}}

        def outputs(result):
            return result if isinstance(result, (tuple, list)) else [result]

        computed = set()
        for op_type, arrays, attrs in CASES:
            if op_type in OTHERS or (op_type == "Qr" and arrays[0].ndim > 2):
                continue
            half = tf.bfloat16.numpy_dtype
            arrays = [array.astype(np.float32) if array.dtype == half else array for array in arrays]
            given = [cupy.asarray(array) for array in arrays]
            got = outputs(quietly(DEFINITIONS[op_type].compute, *given, **attrs))
            expected = outputs(quietly(DEFINITIONS[op_type].compute, *arrays, **attrs))
            for one, other in zip(got, map(np.asarray, expected), strict=True):
                assert type(one) is cupy.ndarray, (op_type, type(one))
                is_cast_later = op_type == "SaturateCast"
                assert one.dtype == other.dtype or is_cast_later, (op_type, one.dtype, other.dtype, attrs)
                assert one.shape == other.shape or op_type in OPEN, (op_type, one.shape, other.shape, attrs)
                assert one.ndim == other.ndim, (op_type, one.shape, other.shape, attrs)
            computed.add(op_type)
        assert computed == set(DEFINITIONS) - OTHERS
        assert len(cupy_without_cuda.launches) > 1000
        os._exit(0)
    """
    run_python(textwrap.dedent(code.format(root=str(ROOT))), NUMBA_ENABLE_CUDASIM="0")
