"""The GPUs of this machine: memory, copies and launches by the CUDA driver, through ``cuda.core``.

Everything is asked for on the current stream of the thread, and done in that order; nothing here waits but
``copy_to_host`` and ``synchronize``. ``simulator`` has the same functions.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from cuda.bindings import driver as bindings
from cuda.core import LEGACY_DEFAULT_STREAM, Device, LaunchConfig, ObjectCode, PinnedMemoryResource, Stream
from cuda.core import launch as launch_kernel

from nbvars.checks import message
from nbvars.errors import InternalError, InvalidArgumentError, ResourceExhaustedError
from nbvars.kernels.cuda.binaries import machine_code
from nbvars.kernels.cuda.compiling import entry_of
from nbvars.kernels.cuda.signature import Signature
from nbvars.kernels.cuda.streams import current_stream, memory_stream, set_default_stream
from nbvars.locks import ForkSafeLock

set_default_stream(LEGACY_DEFAULT_STREAM)


@functools.cache
def _devices() -> tuple[Device, ...]:
    """Return the GPUs: none where there is no driver, or one that is too old."""
    try:
        return tuple(Device.get_all_devices())
    except Exception:
        return ()


def count_devices() -> int:
    """Return how many GPUs there are."""
    return len(_devices())


class _Thread(threading.local):
    """The device that a thread has made current, and that stays so."""

    device = -1


_thread = _Thread()
_process = os.getpid()
_used: set[int] = set()


def _after_fork_in_child() -> None:
    _thread.device = -1  # this thread is the only one


os.register_at_fork(after_in_child=_after_fork_in_child)


def expect_device(device: int) -> None:
    """Make ``device`` the current one.

    Raises:
        InvalidArgumentError: There is no such GPU.
        RuntimeError: This process was forked from one that used CUDA.
    """
    if _thread.device == device:
        return
    if os.getpid() != _process:
        wrong, remedy = "CUDA cannot be used in a forked child", "start processes by `spawn` or `forkserver`"
        raise RuntimeError(message("CUDA", wrong, "the parent had used it before", "a process of its own", remedy))
    if not 0 <= device < count_devices():
        known = ["/cpu:0"] + [f"/gpu:{index}" for index in range(count_devices())]
        raise InvalidArgumentError(None, None, message("device", "no such device was found", device, f"one of {known}"))
    _devices()[device].set_current()
    _used.add(device)
    if count_devices() == 1:  # of several, another library may make another one current
        _thread.device = device


def used_devices() -> list[int]:
    """Return the devices that were asked for something."""
    return sorted(_used)


def describe(device: int) -> str:
    """Return what one wants to know of a device."""
    properties, (major, minor) = _devices()[device], compute_capability(device)
    return f"{properties.name}, compute capability {major}.{minor}, {num_multiprocessors(device)} multiprocessors"


def compute_capability(device: int) -> tuple[int, int]:
    """Return the compute capability, such as ``(9, 0)``."""
    capability = _devices()[device].compute_capability
    return capability.major, capability.minor


def num_multiprocessors(device: int) -> int:
    """Return the number of multiprocessors."""
    return int(_devices()[device].properties.multiprocessor_count)


def allocate(device: int, num_bytes: int) -> Any:
    """Return new memory: an object with an ``address``, which frees it in the stream's order when it goes.

    Raises:
        ResourceExhaustedError: The device has not so much left.
        InternalError: The driver failed, perhaps in what it was asked for before.
    """
    expect_device(device)
    try:
        return Block(_devices()[device].memory_resource.allocate(max(1, num_bytes), stream=memory_stream()))
    except Exception as error:
        if "OUT_OF_MEMORY" not in str(error):
            raise InternalError(None, None, message("CUDA", "the driver failed", error, "new memory")) from error
        wrong, got = "the GPU has not so much memory left", f"{num_bytes} bytes on /gpu:{device}"
        raise ResourceExhaustedError(None, None, message("CUDA", wrong, got, "less", "free variables")) from error


class Block:
    """Memory that was allocated: freed when nobody holds this."""

    __slots__ = ("address", "buffer")

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.address = int(buffer.handle)


def allocate_shared(device: int, num_bytes: int) -> Any:
    """Return memory that the host and the device both see; by the address, too."""
    expect_device(device)
    return Block(_pinned_memory().allocate(num_bytes, stream=current_stream()))


@functools.cache
def _pinned_memory() -> PinnedMemoryResource:
    return PinnedMemoryResource()


def view_of_shared(block: Any, num_words: int) -> npt.NDArray[np.int64]:
    """Return words (int64) of memory that the host shares with the device."""
    words: Any = (ctypes.c_int64 * num_words).from_address(block.address)
    return np.frombuffer(words, np.int64)


def _expect_success(where: str, result: tuple[Any, ...]) -> None:
    code = result[0]
    if code != bindings.CUresult.CUDA_SUCCESS:
        raise InternalError(None, None, message(where, "the CUDA driver failed", code.name, "CUDA_SUCCESS"))


def _handle() -> int:
    return int(current_stream().handle)


def copy_from_host(device: int, address: int, array: npt.NDArray[Any]) -> None:
    """Copy a contiguous array to the device; the array may change when this returns."""
    expect_device(device)
    result = bindings.cuMemcpyHtoDAsync(address, array.ctypes.data, array.nbytes, int(memory_stream().handle))
    _expect_success("copy to the device", result)


def copy_to_host(device: int, array: npt.NDArray[Any], address: int) -> None:
    """Copy from the device to a contiguous array, when all that was asked for before is done."""
    expect_device(device)
    result = bindings.cuMemcpyDtoHAsync(array.ctypes.data, address, array.nbytes, _handle())
    _expect_success("copy from the device", result)
    current_stream().sync()


def copy_on_device(device: int, to: int, source: int, num_bytes: int) -> None:
    """Copy within a device, or from another one."""
    expect_device(device)
    _expect_success("copy on the device", bindings.cuMemcpyAsync(to, source, num_bytes, _handle()))


def set_to_zero(device: int, address: int, num_bytes: int) -> None:
    """Set bytes to zero."""
    expect_device(device)
    _expect_success("set to zero", bindings.cuMemsetD8Async(address, 0, num_bytes, _handle()))


def synchronize(device: int) -> None:
    """Wait for all work of a device; while some thread captures, for that of this thread and of the default stream."""
    expect_device(device)
    with _capturing:
        if not _captures:
            _devices()[device].sync()
            return
    # The driver takes it for an error to wait for a device of which a stream is captured.
    for stream in {LEGACY_DEFAULT_STREAM, current_stream()}:
        stream.sync()


def new_stream(device: int) -> Any:
    """Return a new stream."""
    expect_device(device)
    return _devices()[device].create_stream()


def as_stream(device: int, given: Any) -> Any:
    """Return the stream that ``given`` is, or has by ``__cuda_stream__``."""
    expect_device(device)
    return given if isinstance(given, Stream) else _devices()[device].create_stream(given)


def stream_number() -> int:
    """Return the address of the current stream, 1 for the legacy default one, as other libraries take it."""
    return int(current_stream().handle)


def _stream_of(number: int) -> Any:
    return LEGACY_DEFAULT_STREAM if number in (0, 1) else Stream.from_handle(number)


def wait_for_stream_number(device: int, number: int) -> None:
    """Have the current stream wait for what another library's stream was asked for."""
    expect_device(device)
    stream = memory_stream()
    if number != int(stream.handle):
        stream.wait(_stream_of(number))


