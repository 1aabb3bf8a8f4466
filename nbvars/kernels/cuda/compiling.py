"""Kernels to PTX, for any compute capability, without a GPU.

What numba-cuda has no public way for stands here, and nowhere else: its release is bounded by the extra ``cuda13``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from numba import from_dtype
from numba.cuda import compiler, dispatcher, types
from numba.cuda.core.compiler_lock import global_compiler_lock

from nbvars.kernels.cuda.signature import Pointer, Signature

_ENTRY = re.compile(r"\.visible \.entry (\w+)\(")


@contextmanager
def _as_if_on(capability: tuple[int, int]) -> Iterator[None]:
    """Have numba-cuda compile what kernels call for ``capability``: it would ask the current device for its own."""
    with global_compiler_lock:
        ask = dispatcher.get_current_device
        dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
        try:
            yield
        finally:
            dispatcher.get_current_device = ask


def compile_to_ptx(
    name: str, py_func: Callable[..., Any], signature: Signature, capability: tuple[int, int]
) -> tuple[str, str]:
    """Return the PTX of a kernel, and the name of its entry, which is ``name`` in letters that PTX allows."""
    parameters = [
        types.CPointer(from_dtype(kind.word)) if isinstance(kind, Pointer) else from_dtype(kind) for kind in signature
    ]
    with _as_if_on(capability):
        library, _ = compiler._compile_pyfunc_with_fixup(
            py_func, types.void(*parameters), cc=capability, device=False, abi="numba"
        )
        # x * y + z rounds twice, as it does on the CPU.
        library._nvvm_options["fma"] = False
        (ptx,) = library.get_asm_strs(cc=capability)
    mangled = _ENTRY.search(ptx)
    assert mangled, name
    entry = entry_of(name)
    return ptx.replace(mangled[1], entry), entry


def entry_of(name: str) -> str:
    """Return the name of a kernel's entry, which profilers show."""
    return re.sub(r"\W+", "_", name)
