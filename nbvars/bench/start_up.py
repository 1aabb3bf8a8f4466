"""Fresh processes: how long a program takes that imports a library, and makes one update."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from nbvars.bench.case import Case

SERIES = ("nbvars", "numpy", "torch", "tensorflow", "jax")
WORK = ("import", "first update", "first update, empty cache")

_ONES = "import numpy as np; delta = np.ones(16, np.float32)"
_FIRST_UPDATE = {
    "nbvars": f"{_ONES}; import nbvars; v = nbvars.Variable(0 * delta); v.assign_add(delta); print(v.numpy().sum())",
    "numpy": f"{_ONES}; v = 0 * delta; v += delta; print(v.sum())",
    "torch": "import torch; v = torch.zeros(16); v.add_(torch.ones(16)); print(v.sum().item())",
    "tensorflow": f"{_ONES}; import tensorflow as tf; v = tf.Variable(0 * delta); v.assign_add(delta); "
    "print(v.numpy().sum())",
    "jax": f"{_ONES}; import jax; step = jax.jit(lambda v, delta: v + delta, donate_argnums=0); "
    "print(step(jax.numpy.zeros(16), delta).sum())",
}


def start_up(series: str, work: str) -> Case:
    """Return one run of a new Python; the state is what its program printed."""
    program = f"import {series}; print(0)" if work == "import" else _FIRST_UPDATE[series]
    statement = "printed = run_without_cache(program)" if work.endswith("empty cache") else "printed = run(program)"
    names = {"run": _run, "run_without_cache": _run_without_cache}
    return Case(statement, "float(printed)", program=program, printed="", **names)


def _run(program: str, **environment: str) -> str:
    given = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", **environment}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"a new Python failed: {(done.stderr or 'no message').strip().splitlines()[-1]}")
    return done.stdout


def _run_without_cache(program: str) -> str:
    with tempfile.TemporaryDirectory(prefix="nbvars_bench_") as folder:
        return _run(program, NUMBA_CACHE_DIR=folder)
