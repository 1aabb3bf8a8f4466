"""Stands for CuPy where there is no GPU: arrays in the simulator's memory that can do no more than CuPy's can.

What would fail there fails here, with the same kind of error: functions and arguments that CuPy has not, arrays of
NumPy among its own, conversion to NumPy by the way. ``waits`` counts what would wait for the GPU. Numbers out of
range in an index are silently taken for others, as there.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import sys
from types import SimpleNamespace

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from nbvars.kernels.cuda.backend import backend
from nbvars.kernels.cuda.memory import to_device
from tests.cuda.cupy_names import FUNCTIONS, METHODS, UFUNCS

IMPLICIT = "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array."
# Those that make an array of one of the host, and an argument that is the host's.
UPLOADS = ("array", "asarray")
OF_HOST = {"pad": ("pad_width",)}
SCALARS = (bool, int, float, complex, np.generic)
WAITING = ("argwhere", "nonzero", "unique")
REDUCING = ("add", "multiply")
ADDS_AT = "iIlLqQefd"

waits = []
"""What waited for the GPU."""


def _signatures(lines):
    found = {}
    for line in lines.splitlines():
        name, parameters = line.split("(", 1)
        found[name] = inspect.signature(eval(f"lambda {parameters.rstrip(')')}: None"))
    return found


FUNCTION_SIGNATURES = _signatures(FUNCTIONS)
METHOD_SIGNATURES = _signatures(METHODS)
LOOPS = dict(line.split() for line in UFUNCS.splitlines())


def _unwrapped(value):
    """Return what NumPy computes of in the place of ``value``; an array of NumPy is an error."""
    if isinstance(value, CupyArray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (tuple, list)):
        return type(value)(map(_unwrapped, value))
    return value


def _wrapped(result):
    if isinstance(result, (tuple, list)):
        return tuple(map(_wrapped, result))
    return CupyArray(_on_device(np.asarray(result))) if isinstance(result, (np.ndarray, np.generic)) else result


def _on_device(array):
    """Return ``array`` if it is in the simulator's memory, else a copy there."""
    assert array.dtype.char in "?bBhHiIlLqQefdFD", f"CuPy has no type {array.dtype}"
    if not array.size:
        return array
    with contextlib.suppress(MemoryError):
        backend.device_of(array.ctypes.data)
        return array
    return _view(to_device(array, 0))


def _view(holder):
    interface = holder.__cuda_array_interface__
    dtype, (pointer, is_read_only) = np.dtype(interface["typestr"]), interface["data"]
    size = int(np.prod(interface["shape"]))
    if not size:
        return np.empty(interface["shape"], dtype)
    memory = (ctypes.c_uint8 * (size * dtype.itemsize)).from_address(pointer)
    memory.holder = holder
    view = np.frombuffer(memory, dtype).reshape(interface["shape"])
    view.flags.writeable = not is_read_only
    return view


def _called(function, signature, name, args, kwargs):
    given = signature.bind(*args, **kwargs).arguments
    for argument in OF_HOST.get(name, ()):
        assert not isinstance(given[argument], CupyArray)
    args = args if name in UPLOADS else _unwrapped(args)
    return _wrapped(function(*args, **{key: _unwrapped(value) for key, value in kwargs.items()}))


