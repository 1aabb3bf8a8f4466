"""LLVM operations that Numba's Python has no words for: memory, atomics, prefetching, bits, saturation."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import NativeValue, intrinsic, models, register_model, unbox

BYTE, INT32, INT64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
FAST_RANK = 4
"""Arrays of a higher rank are not read by the fast path."""
LINE_BYTES = 64
"""A cache line, and the widest vector."""
NO_DIMENSION = -(2**63)
"""Stands behind the last stride of an array; no shape or stride is this number."""

_MAX_RANK = 64  # NumPy's own limit
_LAYOUT = 5  # words before shape and strides in NRT_adapt_ndarray_from_python's struct


class AnyArrayType(types.Opaque):
    """Numba type of an ndarray of any rank, dtype and layout: its address, size and layout, unchecked.

    One compiled function takes arrays of every rank, and tells by itself which ones it understands.
    """

    def __init__(self):
        super().__init__("AnyArray")


any_array = AnyArrayType()


@register_model(AnyArrayType)
class _AnyArrayModel(models.StructModel):
    def __init__(self, manager, fe_type):
        members = [(name, types.intp) for name in ("data", "num_items", "layout", "item_size")]
        super().__init__(manager, fe_type, members)


@unbox(AnyArrayType)
def _unbox_any_array(typ, obj, c):
    builder = c.builder
    struct = cgutils.alloca_once(builder, INT64, size=_LAYOUT + 2 * _MAX_RANK)

    def word(position):
        return builder.gep(struct, [INT64(position)])

    for position in range(2 * FAST_RANK + 1):
        builder.store(INT64(NO_DIMENSION), word(_LAYOUT + position))
    failed = c.pyapi.nrt_adapt_ndarray_from_python(obj, builder.bitcast(struct, c.pyapi.voidptr))
    with builder.if_then(cgutils.is_not_null(builder, failed), likely=False):
        c.pyapi.err_set_string("PyExc_TypeError", "a kernel was given something else than an ndarray")
    value = cgutils.create_struct_proxy(typ)(c.context, builder)
    # The struct's words: meminfo, parent, number of items, item size, data, then shape and strides.
    value.num_items = builder.load(word(2))
    value.item_size = builder.load(word(3))
    value.data = builder.load(word(4))
    value.layout = builder.ptrtoint(word(_LAYOUT), INT64)
    meminfo = builder.inttoptr(builder.load(word(0)), BYTE.as_pointer())

    def release():
        function_type = ir.FunctionType(ir.VoidType(), [BYTE.as_pointer()])
        builder.call(cgutils.get_or_insert_function(builder.module, function_type, "NRT_decref"), [meminfo])

    return NativeValue(value._getvalue(), is_error=cgutils.is_not_null(builder, failed), cleanup=release)


class ExactIntType(types.Opaque):
    """Numba type of a Python int within int64: of class ``int`` itself, so neither a bool nor what ``int()`` takes.

    Any other argument is a TypeError, a larger int an OverflowError.
    """

    def __init__(self):
        super().__init__("ExactInt")


exact_int = ExactIntType()


@register_model(ExactIntType)
class _ExactIntModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, INT64)


@unbox(ExactIntType)
def _unbox_exact_int(typ, obj, c):
    builder = c.builder
    is_int = builder.icmp_unsigned("==", c.pyapi.get_type(obj), c.pyapi.get_c_object("PyLong_Type"))
    number, failed = cgutils.alloca_once_value(builder, INT64(0)), cgutils.alloca_once_value(builder, cgutils.true_bit)
    with builder.if_else(is_int, likely=True) as (then, otherwise):
        with then:
            value = c.pyapi.long_as_longlong(obj)
            builder.store(value, number)
            builder.store(cgutils.false_bit, failed)
            with builder.if_then(builder.icmp_signed("==", value, INT64(-1)), likely=False):  # the number, or an error
                builder.store(c.pyapi.c_api_error(), failed)
        with otherwise:
            c.pyapi.err_set_string("PyExc_TypeError", "a kernel was given something else than an int")
    return NativeValue(builder.load(number), is_error=builder.load(failed))


@intrinsic
def number_of(typingctx, exact):
    """Return an ExactInt as an int64."""
    return types.int64(exact), lambda context, builder, sig, args: args[0]


@intrinsic
def address_of(typingctx, array):
    """Return the address of the first element of an array of Numba's own types, which somebody else keeps alive."""

    def generate(context, builder, sig, args):
        return builder.ptrtoint(context.make_array(sig.args[0])(context, builder, value=args[0]).data, INT64)

    return types.intp(array), generate


