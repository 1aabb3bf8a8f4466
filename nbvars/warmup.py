"""Compile kernels ahead of time, so that nothing waits for them later."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from nbvars.checks import message
from nbvars.dtypes import as_numeric_dtype
from nbvars.kernels.cpu.compiled import COMPILED
from nbvars.kernels.cpu.inventory import OPS, kernels_to_compile
from nbvars.progress import progress

DTYPES = ("float32", "float64", "int32", "int64", "float16", "bfloat16")


class WarmUp(NamedTuple):
    """What ``warmup`` did."""

    num_compiled: int
    num_loaded: int
    """Kernels that the cache on disk had."""
    seconds: float


def warmup(dtypes: Iterable[Any] = DTYPES, ops: Iterable[str] = OPS) -> WarmUp:
    """Compile every kernel of ``ops`` for ``dtypes``, and keep it on disk for later processes.

    What this process has compiled or loaded before is not counted again.

    Args:
        dtypes: What ``as_dtype`` takes. Kernels of ``cast`` are those from each of them to each other.
        ops: Names such as ``"scatter_sub"``; a dtype that does not have one is passed over.

    Raises:
        TypeError: A dtype is unknown.
        ValueError: An op is unknown.
    """
    numpy_dtypes = [as_numeric_dtype(dtype).numpy_dtype for dtype in dtypes]
    ops = list(ops)
    for op in ops:
        if op not in OPS:
            raise ValueError(message("warmup", "there is no such op", repr(op), f"one of {list(OPS)}"))
    kernels = kernels_to_compile(numpy_dtypes, ops)
    before, begin = len(COMPILED), time.perf_counter()
    for compile_or_load in progress(kernels, len(kernels), "kernel"):
        compile_or_load()
    new = COMPILED[before:]
    num_loaded = sum(kernel.from_cache for kernel in new)
    seconds = time.perf_counter() - begin
    return WarmUp(len(new) - num_loaded, num_loaded, seconds)