class CupyArray(NDArrayOperatorsMixin):
    """``cupy.ndarray``."""

    __array_priority__ = 100
    __hash__ = None

    def __init__(self, array):
        self._array = array

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    nbytes = property(lambda self: self._array.nbytes)
    T = property(lambda self: CupyArray(self._array.T))
    real = property(lambda self: CupyArray(self._array.real))
    imag = property(lambda self: CupyArray(self._array.imag))
    flat = property(lambda self: CupyArray(self._array.reshape(-1)))

    @property
    def __cuda_array_interface__(self):
        array = self._array
        is_plain = array.flags.c_contiguous
        return {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.ctypes.data if array.size else 0, False),
            "strides": None if is_plain else array.strides,
            "stream": 1,
            "version": 3,
        }

    def __array__(self, dtype=None, copy=None):
        raise TypeError(IMPLICIT)

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        name = ufunc.__name__
        if name not in LOOPS and name != "matmul":
            return NotImplemented
        arrays = [_unwrapped(value) for value in (*inputs, *out)]
        if not all(isinstance(array, (np.ndarray, *SCALARS)) for array in arrays):
            return NotImplemented
        if method in ("reduce", "accumulate"):
            if name not in REDUCING:
                raise NotImplementedError(f"`cupy_{name}.{method}` is not supported yet")
            inspect.signature(lambda array, axis=0, dtype=None, out=None, keepdims=False: None).bind(*inputs, **kwargs)
        elif method == "at":
            if name != "add" or arrays[0].dtype.char not in ADDS_AT:
                raise TypeError("cupy.add.at only supports int32, float16, float32, float64, uint32, uint64")
        elif method != "__call__":
            return NotImplemented
        elif name != "matmul":
            _expect_loop(name, arrays[: len(inputs)])
        if out:
            kwargs["out"] = tuple(arrays[len(inputs) :])
            getattr(ufunc, method)(*arrays[: len(inputs)], **kwargs)
            return out[0]
        return _wrapped(getattr(ufunc, method)(*arrays, **kwargs))

    def __array_function__(self, function, types, args, kwargs):
        name = ".".join([*function.__module__.split(".")[1:], function.__name__])
        if name not in FUNCTION_SIGNATURES or any(kind is not CupyArray for kind in types):
            return NotImplemented
        if name == "where" and not isinstance(args[0], CupyArray):
            raise TypeError("the condition is no array of CuPy's")
        original = getattr(function, "_implementation", function)
        if name in WAITING:
            waits.append(name)
        return _called(original, FUNCTION_SIGNATURES[name], name, args, kwargs)

    def _waiting(self, convert):
        waits.append(convert.__name__)
        return convert(self._array)

    def __bool__(self):
        return self._waiting(bool)

    def __int__(self):
        return self._waiting(int)

    def __float__(self):
        return self._waiting(float)

    def __complex__(self):
        return self._waiting(complex)

    def __str__(self):
        return self._waiting(str)

    def __repr__(self):
        return self._waiting(repr)

    def __format__(self, form):
        return format(self._waiting(np.copy)[()], form)

    def item(self):
        return self._waiting(np.ndarray.item)

    def tolist(self):
        return self._waiting(np.ndarray.tolist)

    def get(self):
        return self._waiting(np.copy)

    def __len__(self):
        return len(self._array)

    def __iter__(self):
        return (self[i] for i in range(len(self._array)))

    def __getitem__(self, key):
        return _wrapped(self._array[self._wrapping(key)])

    def __setitem__(self, key, value):
        if not isinstance(value, (CupyArray, *SCALARS)):
            raise TypeError(f"Unsupported type {type(value)}")
        self._array[self._wrapping(key)] = _unwrapped(value)

    def _wrapping(self, key):
        """Return ``key`` as CuPy takes it: of arrays of indices, the remainder by the size of the axis."""
        made, axis = [], 0
        items = key if isinstance(key, tuple) else (key,)
        used = sum(1 if not _is_mask(item) else item.ndim for item in items if item is not None and item is not ...)
        for item in items:
            if isinstance(item, CupyArray) and not _is_mask(item):
                made.append(item._array % self._array.shape[axis] if self._array.shape[axis] else item._array)
            else:
                made.append(_unwrapped(item))
            if _is_mask(item):
                waits.append("mask")
            step = self._array.ndim - used if item is ... else item.ndim if _is_mask(item) else item is not None
            axis += step
        return tuple(made)


def _is_mask(item):
    return isinstance(item, CupyArray) and item.dtype == bool


def _expect_loop(name, arrays):
    types = [array.dtype for array in arrays if isinstance(array, (np.ndarray, np.generic))]
    common = np.result_type(*types)
    if not any(np.can_cast(common, np.dtype(char)) for char in LOOPS[name]):
        raise TypeError(f"Wrong type ({common}) of arguments for cupy_{name}")


def _add_methods():
    for name, signature in METHOD_SIGNATURES.items():

        def method(self, *args, name=name, signature=signature, **kwargs):
            return _called(getattr(self._array, name), signature, name, args, kwargs)

        setattr(CupyArray, name, method)


_add_methods()


def _device(number):
    assert number == 0
    return contextlib.nullcontext()


def _stream(address):
    assert type(address) is int
    return contextlib.nullcontext()


cuda = SimpleNamespace(Device=_device, ExternalStream=_stream)


def asarray(value):
    """Return ``value``, of CuPy, NumPy or with an interface, as an array of CuPy's."""
    if isinstance(value, CupyArray):
        return value
    if hasattr(value, "__cuda_array_interface__"):
        return CupyArray(_view(value))
    return CupyArray(_on_device(np.asarray(value)))


def ascontiguousarray(array):
    """Return ``array``, or a copy whose rows follow one another; one axis at least."""
    return CupyArray(_on_device(np.ascontiguousarray(array._array)))


def installed():
    """Return this module."""
    return sys.modules[__name__]
