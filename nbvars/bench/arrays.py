"""How arrays get into other libraries, and out again: float16, bfloat16 and 64 bits need a word each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from nbvars.bench.libraries import load


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of that name."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def as_torch(array: npt.NDArray[Any]) -> Any:
    """Return a torch tensor in the memory of ``array``."""
    torch = load("torch")
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def torch_state(tensor: Any) -> npt.NDArray[Any]:
    """Return an array in the memory of ``tensor``."""
    torch = load("torch")
    if tensor.dtype == torch.bfloat16:
        bits: npt.NDArray[Any] = tensor.view(torch.int16).numpy()
        return bits.view(ml_dtypes.bfloat16)
    array: npt.NDArray[Any] = tensor.numpy()
    return array


def jax_step(
    function: Callable[..., Any], arrays: Sequence[npt.NDArray[Any]], wide: bool, **options: Any
) -> tuple[Any, list[Any]]:
    """Return ``jax.jit(function, **options)`` and JAX's ``arrays``; ``wide`` keeps 64 bits, which are 32 by default."""
    jax = load("jax")
    step = jax.jit(function, **options)
    if not wide:
        return step, [jax.numpy.asarray(array) for array in arrays]
    with jax.enable_x64(True):
        given = [jax.numpy.asarray(array) for array in arrays]
        return step.lower(*given).compile(), given
