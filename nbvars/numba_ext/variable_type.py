"""Numba's type of an eager variable, and how one gets into compiled code and out of it.

In compiled code a variable is its value, an array that keeps the variable alive, and the address of the header. Nothing
of Python is asked for after that: reading and unlocked updates need no interpreter.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaTypeError
from numba.core.typing.typeof import Purpose
from numba.extending import NativeValue, box, intrinsic, models, register_model, typeof_impl, unbox
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

from nbvars.checks import message
from nbvars.graph.tensor import Symbolic
from nbvars.kernels.cpu.halves import half_of
from nbvars.kernels.cpu.header import DATA, LAYOUT
from nbvars.kernels.cpu.intrinsics import INT64
from nbvars.storage import CpuStorage
from nbvars.variables.variable import Variable

BYTE_POINTER = ir.IntType(8).as_pointer()


class VariableType(types.Type):
    """Numba's type of the variables of one dtype and rank.

    Attributes:
        element: Numba's type of an element, or the name of a dtype of 16 floating bits.
        dtype: What compiled code sees of an element: in that case its bits, a uint16.
        ndim: The number of axes.
        value: The array that a user sees.
        ref: The same, to be written to.
    """

    def __init__(self, element, ndim):
        dtype = types.uint16 if isinstance(element, str) else element
        self.element, self.dtype, self.ndim = element, dtype, ndim
        self.value = types.Array(dtype, ndim, "C", readonly=True)
        self.ref = types.Array(dtype, ndim, "C")
        super().__init__(f"nbvars.Variable({element}, {ndim}d)")


@register_model(VariableType)
class _VariableModel(models.StructModel):
    def __init__(self, manager, fe_type):
        members = [("value", fe_type.value), ("header", types.intp), ("variable", types.voidptr)]
        super().__init__(manager, fe_type, members)


@typeof_impl.register(Variable)
def _typeof_variable(variable, context):
    if isinstance(variable, Symbolic):
        remedy = "run it in a Session and pass the array, or make the variable in eager mode"
        wrong = "a variable of a graph has no value in compiled code"
        raise TypeError(message("njit", wrong, repr(variable), "an eager variable", remedy))
    if not isinstance(variable._storage, CpuStorage):  # whose type is for numba-cuda to find
        remedy = "pass v.numpy(), or make it a kernel of numba.cuda.jit"
        wrong = "a variable of a GPU is out of the reach of code for the CPU"
        raise TypeError(message("njit", wrong, repr(variable.name), "a variable of the CPU", remedy))
    dtype = variable._numpy_dtype
    if context.purpose is Purpose.constant:
        wrong = "a variable is no constant of compiled code"
        raise NumbaTypeError(message("njit", wrong, variable.name, "an argument", "pass it as an argument"))
    # Numba looks there the next time, before it asks here.
    element = dtype.name if half_of(dtype.name) else from_dtype(dtype)
    variable._numba_type_ = VariableType(element, variable._storage.array.ndim)
    return variable._numba_type_


def _interned(c, text):
    """Return the str of this ``text``, which the module makes at its first use."""
    name = f".nbvars.{text}"
    if name in c.builder.module.globals:
        kept = c.builder.module.globals[name]
    else:
        kept = cgutils.add_global_variable(c.builder.module, c.pyapi.pyobj, name)
        kept.initializer, kept.linkage = ir.Constant(c.pyapi.pyobj, None), "internal"
    with c.builder.if_then(cgutils.is_null(c.builder, c.builder.load(kept)), likely=False):
        function_type = ir.FunctionType(c.pyapi.pyobj, [BYTE_POINTER])
        intern = cgutils.get_or_insert_function(c.builder.module, function_type, "PyUnicode_InternFromString")
        c.builder.store(c.builder.call(intern, [c.context.insert_const_string(c.builder.module, text)]), kept)
    return c.builder.load(kept)


def _value_at(context, builder, typ, header, meminfo):
    """Return the array that a header describes."""
    words = builder.inttoptr(header, INT64.as_pointer())

    def word(position):
        return builder.load(builder.gep(words, [INT64(position)]))

    array = context.make_array(typ.value)(context, builder)
    shape = [word(LAYOUT + axis) for axis in range(typ.ndim)]
    strides = [word(LAYOUT + typ.ndim + axis) for axis in range(typ.ndim)]
    data = builder.inttoptr(word(DATA), array.data.type)
    item_size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(typ.dtype)))
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=item_size, meminfo=meminfo)
    return array._getvalue()


@unbox(VariableType)
def _unbox_variable(typ, obj, c):
    builder = c.builder
    value = cgutils.create_struct_proxy(typ)(c.context, builder)
    failed = cgutils.alloca_once_value(builder, cgutils.true_bit)
    address = c.pyapi.object_getattr(obj, _interned(c, "_address"))
    with builder.if_then(cgutils.is_not_null(builder, address), likely=True):
        value.header = c.pyapi.long_as_longlong(address)
        c.pyapi.decref(address)
        value.variable = builder.bitcast(obj, BYTE_POINTER)
        # It holds a reference to the variable, which has the memory.
        meminfo = c.pyapi.nrt_meminfo_new_from_pyobject(value.variable, obj)
        value.value = _value_at(c.context, builder, typ, value.header, meminfo)
        builder.store(cgutils.false_bit, failed)
    return NativeValue(value._getvalue(), is_error=builder.load(failed))


@box(VariableType)
def _box_variable(typ, native, c):
    value = cgutils.create_struct_proxy(typ)(c.context, c.builder, value=native)
    obj = c.builder.bitcast(value.variable, c.pyapi.pyobj)
    c.pyapi.incref(obj)
    c.context.nrt.decref(c.builder, typ, native)
    return obj


def part_of(context, builder, typ, variable, name):
    return getattr(cgutils.create_struct_proxy(typ)(context, builder, value=variable), name)


@intrinsic
def value_of(typingctx, variable):
    """Return the value of a variable: a read-only array, which keeps the variable alive."""

    def generate(context, builder, sig, args):
        value = part_of(context, builder, sig.args[0], args[0], "value")
        context.nrt.incref(builder, sig.return_type, value)
        return value

    return variable.value(variable), generate


def _borrowed(context, builder, typ, variable):
    array = context.make_array(typ.ref)(context, builder, value=part_of(context, builder, typ, variable, "value"))
    array.meminfo = cgutils.get_null_value(array.meminfo.type)
    return array._getvalue()


@intrinsic
def ref_of(typingctx, variable):
    """Return the value of a variable as an array to write to, for as long as the caller has the variable.

    Its references are not counted, which would be atomic instructions in the user's loop.
    """

    def generate(context, builder, sig, args):
        return _borrowed(context, builder, sig.args[0], args[0])

    return variable.ref(variable), generate


@intrinsic
def vector_of(typingctx, variable):
    """Return what ``ref_of`` does, as a vector; ``reshape`` would be a call of a function of Numba's."""
    vector_type = types.Array(variable.dtype, 1, "C")

    def generate(context, builder, sig, args):
        ref = context.make_array(sig.args[0].ref)(context, builder, value=_borrowed(context, builder, *sig.args, *args))
        vector = context.make_array(vector_type)(context, builder)
        populate_array(
            vector,
            data=ref.data,
            shape=[ref.nitems],
            strides=[ref.itemsize],
            itemsize=ref.itemsize,
            meminfo=ref.meminfo,
        )
        return vector._getvalue()

    return vector_type(variable), generate


@intrinsic
def header_of(typingctx, variable):
    """Return the address of the header of a variable."""

    def generate(context, builder, sig, args):
        return part_of(context, builder, sig.args[0], args[0], "header")

    return types.intp(variable), generate
