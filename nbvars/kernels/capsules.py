"""DLPack's structures, and the capsules in which libraries hand each other the memory of arrays."""

from __future__ import annotations

import ctypes
from typing import Any

from nbvars.checks import message

VERSION = (1, 0)
"""The version of DLPack that nbvars speaks."""
READ_ONLY, IS_COPIED = 1, 2
"""Flags."""
KINDS = {"i": 0, "u": 1, "f": 2, "V": 4, "c": 5, "b": 6}
"""The codes of dtypes, by NumPy's letters ("V" is bfloat16)."""


class DLTensor(ctypes.Structure):
    """``DLTensor``."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class Managed(ctypes.Structure):
    """``DLManagedTensor``, from before DLPack 1.0."""

    _fields_ = (("tensor", DLTensor), ("manager_ctx", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class ManagedVersioned(ctypes.Structure):
    """``DLManagedTensorVersioned``."""

    _fields_ = (
        ("version", ctypes.c_uint32 * 2),
        ("manager_ctx", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", DLTensor),
    )


FORMS: dict[bytes, type[Managed] | type[ManagedVersioned]] = {
    b"dltensor": Managed,
    b"dltensor_versioned": ManagedVersioned,
}
"""By the name of the capsule, which becomes ``used_`` and this name when somebody takes it."""


def _function(name: str, result: Any, *arguments: Any) -> Any:
    # New objects: to set the types of ``ctypes.pythonapi``'s own would set them for everybody.
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


is_valid = _function("PyCapsule_IsValid", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)
pointer_of = _function("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
set_name = _function("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, ctypes.c_char_p)


def managed_in(capsule: Any) -> tuple[bytes, Any]:
    """Return the name of a capsule that nobody has taken yet, and the managed tensor in it."""
    for name, form in FORMS.items():
        if is_valid(capsule, name):
            return name, form.from_address(pointer_of(capsule, name))
    raise BufferError(message("from_dlpack", "this is no capsule of DLPack", repr(capsule), "one not used before"))
