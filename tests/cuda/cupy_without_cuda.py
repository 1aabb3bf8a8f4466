"""The CuPy that is installed, with CUDA's calls taken out: ``install()``, before CuPy is imported.

All that CuPy does on the host it does: it finds its functions, resolves types and shapes, allocates, launches. Memory
is the host's, kernels are neither compiled nor run, so every result is zeros of the right shape and dtype. Cython keeps
the C functions of a module in ``__pyx_capi__``, where those that import it find ones of Python's instead.
"""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType

_POINTER, _SIZE = ctypes.c_ssize_t, ctypes.c_size_t
_TYPES = {"int": ctypes.c_int, "intptr_t": _POINTER, "size_t": _SIZE, "PyObject *": ctypes.py_object}
_ALIGNMENT = 512
_HOST, _DEVICE = 0, 2

_kept = []
"""What C holds an address of."""

launches = []


def _new_capsule(function, name):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    _kept.append(name)
    return new(ctypes.cast(function, ctypes.c_void_p), name, None)


def _signature_of(capsule):
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return name_of(capsule)


def _replace(module, functions):
    for name, function in functions.items():
        capsule = module.__pyx_capi__.get(name)
        if capsule is not None:
            signature = _signature_of(capsule)
            result, parameters = signature.decode().rstrip(")").split("(", 1)
            types = [each.replace("__pyx_skip_dispatch", "").strip() for each in parameters.split(",")]
            c_types = [_TYPES.get(each, ctypes.c_void_p) for each in types if each != "void"]
            prototype = ctypes.PYFUNCTYPE(_TYPES.get(result.strip(), ctypes.py_object), *c_types)
            replacement = prototype(function)
            _kept.append(replacement)
            module.__pyx_capi__[name] = _new_capsule(replacement, signature)
        setattr(module, name, function)


def _allocate(num_bytes, *_):
    memory = ctypes.create_string_buffer(num_bytes + _ALIGNMENT)
    _kept.append(memory)
    return ctypes.addressof(memory) + -ctypes.addressof(memory) % _ALIGNMENT


def _copy(to, source, num_bytes, *_):
    ctypes.memmove(to, source, num_bytes)


def _set(to, value, num_bytes, *_):
    ctypes.memset(to, value, num_bytes)


def _number(value):
    return lambda *_, **__: value


class _Library(ModuleType):
    """cuBLAS or cuSOLVER: every function of it does nothing, every number is 0."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return 0 if name.startswith("CU") else _number(16)


_NOTHING = _number(None)
_ATTRIBUTES = {75: 9, 76: 0}  # the compute capability
_RUNTIME = {
    "getDevice": _number(0),
    "getDeviceCount": _number(1),
    "setDevice": _NOTHING,
    "deviceGetAttribute": lambda attribute, *_: _ATTRIBUTES.get(attribute, 1024),
    "getDeviceProperties": _number({"warpSize": 32, "multiProcessorCount": 132}),
    "runtimeGetVersion": _number(13000),
    "driverGetVersion": _number(13000),
    "malloc": _allocate,
    "mallocAsync": _allocate,
    "hostAlloc": _allocate,
    "free": _NOTHING,
    "freeAsync": _NOTHING,
    "freeHost": _NOTHING,
    "memcpy": _copy,
    "memcpyAsync": _copy,
    "memset": _set,
    "memsetAsync": _set,
    "memGetInfo": _number((1 << 36, 1 << 37)),
    "pointerGetMemoryType": _number(_HOST),
    "streamSynchronize": _NOTHING,
    "streamWaitEvent": _NOTHING,
    "streamIsCapturing": _number(0),
    "deviceSynchronize": _NOTHING,
    "eventCreateWithFlags": _number(1),
    "eventRecord": _NOTHING,
    "eventSynchronize": _NOTHING,
    "eventDestroy": _NOTHING,
    "_ensure_context": _NOTHING,
}
_DRIVER = {
    "launchKernel": lambda *arguments: launches.append(arguments),
    "moduleLoadData": _number(1),
    "moduleGetFunction": _number(1),
    "moduleUnload": _NOTHING,
    "funcGetAttribute": _number(1024),
    "funcSetAttribute": _NOTHING,
    "occupancyMaxActiveBlocksPerMultiprocessor": _number(8),
    "occupancyMaxPotentialBlockSize": _number((64, 256)),
}


def install():
    """Return CuPy, imported with nothing below it; the process must end by ``os._exit``."""
    import cupy_backends.cuda.libs as libraries
    from cupy_backends.cuda.api import driver, runtime
    from cupy_backends.cuda.libs import nvrtc

    attributes = {"pointerGetAttributes": lambda pointer, *_: runtime.PointerAttributes(0, pointer, 0, _DEVICE)}
    _replace(runtime, {**_RUNTIME, **attributes})
    _replace(driver, _DRIVER)
    _replace(nvrtc, {"getVersion": _number((13, 0))})
    for name in ("cublas", "cusolver"):
        library = _Library(f"cupy_backends.cuda.libs.{name}")
        sys.modules[library.__name__] = library
        setattr(libraries, name, library)
    import cupy
    from cupy.cuda import compiler, function

    module = function.Module()
    module.load(b"")
    module._set_mapping({})
    compiler._compile_module_with_cache = _number(module)
    cupy.cuda.set_allocator(None)  # memory is not used twice: it is all zeros
    return cupy
