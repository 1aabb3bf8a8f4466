"""Which kernels there are: by op and dtype, to compile ahead of time, and on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nbvars.kernels.cpu import assign, cast, counter, fast_scatter, fast_updates, optimizer_steps, scatter
from nbvars.kernels.cpu.kernel_cache import KernelCache
from nbvars.kernels.elements import Element, element_of
from nbvars.kernels.step_rules import STEPS

_RULE_OF_OP = {"assign": "update", "assign_add": "add", "assign_sub": "sub"} | {
    f"scatter_{operation}": operation for operation in ("add", "div", "max", "min", "mul", "sub", "update")
}
_METHOD_OF_OP = {"assign": "assign", "assign_add": "add", "assign_sub": "sub", "count_up_to": "count"}
_STEP_OF_OP = {f"{name}_step{of}": name for name in STEPS for of in ("", "_rows")}
OPS = tuple(sorted([*_RULE_OF_OP, *_STEP_OF_OP, "cast", "count_up_to"]))


def kernels_to_compile(dtypes: Iterable[np.dtype[Any]], ops: Iterable[str]) -> list[Callable[[], object]]:
    """Return functions that each compile, or load, one kernel of ``ops`` for ``dtypes``; none is there twice.

    A dtype that does not have an op is passed over. ``cast`` is meant from each of ``dtypes`` to each other.
    """
    dtypes = list(dtypes)
    found: dict[Any, Callable[[], object]] = {}
    for op in ops:
        replace = fast_updates.in_machine_code.get(_METHOD_OF_OP.get(op, ""))
        if replace is not None:
            found[replace] = replace
        for dtype in dtypes:
            for factory, *arguments in _kernels_of(op, dtype, dtypes):
                found.setdefault((factory, *arguments), partial(factory, *arguments))
    return list(found.values())


def _kernels_of(op: str, dtype: np.dtype[Any], dtypes: list[np.dtype[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield ``(factory, *arguments)`` of each kernel."""
    if op == "cast":
        yield from ((cast.cast_kernel, dtype.name, to.name) for to in dtypes if cast.has_kernel(dtype, to))
    elif op == "count_up_to":
        if dtype.name in ("int32", "int64"):
            yield counter.count_up_to_entry, dtype
    elif op in _STEP_OF_OP:
        if dtype.kind in "fV":
            yield from _kernels_of_step(op, element_of("add", dtype))
    else:
        rule = _RULE_OF_OP[op]
        try:
            element = element_of(rule, dtype)
        except TypeError:
            return
        if op.startswith("scatter"):
            yield (scatter._first_outside_kernel,)
            yield scatter._rows_kernel, rule, element
            if not (rule == "div" and dtype.kind in "iu"):
                yield fast_scatter.fast_scatter_kernel, rule, element
        else:
            yield assign.dense_kernel, rule, element
            # The fast path of Variable: arrays of every dtype, numbers of those that hold Python's.
            yield fast_updates.fast_array_kernel, rule, element
            if dtype.kind in "iufV":
                yield fast_updates.fast_number_kernel, rule, dtype


def _kernels_of_step(op: str, element: Element) -> Iterator[tuple[Any, ...]]:
    if not op.endswith("_rows"):
        yield optimizer_steps._dense_kernel, _STEP_OF_OP[op], element
        return
    yield optimizer_steps._rows_kernel, _STEP_OF_OP[op], element
    # The values of rows that are named twice are added up first.
    yield (scatter._first_outside_kernel,)
    yield (optimizer_steps._group_kernel,)
    yield scatter._rows_kernel, "add", element


def cache_folder() -> Path:
    """Return the folder in which compiled kernels are kept between processes.

    Raises:
        RuntimeError: No folder can be written to.
    """
    return Path(KernelCache(scatter._first_outside).cache_path)
