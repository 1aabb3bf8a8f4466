"""The work that is measured: one update, made by any of the libraries, with its result checked against NumPy."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

LIBRARIES = ["nbvars", "numpy", "torch", "tensorflow", "jax"]


class Case(NamedTuple):
    """One update by one library: ``run`` makes it, and ends when it is done; ``read`` gives the state as an array."""

    run: Callable[[], Any]
    read: Callable[[], np.ndarray]


def is_installed(library: str) -> bool:
    """Tell whether ``library`` can be imported."""
    return importlib.util.find_spec(library) is not None


def load(library: str, num_threads: int = 1) -> Any:
    """Import ``library``, bound to ``num_threads`` threads."""
    if library == "torch":
        import torch

        torch.set_num_threads(num_threads)
        return torch
    if library == "tensorflow":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow

        try:
            tensorflow.config.threading.set_intra_op_parallelism_threads(num_threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:  # it has run already, with the threads set then
            pass
        return tensorflow
    if library == "jax":
        os.environ.setdefault("XLA_FLAGS", f"--xla_cpu_multi_thread_eigen={'true' if num_threads > 1 else 'false'}")
        import jax

        return jax
    import nbvars

    nbvars.set_num_threads(num_threads)
    return nbvars


def dense(library: str, operation: str, update: str, num_elements: int) -> Case:
    """``assign``, ``assign_add`` or ``assign_sub`` of float32 by a ``"number"`` or an ``"array"``."""
    start = np.zeros(num_elements, np.float32)
    array = np.linspace(0, 1, num_elements, dtype=np.float32)
    number = 0.5
    delta: Any = number if update == "number" else array
    if library == "nbvars":
        variable = load(library).Variable(start)
        method = getattr(variable, operation)
        return Case(lambda: method(delta), variable.numpy)
    if library == "numpy":
        if operation == "assign":
            return Case(lambda: np.copyto(start, delta), start.copy)
        function = {"assign_add": np.add, "assign_sub": np.subtract}[operation]
        return Case(lambda: function(start, delta, out=start), start.copy)
    if library == "torch":
        tensor = load(library).from_numpy(start)
        method = getattr(tensor, {"assign": "copy_", "assign_add": "add_", "assign_sub": "sub_"}[operation])
        if update == "array":
            delta = load(library).from_numpy(array)
        elif operation == "assign":
            method = tensor.fill_
        return Case(lambda: method(delta), lambda: tensor.numpy().copy())
    if library == "tensorflow":
        tensorflow = load(library)
        variable = tensorflow.Variable(start)
        method = getattr(variable, operation)
        delta = tensorflow.constant(array if update == "array" else np.full_like(start, number))
        return Case(lambda: method(delta), lambda: variable.numpy().copy())
    jax = load(library)
    state = [jax.numpy.asarray(start)]
    given = jax.numpy.asarray(delta, "float32")
    rule = {"assign": lambda x, y: y + 0 * x, "assign_add": lambda x, y: x + y, "assign_sub": lambda x, y: x - y}
    step = jax.jit(rule[operation], donate_argnums=0)

    def run() -> None:
        state[0] = step(state[0], given).block_until_ready()

    return Case(run, lambda: np.array(state[0]))


def indices_of(distribution: str, num_rows: int, num_slices: int) -> np.ndarray:
    """Return int64 indices: ``"unique"``, ``"uniform"`` or ``"zipf"`` (exponent 1.1)."""
    rng = np.random.default_rng(0)
    if distribution == "unique":
        return rng.permutation(num_rows)[:num_slices]
    if distribution == "uniform":
        return rng.integers(0, num_rows, num_slices)
    cumulated = np.cumsum(np.arange(1, num_rows + 1) ** -1.1)
    ranks = np.searchsorted(cumulated / cumulated[-1], rng.random(num_slices))
    return rng.permutation(num_rows)[np.minimum(ranks, num_rows - 1)]


def scatter_sub(library: str, num_rows: int, width: int, num_slices: int, distribution: str) -> Case:
    """``scatter_sub`` of float32 slices from a table of shape ``[num_rows, width]``, or a vector if ``width`` is 1."""
    row = (width,) if width > 1 else ()  # each library does best with a plain vector
    table = np.ones((num_rows, *row), np.float32)
    indices = indices_of(distribution, num_rows, num_slices)
    values = np.random.default_rng(1).standard_normal((num_slices, *row), dtype=np.float32)
    if library == "nbvars":
        nbvars = load(library)
        variable = nbvars.Variable(table)
        slices = nbvars.IndexedSlices(values, indices)
        return Case(lambda: variable.scatter_sub(slices), variable.numpy)
    if library == "numpy":
        return Case(lambda: np.subtract.at(table, indices, values), table.copy)
    if library == "torch":
        torch = load(library)
        tensor, rows, update = torch.from_numpy(table), torch.from_numpy(indices), torch.from_numpy(values)
        return Case(lambda: tensor.index_add_(0, rows, update, alpha=-1), lambda: tensor.numpy().copy())
    if library == "tensorflow":
        tensorflow = load(library)
        variable = tensorflow.Variable(table)
        slices = tensorflow.IndexedSlices(tensorflow.constant(values), tensorflow.constant(indices))
        return Case(lambda: variable.scatter_sub(slices), lambda: variable.numpy().copy())
    jax = load(library)
    state = [jax.numpy.asarray(table)]
    rows, update = jax.numpy.asarray(indices), jax.numpy.asarray(values)
    step = jax.jit(lambda table, rows, update: table.at[rows].add(-update), donate_argnums=0)

    def run() -> None:
        state[0] = step(state[0], rows, update).block_until_ready()

    return Case(run, lambda: np.array(state[0]))


def cast(library: str, source: str, target: str, num_elements: int) -> Case:
    """A cast to a new array; ``source`` and ``target`` are names of dtypes."""
    numbers = np.random.default_rng(0).standard_normal(num_elements) * 50
    array = numbers.astype(numpy_dtype(source))
    result: list[Any] = [None]
    if library == "nbvars":
        nbvars = load(library)
        tensor, wanted = nbvars.constant(array), nbvars.as_dtype(target)
        return Case(lambda: result.__setitem__(0, nbvars.cast(tensor, wanted)), lambda: np.asarray(result[0]))
    if library == "numpy":
        wanted = numpy_dtype(target)
        return Case(lambda: result.__setitem__(0, array.astype(wanted)), lambda: result[0])
    if library == "torch":
        torch = load(library)
        tensor = torch.from_numpy(array.view(np.int16) if source == "bfloat16" else array)
        tensor = tensor.view(torch.bfloat16) if source == "bfloat16" else tensor
        wanted = getattr(torch, target)

        def read() -> np.ndarray:
            if target == "bfloat16":
                return result[0].view(torch.int16).numpy().view(ml_dtypes.bfloat16)
            return result[0].numpy()

        return Case(lambda: result.__setitem__(0, tensor.to(wanted)), read)
    if library == "tensorflow":
        tensorflow = load(library)
        tensor = tensorflow.constant(array)

        def read_tensor() -> np.ndarray:
            return result[0].numpy()

        return Case(lambda: result.__setitem__(0, tensorflow.cast(tensor, target)), read_tensor)
    jax = load(library)
    tensor = jax.numpy.asarray(array)
    step = jax.jit(lambda x: x.astype(target))
    return Case(lambda: result.__setitem__(0, step(tensor).block_until_ready()), lambda: np.asarray(result[0]))


def numpy_dtype(name: str) -> np.dtype:
    """Return the NumPy dtype of that name."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


class LockCounter:
    """What a Python program would use: an int behind a ``threading.Lock``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0

    def count_up_to(self, limit: int) -> int:
        """Return the next count below ``limit``."""
        with self._lock:
            before = self._next
            if before >= limit:
                raise StopIteration
            self._next = before + 1
        return before


def counter(library: str) -> Any:
    """Return an object with ``count_up_to``: a variable, or a ``LockCounter`` for ``"python"``."""
    if library == "python":
        return LockCounter()
    nbvars = load("nbvars")
    return nbvars.Variable(0, dtype="int64", trainable=False)


def expect_equal(library: str, case: Case, expected: Case, rtol: float = 1e-5) -> None:
    """Make one update in both cases and raise unless the results agree; exactly, for nbvars.

    XLA and Eigen may add repeated rows in another order.
    """
    case.run()
    expected.run()
    got, wanted = (np.asarray(state, np.float64) for state in (case.read(), expected.read()))
    if library == "nbvars":
        rtol = 0.0
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol, err_msg=library)
