"""Stands for ``cuda.core`` and ``cuda.bindings`` where there is no GPU: ``install()`` puts it in their place.

It takes note of all calls in ``calls``, in order, and has memory of the host in the place of a GPU's. Kernels do
nothing.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from types import ModuleType, SimpleNamespace

import cuda.bindings
import cuda.core
import cuda.core.utils

calls: list[tuple] = []
NUM_DEVICES = 1


class Stream:
    """Of ``cuda.core``."""

    def __init__(self, handle):
        self.handle = handle

    def __cuda_stream__(self):
        return 0, self.handle

    def wait(self, other):
        calls.append(("wait", self.handle, other.handle))

    def sync(self):
        calls.append(("sync", self.handle))

    @staticmethod
    def from_handle(handle):
        return Stream(handle)


LEGACY = Stream(1)


class Buffer:
    """Memory, which says when it is freed."""

    def __init__(self, size, stream):
        self._memory = ctypes.create_string_buffer(size + 256)
        self.handle = ctypes.addressof(self._memory) + -ctypes.addressof(self._memory) % 256
        self.size = size
        calls.append(("allocate", size, stream.handle))

    def __del__(self):
        calls.append(("free", self.size))


class MemoryResource:
    """A pool of 1 MiB."""

    def allocate(self, size, *, stream):
        if size > 1 << 20:
            raise RuntimeError("CUDA_ERROR_OUT_OF_MEMORY")
        return Buffer(size, stream)


class Device:
    """One of the GPUs."""

    compute_capability = SimpleNamespace(major=9, minor=0)
    properties = SimpleNamespace(multiprocessor_count=132)
    name = "NVIDIA Stub"

    def __init__(self, index):
        self.index, self.memory_resource = index, MemoryResource()

    @staticmethod
    def get_all_devices():
        return [Device(index) for index in range(NUM_DEVICES)]

    def set_current(self):
        calls.append(("set_current", self.index))

    def sync(self):
        calls.append(("synchronize", self.index))

    def create_stream(self, given=None):
        return Stream(64 if given is None else given.__cuda_stream__()[1])

    def create_graph_builder(self):
        return GraphBuilder(Stream(128))


class GraphBuilder:
    """A capture: takes note of what its stream is asked for, too."""

    def __init__(self, stream):
        self.stream, self._failure = stream, ""

    def begin_building(self, mode):
        calls.append(("begin", mode))
        return self

    def end_building(self):
        calls.append(("end",))
        if FAILING_CAPTURES:
            self._failure = FAILING_CAPTURES.pop()
            raise RuntimeError(self._failure)
        return self

    def complete(self):
        calls.append(("complete",))
        return Graph()

    def close(self):
        calls.append(("close",))
        if self._failure:
            raise RuntimeError(self._failure)


class Graph:
    """An executable graph."""

    def launch(self, stream):
        calls.append(("launch graph", stream.handle))

    def __del__(self):
        calls.append(("destroy graph",))


FAILING_CAPTURES = []
"""What the driver says of captures that are to fail."""


class LaunchConfig:
    """The sizes of a launch."""

    def __init__(self, *, grid, block):
        calls.append(("config", grid, block))
        self.grid, self.block = grid, block


class ObjectCode:
    """Machine code."""

    from_ptx = staticmethod(cuda.core.ObjectCode.from_ptx)

    @staticmethod
    def from_cubin(cubin, *, name):
        calls.append(("load", name))
        assert cubin.startswith(b"\x7fELF")

        def get_kernel(entry):
            assert entry.encode() in cubin
            return SimpleNamespace(name=name)

        return SimpleNamespace(get_kernel=get_kernel)


def launch(stream, config, kernel, *arguments):
    """Take note of a launch."""
    calls.append(("launch", stream.handle, (config.grid, config.block), kernel.name, arguments))


def _copy(name):
    def copy(to, source, num_bytes, stream):
        calls.append((name, num_bytes, stream))
        ctypes.memmove(to, source, num_bytes)
        return (SUCCESS,)

    return copy


SUCCESS = SimpleNamespace(name="CUDA_SUCCESS")


def _set(address, byte, num_bytes, stream):
    ctypes.memset(address, byte, num_bytes)
    return (SUCCESS,)


def install(num_devices=1):
    """Put the stand-ins in the place of the libraries, before nbvars imports them."""
    global NUM_DEVICES  # noqa: PLW0603
    NUM_DEVICES = num_devices
    importlib.import_module("numba.cuda")  # which needs the true ones

    from nbvars import devices

    devices._ask_driver = lambda: devices.Gpus(num_devices, "13.0")
    core, driver = ModuleType("cuda.core"), ModuleType("cuda.bindings.driver")
    for each in (Device, LaunchConfig, ObjectCode, Stream, launch):
        setattr(core, each.__name__, each)
    core.Linker, core.LinkerOptions = cuda.core.Linker, cuda.core.LinkerOptions
    core.LEGACY_DEFAULT_STREAM, core.PinnedMemoryResource = LEGACY, MemoryResource
    driver.CUresult = SimpleNamespace(CUDA_SUCCESS=SUCCESS)
    driver.cuMemcpyHtoDAsync = _copy("to device")
    driver.cuMemcpyDtoHAsync = _copy("to host")
    driver.cuMemcpyAsync = _copy("on device")
    driver.cuMemsetD8Async = _set
    driver.CUpointer_attribute = SimpleNamespace(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL=9)
    driver.cuPointerGetAttribute = lambda attribute, pointer: (SUCCESS, 0)
    sys.modules["cuda.core"] = cuda.core = core
    sys.modules["cuda.bindings.driver"] = cuda.bindings.driver = driver


def launches():
    """Return the launches so far: stream, sizes, name of the kernel, and arguments."""
    return [call[1:] for call in calls if call[0] == "launch"]
