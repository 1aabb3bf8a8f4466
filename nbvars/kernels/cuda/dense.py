"""Dense mathematics on a GPU: NumPy's functions on CuPy's arrays; in the simulator on NumPy's own.

NumPy hands a function of CuPy's arrays to the function of that name in CuPy (``__array_function__``,
``__array_ufunc__``). What CuPy has under another name, or not, is in ``nbvars/ops/array_functions.py``.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.capturing import expect_no_capture, recording
from nbvars.checks import message
from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.importing import from_interface
from nbvars.kernels.cuda.memory import DeviceArray, empty, to_device
from nbvars.kernels.cuda.scatter import scatter_add
from nbvars.kernels.cuda.streams import current_stream
from nbvars.kernels.cuda.toolkit import EXTRA, IS_SIMULATED


def compute_on(
    device: int, compute: Callable[..., Any], arrays: Sequence[DeviceArray], attrs: dict[str, Any]
) -> DeviceArray | list[DeviceArray]:
    """Return what ``compute`` makes of ``arrays``, all on one GPU; a result may share their memory.

    Raises:
        ImportError: CuPy is not installed, or a library of CUDA that it needs.
    """
    if IS_SIMULATED and recording() is not None:
        return _captured(device, compute, arrays, attrs)
    cupy = array_module()
    if cupy is np:
        return _each(compute(*map(_on_host, arrays), **attrs), lambda result: to_device(np.asarray(result), device))
    with cupy.cuda.Device(device), cupy.cuda.ExternalStream(int(current_stream().handle)), _own_memory(cupy):
        given = [cupy.asarray(_Unordered(array)) for array in arrays]
        try:
            result = compute(*given, **attrs)
        except ImportError as error:  # CuPy looks for cuBLAS and cuSOLVER when it needs them
            wrong, got = "CuPy does not find a library of CUDA", str(error).partition(":")[0]
            remedy = f"pip install {EXTRA}"
            raise ImportError(message("CUDA", wrong, got, "cuBLAS and cuSOLVER", remedy)) from error
        return _each(result, functools.partial(_from_cupy, cupy))


def _each(result: Any, convert: Callable[[Any], DeviceArray]) -> DeviceArray | list[DeviceArray]:
    return [convert(each) for each in result] if isinstance(result, (tuple, list)) else convert(result)


def _on_host(array: DeviceArray, writeable: bool = False) -> npt.NDArray[Any]:
    """Return the memory of a simulated GPU as NumPy's array."""
    if not array.size:
        return np.empty(array.shape, array.dtype)
    memory: Any = (ctypes.c_uint8 * array.nbytes).from_address(array.pointer)
    view = np.frombuffer(memory, array.dtype).reshape(array.shape)
    view.flags.writeable = writeable
    return view


class _Unread(np.ndarray[Any, np.dtype[Any]]):
    """An array of whose elements the host cannot know anything yet."""

    def __bool__(self) -> bool:
        expect_no_capture("CUDA", "an op looks at values of the GPU", "leave it out of the step")
        return bool(np.asarray(self))

    __int__ = __float__ = __index__ = __bool__


def _captured(
    device: int, compute: Callable[..., Any], arrays: Sequence[DeviceArray], attrs: dict[str, Any]
) -> DeviceArray | list[DeviceArray]:
    """Return what ``compute`` will make of simulated arrays at each replay."""
    given = [_on_host(array) for array in arrays]
    shaped = compute(*[array.view(_Unread) for array in given], **attrs)  # of whatever is in memory now
    made = _each(shaped, lambda each: empty(np.shape(each), np.asarray(each).dtype, device))
    targets = [_on_host(array, True) for array in (made if isinstance(made, list) else [made])]

    def run() -> None:
        results = compute(*given, **attrs)
        for target, result in zip(targets, results if isinstance(made, list) else [results], strict=True):
            target[...] = result

    backend.ask(run)
    return made


def _own_memory(cupy: Any) -> AbstractContextManager[Any]:
    """Have CuPy take memory of the graph's own, where a step is captured: its own it would give to others later."""
    found = recording()
    if found is None:
        return contextlib.nullcontext()
    if id(cupy) not in found.kept:
        found.kept[id(cupy)] = cupy.cuda.MemoryPool()
    allocator: AbstractContextManager[Any] = cupy.cuda.using_allocator(found.kept[id(cupy)].malloc)
    return allocator


class _Unordered:
    """Hands an array to CuPy, which would wait for a stream that it is told of: here both are on one."""

    def __init__(self, array: DeviceArray) -> None:
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, "stream": None}
        self._array = array


def _from_cupy(cupy: Any, result: Any) -> DeviceArray:
    return _borrowed(cupy.ascontiguousarray(cupy.asarray(result)).reshape(result.shape))


def _borrowed(array: Any) -> DeviceArray:
    """Return a contiguous array of CuPy's on its own memory."""
    made = from_interface("CuPy", _Unordered(array))
    assert made is not None
    return made


def add_at(total: Any, rows: Any, values: Any, deterministic: bool) -> None:
    """Add each of ``values`` to the row of ``total`` that ``rows`` name, all of them arrays of CuPy's.

    CuPy's own ``add.at`` knows few integer types, and no order.
    """
    contiguous = array_module().ascontiguousarray
    scatter_add(_borrowed(total), _borrowed(contiguous(rows)), _borrowed(contiguous(values)), deterministic)


@functools.cache
def array_module() -> Any:
    """Return CuPy; in the simulator NumPy.

    Raises:
        ImportError: CuPy is not installed.
    """
    if IS_SIMULATED:
        return np
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        wrong, remedy = "dense mathematics on a GPU is CuPy's", f"pip install {EXTRA}"
        text = message("CUDA", wrong, "no module cupy", "the libraries of the extra `cuda13`", remedy)
        raise ImportError(text) from error
