"""The libraries that are compared: which are there, their versions, and how many processors they may use."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

import nbvars

PEERS = ("numpy", "torch", "tensorflow", "jax", "numexpr", "python")
"""``"python"`` stands for what a program without any library does."""


def library_of(series: str) -> str:
    """Return the library of a series such as ``"torch index_put_"``."""
    return series.partition(" ")[0]


def is_installed(library: str) -> bool:
    """Tell whether ``library`` can be imported."""
    return library == "python" or importlib.util.find_spec(library) is not None


def installed_peers() -> list[str]:
    """Return those of ``PEERS`` that can be imported."""
    return [library for library in PEERS if is_installed(library)]


def load(library: str) -> Any:
    """Import ``library`` and let it use as many threads as nbvars; TensorFlow and JAX keep to their first number."""
    num_threads = nbvars.get_num_threads()
    if library == "tensorflow":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if library == "jax":
        threads = f"--xla_cpu_multi_thread_eigen={'true' if num_threads > 1 else 'false'}"
        os.environ.setdefault("XLA_FLAGS", threads)
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with _quiet_stderr() if library == "tensorflow" and library not in sys.modules else contextlib.nullcontext():
        module = importlib.import_module(library)
    if library in ("torch", "numexpr"):
        module.set_num_threads(num_threads)
    elif library == "tensorflow":
        with contextlib.suppress(RuntimeError):  # it has begun already
            module.config.threading.set_intra_op_parallelism_threads(num_threads)
            module.config.threading.set_inter_op_parallelism_threads(1)
    return module


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Let nothing come out of stderr: TensorFlow's C++ code has much to say when it is imported."""
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def version_of(library: str) -> str:
    """Return the version of a library that is installed; this imports it."""
    return str(load(library).__version__)


def processors_at_hand() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def on_processors(count: int) -> Iterator[None]:
    """Keep this thread, and what it starts, on ``count`` processors, where the system can.

    JAX takes no number of threads, and the others not for all of their work: this holds for every library.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
