"""numba-cuda, at its first use: which of its two forms compiles kernels, and a clear error where it is missing.

With ``NUMBA_ENABLE_CUDASIM=1`` its simulator runs kernels as Python, on the memory of the host: slowly, and to the bit
like a GPU in all but the order of atomic updates. Nothing else of nbvars asks which of the two it is than this package.
"""

from __future__ import annotations

import importlib.util
import os

from nbvars.checks import message

EXTRA = "nbvars[cuda13], or nbvars[cuda12] for drivers of CUDA 12"


def _expect_numba_cuda() -> None:
    if importlib.util.find_spec("numba_cuda") is None:
        wrong, expected = "numba-cuda is missing", "the libraries of the extra `cuda13`"
        raise ImportError(message("CUDA", wrong, "no module numba_cuda", expected, f"pip install {EXTRA}"))


_expect_numba_cuda()

from numba import cuda  # noqa: E402 - Numba has a CUDA target of its own, which is deprecated: look for the other first

IS_SIMULATED: bool = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
"""Whether kernels run in numba-cuda's simulator."""

__all__ = ["EXTRA", "IS_SIMULATED", "cuda"]
