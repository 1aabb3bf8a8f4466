"""Arrays of the GPU for other libraries, without a copy: ``__cuda_array_interface__`` (version 3) and DLPack."""

from __future__ import annotations

import ctypes
import itertools
import math
from typing import TYPE_CHECKING, Any

from nbvars.capturing import expect_no_capture
from nbvars.checks import message
from nbvars.kernels.capsules import FORMS, KINDS, READ_ONLY, VERSION
from nbvars.kernels.cuda.backend import backend

if TYPE_CHECKING:
    from nbvars.kernels.cuda.memory import DeviceArray

CUDA = 2
"""A GPU, in DLPack's numbers."""
_LEGACY = 1
"""The legacy default stream, in the numbers of both protocols."""


def interface_of(array: DeviceArray) -> dict[str, Any]:
    """Return ``__cuda_array_interface__``."""
    if array.dtype.kind == "V":
        wrong, expected = "the dtype has no code", "another dtype"
        raise AttributeError(message("__cuda_array_interface__", wrong, array.dtype, expected, "use DLPack"))
    return {
        "shape": array.shape,
        "typestr": array.dtype.str,
        "data": (array.pointer if array.size else 0, not array.writeable),
        "version": 3,
        "strides": None,
        "stream": backend.stream_number(),
    }


_exported: dict[int, tuple[Any, ...]] = {}
"""What capsules that are out keep alive, by the number in ``manager_ctx``."""
_numbers = itertools.count(1)


def _deleter_of(name: bytes) -> Any:
    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def delete(address: int) -> None:
        _exported.pop(FORMS[name].from_address(address).manager_ctx, None)

    return delete


_DELETERS = {name: _deleter_of(name) for name in FORMS}
_TAKE_BACK = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_valid_at = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_pointer_at = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, _TAKE_BACK)(
    ("PyCapsule_New", ctypes.pythonapi)
)


@_TAKE_BACK
def _unused(capsule: int) -> None:
    """Free what a capsule holds that nobody took."""
    for name, form in FORMS.items():
        if _valid_at(capsule, name):
            _exported.pop(form.from_address(_pointer_at(capsule, name)).manager_ctx, None)


def device_of(array: DeviceArray) -> tuple[int, int]:
    """Return the device of an array in DLPack's numbers."""
    return CUDA, array.device


def to_dlpack(
    array: DeviceArray,
    stream: Any,
    max_version: tuple[int, int] | None,
    dl_device: tuple[int, int] | None,
    copy: bool | None,
) -> Any:
    """Return a capsule of ``array``, or of a copy; ``stream`` is the consumer's, which waits for what is under way."""
    if dl_device is not None and tuple(map(int, dl_device)) != device_of(array):
        wrong, remedy = "the value is on a GPU", "call numpy() for the CPU"
        raise BufferError(message("__dlpack__", wrong, f"dl_device={dl_device}", device_of(array), remedy))
    can_be_read_only = max_version is not None and max_version[0] >= 1
    if copy or not (can_be_read_only or array.writeable):
        if copy is False:
            wrong, got = "only DLPack 1.0 can tell that the memory is read-only", f"max_version={max_version}"
            raise BufferError(message("__dlpack__", wrong, got, VERSION, "pass copy=True"))
        array = array.copy()
    if stream != -1:
        expect_no_capture("__dlpack__", "another library's stream cannot wait for the GPU", "export it after the block")
        backend.have_stream_number_wait(array.device, _LEGACY if stream is None else int(stream))
    name = b"dltensor_versioned" if can_be_read_only else b"dltensor"
    managed = FORMS[name]()
    number = next(_numbers)
    managed.manager_ctx, managed.deleter = number, ctypes.cast(_DELETERS[name], ctypes.c_void_p)
    if name == b"dltensor_versioned":
        managed.version[:] = VERSION
        managed.flags = 0 if array.writeable else READ_ONLY
    sizes = (ctypes.c_int64 * max(1, array.ndim))(*array.shape)
    steps = (ctypes.c_int64 * max(1, array.ndim))(*(math.prod(array.shape[i + 1 :]) for i in range(array.ndim)))
    _describe(managed.tensor, array, sizes, steps)
    _exported[number] = array, managed, sizes, steps
    return _new(ctypes.addressof(managed), name, _unused)


def _describe(tensor: Any, array: DeviceArray, sizes: Any, steps: Any) -> None:
    tensor.data, tensor.byte_offset = array.pointer, 0
    tensor.device[:] = device_of(array)
    tensor.ndim, tensor.shape, tensor.strides = array.ndim, sizes, steps
    tensor.code, tensor.bits, tensor.lanes = KINDS[array.dtype.kind], 8 * array.dtype.itemsize, 1
