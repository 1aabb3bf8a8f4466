"""The forms of ``nbvars.atomic`` in compiled code: atomic updates of one element."""

from __future__ import annotations

import functools

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from nbvars import atomic
from nbvars.checks import message
from nbvars.kernels import rules
from nbvars.kernels.cpu import intrinsics
from nbvars.kernels.cpu.compiled import jit_closure
from nbvars.kernels.cpu.intrinsics import INT64, atomic_load, compare_and_swap
from nbvars.numba_ext.arguments import number_to, refuse
from nbvars.numba_ext.variable_type import VariableType, ref_of

_OUTSIDE = message("atomic", "the index is out of range", "one outside of the array", "one inside")


@intrinsic
def _address_of_element(typingctx, array, index):
    """Return the address of one element, whose index is a tuple of integers. Raises ``IndexError``."""

    def generate(context, builder, sig, args):
        array_type, index_type = sig.args
        array = context.make_array(array_type)(context, builder, value=args[0])
        shape, strides = (cgutils.unpack_tuple(builder, part) for part in (array.shape, array.strides))
        address = builder.ptrtoint(array.data, INT64)
        parts = zip(index_type.types, cgutils.unpack_tuple(builder, args[1]), shape, strides, strict=True)
        for part_type, part, length, stride in parts:
            place = context.cast(builder, part, part_type, types.int64)
            if part_type.signed:
                is_negative = builder.icmp_signed("<", place, INT64(0))
                place = builder.select(is_negative, builder.add(place, length), place)
            with builder.if_then(builder.icmp_unsigned(">=", place, length), likely=False):
                context.call_conv.return_user_exc(builder, IndexError, (_OUTSIDE,))
            address = builder.add(address, builder.mul(place, stride))
        return address

    return types.intp(array, index), generate


_INTEGER_UPDATES = {
    "add": (intrinsics.atomic_add, intrinsics.atomic_add),
    "sub": (intrinsics.atomic_sub, intrinsics.atomic_sub),
    "min": (intrinsics.atomic_min, intrinsics.atomic_min_unsigned),
    "max": (intrinsics.atomic_max, intrinsics.atomic_max_unsigned),
}
_RULES = {"add": rules.add, "sub": rules.subtract, "min": rules.minimum, "max": rules.maximum}
_BITS = {
    types.float32: (types.uint32, intrinsics.bits_of_float32, intrinsics.float32_of_bits),
    types.float64: (types.uint64, intrinsics.bits_of_float64, intrinsics.float64_of_bits),
}


@functools.cache
def _update_at(operation, dtype):
    """Return the compiled ``(address, value)`` of an update; it returns what was there."""
    if isinstance(dtype, types.Integer):
        return _INTEGER_UPDATES[operation][0 if dtype.signed else 1]
    rule, (word, bits_of, number_of_bits) = _RULES[operation], _BITS[dtype]

    def update(address, value):
        seen = atomic_load(address, word(0))
        while True:
            before = compare_and_swap(address, seen, bits_of(rule(number_of_bits(seen), value)))
            if before == seen:
                return number_of_bits(before)
            seen = before

    return jit_closure(f"atomic_{operation}_{dtype}", update)


@functools.cache
def _swap_at(dtype):
    """Return the compiled ``(address, expected, desired)``."""
    if isinstance(dtype, types.Integer):
        return compare_and_swap
    _, bits_of, number_of_bits = _BITS[dtype]

    def swap(address, expected, desired):
        return number_of_bits(compare_and_swap(address, bits_of(expected), bits_of(desired)))

    return jit_closure(f"atomic_swap_{dtype}", swap)


def _expect_elements(where, ref, index):
    """Refuse what has no elements that can be updated, and an index that names not one of them."""
    array, dtype = (ref.ref, ref.element) if isinstance(ref, VariableType) else (ref, getattr(ref, "dtype", None))
    if not (isinstance(array, types.Array) and array.mutable):
        refuse(where, "ref cannot be updated", ref, "a variable or a writable array")
    if not (isinstance(dtype, types.Integer) or dtype in _BITS):
        refuse(where, "ref has the wrong dtype", dtype, "an integer, float32 or float64")
    parts = index.types if isinstance(index, types.BaseTuple) else (index,)
    if len(parts) != array.ndim or not all(isinstance(part, types.Integer) for part in parts):
        refuse(where, "the index does not name one element", index, f"{array.ndim} integers")
    return array.dtype


def _element(where, ref, index):
    """Return the function that gives the address of an element, of arguments of these types."""
    size, is_variable = _expect_elements(where, ref, index).bitwidth // 8, isinstance(ref, VariableType)
    is_tuple = isinstance(index, types.BaseTuple)
    unaligned = message(where, "ref cannot be updated in place", "an unaligned array", "an aligned one")

    def element(ref, index):
        array = array_of(ref)
        address = _address_of_element(array, tuple_of(index))
        if address % size != 0:  # which the types of Numba do not tell
            raise ValueError(unaligned)
        return address

    array_of = ref_of if is_variable else register_jitable(lambda ref: ref)
    tuple_of = register_jitable((lambda index: index) if is_tuple else (lambda index: (index,)))
    return jit_closure(f"{where}_address_in_{ref}_of_{index}", element)


def _updating(operation):
    where = f"atomic.{operation}"

    def form(ref, index, value):
        element = _element(where, ref, index)
        convert, update_at = number_to(where, ref.dtype, value), _update_at(operation, ref.dtype)

        def update(ref, index, value):
            number = convert(value)
            return update_at(element(ref, index), number)

        update.__name__ = update.__qualname__ = f"atomic_{operation}"
        return update

    return form


def _compare_and_swap(ref, index, expected, desired):
    where = "atomic.compare_and_swap"
    element, swap_at = _element(where, ref, index), _swap_at(ref.dtype)
    convert_expected, convert_desired = (number_to(where, ref.dtype, number) for number in (expected, desired))

    def swap(ref, index, expected, desired):
        before, after = convert_expected(expected), convert_desired(desired)
        return swap_at(element(ref, index), before, after)

    return swap


FUNCTIONS = {
    atomic.add: _updating("add"),
    atomic.sub: _updating("sub"),
    atomic.min: _updating("min"),
    atomic.max: _updating("max"),
    atomic.compare_and_swap: _compare_and_swap,
}
