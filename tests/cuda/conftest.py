"""Tests of the CUDA backend: on a GPU, or with ``NUMBA_ENABLE_CUDASIM=1`` in numba-cuda's simulator."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

IS_SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
HAS_NUMBA_CUDA = importlib.util.find_spec("numba_cuda") is not None

Array = np.ndarray[Any, Any]


def _reason_to_skip() -> str:
    """Return why kernels cannot run here; ``""`` if they can."""
    if not HAS_NUMBA_CUDA:
        return "numba-cuda is not installed: pip install nbvars[test-cuda]"
    from nbvars.kernels.cuda.backend import backend

    return "" if backend.count_devices() else "no GPU, and no simulator: NUMBA_ENABLE_CUDASIM=1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here, compiled = Path(__file__).parent, Path(__file__).parent / "compiled"
    reason = _reason_to_skip()
    for item in items:
        if here in item.path.parents and item.get_closest_marker("gpu") and IS_SIMULATED:
            item.add_marker(pytest.mark.skip(reason="needs a GPU: run without NUMBA_ENABLE_CUDASIM"))
    if reason:
        for item in items:
            if here in item.path.parents and compiled not in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _cupy_in_the_simulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have dense mathematics in the simulator done by arrays that can do no more than CuPy's."""
    if not HAS_NUMBA_CUDA or "compiled" in request.path.parts:
        return
    from nbvars.kernels.cuda import dense
    from nbvars.kernels.cuda.toolkit import IS_SIMULATED

    if IS_SIMULATED:
        from tests.cuda import cupy_stand_in

        monkeypatch.setattr(dense, "array_module", cupy_stand_in.installed)


def run_on_gpu(op_type: str, ref: Array, *arguments: Any) -> Array:
    """Run the launcher of ``op_type`` on copies of the arrays on the GPU; return what it makes of ``ref``.

    What it returns, if anything, comes instead.
    """
    from nbvars import kernels
    from nbvars.kernels.cuda.memory import to_device

    on_gpu = [to_device(each, 0) if isinstance(each, np.ndarray) else each for each in (ref, *arguments)]
    result = kernels.find_kernel(op_type, "gpu")(*on_gpu)
    made = on_gpu[0] if result is None else result
    array: Array = made.copy_to_host() if hasattr(made, "copy_to_host") else made
    return array
