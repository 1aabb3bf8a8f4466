"""A GPU that is not there: its memory is the host's, its kernels run in numba-cuda's simulator.

It knows every block of its memory, so that a kernel that goes beyond one is an error here; so is a launch whose
arguments are not what the kernel was declared with. One device, whose work is done when a call returns.
"""

from __future__ import annotations

import bisect
import ctypes
import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.cuda.simulator.kernelapi import FakeCUDAShared
from numba.np.numpy_support import as_dtype

from nbvars.checks import message
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cuda.signature import Pointer, Signature
from nbvars.kernels.cuda.streams import current_stream, set_default_stream
from nbvars.kernels.cuda.toolkit import cuda
from nbvars.locks import ForkSafeLock

_ALIGNMENT = 256


def count_devices() -> int:
    """Return how many devices are simulated."""
    return 1


class HostBlock:
    """Memory that was allocated: freed when nobody holds this."""

    __slots__ = ("__weakref__", "_bytes", "address", "size")

    def __init__(self, size: int) -> None:
        self._bytes = np.empty(size + _ALIGNMENT, np.uint8)
        self.address = self._bytes.ctypes.data + -self._bytes.ctypes.data % _ALIGNMENT
        self.size = size


_allocating = threading.Lock()


def _shared_array(self: Any, shape: int, dtype: Any, alignment: int | None = None) -> npt.NDArray[Any]:
    """Return the array of a block that the calling line names."""
    line = sys._getframe(1)
    with _allocating:
        made: npt.NDArray[Any] = self._allocations.setdefault(
            (line.f_code.co_filename, line.f_lineno), np.empty(shape, as_dtype(dtype))
        )
    return made


# The simulator's own (numba-cuda 0.30.4) gives two threads that ask at the same time an array each.
FakeCUDAShared.array = _shared_array

_blocks: dict[int, weakref.ref[HostBlock]] = {}
_running = ForkSafeLock()


def _end_of_block(address: int) -> int:
    """Return where the block ends in which ``address`` lies."""
    starts = sorted(_blocks)
    index = bisect.bisect_right(starts, address) - 1
    block = _blocks[starts[index]]() if index >= 0 else None
    if block is None or address > block.address + block.size:
        raise MemoryError(f"{address:#x} is not in the device's memory")
    return block.address + block.size


class HostPointer:
    """What a kernel gets of an address: words up to the end of the block."""

    def __init__(self, address: int, word: np.dtype[Any]) -> None:
        self.word, self._address = word, address
        self._size = (_end_of_block(address) - address) // word.itemsize if address else 0
        assert address % word.itemsize == 0, "a pointer is not aligned to its words"
        memory: Any = (ctypes.c_uint8 * (self._size * word.itemsize)).from_address(address) if self._size else b""
        self._words = np.frombuffer(memory, word)

    def _expect_inside(self, position: int) -> None:
        if not 0 <= position < self._size:
            raise IndexError(f"word {position} of a block that has {self._size} words of {self.word}")

    def expect_aligned(self, position: int, num_bytes: int) -> None:
        assert (self._address + int(position) * self.word.itemsize) % num_bytes == 0, "a vector is not aligned"

    def __getitem__(self, position: int) -> Any:
        self._expect_inside(position)
        return self._words[position]

    def __setitem__(self, position: int, value: Any) -> None:
        self._expect_inside(position)
        if self.word.kind in "iu" and not isinstance(value, np.generic):
            bits = int(value) & ((1 << 8 * self.word.itemsize) - 1)  # what a register keeps of it
            self._words[position] = np.array([bits], f"u{self.word.itemsize}").view(self.word)[0]
        else:
            self._words[position] = np.asarray(value).astype(self.word)


def expect_device(device: int) -> None:
    """Raise ``InvalidArgumentError`` unless it is the one device."""
    if device:
        wrong, expected = "no such device was found", "one of ['/cpu:0', '/gpu:0']"
        raise InvalidArgumentError(None, None, message("device", wrong, f"/gpu:{device}", expected))


def used_devices() -> list[int]:
    """Return the devices that were asked for something: the one there is."""
    return [0]


def describe(device: int) -> str:
    """Return what one wants to know of a device."""
    return "numba-cuda's simulator"


def compute_capability(device: int) -> tuple[int, int]:
    """Return that of the device which is simulated: one that has every kernel."""
    return 9, 0


def num_multiprocessors(device: int) -> int:
    """Return how many blocks run at a time."""
    return 2


def allocate(device: int, num_bytes: int) -> HostBlock:
    """Return new memory."""
    expect_device(device)
    block = HostBlock(num_bytes)
    with _running:
        _blocks[block.address] = weakref.ref(block, lambda _, address=block.address: _blocks.pop(address, None))  # type: ignore[misc]
    return block


allocate_shared = allocate
"""Memory that the host and the device both see; by the address, too."""


def view_of_shared(block: Any, num_words: int) -> npt.NDArray[np.int64]:
    """Return words (int64) of memory that the host shares with the device."""
    words: Any = (ctypes.c_int64 * num_words).from_address(block.address)
    return np.frombuffer(words, np.int64)


