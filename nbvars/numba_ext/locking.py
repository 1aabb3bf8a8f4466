"""The lock of a variable in compiled code.

The word of the header is for whoever has the interpreter's lock, see ``storage.CpuStorage``: small updates take both,
as the fast path does. Where that fails, and for large updates, the lock is the one that Python code takes, which lets
other threads run. So a lock taken here holds back Python code, and the other way round, in shared memory too.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from nbvars.kernels.cpu.header import LOCK, MOST_HELD_ITEMS
from nbvars.kernels.cpu.intrinsics import INT32, INT64, atomic_store, compare_and_swap
from nbvars.numba_ext.variable_type import header_of, part_of, ref_of


def _call(builder, name, result, *args):
    function_type = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), args)


@intrinsic
def _enter_interpreter(typingctx):
    """Have the interpreter's lock, whether or not this thread has it; return what ``_leave_interpreter`` needs."""
    return types.int32(), lambda context, builder, sig, args: _call(builder, "PyGILState_Ensure", INT32)


@intrinsic
def _leave_interpreter(typingctx, state):
    def generate(context, builder, sig, args):
        _call(builder, "PyGILState_Release", ir.VoidType(), *args)
        return context.get_dummy_value()

    return types.void(types.int32), generate


@intrinsic
def _enter_lock(typingctx, variable, state):
    """Wait for the lock of Python code; return the address of its context manager. Raises what a signal raises."""

    def generate(context, builder, sig, args):
        api = context.get_python_api(builder)
        obj = builder.bitcast(part_of(context, builder, sig.args[0], args[0], "variable"), api.pyobj)
        lock = api.call_method(obj, "_locked")
        entered = cgutils.alloca_once_value(builder, cgutils.get_null_value(api.pyobj))
        with builder.if_then(cgutils.is_not_null(builder, lock)):
            result = api.call_method(lock, "__enter__")
            with builder.if_else(cgutils.is_not_null(builder, result)) as (has_it, failed):
                with has_it:
                    api.decref(result)
                    builder.store(lock, entered)
                with failed:
                    api.decref(lock)
        with builder.if_then(cgutils.is_null(builder, builder.load(entered)), likely=False):
            _call(builder, "PyGILState_Release", ir.VoidType(), args[1])
            context.call_conv.return_exc(builder)
        return builder.ptrtoint(builder.load(entered), INT64)

    return types.intp(variable, types.int32), generate


@intrinsic
def _exit_lock(typingctx, lock, state):
    """Give back the lock of Python code. Raises what a signal raises."""

    def generate(context, builder, sig, args):
        api = context.get_python_api(builder)
        lock, none = builder.inttoptr(args[0], api.pyobj), api.borrow_none()
        result = api.call_method(lock, "__exit__", [none, none, none])
        api.decref(lock)
        with builder.if_then(cgutils.is_null(builder, result), likely=False):
            _call(builder, "PyGILState_Release", ir.VoidType(), args[1])
            context.call_conv.return_exc(builder)
        api.decref(result)
        return context.get_dummy_value()

    return types.void(types.intp, types.int32), generate


@register_jitable
def take_lock(variable, use_locking):
    """Take the lock if ``use_locking``; return what ``give_back_lock`` needs. Nothing may raise in between."""
    if not use_locking:
        return types.int32(0), 0
    state = _enter_interpreter()
    if (
        ref_of(variable).size <= MOST_HELD_ITEMS
        and compare_and_swap(header_of(variable) + 8 * LOCK, types.int64(0), types.int64(1)) == 0
    ):
        return state, 0
    lock = _enter_lock(variable, state)
    _leave_interpreter(state)
    return types.int32(0), lock


@register_jitable
def give_back_lock(variable, use_locking, taken):
    """Give back what ``take_lock`` took."""
    state, lock = taken
    if use_locking:
        if lock == 0:
            atomic_store(header_of(variable) + 8 * LOCK, types.int64(0))
        else:
            state = _enter_interpreter()
            _exit_lock(lock, state)
        _leave_interpreter(state)
