"""Compile a kernel on first use, keep it on disk, and hand out its entry point."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from numba import config, njit
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from nbvars.checks import message
from nbvars.kernels.cpu.kernel_cache import cache_for


class CompiledKernel(NamedTuple):
    """What ``python -m nbvars info`` tells of one kernel of this process."""

    name: str
    signature: str
    seconds: float
    from_cache: bool


COMPILED: list[CompiledKernel] = []


class _Thread(threading.local):
    """Numba cannot be interrupted by itself: it would call itself for ever, and crash."""

    is_compiling = False


_thread = _Thread()


if hasattr(os, "register_at_fork"):
    # A fork waits for a compilation of another thread: the child would wait for ever.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


@functools.cache
def machine() -> tuple[str, str, str]:
    """Return the triple, the processor and the features for which kernels are compiled."""
    with global_compiler_lock:  # LLVM has a lock, too
        return cpu_target.target_context.codegen().magic_tuple()


def is_compiling() -> bool:
    """Tell whether this is a signal handler whose thread compiles a kernel: another one must wait for later."""
    return _thread.is_compiling


def jit_closure(name: str, py_func: Callable[..., Any]) -> Any:
    """Return ``py_func``, which a factory made, jitted under a ``name`` that no other such function has.

    Kernels in the cache hold what they call under its name. Of two that came from different processes, one would run
    the other's function if both were called ``factory.<locals>.function``.
    """
    py_func.__name__ = py_func.__qualname__ = name
    return njit(error_model="numpy")(py_func)


def compile_kernel(name: str, py_func: Callable[..., Any], signature: Any, *, nogil: bool = True) -> Callable[..., Any]:
    """Return the entry point of ``py_func`` compiled for ``signature``: a C function.

    An entry point trusts its caller: it checks neither dtype nor rank nor layout. ``name`` tells the kernel from
    others that the same factory made.
    """
    if config.DISABLE_JIT:
        raise RuntimeError(message(name, "kernels cannot run without the JIT", "NUMBA_DISABLE_JIT=1", "it unset or 0"))
    if is_compiling():
        wrong = "a signal handler cannot compile a kernel while its thread compiles another"
        raise RuntimeError(message(name, wrong, "no such kernel yet", "nbvars.warmup() before signals come"))
    start = time.perf_counter()
    py_func.__qualname__ = name.replace(" ", "_")
    dispatcher = njit(nogil=nogil, error_model="numpy")(py_func)
    dispatcher._cache = cache_for(py_func)
    _thread.is_compiling = True
    try:
        with global_compiler_lock:  # for a fork to wait for: LLVM's own lock is taken at each of its functions
            dispatcher.compile(signature)
            overload = dispatcher.overloads[signature.args]
            address = overload.library.get_pointer_to_function(overload.fndesc.llvm_cfunc_wrapper_name)
    finally:
        _thread.is_compiling = False
    from_cache = bool(dispatcher.stats.cache_hits)
    COMPILED.append(CompiledKernel(name, str(signature), time.perf_counter() - start, from_cache))
    entry_point: Callable[..., Any] = overload.entry_point
    _addresses[entry_point] = address
    return entry_point


_addresses: dict[Callable[..., Any], int] = {}


def address_of(entry_point: Callable[..., Any]) -> int:
    """Return the address at which other machine code calls a kernel, by the values of its Numba types."""
    return _addresses[entry_point]
