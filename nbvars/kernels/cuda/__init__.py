"""Kernels for NVIDIA GPUs: the launchers of ``kernels.cpu``, for arrays in a GPU's memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from nbvars.kernels.cuda import assign, cast, counter, optimizer_steps, row_steps, scatter
from nbvars.kernels.step_rules import STEPS

KERNELS: dict[str, Callable[..., Any]] = {
    "assign": assign.assign,
    "assign_add": assign.assign_add,
    "assign_sub": assign.assign_sub,
    "cast": cast.cast,
    "count_up_to": counter.count_up_to,
    "scatter_add": scatter.scatter_add,
    "scatter_div": scatter.scatter_div,
    "scatter_max": scatter.scatter_max,
    "scatter_min": scatter.scatter_min,
    "scatter_mul": scatter.scatter_mul,
    "scatter_sub": scatter.scatter_sub,
    "scatter_update": scatter.scatter_update,
    **{f"{name}_step": partial(optimizer_steps.step, f"{name}_step", name) for name in STEPS},
    **{f"{name}_step_rows": partial(row_steps.step_rows, f"{name}_step_rows", name) for name in STEPS},
}