def have_stream_number_wait(device: int, number: int) -> None:
    """Have another library's stream wait for what the current one was asked for."""
    expect_device(device)
    if number != stream_number():
        _stream_of(number).wait(current_stream())


_capturing = ForkSafeLock()
_captures: set[Any] = set()


def begin_capture(device: int) -> Any:
    """Return a capture: what its ``stream`` is asked for from now on becomes a graph, and is not done."""
    expect_device(device)
    with _capturing:
        # Other threads, the memory pool, and the loading of kernels are not in the way of a relaxed capture.
        capture = _devices()[device].create_graph_builder().begin_building("relaxed")
        _captures.add(capture)
    return capture


def end_capture(capture: Any) -> Any:
    """Return the graph of a capture, ready for ``launch_graph``.

    Raises:
        InternalError: The driver could not capture what the stream was asked for.
    """
    try:
        return capture.end_building().complete()
    except Exception as error:
        raise InternalError(None, None, message("capture", "the driver failed", error, "a graph")) from error
    finally:
        _close(capture)


def abandon_capture(capture: Any) -> None:
    """End a capture, of which nothing stays."""
    with contextlib.suppress(Exception):
        capture.end_building()
    _close(capture)


def _close(capture: Any) -> None:
    # Of a capture that has failed ``end_building`` only says so: it is this that ends it, and it says so, too.
    with contextlib.suppress(Exception):
        capture.close()
    _captures.discard(capture)


def launch_graph(device: int, graph: Any) -> None:
    """Ask for the work of a graph on the current stream."""
    expect_device(device)
    graph.launch(current_stream())


def device_of(pointer: int) -> int:
    """Return the device in whose memory an address is."""
    expect_device(max(0, _thread.device))
    attribute = bindings.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    result = bindings.cuPointerGetAttribute(attribute, pointer)
    _expect_success("__cuda_array_interface__", result)
    return int(result[1])


def loader(name: str, py_func: Callable[..., Any], signature: Signature) -> Callable[..., None]:
    """Return the launch of a kernel: ``(device, num_blocks, num_threads, *arguments)``.

    The kernel is compiled at its first launch on a device of some compute capability.
    """
    loaded: dict[int, Any] = {}
    configs: dict[tuple[int, int], LaunchConfig] = {}

    def load(device: int) -> Any:
        code = machine_code(name, py_func, signature, compute_capability(device))
        kernel = loaded[device] = ObjectCode.from_cubin(code, name=name).get_kernel(entry_of(name))
        return kernel

    def launch(device: int, num_blocks: int, num_threads: int, *arguments: Any) -> None:
        expect_device(device)
        kernel = loaded.get(device) or load(device)
        config = configs.get((num_blocks, num_threads))
        if config is None:
            config = configs[num_blocks, num_threads] = LaunchConfig(grid=num_blocks, block=num_threads)
        launch_kernel(current_stream(), config, kernel, *arguments)

    return launch
