"""DLPack, by which libraries hand each other the memory of arrays, for NumPy's arrays and for bfloat16.

NumPy makes and reads the capsules. It refuses bfloat16, which therefore travels as uint16: what stands in the capsule
is put right after NumPy has made it, and before NumPy reads it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars import dtypes
from nbvars.checks import message
from nbvars.kernels.capsules import KINDS, VERSION, managed_in

Array = npt.NDArray[Any]

CPU = (1, 0)
"""Type and number of the device, in DLPack's numbers."""
_DEVICES = {1, 3, 11, 13}
"""The types of devices whose memory the CPU can read: its own, that pinned for CUDA or ROCm, and CUDA's managed."""
_UNSIGNED, _BFLOAT = KINDS["u"], KINDS["V"]
BFLOAT16 = dtypes.bfloat16.numpy_dtype
# NumPy 2.0 knows DLPack 0.8 only.
_NUMPY_KNOWS_VERSIONS = np.lib.NumpyVersion(np.__version__) >= "2.1.0"


def to_dlpack(
    array: Array,
    locked: AbstractContextManager[None],
    stream: Any,
    max_version: tuple[int, int] | None,
    dl_device: tuple[int, int] | None,
    copy: bool | None,
) -> Any:
    """Return a capsule of a read-only ``array``, or of a copy of it that is made while ``locked`` is held."""
    if dl_device is not None and tuple(map(int, dl_device)) != CPU:
        raise BufferError(message("__dlpack__", "the value is on the CPU", f"dl_device={dl_device}", CPU))
    if stream is not None:
        raise ValueError(message("__dlpack__", "the CPU has no streams", f"stream={stream}", None))
    can_be_read_only = _NUMPY_KNOWS_VERSIONS and max_version is not None and max_version[0] >= 1
    if copy is False and not can_be_read_only:
        wrong = "only DLPack 1.0 can tell that the memory is read-only"
        raise BufferError(message("__dlpack__", wrong, f"max_version={max_version}", VERSION, "pass copy=True"))
    is_bfloat16 = array.dtype == BFLOAT16
    known = array.view(np.uint16) if is_bfloat16 else array
    if copy or not can_be_read_only:
        with locked:
            capsule = _capsule_of_copy(known, max_version)
    else:
        capsule = known.__dlpack__(max_version=max_version)
    if is_bfloat16:
        managed_in(capsule)[1].tensor.code = _BFLOAT
    return capsule


def _capsule_of_copy(array: Array, max_version: tuple[int, int] | None) -> Any:
    if _NUMPY_KNOWS_VERSIONS:
        return array.__dlpack__(max_version=max_version, copy=True)
    return array.copy().__dlpack__()


class _Exporter:
    """Hands a capsule to ``np.from_dlpack``."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU


def array_from_dlpack(value: Any, copy: bool | None = None) -> Array:
    """Return an array on the memory of ``value``, or with ``copy=True`` on its own.

    Raises:
        TypeError: ``value`` does not know DLPack.
        BufferError: The memory is not that of the CPU, NumPy has no such dtype, or ``value`` cannot give what is asked.
    """
    if not (hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__")):
        wrong, expected = "the value does not know DLPack", "an array with __dlpack__ and __dlpack_device__"
        raise TypeError(message("from_dlpack", wrong, type(value).__name__, expected))
    device = tuple(map(int, value.__dlpack_device__()))
    if device[0] not in _DEVICES:
        remedy = "copy it to the CPU first"
        raise BufferError(message("from_dlpack", "the memory is not on the CPU", f"device {device}", CPU, remedy))
    capsule, is_copied = _capsule_from(value, copy)
    tensor = managed_in(capsule)[1].tensor
    code, bits, lanes = tensor.code, tensor.bits, tensor.lanes
    is_bfloat16 = (code, bits, lanes) == (_BFLOAT, 16, 1)
    if is_bfloat16:
        tensor.code = _UNSIGNED
    try:
        array: Array = np.from_dlpack(_Exporter(capsule))
    except (BufferError, RuntimeError) as error:
        got = f"dtype code {code} of {bits} bits and {lanes} lanes: {error}"
        raise BufferError(
            message("from_dlpack", "NumPy cannot take the memory", got, "one of NumPy's dtypes")
        ) from error
    array = array.view(BFLOAT16) if is_bfloat16 else array
    return array.copy() if copy and not is_copied else array


def _capsule_from(value: Any, copy: bool | None) -> tuple[Any, bool]:
    """Return a capsule of ``value``, and whether its memory is a copy that was asked for."""
    if _NUMPY_KNOWS_VERSIONS:
        asked = {} if copy is None else {"copy": copy}
        try:
            return value.__dlpack__(max_version=VERSION, **asked), bool(copy)
        except TypeError:  # a library from before DLPack 1.0, without these arguments
            pass
    return value.__dlpack__(), False
