"""``DeviceArray``: an array in the memory of a GPU."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from nbvars.capturing import expect_no_capture, recording
from nbvars.checks import message
from nbvars.kernels.cuda import exporting
from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.elements import ALL
from nbvars.locks import ForkSafeLock

_DTYPES = {dtype: dtype for dtype in ALL}
_WORD_BYTES = 4


def known_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the one object of a supported dtype that arrays share: ``is`` compares faster."""
    return _DTYPES[dtype]


def is_supported(dtype: np.dtype[Any]) -> bool:
    """Tell whether arrays on a GPU can have ``dtype``."""
    return dtype in _DTYPES and dtype.isnative


class DeviceArray:
    """A C-contiguous array in the memory of one GPU.

    Attributes:
        shape: The shape.
        dtype: The dtype, in native byte order.
        device: The number of the GPU.
        pointer: The address of the first element.
        size: The number of elements.
        nbytes: The number of bytes.
        writeable: Whether updates may change it.
    """

    __slots__ = ("__weakref__", "_owner", "device", "dtype", "nbytes", "pointer", "shape", "size", "writeable")

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        device: int,
        pointer: int,
        owner: Any,
        writeable: bool = True,
    ) -> None:
        # ``owner`` is what keeps the memory.
        self.shape, self.dtype, self.device, self.pointer = shape, dtype, device, pointer
        self.size = math.prod(shape)
        self.nbytes = self.size * dtype.itemsize
        self.writeable = writeable
        self._owner = owner

    @property
    def ndim(self) -> int:
        """Return the number of axes."""
        return len(self.shape)

    def reshape(self, shape: tuple[int, ...]) -> DeviceArray:
        """Return the same memory in another shape, of as many elements."""
        assert math.prod(shape) == self.size, (self.shape, shape)
        return DeviceArray(shape, self.dtype, self.device, self.pointer, self._owner, self.writeable)

    def read_only(self) -> DeviceArray:
        """Return the same memory, which nobody can change through the result."""
        return DeviceArray(self.shape, self.dtype, self.device, self.pointer, self._owner, writeable=False)

    def copy(self) -> DeviceArray:
        """Return a copy on the same GPU."""
        return self.copy_to_device(self.device)

    def copy_to_device(self, device: int) -> DeviceArray:
        """Return a copy on GPU ``device``."""
        made = empty(self.shape, self.dtype, device)
        if self.nbytes:
            backend.copy_on_device(device, made.pointer, self.pointer, self.nbytes)
        return made

    def copy_to_host(self) -> npt.NDArray[Any]:
        """Return a copy in the host's memory, when all that the current stream was asked for is done.

        Raises:
            FailedPreconditionError: A step is being captured: there is no value yet.
        """
        expect_no_capture("CUDA", "the host cannot have a value of the GPU", "read it after a replay")
        array = np.empty(self.shape, self.dtype)
        if self.nbytes:
            backend.copy_to_host(self.device, array, self.pointer)
        return array

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return exporting.interface_of(self)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Return a DLPack capsule of the memory."""
        return exporting.to_dlpack(self, stream, max_version, dl_device, copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return the device in DLPack's numbers."""
        return exporting.device_of(self)

    def is_like(self, other: DeviceArray) -> bool:
        """Tell whether both have one shape and dtype and are on one GPU."""
        return self.shape == other.shape and self.dtype is other.dtype and self.device == other.device

    def overlaps(self, other: DeviceArray) -> bool:
        """Tell whether both have memory in common."""
        return self.pointer < other.pointer + other.nbytes and other.pointer < self.pointer + self.nbytes

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype.name}, device='/gpu:{self.device}')"


def empty(shape: tuple[int, ...], dtype: np.dtype[Any], device: int) -> DeviceArray:
    """Return a new array on GPU ``device``.

    Raises:
        ResourceExhaustedError: The GPU has not so much memory left.
    """
    assert dtype in _DTYPES, dtype
    num_bytes = math.prod(shape) * dtype.itemsize
    # Atomic updates of small items reach for the whole word.
    block = backend.allocate(device, num_bytes + -num_bytes % _WORD_BYTES)
    return DeviceArray(shape, known_dtype(dtype), device, block.address, block)


_POINTER: Any = vars(DeviceArray)["pointer"]
_counting = ForkSafeLock()
_num_captures = 0


def _kept_pointer(array: DeviceArray) -> Any:
    """Return the address of an array; what this thread captures keeps the array."""
    found = recording()
    if found is not None:
        found.kept[id(array)] = array
    return _POINTER.__get__(array)


@contextmanager
def keeping_arrays() -> Iterator[None]:
    """Have captures keep every array whose address is asked for: that of each that a kernel or a copy works on.

    Only meanwhile, as every update asks for addresses: the attribute becomes a property, and a slot again.
    """
    _count_captures(1)
    try:
        yield
    finally:
        _count_captures(-1)


def _count_captures(change: int) -> None:
    global _num_captures  # noqa: PLW0603 - of all threads
    with _counting:
        _num_captures += change
        pointer: Any = property(_kept_pointer, _POINTER.__set__) if _num_captures else _POINTER
        DeviceArray.pointer = pointer  # type: ignore[misc]


def to_device(array: npt.NDArray[Any], device: int, is_constant: bool = False) -> DeviceArray:
    """Return a copy of an array of the host on GPU ``device``; ``array`` may change afterwards.

    It is made at once, even where a step is captured: of numbers, and of what ``is_constant``.

    Raises:
        FailedPreconditionError: A step is being captured, each replay of which would find the same array.
    """
    if array.ndim and not is_constant:
        wrong = "an array of the host would be the same at each replay"
        expect_no_capture("CUDA", wrong, "assign it to a variable on the GPU before each replay")
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    made = empty(array.shape, native.dtype, device)
    if native.nbytes:
        backend.copy_from_host(device, made.pointer, native)
    return made


def expect_arrays(where: str, **arrays: object) -> None:
    """Raise unless all ``arrays``, given by the names of the arguments, are on one GPU.

    Raises:
        TypeError: One is no ``DeviceArray``.
        ValueError: They are on several devices.
    """
    devices = set()
    for name, array in arrays.items():
        if not isinstance(array, DeviceArray):
            raise TypeError(message(where, f"{name} has the wrong type", type(array).__name__, "a DeviceArray"))
        devices.add(array.device)
    if len(devices) > 1:
        got = ", ".join(f"{name} on /gpu:{array.device}" for name, array in arrays.items())  # type: ignore[attr-defined]
        raise ValueError(message(where, "the arrays are on several devices", got, "one device"))


def expect_updatable(where: str, ref: DeviceArray) -> None:
    """Raise ``ValueError`` unless ``ref`` may be changed."""
    if not ref.writeable:
        raise ValueError(message(where, "ref cannot be updated in place", "a read-only array", "a writable one"))
