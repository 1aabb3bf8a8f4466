"""Casts of large arrays: to a new array, and into one that is there."""

from __future__ import annotations

import numpy as np

from nbvars.bench.arrays import as_torch, jax_step, numpy_dtype, torch_state
from nbvars.bench.case import Case
from nbvars.bench.libraries import load

SERIES = ("nbvars", "numpy", "torch", "tensorflow", "jax")
SERIES_WITH_OUT = ("nbvars", "numpy", "torch")


def cast(series: str, source: str, target: str, num_elements: int, into: bool = False) -> Case:
    """Return a cast between the dtypes of those names; ``into`` an array that is there, or to a new one."""
    # Numbers that every dtype has room for, so that every library must give the same.
    numbers = np.random.default_rng(0).random(num_elements, np.float32) * 100
    x = numbers.astype(numpy_dtype(source))
    out = np.zeros(num_elements, numpy_dtype(target))
    if series == "nbvars":
        nbvars = load(series)
        if into:
            return Case("cast(x, dtype, out)", "out", cast=nbvars.kernels.cast, x=x, dtype=out.dtype, out=out)
        tensor, dtype = nbvars.constant(x), nbvars.as_dtype(target)
        return Case("y = cast(x, dtype)", "y.numpy()", cast=nbvars.cast, x=tensor, dtype=dtype, y=None)
    if series == "numpy":
        if into:
            return Case("np.copyto(out, x, casting='unsafe')", "out", np=np, x=x, out=out)
        return Case("y = x.astype(dtype)", "y", x=x, dtype=out.dtype, y=None)
    if series == "torch":
        if into:
            return Case("out.copy_(x)", "read(out)", read=torch_state, x=as_torch(x), out=as_torch(out))
        dtype = getattr(load(series), target)
        return Case("y = x.to(dtype)", "read(y)", read=torch_state, x=as_torch(x), dtype=dtype, y=None)
    if series == "tensorflow":
        tf = load(series)
        return Case("y = cast(x, dtype)", "y.numpy()", cast=tf.cast, x=tf.constant(x), dtype=target, y=None)
    step, (given,) = jax_step(lambda x: x.astype(target), [x], 8 in (x.itemsize, out.itemsize))
    return Case("y = step(x).block_until_ready()", "y", step=step, x=given, y=None)
