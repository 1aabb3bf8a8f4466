"""Updates of rows of a table: ``scatter_sub`` and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.bench.arrays import as_torch, jax_step, numpy_dtype, torch_state
from nbvars.bench.case import Case
from nbvars.bench.libraries import library_of, load

SERIES = ("nbvars", "numpy", "torch", "torch index_put_", "tensorflow", "jax")
OPERATIONS = ("sub", "add", "update", "mul", "div", "min", "max")

_NUMPY = {"sub": "subtract", "mul": "multiply", "div": "divide", "min": "minimum", "max": "maximum"}
_TORCH = {
    "sub": "state.index_add_(0, indices, values, alpha=-1)",
    "add": "state.index_add_(0, indices, values)",
    "update": "state.index_copy_(0, indices, values)",
    "mul": "state.index_reduce_(0, indices, values, 'prod')",
    "min": "state.index_reduce_(0, indices, values, 'amin')",
    "max": "state.index_reduce_(0, indices, values, 'amax')",
}
_JAX = {"update": "set", "mul": "multiply", "div": "divide"}


def scatter(
    series: str,
    operation: str,
    num_rows: int,
    width: int,
    num_slices: int,
    distribution: str = "uniform",
    dtype: str = "float32",
    index_dtype: str = "int64",
) -> Case:
    """Return one update of a table of shape ``[num_rows, width]``, or of a vector if ``width`` is 1."""
    row = (width,) if width > 1 else ()  # each library does best with a plain vector
    table = np.ones((num_rows, *row), numpy_dtype(dtype))
    indices = indices_of(distribution, num_rows, num_slices).astype(index_dtype)
    values = _values(operation, (num_slices, *row), dtype)
    return _MAKERS[library_of(series)](series, operation, table, indices, values)


def indices_of(distribution: str, num_rows: int, num_slices: int) -> npt.NDArray[np.int64]:
    """Return indices: ``"unique"``, ``"uniform"`` or ``"zipf"`` (exponent 1.1)."""
    rng = np.random.default_rng(0)
    if distribution == "unique":
        return rng.permutation(num_rows)[:num_slices]
    if distribution == "uniform":
        return rng.integers(0, num_rows, num_slices)
    cumulated = np.cumsum(np.arange(1, num_rows + 1) ** -1.1)
    ranks = np.searchsorted(cumulated / cumulated[-1], rng.random(num_slices))
    return rng.permutation(num_rows)[np.minimum(ranks, num_rows - 1)]


def _values(operation: str, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    rng = np.random.default_rng(1)
    if operation in ("mul", "div"):
        # Signs: however often the update is made, nothing overflows or vanishes.
        return (1 - 2 * rng.integers(0, 2, shape, np.int8)).astype(numpy_dtype(dtype))
    if numpy_dtype(dtype).kind == "i":
        return rng.integers(-9, 10, shape, dtype)
    return rng.standard_normal(shape, np.float32).astype(numpy_dtype(dtype))


def _nbvars(
    series: str, operation: str, table: npt.NDArray[Any], indices: npt.NDArray[Any], values: npt.NDArray[Any]
) -> Case:
    tf = load("nbvars")
    variable, slices = tf.Variable(table), tf.IndexedSlices(values, indices)
    return Case(f"variable.scatter_{operation}(slices)", "variable.numpy()", variable=variable, slices=slices)


def _numpy(
    series: str, operation: str, table: npt.NDArray[Any], indices: npt.NDArray[Any], values: npt.NDArray[Any]
) -> Case:
    name = _NUMPY.get(operation, operation)
    statement = "table[indices] = values" if operation == "update" else f"np.{name}.at(table, indices, values)"
    return Case(statement, "table", np=np, table=table, indices=indices, values=values)


def _torch(
    series: str, operation: str, table: npt.NDArray[Any], indices: npt.NDArray[Any], values: npt.NDArray[Any]
) -> Case:
    statement = _TORCH[operation]
    if operation == "update":
        indices = indices.astype(np.int64)  # index_copy_ takes no other
    names = {"state": as_torch(table), "indices": as_torch(indices), "values": as_torch(values)}
    if series == "torch index_put_":
        statement = "state.index_put_((indices,), minus_values, accumulate=True)"
        names["minus_values"] = -names.pop("values")
    return Case(statement, "read(state)", read=torch_state, **names)


def _tensorflow(
    series: str, operation: str, table: npt.NDArray[Any], indices: npt.NDArray[Any], values: npt.NDArray[Any]
) -> Case:
    tf = load("tensorflow")
    slices = tf.IndexedSlices(tf.constant(values), tf.constant(indices))
    variable = tf.Variable(table)
    return Case(f"variable.scatter_{operation}(slices)", "variable.numpy()", variable=variable, slices=slices)


def _jax(
    series: str, operation: str, table: npt.NDArray[Any], indices: npt.NDArray[Any], values: npt.NDArray[Any]
) -> Case:
    def update(table: Any, indices: Any, values: Any) -> Any:
        rows = table.at[indices]
        return rows.add(-values) if operation == "sub" else getattr(rows, _JAX.get(operation, operation))(values)

    # The table is donated: updated in place.
    wide = table.dtype.itemsize == 8
    step, (state, rows, given) = jax_step(update, [table, indices, values], wide, donate_argnums=0)
    statement = "state = step(state, rows, values).block_until_ready()"
    return Case(statement, "state", step=step, state=state, rows=rows, values=given)


_MAKERS = {"nbvars": _nbvars, "numpy": _numpy, "torch": _torch, "tensorflow": _tensorflow, "jax": _jax}
