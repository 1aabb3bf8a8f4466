"""What kernels need beyond numba-cuda: accesses of 16 bytes, reductions in memory, conversions of 16-bit floats.

All take a pointer and the number of a word behind it. ``simulated_intrinsics`` has the same for the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import from_dtype
from numba.cuda import cgutils, types
from numba.cuda.extending import intrinsic

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_GLOBAL = 1
"""The address space of the device's memory."""


def _global_pointer(builder: Any, pointer: Any, position: Any, pointee: Any = None) -> Any:
    """Return the address of word ``position``, in the device's memory."""
    address = builder.gep(pointer, [position])
    pointee = pointee or address.type.pointee
    return builder.addrspacecast(builder.bitcast(address, ir.PointerType(pointee)), ir.PointerType(pointee, _GLOBAL))


def pointer_to(word: Any) -> Any:
    """Return the function that makes a pointer to words of a NumPy dtype of an address, an int64."""
    kind = types.CPointer(from_dtype(word))

    def make_pointer(typing_context, address):
        def generate(context, builder, signature, arguments):
            generic = context.get_value_type(kind)
            address = builder.inttoptr(arguments[0], ir.PointerType(generic.pointee, _GLOBAL))
            return builder.addrspacecast(address, generic)

        return kind(types.int64), generate

    return intrinsic(make_pointer)


def _vector_load(length: int) -> Any:
    """Return the load of ``length`` words, 16 bytes in all and aligned to that, as a tuple.

    numba-cuda makes one access a word of anything else.
    """

    def load_vector(typing_context, pointer, position):
        if not isinstance(pointer, types.CPointer):
            return None

        def generate(context, builder, signature, arguments):
            word = context.get_data_type(signature.args[0].dtype)
            address = _global_pointer(builder, arguments[0], arguments[1], ir.VectorType(word, length))
            vector = builder.load(address, align=16)
            words = [builder.extract_element(vector, ir.Constant(_INT32, k)) for k in range(length)]
            return cgutils.pack_array(builder, words)

        return types.UniTuple(pointer.dtype, length)(pointer, types.int64), generate

    return intrinsic(load_vector)


_REGISTERS = {
    types.float32: ("f32", "f"),
    types.float64: ("f64", "d"),
    types.uint32: ("u32", "r"),
    types.uint64: ("u64", "l"),
}
"""How assembly names the type and the register of a word."""


def _load_ahead(length: int) -> Any:
    """Return the load of words, as a tuple where several, that are read once: it stays where it is written.

    Other loads go behind the branch that needs them, and then one waits for the other.
    """

    def load_ahead(typing_context, pointer, position):
        kind, register = _REGISTERS[pointer.dtype]
        results = ", ".join(f"${k}" for k in range(length))
        shape, results = (f".v{length}", f"{{{results}}}") if length > 1 else ("", results)
        assembly = f"ld.global.L1::no_allocate{shape}.{kind} {results}, [${length}];"
        constraints = ",".join([f"={register}"] * length + ["l"])

        def generate(context, builder, signature, arguments):
            word = context.get_data_type(signature.args[0].dtype)
            address = builder.ptrtoint(_global_pointer(builder, arguments[0], arguments[1]), _INT64)
            function = ir.FunctionType(ir.LiteralStructType([word] * length) if length > 1 else word, [_INT64])
            loaded = builder.call(ir.InlineAsm(function, assembly, constraints, side_effect=True), [address])
            if length == 1:
                return loaded
            return cgutils.pack_array(builder, [builder.extract_value(loaded, k) for k in range(length)])

        result = types.UniTuple(pointer.dtype, length) if length > 1 else pointer.dtype
        return result(pointer, types.int64), generate

    return intrinsic(load_ahead)


load_ahead, load_ahead4 = _load_ahead(1), _load_ahead(4)


def _vector_store(length: int) -> Any:
    """Return the store of a tuple of ``length`` words, 16 bytes in all and aligned to that."""

    def store_vector(typing_context, pointer, position, words):
        if not isinstance(pointer, types.CPointer):
            return None

        def generate(context, builder, signature, arguments):
            pointer, position, words = arguments
            vector_type = ir.VectorType(context.get_data_type(signature.args[0].dtype), length)
            vector = ir.Constant(vector_type, ir.Undefined)
            for k in range(length):
                vector = builder.insert_element(vector, builder.extract_value(words, k), ir.Constant(_INT32, k))
            builder.store(vector, _global_pointer(builder, pointer, position, vector_type), align=16)
            return context.get_dummy_value()

        return types.void(pointer, types.int64, types.UniTuple(pointer.dtype, length)), generate

    return intrinsic(store_vector)


load_vector4, store_vector4 = _vector_load(4), _vector_store(4)
"""Four words of 4 bytes."""
load_vector2, store_vector2 = _vector_load(2), _vector_store(2)
"""Two words of 8 bytes."""


def _reduction(assembly: str, length: int, constraint: str) -> Any:
    """Return ``(pointer, position, value)``: an atomic update in memory that returns nothing; a tuple where vectors."""

    def reduce_in_memory(typing_context, pointer, position, value):
        def generate(context, builder, signature, arguments):
            pointer, position, value = arguments
            address = builder.ptrtoint(_global_pointer(builder, pointer, position), _INT64)
            words = [builder.extract_value(value, k) for k in range(length)] if length > 1 else [value]
            function = ir.FunctionType(ir.VoidType(), [_INT64] + [word.type for word in words])
            constraints = ",".join(["l", *[constraint] * length, "~{memory}"])
            builder.call(ir.InlineAsm(function, assembly, constraints, side_effect=True), [address, *words])
            return context.get_dummy_value()

        scalar = pointer.dtype
        wanted = types.UniTuple(scalar, length) if length > 1 else scalar
        return types.void(pointer, types.int64, wanted), generate

    return intrinsic(reduce_in_memory)


