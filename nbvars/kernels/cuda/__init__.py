"""Kernels for NVIDIA GPUs: the launchers of ``kernels.cpu``, for arrays in a GPU's memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbvars.kernels.cuda import assign, cast

KERNELS: dict[str, Callable[..., Any]] = {
    "assign": assign.assign,
    "assign_add": assign.assign_add,
    "assign_sub": assign.assign_sub,
    "cast": cast.cast,
}
