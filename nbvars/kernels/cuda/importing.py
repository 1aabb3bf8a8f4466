"""Arrays of other libraries in a GPU's memory, without a copy: ``__cuda_array_interface__`` and DLPack."""

from __future__ import annotations

import ctypes
import math
import weakref
from typing import Any

import ml_dtypes
import numpy as np

from nbvars.checks import message
from nbvars.kernels.capsules import FORMS, KINDS, READ_ONLY, VERSION, managed_in, set_name
from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.memory import DeviceArray, is_supported, known_dtype

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_USED = {name: b"used_" + name for name in FORMS}
"""Kept here, for a capsule holds the address of its name only."""


def from_interface(where: str, value: Any) -> DeviceArray | None:
    """Return an array on the memory of what has ``__cuda_array_interface__``; ``None`` if ``value`` has none."""
    found = getattr(value, "__cuda_array_interface__", None)
    if found is None:
        return None
    dtype, shape = np.dtype(found["typestr"]), tuple(found["shape"])
    pointer, is_read_only = found["data"]
    _expect(where, dtype, shape, found.get("strides"), dtype.itemsize)
    if found.get("mask") is not None:
        raise ValueError(message(where, "the array has a mask", "mask", "an array without one"))
    size = math.prod(shape) * dtype.itemsize
    if size and not pointer:
        raise ValueError(message(where, "the array has no memory", "address 0", "an array that was not freed"))
    device = backend.device_of(int(pointer)) if size else 0
    stream = found.get("stream")
    if stream is not None:
        backend.wait_for_stream_number(device, int(stream))
    # The object that has it may make its interface anew each time: the whole of it keeps the memory.
    return DeviceArray(shape, known_dtype(dtype), device, int(pointer or 0), value, not is_read_only)


def _expect(where: str, dtype: np.dtype[Any], shape: tuple[int, ...], strides: Any, itemsize: int) -> None:
    """Raise unless the array is C-contiguous and of a dtype of nbvars."""
    if not is_supported(dtype):
        raise TypeError(message(where, "the value has an unsupported type", dtype, "a dtype of nbvars in native order"))
    if strides is None or 0 in shape:
        return
    step = itemsize
    for size, stride in zip(reversed(shape), reversed(tuple(strides)), strict=True):
        if size > 1 and stride != step:
            remedy = "make it contiguous first: cupy.ascontiguousarray(x), x.contiguous()"
            raise ValueError(message(where, "the array is not C-contiguous", f"strides {strides}", "rows", remedy))
        step *= size


def from_dlpack(where: str, value: Any) -> DeviceArray:
    """Return an array on the memory that ``value`` gives by DLPack."""
    stream = backend.stream_number()
    try:
        capsule = value.__dlpack__(stream=stream, max_version=VERSION)
    except TypeError:  # a library from before DLPack 1.0, without this argument
        capsule = value.__dlpack__(stream=stream)
    name, managed = managed_in(capsule)
    tensor = managed.tensor
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    dtype = _dtype_of(where, tensor.code, tensor.bits, tensor.lanes)
    strides = [tensor.strides[i] for i in range(tensor.ndim)] if tensor.strides else None
    _expect(where, dtype, shape, strides, 1)
    is_writeable = name == b"dltensor" or not managed.flags & READ_ONLY
    # From here on the memory is ours to give back.
    set_name(capsule, _USED[name])
    owner = _Taken(ctypes.addressof(managed), managed.deleter, capsule)
    pointer = (tensor.data or 0) + tensor.byte_offset
    return DeviceArray(shape, known_dtype(dtype), int(tensor.device[1]), pointer, owner, is_writeable)


def _dtype_of(where: str, code: int, bits: int, lanes: int) -> np.dtype[Any]:
    if code == KINDS["V"] and bits == 16 and lanes == 1:
        return _BFLOAT16
    kinds = {number: kind for kind, number in KINDS.items() if kind != "V"}
    if lanes != 1 or code not in kinds or bits % 8 or bits not in (8, 16, 32, 64, 128):
        got = f"code {code} of {bits} bits and {lanes} lanes"
        raise TypeError(message(where, "the value has an unsupported type", got, "a dtype of nbvars"))
    return np.dtype(bool) if kinds[code] == "b" else np.dtype(f"{kinds[code]}{bits // 8}")


class _Taken:
    """Memory of another library: given back when nobody holds this."""

    __slots__ = ("__weakref__",)

    def __init__(self, address: int, deleter: int | None, capsule: Any) -> None:
        if deleter:
            weakref.finalize(self, _give_back, address, deleter, capsule).atexit = False


def _give_back(address: int, deleter: int, capsule: Any) -> None:
    # The capsule stays until now: that of a library may hold the structure.
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(deleter)(address)