def copy_from_host(device: int, address: int, array: npt.NDArray[Any]) -> None:
    """Copy a contiguous array to the device."""
    ctypes.memmove(address, array.ctypes.data, array.nbytes)


def copy_to_host(device: int, array: npt.NDArray[Any], address: int) -> None:
    """Copy from the device to a contiguous array, when all that was asked for before is done."""
    ctypes.memmove(array.ctypes.data, address, array.nbytes)


def copy_on_device(device: int, to: int, source: int, num_bytes: int) -> None:
    """Copy within a device, or from another one."""
    ask(lambda: ctypes.memmove(to, source, num_bytes))


def set_to_zero(device: int, address: int, num_bytes: int) -> None:
    """Set bytes to zero."""
    ask(lambda: ctypes.memset(address, 0, num_bytes))


def synchronize(device: int) -> None:
    """Wait for all work of a device: there is none."""


class SimulatedStream:
    """A stream, which has nothing to wait for.

    Attributes:
        captured: What it was asked for and has not done, if it captures that.
    """

    def __init__(self, handle: int, captured: list[Callable[[], Any]] | None = None) -> None:
        self.handle, self.captured = handle, captured
        self.waited_for: list[Any] = []

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.handle

    def wait(self, other: Any) -> None:
        """Take note of who was waited for."""
        self.waited_for.append(other)


def ask(work: Callable[[], Any]) -> None:
    """Do ``work``, or capture it."""
    captured = current_stream().captured
    if captured is None:
        work()
    else:
        captured.append(work)


set_default_stream(SimulatedStream(1))
_handles = itertools.count(16)


def new_stream(device: int) -> SimulatedStream:
    """Return a new stream."""
    expect_device(device)
    return SimulatedStream(next(_handles))


def as_stream(device: int, given: Any) -> SimulatedStream:
    """Return the stream that ``given`` is, or has by ``__cuda_stream__``."""
    expect_device(device)
    return given if isinstance(given, SimulatedStream) else SimulatedStream(given.__cuda_stream__()[1])


def stream_number() -> int:
    """Return the address of the current stream, 1 for the legacy default one, as other libraries take it."""
    handle: int = current_stream().handle
    return handle


def wait_for_stream_number(device: int, number: int) -> None:
    """Have the current stream wait for what another library's stream was asked for."""
    if number != stream_number():
        current_stream().wait(SimulatedStream(number))


def have_stream_number_wait(device: int, number: int) -> None:
    """Have another library's stream wait for what the current one was asked for: that is done."""


class SimulatedCapture:
    """A capture of what its ``stream`` is asked for."""

    def __init__(self) -> None:
        self.captured: list[Callable[[], Any]] = []
        self.stream = SimulatedStream(next(_handles), self.captured)


def begin_capture(device: int) -> SimulatedCapture:
    """Return a capture: what its ``stream`` is asked for from now on becomes a graph, and is not done."""
    expect_device(device)
    return SimulatedCapture()


def end_capture(capture: SimulatedCapture) -> list[Callable[[], Any]]:
    """Return the graph of a capture, ready for ``launch_graph``."""
    return list(capture.captured)


def abandon_capture(capture: SimulatedCapture) -> None:
    """End a capture, of which nothing stays."""
    capture.captured.clear()


def launch_graph(device: int, graph: list[Callable[[], Any]]) -> None:
    """Do the work of a graph."""
    for work in graph:
        work()


def device_of(pointer: int) -> int:
    """Return the device in whose memory an address is."""
    _end_of_block(pointer)
    return 0


@contextmanager
def _threads_that_take_turns() -> Iterator[None]:
    """Have Python threads wait for each other less: the simulator asks all the time whether those of a block wait."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def loader(name: str, py_func: Callable[..., Any], signature: Signature) -> Callable[..., None]:
    """Return the launch of a kernel: ``(device, num_blocks, num_threads, *arguments)``."""
    kernel = cuda.jit(py_func)

    def launch(device: int, num_blocks: int, num_threads: int, *arguments: Any) -> None:
        given = _checked(name, signature, arguments)

        def run() -> None:
            with _running, np.errstate(all="ignore"), _threads_that_take_turns():
                kernel[num_blocks, num_threads](*given)

        ask(run)

    return launch


def _checked(name: str, signature: Signature, arguments: Sequence[Any]) -> list[Any]:
    """Return what the kernel gets; a launch that the GPU would misread is a ``TypeError``."""
    if len(arguments) != len(signature):
        raise TypeError(message(name, "wrong number of arguments", len(arguments), len(signature)))
    given = []
    for position, (kind, argument) in enumerate(zip(signature, arguments, strict=True)):
        if isinstance(kind, Pointer):
            is_right = type(argument) is int
        else:  # of the plain types, the driver's launch takes an int as int64
            is_right = isinstance(argument, np.generic) and argument.dtype == kind
            is_right = is_right or (kind == np.int64 and type(argument) is int)
        if not is_right:
            got = f"{type(argument).__name__} {argument}"
            raise TypeError(message(name, f"argument {position} has the wrong type", got, kind))
        given.append(HostPointer(argument, kind.word) if isinstance(kind, Pointer) else kind.type(argument))
    return given
