"""Which kernels there are for GPUs: all of them, to compile without one."""

from __future__ import annotations

import itertools
from operator import attrgetter

from nbvars.kernels.cuda import (
    assign,
    captured_steps,
    cast,
    counter,
    groups,
    optimizer_steps,
    row_steps,
    scatter,
    sorting,
)
from nbvars.kernels.cuda.launch import Kernel


def all_kernels() -> list[Kernel]:
    """Return every kernel, of every dtype, by name."""
    modules = (assign, captured_steps, cast, counter, groups, optimizer_steps, row_steps, scatter, sorting)
    kernels = itertools.chain.from_iterable(module.kernels_to_compile() for module in modules)
    return sorted(kernels, key=attrgetter("name"))
