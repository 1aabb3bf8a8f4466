"""Dense updates of a float32 variable: ``assign``, ``assign_add`` and ``assign_sub``, by a number or by an array."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.bench.case import Case
from nbvars.bench.libraries import load

SERIES = ("nbvars", "numpy", "torch", "tensorflow", "jax", "numexpr")
NUMBER = 0.5

# The shortest way to write the update, which is also the fastest, in each library.
_NUMPY = {"assign": "state[...] = delta", "assign_add": "state += delta", "assign_sub": "state -= delta"}
_TORCH = {"assign": "state.copy_(delta)", "assign_add": "state.add_(delta)", "assign_sub": "state.sub_(delta)"}
_NUMEXPR = {"assign": "delta", "assign_add": "state + delta", "assign_sub": "state - delta"}


def dense(series: str, operation: str, by: str, num_elements: int, use_locking: bool = False) -> Case:
    """Return one update by a ``"number"`` or an ``"array"``; ``use_locking`` puts other libraries behind a lock."""
    state = np.zeros(num_elements, np.float32)
    array = np.linspace(0, 1, num_elements, dtype=np.float32)
    if series == "nbvars":
        locking = ", use_locking=True" if use_locking else ""
        variable = load(series).Variable(state)
        delta = array if by == "array" else NUMBER
        return Case(f"variable.{operation}(delta{locking})", "variable.numpy()", variable=variable, delta=delta)
    statement, names = _MAKERS[series](operation, by, state, array)
    if use_locking and series != "tensorflow":  # whose variables always lock
        statement, names["lock"] = f"with lock:\n    {statement}", threading.Lock()
    return Case(statement, "variable.numpy()" if series == "tensorflow" else "state", **names)


def _numpy(operation: str, by: str, state: npt.NDArray[Any], array: npt.NDArray[Any]) -> tuple[str, dict[str, Any]]:
    statement = "state.fill(delta)" if (operation, by) == ("assign", "number") else _NUMPY[operation]
    return statement, {"state": state, "delta": array if by == "array" else NUMBER}


def _torch(operation: str, by: str, state: npt.NDArray[Any], array: npt.NDArray[Any]) -> tuple[str, dict[str, Any]]:
    tensor = load("torch").from_numpy
    statement = "state.fill_(delta)" if (operation, by) == ("assign", "number") else _TORCH[operation]
    return statement, {"state": tensor(state), "delta": tensor(array) if by == "array" else NUMBER}


def _tensorflow(
    operation: str, by: str, state: npt.NDArray[Any], array: npt.NDArray[Any]
) -> tuple[str, dict[str, Any]]:
    tf = load("tensorflow")
    delta = tf.constant(array if by == "array" else np.full_like(state, NUMBER))  # it broadcasts no number
    return f"variable.{operation}(delta)", {"variable": tf.Variable(state), "delta": delta}


def _jax(operation: str, by: str, state: npt.NDArray[Any], array: npt.NDArray[Any]) -> tuple[str, dict[str, Any]]:
    jax = load("jax")
    rules = {
        "assign": lambda state, delta: jax.numpy.broadcast_to(delta, state.shape).copy(),
        "assign_add": lambda state, delta: state + delta,
        "assign_sub": lambda state, delta: state - delta,
    }
    names = {
        "step": jax.jit(rules[operation], donate_argnums=0, keep_unused=True),  # donated: updated in place
        "state": jax.numpy.asarray(state),
        "delta": jax.numpy.asarray(array if by == "array" else NUMBER, "float32"),
    }
    return "state = step(state, delta).block_until_ready()", names


def _numexpr(operation: str, by: str, state: npt.NDArray[Any], array: npt.NDArray[Any]) -> tuple[str, dict[str, Any]]:
    names = {"state": state, "delta": array if by == "array" else np.float32(NUMBER)}
    evaluate = load("numexpr").evaluate
    return f"evaluate({_NUMEXPR[operation]!r}, arrays, out=state)", {**names, "arrays": names, "evaluate": evaluate}


_MAKERS = {"numpy": _numpy, "torch": _torch, "tensorflow": _tensorflow, "jax": _jax, "numexpr": _numexpr}
