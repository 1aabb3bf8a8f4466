"""Methods of variables in machine code: an update of a few elements costs what the call of a C function costs.

Such a method does by itself what is common, an update by an array of the variable's dtype and shape or by a Python
number; with everything else it calls the method that it stands for, which is written in Python. Of the objects that it
is given it reads some words: their types, which variable has its header where, and the fields of an ndarray, which
belong to NumPy's binary interface. ``offer_methods`` looks whether all of them are where they should be; if one
is not, or if there is no global lock, the methods stay those in Python.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import sysconfig
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from nbvars.kernels.cpu.compiled import address_of, compile_kernel, is_compiling
from nbvars.kernels.cpu.fast_updates import (
    ARRAY_TYPE,
    COUNT,
    DTYPE,
    FALSE,
    FLOAT_TYPE,
    INT_TYPE,
    INTEGERS,
    NUMBERS,
    REALS,
    TRUE,
    USE_LOCKING,
    in_machine_code,
    word_of_update,
)
from nbvars.kernels.cpu.header import DATA, KERNELS, LAYOUT, NUM_LAYOUT_WORDS
from nbvars.kernels.cpu.intrinsics import INT64, any_array, load_word

_TYPE, _ARRAY_DATA, _ARRAY_RANK, _ARRAY_SHAPE, _ARRAY_STRIDES, _ARRAY_DTYPE = 8, 16, 24, 32, 40, 56
"""Bytes from the start of an object to its type, and of an ndarray to its fields (``PyArrayObject_fields``)."""
_FAST_WITH_KEYWORDS = 0x0080 | 0x0002
"""``METH_FASTCALL | METH_KEYWORDS``: ``(self, arguments, num_positional, names of the others)``."""
_WORD = 8

_int64_of = types.ExternalFunction("PyLong_AsLongLong", types.int64(types.intp))
_float64_of_int = types.ExternalFunction("PyLong_AsDouble", types.float64(types.intp))
_float64_of = types.ExternalFunction("PyFloat_AsDouble", types.float64(types.intp))
_new_int = types.ExternalFunction("PyLong_FromLongLong", types.intp(types.int64))
_has_failed = types.ExternalFunction("PyErr_Occurred", types.intp())
_forget_failure = types.ExternalFunction("PyErr_Clear", types.void())
_tuple_size = types.ExternalFunction("PyTuple_Size", types.intp(types.intp))
_tuple_item = types.ExternalFunction("PyTuple_GetItem", types.intp(types.intp, types.intp))
_new_reference = types.ExternalFunction("Py_IncRef", types.void(types.intp))


@intrinsic
def _call_update(typingctx, kernel, header, value, use_locking):
    """Call a kernel of ``fast_updates`` by its address."""

    def generate(context, builder, sig, args):
        arguments = [context.get_value_type(each) for each in sig.args[1:]]
        function = ir.FunctionType(context.get_value_type(types.boolean), arguments)
        return builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])

    return types.boolean(types.intp, types.intp, value, types.boolean), generate


@intrinsic
def _call_count(typingctx, kernel, address, limit):
    """Call a kernel of ``counter`` by its address."""

    def generate(context, builder, sig, args):
        function = ir.FunctionType(INT64, [INT64, INT64])
        return builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])

    return types.int64(types.intp, types.intp, types.int64), generate


@intrinsic
def _array_like_the_variable(typingctx, data, header):
    """Return an AnyArray at address ``data``, of the shape and the strides that the header has."""

    def generate(context, builder, sig, args):
        array = cgutils.create_struct_proxy(any_array)(context, builder)
        array.data, array.layout = args[0], builder.add(args[1], INT64(_WORD * LAYOUT))
        array.num_items = array.item_size = INT64(0)  # the kernels of ``fast_updates`` ask the header
        return array._getvalue()

    return any_array(types.intp, types.intp), generate


def _call_method(name: str) -> Any:
    """Return the compiled call of the method ``name``, by the arguments that the caller was given."""

    def typed(typingctx, variable, arguments, num_arguments, names):
        def generate(context, builder, sig, args):
            variable, arguments, num_arguments, names = args
            function = builder.module.globals.get

            def call(symbol, result, *values):
                kind = ir.FunctionType(result, [value.type for value in values])
                return builder.call(function(symbol) or ir.Function(builder.module, kind, symbol), values)

            num_named = cgutils.alloca_once_value(builder, INT64(0))
            with builder.if_then(builder.icmp_signed("!=", names, INT64(0))):
                builder.store(call("PyTuple_Size", INT64, names), num_named)
            num_values = builder.add(num_arguments, builder.load(num_named))
            # One more than there are: the variable itself comes first.
            values = builder.alloca(INT64, builder.add(num_values, INT64(1)))
            builder.store(variable, values)
            with cgutils.for_range(builder, num_values) as loop:
                given = builder.gep(builder.inttoptr(arguments, INT64.as_pointer()), [loop.index])
                builder.store(builder.load(given), builder.gep(values, [builder.add(loop.index, INT64(1))]))
            text = builder.ptrtoint(context.insert_const_string(builder.module, name), INT64)
            interned = call("PyUnicode_InternFromString", INT64, text)
            num_positional = builder.add(num_arguments, INT64(1))
            at = builder.ptrtoint(values, INT64)
            result = call("PyObject_VectorcallMethod", INT64, interned, at, num_positional, names)
            call("Py_DecRef", ir.VoidType(), interned)
            return result

        return types.intp(types.intp, types.intp, types.intp, types.intp), generate

    return intrinsic(typed)


@njit
def _locking(kernels, arguments, num_arguments, names):
    """Return ``use_locking`` of the arguments of an update, 0 or 1, and -1 where there are others than that."""
    if num_arguments == 1 and names == 0:
        return 0
    if num_arguments + (0 if names == 0 else _tuple_size(names)) != 2:
        return -1
    if names != 0 and _tuple_item(names, 0) != load_word(kernels + _WORD * USE_LOCKING):
        return -1
    flag = load_word(arguments + _WORD)
    return 1 if flag == load_word(kernels + _WORD * TRUE) else 0 if flag == load_word(kernels + _WORD * FALSE) else -1


@njit
def _is_like_the_variable(array, header, kernels):
    """Tell whether an object of class ndarray has the dtype, shape and strides of the variable."""
    rank = load_word(array + _ARRAY_RANK) & 0xFFFFFFFF
    if load_word(array + _ARRAY_DTYPE) != load_word(kernels + _WORD * DTYPE):
        return False
    if load_word(header + _WORD * NUM_LAYOUT_WORDS) != 2 * rank:
        return False
    layout, shape, strides = header + _WORD * LAYOUT, load_word(array + _ARRAY_SHAPE), load_word(array + _ARRAY_STRIDES)
    for offset in range(0, _WORD * rank, _WORD):
        if load_word(layout + offset) != load_word(shape + offset):
            return False
        if load_word(layout + _WORD * rank + offset) != load_word(strides + offset):
            return False
    return True


def _update_method(name: str, slot: int) -> Callable[..., int]:
    operation = name.rpartition("_")[2]
    by_array, by_number = (_WORD * word_of_update(operation, kind) for kind in ("array", "number"))
    call_in_python = _call_method(in_python(name))

    def updated(header, kernels, value, use_locking):
        value_type = load_word(value + _TYPE)
        if value_type == load_word(kernels + _WORD * ARRAY_TYPE):
            kernel = load_word(kernels + by_array)
            if kernel == 0 or not _is_like_the_variable(value, header, kernels):
                return False
            array = _array_like_the_variable(load_word(value + _ARRAY_DATA), header)
            return _call_update(kernel, header, array, use_locking)
        kernel, numbers = load_word(kernels + by_number), load_word(kernels + _WORD * NUMBERS)
        is_float = value_type == load_word(kernels + _WORD * FLOAT_TYPE)
        if kernel == 0 or not (is_float or value_type == load_word(kernels + _WORD * INT_TYPE)):
            return False
        if numbers == REALS:
            real = _float64_of(value) if is_float else _float64_of_int(value)
            failed = not is_float and real == -1.0 and _has_failed() != 0
            if not failed:
                return _call_update(kernel, header, real, use_locking)
            _forget_failure()
        elif numbers == INTEGERS and not is_float:
            integer = _int64_of(value)
            if integer != -1 or _has_failed() == 0:
                return _call_update(kernel, header, integer, use_locking)
            _forget_failure()
        return False

    jitted = njit(error_model="numpy")(updated)

    def update(variable, arguments, num_arguments, names):
        address = load_word(variable + slot)
        if num_arguments > 0 and address != 0:
            header = _int64_of(address)
            kernels = load_word(header + _WORD * KERNELS)
            use_locking = _locking(kernels, arguments, num_arguments, names)
            if use_locking >= 0 and jitted(header, kernels, load_word(arguments), use_locking == 1):
                _new_reference(variable)
                return variable
        return call_in_python(variable, arguments, num_arguments, names)

    return update


def _count_method(name: str, slot: int) -> Callable[..., int]:
    call_in_python = _call_method(in_python(name))

    def count(variable, arguments, num_arguments, names):
        address = load_word(variable + slot)
        if num_arguments == 1 and names == 0 and address != 0:
            header, limit = _int64_of(address), load_word(arguments)
            kernels = load_word(header + _WORD * KERNELS)
            kernel = load_word(kernels + _WORD * COUNT)
            is_scalar = load_word(header + _WORD * NUM_LAYOUT_WORDS) == 0
            if kernel != 0 and is_scalar and load_word(limit + _TYPE) == load_word(kernels + _WORD * INT_TYPE):
                highest = _int64_of(limit)
                if highest == -1 and _has_failed() != 0:
                    _forget_failure()
                else:
                    before = _call_count(kernel, load_word(header + _WORD * DATA), highest)
                    if before != highest:
                        return _new_int(before)
        return call_in_python(variable, arguments, num_arguments, names)

    return count


def in_python(name: str) -> str:
    """Return the name of the method in Python that a method in machine code stands for."""
    return f"_{name}_in_python"


class _Definition(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_METHODS = {"assign": "assign", "add": "assign_add", "sub": "assign_sub", "count": "count_up_to"}
_definitions: dict[str, _Definition] = {}
"""By name; methods refer to them for ever."""


def offer_methods(owner: type, slot: str) -> None:
    """Have the updates of ``owner`` replaced once they are used; in ``slot`` it has the address of its header."""
    place = None if sysconfig.get_config_var("Py_GIL_DISABLED") else _place_of(owner, slot)
    if place is not None and _arrays_are_as_expected():
        for operation, name in _METHODS.items():
            in_machine_code[operation] = functools.partial(_replace, owner, name, owner.__dict__[name], place)


def _replace(owner: type, name: str, method: Callable[..., Any], place: int) -> None:
    is_there = owner.__dict__[name] is not method  # or somebody has put a method of their own there
    if is_there or is_compiling():
        return
    make = _count_method if name == "count_up_to" else _update_method
    entry = compile_kernel(f"method {name} at {place}", make(name, place), types.intp(*4 * [types.intp]))
    parameters = [each.replace(annotation=each.empty) for each in inspect.signature(method).parameters.values()]
    signature = str(inspect.Signature(parameters)).replace("self", "$self", 1)
    doc = f"{name}{signature}\n--\n\n{inspect.getdoc(method)}"
    definition = _Definition(name.encode(), address_of(entry), _FAST_WITH_KEYWORDS, doc.encode())
    if _definitions.setdefault(name, definition) is definition:  # no other thread was faster
        setattr(owner, in_python(name), method)
        setattr(owner, name, _new_method(owner, ctypes.byref(definition)))


_new_method = ctypes.pythonapi.PyDescr_NewMethod
_new_method.restype, _new_method.argtypes = ctypes.py_object, (ctypes.py_object, ctypes.c_void_p)


def _words_at(address: int, num_words: int) -> list[int]:
    return list((ctypes.c_int64 * num_words).from_address(address))


def _place_of(owner: type, slot: str) -> int | None:
    """Return how many bytes from the start of an object it has the address of what is in ``slot``, if that is clear."""
    places = set(range(owner.__basicsize__ // _WORD))
    for mark in (object(), object()):
        example: Any = object.__new__(owner)
        setattr(example, slot, mark)
        words = _words_at(id(example), owner.__basicsize__ // _WORD)
        if words[_TYPE // _WORD] != id(owner):
            return None
        places &= {place for place, word in enumerate(words) if word == id(mark)}
    return _WORD * places.pop() if len(places) == 1 else None


def _arrays_are_as_expected() -> bool:
    """Tell whether the fields of an ndarray are where methods read them."""
    array = np.zeros((5, 4, 3), np.int16)[1:, ::-1].T
    if array.__sizeof__() < _ARRAY_DTYPE + _WORD:
        return False
    words = _words_at(id(array), _ARRAY_DTYPE // _WORD + 1)
    found = [words[place // _WORD] for place in (_TYPE, _ARRAY_DATA, _ARRAY_DTYPE)]
    if found != [id(np.ndarray), array.ctypes.data, id(array.dtype)] or words[_ARRAY_RANK // _WORD] & 0xFFFFFFFF != 3:
        return False
    shape, strides = (words[place // _WORD] for place in (_ARRAY_SHAPE, _ARRAY_STRIDES))
    return _words_at(shape, 3) == list(array.shape) and _words_at(strides, 3) == list(array.strides)
