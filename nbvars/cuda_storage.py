"""The memory of one variable on one GPU."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from nbvars.kernels.cuda.memory import DeviceArray
from nbvars.kernels.cuda.status import raise_pending
from nbvars.locks import ForkSafeLock


class CudaStorage:
    """The value of one variable in the memory of a GPU.

    The lock orders the calls of threads; what they ask of the GPU is done in the order of the stream.

    Attributes:
        array: The value, which updates change in place.
    """

    __slots__ = ("__weakref__", "_mutex", "array")

    device_type = "gpu"

    def __init__(self, array: DeviceArray) -> None:
        # ``array`` is this storage's own from now on.
        self.array: DeviceArray = array
        self._mutex = ForkSafeLock()

    def locked(self) -> ForkSafeLock:
        """Return the lock, for a ``with`` statement: no locked update or read of another thread runs meanwhile."""
        return self._mutex

    def raise_pending(self) -> None:
        """Raise what kernels have met so far, without waiting for those that run."""
        raise_pending(self.array.device)

    def read(self) -> npt.NDArray[Any]:
        """Return a copy of the value in the host's memory, taken while no locked update runs."""
        with self._mutex:
            return to_host(self.array)

    def copy(self) -> DeviceArray:
        """Return a copy of the value on its GPU, taken while no locked update runs."""
        with self._mutex:
            return self.array.copy()


def to_host(array: DeviceArray) -> npt.NDArray[Any]:
    """Return a copy in the host's memory; waits for the work before it.

    Raises:
        InvalidArgumentError: A kernel before it has met a bad index.
    """
    copied = array.copy_to_host()
    raise_pending(array.device)
    return copied