@intrinsic
def data_of(typingctx, array):
    """Return the address of the first element of an AnyArray."""
    return types.intp(array), lambda context, builder, sig, args: builder.extract_value(args[0], 0)


@intrinsic
def num_items_of(typingctx, array):
    """Return the number of elements of an AnyArray."""
    return types.intp(array), lambda context, builder, sig, args: builder.extract_value(args[0], 1)


@intrinsic
def layout_of(typingctx, array):
    """Return the address of an AnyArray's shape and strides (int64, NO_DIMENSION behind the last)."""
    return types.intp(array), lambda context, builder, sig, args: builder.extract_value(args[0], 2)


@intrinsic
def item_size_of(typingctx, array):
    """Return the size of one element of an AnyArray, in bytes."""
    return types.intp(array), lambda context, builder, sig, args: builder.extract_value(args[0], 3)


@intrinsic
def load_word(typingctx, address):
    """Return the int64 at ``address``."""

    def generate(context, builder, sig, args):
        return builder.load(builder.inttoptr(args[0], INT64.as_pointer()))

    return types.intp(types.intp), generate


def _vector_at(aligned):
    def typed(typingctx, address, size, dtype):
        array_type = types.Array(dtype.dtype, 1, "C", aligned=aligned)

        def generate(context, builder, sig, args):
            array = context.make_array(array_type)(context, builder)
            item_size = context.get_constant(
                types.intp, context.get_abi_sizeof(context.get_data_type(array_type.dtype))
            )
            array.data = builder.inttoptr(args[0], array.data.type)
            array.meminfo = cgutils.get_null_value(array.meminfo.type)
            array.parent = cgutils.get_null_value(array.parent.type)
            array.nitems = args[1]
            array.itemsize = item_size
            array.shape = cgutils.pack_array(builder, [args[1]])
            array.strides = cgutils.pack_array(builder, [item_size])
            return array._getvalue()

        return array_type(types.intp, types.intp, dtype), generate

    return intrinsic(typed)


# The vector of ``size`` elements at ``address``, which does not own its memory. ``words_at`` takes any address.
array_at = _vector_at(aligned=True)
words_at = _vector_at(aligned=False)


@intrinsic
def prefer_vectors_of_32_bytes(typingctx):
    """Let LLVM compile the function that calls this with vectors of at most 32 bytes."""

    def generate(context, builder, sig, args):
        # llvmlite's own ``add`` knows LLVM's attributes of one word only.
        set.add(builder.function.attributes, '"prefer-vector-width"="256"')
        return context.get_dummy_value()

    return types.void(), generate


STACK_BYTES = 2048
"""What a kernel has for itself, see ``stack_lines``."""


@intrinsic
def stack_lines(typingctx):
    """Return the address of STACK_BYTES on the stack, the start of a line, which last until the kernel returns."""

    def generate(context, builder, sig, args):
        with builder.goto_entry_block():  # elsewhere each call would take more of the stack
            lines = builder.alloca(ir.ArrayType(BYTE, STACK_BYTES))
            lines.align = LINE_BYTES
        return builder.ptrtoint(lines, INT64)

    return types.intp(), generate