reduce_add_float32 = _reduction("red.relaxed.gpu.global.add.f32 [$0], $1;", 1, "f")
reduce_add_float64 = _reduction("red.relaxed.gpu.global.add.f64 [$0], $1;", 1, "d")
reduce_add_uint32 = _reduction("red.relaxed.gpu.global.add.u32 [$0], $1;", 1, "r")
reduce_add_uint64 = _reduction("red.relaxed.gpu.global.add.u64 [$0], $1;", 1, "l")
reduce_add_float32x4 = _reduction("red.relaxed.gpu.global.add.v4.f32 [$0], {$1, $2, $3, $4};", 4, "f")
"""For compute capability 9.0 and above, as are the next two; 16-bit floats come in pairs, as uint32."""
reduce_add_float16x8 = _reduction("red.relaxed.gpu.global.add.noftz.v4.f16x2 [$0], {$1, $2, $3, $4};", 4, "r")
reduce_add_bfloat16x8 = _reduction("red.relaxed.gpu.global.add.noftz.v4.bf16x2 [$0], {$1, $2, $3, $4};", 4, "r")
reduce_add_float16x2 = _reduction("red.relaxed.gpu.global.add.noftz.f16x2 [$0], $1;", 1, "r")
reduce_add_bfloat16x2 = _reduction("red.relaxed.gpu.global.add.noftz.bf16x2 [$0], $1;", 1, "r")
"""For compute capability 9.0 and above."""
reduce_max_int64 = _reduction("red.relaxed.gpu.global.max.s64 [$0], $1;", 1, "l")


@intrinsic
def fence_system(typing_context):
    """Let nobody, the host included, see a later store of this thread without its earlier ones."""

    def generate(context, builder, signature, arguments):
        function = ir.FunctionType(ir.VoidType(), [])
        builder.call(ir.InlineAsm(function, "membar.sys;", "~{memory}", side_effect=True), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def compare_and_swap(typing_context, pointer, position, expected, new):
    """Store ``new``, an integer, if ``expected`` is there, atomically; return what was there."""

    def generate(context, builder, signature, arguments):
        pointer, position, expected, new = arguments
        address = _global_pointer(builder, pointer, position)
        return builder.extract_value(builder.cmpxchg(address, expected, new, "monotonic", "monotonic"), 0)

    word = pointer.dtype
    return word(pointer, types.int64, word, word), generate


@intrinsic
def exchange(typing_context, pointer, position, new):
    """Store ``new``, an integer, atomically; return what was there."""

    def generate(context, builder, signature, arguments):
        pointer, position, new = arguments
        return builder.atomic_rmw("xchg", _global_pointer(builder, pointer, position), new, "monotonic")

    word = pointer.dtype
    return word(pointer, types.int64, word), generate


@intrinsic
def pointer_of(typing_context, array):
    """Return the pointer to the first element of an array that a user's kernel has."""
    if not isinstance(array, types.Array):
        return None

    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


def _bitcast(name: str, source: Any, target: Any) -> Any:
    def bitcast(typing_context, x):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_data_type(target))

        return target(source), generate

    bitcast.__name__ = name
    return intrinsic(bitcast)


bits_of_float32 = _bitcast("bits_of_float32", types.float32, types.uint32)
float32_of_bits = _bitcast("float32_of_bits", types.uint32, types.float32)
bits_of_float64 = _bitcast("bits_of_float64", types.float64, types.uint64)
float64_of_bits = _bitcast("float64_of_bits", types.uint64, types.float64)


def _assembly(name: str, assembly: str, target: Any, source: Any, constraints: str) -> Callable[..., Any]:
    """Return a function of one number, by one instruction."""

    def convert(typing_context, x):
        def generate(context, builder, signature, arguments):
            function = ir.FunctionType(context.get_data_type(target), [context.get_data_type(source)])
            return builder.call(ir.InlineAsm(function, assembly, constraints), arguments)

        return target(source), generate

    convert.__name__ = name
    return intrinsic(convert)


half_to_float32 = _assembly("half_to_float32", "cvt.f32.f16 $0, $1;", types.float32, types.uint16, "=f,h")
float32_to_half = _assembly("float32_to_half", "cvt.rn.f16.f32 $0, $1;", types.uint16, types.float32, "=h,f")
float64_to_half = _assembly("float64_to_half", "cvt.rn.f16.f64 $0, $1;", types.uint16, types.float64, "=h,d")

_LETTERS = {"float32": "f", "float64": "d", "int32": "r", "uint32": "r", "int64": "l", "uint64": "l"}


def _to_integer(source: str, target: str) -> Callable[..., Any]:
    """Return the conversion towards zero; what does not fit becomes the nearest end. Of a NaN, anything."""
    name = f"{source}_to_{target}"
    assembly = f"cvt.rzi.{target[0].replace('i', 's')}{target[-2:]}.f{source[-2:]} $0, $1;"
    constraints = f"={_LETTERS[target]},{_LETTERS[source]}"
    return _assembly(name, assembly, getattr(types, target), getattr(types, source), constraints)


FLOAT_TO_INTEGER = {
    (source, target): _to_integer(source, target)
    for source in ("float32", "float64")
    for target in ("int32", "uint32", "int64", "uint64")
}
"""By the names of the dtypes. LLVM's own conversions are undefined for what does not fit."""