@intrinsic
def assume_apart(typingctx):
    """Let LLVM take it that the arrays that the calling function is given do not overlap."""

    def generate(context, builder, sig, args):
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def stream_line(typingctx, target, source):
    """Copy the line at address ``source``, which may be any, to ``target``, the start of a line, past the caches.

    ``stream_fence`` follows the last one.
    """

    def generate(context, builder, sig, args):
        line = ir.VectorType(INT64, LINE_BYTES // 8).as_pointer()
        target, source = (builder.inttoptr(address, line) for address in args)
        # LLVM makes of this the stores that the target has: shorter ones, or plain ones.
        store = builder.store(builder.load(source, align=1), target, align=LINE_BYTES)
        store.set_metadata("nontemporal", builder.module.add_metadata([INT32(1)]))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def stream_fence(typingctx):
    """Let what ``stream_line`` stored be seen before anything that this thread stores later."""

    def generate(context, builder, sig, args):
        if context.codegen().magic_tuple()[0].startswith(("x86_64", "i686")):  # its plain fences do not order them
            function_type = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.sse.sfence"), [])
        else:
            builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def release_interpreter(typingctx):
    """Let other Python threads run; return what ``take_interpreter`` needs."""

    def generate(context, builder, sig, args):
        function_type = ir.FunctionType(BYTE.as_pointer(), [])
        function = cgutils.get_or_insert_function(builder.module, function_type, "PyEval_SaveThread")
        return builder.ptrtoint(builder.call(function, []), INT64)

    return types.intp(), generate


@intrinsic
def take_interpreter(typingctx, state):
    """Go on as the only running Python thread; ``state`` is what ``release_interpreter`` returned."""

    def generate(context, builder, sig, args):
        function_type = ir.FunctionType(ir.VoidType(), [BYTE.as_pointer()])
        function = cgutils.get_or_insert_function(builder.module, function_type, "PyEval_RestoreThread")
        builder.call(function, [builder.inttoptr(args[0], BYTE.as_pointer())])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@intrinsic
def prefetch(typingctx, array, offset):
    """Ask for the cache line at byte ``offset`` of ``array``, for writing. Any offset is safe."""

    def generate(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, value=args[0]).data
        address = builder.gep(builder.bitcast(data, BYTE.as_pointer()), [args[1]])
        function_type = ir.FunctionType(ir.VoidType(), [BYTE.as_pointer(), INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(function, [address, INT32(1), INT32(3), INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _item_pointer(context, builder, array_type, array, position):
    data = context.make_array(array_type)(context, builder, value=array).data
    return builder.gep(data, [position], inbounds=True)


def _scope(builder):
    domain = builder.module.add_metadata([ir.MetaDataString(builder.module, "nbvars apart")])
    scope = builder.module.add_metadata([ir.MetaDataString(builder.module, "nbvars source"), domain])
    return builder.module.add_metadata([scope])


@intrinsic
def load_apart(typingctx, array, position):
    """Return element ``position`` of a vector that lies apart from all that ``store_apart`` writes to.

    LLVM then need not compare the addresses each time that it comes to a loop.
    """

    def generate(context, builder, sig, args):
        item = builder.load(_item_pointer(context, builder, sig.args[0], *args))
        item.set_metadata("alias.scope", _scope(builder))
        return item

    return array.dtype(array, types.uint64), generate


@intrinsic
def store_apart(typingctx, array, position, item):
    """Store ``item`` as element ``position`` of a vector that lies apart from all that ``load_apart`` reads."""

    def generate(context, builder, sig, args):
        store = builder.store(args[2], _item_pointer(context, builder, sig.args[0], *args[:2]))
        store.set_metadata("noalias", _scope(builder))
        return context.get_dummy_value()

    return types.void(array, types.uint64, array.dtype), generate


@intrinsic
def prefetch_at(typingctx, address):
    """Ask for the cache line at ``address``, for writing. Any address is safe."""

    def generate(context, builder, sig, args):
        pointer = builder.inttoptr(args[0], BYTE.as_pointer())
        function_type = ir.FunctionType(ir.VoidType(), [BYTE.as_pointer(), INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(function, [pointer, INT32(1), INT32(3), INT32(1)])
        return context.get_dummy_value()

    return types.void(types.intp), generate


def _pointer_to(builder, address, sig_type, context):
    return builder.inttoptr(address, context.get_value_type(sig_type).as_pointer())


@intrinsic
def compare_and_swap(typingctx, address, expected, desired):
    """Store ``desired`` at ``address`` if ``expected`` is there; return what was there. Atomic.

    ``expected`` and ``desired`` are int32 or int64, as is the number at ``address``.
    """
    sig = expected(types.intp, expected, expected)

    def generate(context, builder, sig, args):
        pointer = _pointer_to(builder, args[0], sig.args[1], context)
        result = builder.cmpxchg(pointer, args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(result, 0)

    return sig, generate


@intrinsic
def atomic_load(typingctx, address, like):
    """Return the integer at ``address``, of the type of ``like``. Atomic."""

    def generate(context, builder, sig, args):
        pointer = _pointer_to(builder, args[0], sig.args[1], context)
        return builder.load_atomic(pointer, "seq_cst", sig.args[1].bitwidth // 8)

    return like(types.intp, like), generate


@intrinsic
def atomic_store(typingctx, address, value):
    """Store the integer ``value`` at ``address``. Atomic."""

    def generate(context, builder, sig, args):
        pointer = _pointer_to(builder, args[0], sig.args[1], context)
        builder.store_atomic(args[1], pointer, "seq_cst", sig.args[1].bitwidth // 8)
        return context.get_dummy_value()

    return types.void(types.intp, value), generate


def _bitcast(source, target):
    def typed(typingctx, x):
        def generate(context, builder, sig, args):
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), generate

    return intrinsic(typed)


bits_of_float32 = _bitcast(types.float32, types.uint32)
float32_of_bits = _bitcast(types.uint32, types.float32)
bits_of_float64 = _bitcast(types.float64, types.uint64)
float64_of_bits = _bitcast(types.uint64, types.float64)


@intrinsic
def half_to_float32(typingctx, bits):
    """Return the float32 that equals the IEEE half with these 16 ``bits``."""

    def generate(context, builder, sig, args):
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), generate


@intrinsic
def float32_to_half(typingctx, x):
    """Return the bits of the IEEE half nearest to ``x``, ties to even."""

    def generate(context, builder, sig, args):
        return builder.bitcast(builder.fptrunc(args[0], ir.HalfType()), ir.IntType(16))

    return types.uint16(types.float32), generate


@intrinsic
def saturating_integer(typingctx, x, like):
    """Return floating ``x`` as an integer of the type of ``like``: towards zero, NaN to 0, else to the nearest end."""
    target = like

    def generate(context, builder, sig, args):
        (number, _), bits = args, max(target.bitwidth, 32)  # processors convert to integers of 32 and 64 bits only
        result, is_signed = ir.IntType(bits), target.signed or bits > target.bitwidth
        lowest = -(2 ** (target.bitwidth - 1)) if target.signed else 0
        behind = lowest + 2**target.bitwidth  # a power of two, which both floating types hold
        # The bounds are the neighbours of lowest and behind: those, and whether x is a NaN, LLVM would ask of the half
        # that x was made of, and few processors have instructions for that.
        kind = np.float32 if number.type == ir.FloatType() else np.float64
        above_lowest, below_behind = (
            number.type(float(np.nextafter(kind(bound), kind(1)))) for bound in (lowest, behind)
        )
        # Selections, and not LLVM's own llvm.fptosi.sat, which it does not vectorise. What fptosi makes of a number
        # that does not fit is undefined, and not selected.
        chosen = (builder.fptosi if is_signed else builder.fptoui)(number, result)
        too_high = builder.fcmp_ordered(">", number, below_behind)
        chosen = builder.select(too_high, result(behind - 1), chosen)
        too_low = builder.fcmp_ordered("<", number, above_lowest)
        otherwise = builder.select(too_low, result(lowest), result(0))  # a NaN is neither
        chosen = builder.select(builder.fcmp_ordered(">=", number, above_lowest), chosen, otherwise)
        return chosen if bits == target.bitwidth else builder.trunc(chosen, ir.IntType(target.bitwidth))

    return target(x, like), generate


def _atomic_rmw(operation):
    def typed(typingctx, address, value):
        def generate(context, builder, sig, args):
            return builder.atomic_rmw(
                operation, _pointer_to(builder, args[0], sig.args[1], context), args[1], "seq_cst"
            )

        return value(types.intp, value), generate

    return intrinsic(typed)


# Update the integer at ``address`` by ``value``; return what was there. Atomic.
atomic_add, atomic_sub = _atomic_rmw("add"), _atomic_rmw("sub")
atomic_min, atomic_max = _atomic_rmw("min"), _atomic_rmw("max")
atomic_min_unsigned, atomic_max_unsigned = _atomic_rmw("umin"), _atomic_rmw("umax")
