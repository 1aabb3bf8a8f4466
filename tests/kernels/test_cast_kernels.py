from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvars import kernels
from nbvars.kernels.cpu import cast
from tests import reference
from tests.conftest import (
    ALL_DTYPES,
    COMPLEX,
    FLOATS,
    INTEGERS,
    LAYOUTS,
    assert_same_bits,
    numpy_dtype,
    random_array,
    run_kernel,
    run_python,
)

HALVES = ["float16", "bfloat16"]

WHOLE_NUMBERS = [0, 1, 2, 127, 128, 255, 256, 257, 2**11 + 1, 65504, 65519, 65520, 65535, 65536, 2**24 + 1]
WHOLE_NUMBERS += [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62 + 2**54 + 1, 2**63 - 1, 2**63, 2**64 - 1]
REAL_NUMBERS = [0.5, 0.9, 1.5, 1.9, 2.5, 127.9, 128.9, 255.9, 256.0, 1e10, 1e19, 1e38, 3.5e38, 1e300, np.inf]
# The largest float32s and float64s below the ends of the integers.
REAL_NUMBERS += [2.0**31 - 128, 2.0**63 - 2**39, 2.0**63 - 1024, 2.0**64 - 2**40, 2.0**64 - 2048]
# Ties of float16 and bfloat16, and what lies a little to either side of them.
REAL_NUMBERS += [
    tie * (1 + nudge)
    for tie in [1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8, 1 + 3 * 2**-8, 65520.0, 2.0**-25, 3 * 2.0**-25]
    for nudge in [0, 2.0**-40, -(2.0**-40), 2.0**-23, -(2.0**-23)]
]
# The least numbers, normal and subnormal, of each floating type, and half of the least.
REAL_NUMBERS += [2.0**-14, 2.0**-24, 2.0**-126, 2.0**-127, 2.0**-133, 2.0**-134, 2.0**-149, 2.0**-150]
REAL_NUMBERS += [2.0**-1022, 5e-324]


def special_values(dtype):
    """Return every value above that ``dtype`` can hold, negated too, and the ends of its range."""
    kind = numpy_dtype(dtype)
    if dtype in INTEGERS or dtype == "bool":
        limits = np.iinfo(kind) if dtype in INTEGERS else np.iinfo(np.uint8)
        numbers = [limits.min, limits.max] + [sign * number for number in WHOLE_NUMBERS for sign in (1, -1)]
        fitting = [int(number) for number in numbers if limits.min <= number <= limits.max]
        return np.array(fitting, np.uint8 if dtype == "bool" else kind).astype(kind)
    real = np.array([float(number) for number in WHOLE_NUMBERS] + REAL_NUMBERS)
    real = np.concatenate([real, -real, [np.nan]])
    with np.errstate(all="ignore"):
        if dtype in COMPLEX:
            both = np.empty(2 * real.size, np.complex128)
            both.real = np.concatenate([real, np.zeros_like(real)])
            both.imag = np.concatenate([np.roll(real, 7), real])
            return both.astype(kind)
        return real.astype(kind)


def any_bits(rng, dtype, size):
    kind = numpy_dtype(dtype)
    return rng.integers(0, 2 ** (8 * kind.itemsize), size, f"uint{8 * kind.itemsize}").view(kind)


@pytest.mark.parametrize("source", ALL_DTYPES)
@pytest.mark.parametrize("target", ALL_DTYPES)
def test_cast_of_special_values_equals_the_reference(device, source, target):
    x = special_values(source)
    before = x.tobytes()
    result = run_kernel("cast", device, x, numpy_dtype(target))
    assert_same_bits(result, reference.cast(x, numpy_dtype(target)))
    assert not np.may_share_memory(result, x)
    assert x.tobytes() == before


@pytest.mark.parametrize("source", ["bool", *INTEGERS])
@pytest.mark.parametrize("target", ["bool", *INTEGERS, "float32", "float64"])
def test_large_cast_of_integers_equals_the_reference(monkeypatch, source, target):
    monkeypatch.setattr(cast, "PART_BYTES", 0)
    monkeypatch.setattr(cast, "get_num_threads", lambda: 1)
    x = special_values(source)
    assert_same_bits(kernels.cast(x, numpy_dtype(target)), reference.cast(x, numpy_dtype(target)))


def whole_lines(source, target, rng):
    """Return as many numbers as are cast past the caches, and some more, and where their results go."""
    num_items = cast.STREAM_BYTES // numpy_dtype(target).itemsize + 1000
    return random_array(rng, source, (num_items,)), np.zeros(num_items + 64, numpy_dtype(target))


@pytest.mark.parametrize(
    ("source", "target"),
    [("float16", "float32"), ("float32", "bfloat16"), ("float64", "int8"), ("int8", "float64"), ("int32", "uint32")],
)
@pytest.mark.parametrize("num_threads", [1, 3])
def test_cast_past_the_caches_equals_the_reference_wherever_the_result_begins(
    monkeypatch, rng, source, target, num_threads
):
    monkeypatch.setattr(cast, "get_num_threads", lambda: num_threads)
    x, memory = whole_lines(source, target, rng)
    with np.errstate(all="ignore"):
        expected = np.clip(x, -128, 127).astype(target) if target == "int8" else x.astype(memory.dtype)
    for first in (0, 1, 33, 63):
        memory[:] = 7
        out = memory[first : first + x.size]
        assert kernels.cast(x, out.dtype, out) is out
        assert_same_bits(out, expected)
        assert np.all(memory[:first] == 7)
        assert np.all(memory[first + x.size :] == 7)


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", INTEGERS)
def test_cast_to_integer_truncates_and_saturates_and_makes_nan_0(device, source, target):
    limits = np.iinfo(target)
    x = np.array([1.9, -1.9, -0.0, np.nan, np.inf, -np.inf]).astype(numpy_dtype(source))
    lowest = limits.min
    expected = [1, -1 if lowest < 0 else 0, 0, 0, limits.max, lowest]
    assert run_kernel("cast", device, x, np.dtype(target)).tolist() == expected


@pytest.mark.parametrize("source", HALVES)
@pytest.mark.parametrize("target", ["float32", "float64"])
def test_every_half_survives_the_way_there_and_back(device, source, target):
    kind = numpy_dtype(source)
    halves = np.arange(2**16, dtype=np.uint16).view(kind)
    wide = run_kernel("cast", device, halves, np.dtype(target))
    with np.errstate(all="ignore"):
        assert_same_bits(wide, halves.astype(target))
    assert_same_bits(run_kernel("cast", device, wide, kind), halves)


@pytest.mark.parametrize("source", HALVES)
@pytest.mark.parametrize("target", ["int8", "uint16", "int32", "uint64", "float16", "bfloat16"])
def test_cast_of_every_half_equals_the_reference(device, source, target):
    halves = np.arange(2**16, dtype=np.uint16).view(numpy_dtype(source))
    result = run_kernel("cast", device, halves, numpy_dtype(target))
    assert_same_bits(result, reference.cast(halves, numpy_dtype(target)))


@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("target", HALVES)
def test_cast_of_a_million_bit_patterns_to_halves_equals_numpy(device, rng, source, target):
    kind = numpy_dtype(target)
    patterns = any_bits(rng, source, 500_000)
    # Most patterns overflow or vanish in float16: as many that do not.
    near = (2.0 ** rng.uniform(-28, 17, 500_000) * rng.choice([-1, 1], 500_000)).astype(source)
    x = np.concatenate([patterns, near])
    with np.errstate(all="ignore"):
        assert_same_bits(run_kernel("cast", device, x, kind), x.astype(kind))


@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("target", HALVES)
def test_cast_rounds_every_tie_between_halves_to_even(device, source, target):
    kind = numpy_dtype(target)
    infinity = {"float16": 0x7C00, "bfloat16": 0x7F80}[target]
    halves = np.arange(infinity, dtype=np.uint16).view(kind).astype(source)
    middles = halves[:-1] + (halves[1:] - halves[:-1]) / 2
    x = np.concatenate([np.nextafter(middles, 0), middles, np.nextafter(middles, np.inf)]).astype(source)
    with np.errstate(all="ignore"):
        expected = x.astype(kind)
    assert_same_bits(run_kernel("cast", device, x, kind), expected)
    even = run_kernel("cast", device, middles, kind).view(np.uint16)
    assert not np.any(even & 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("source", "target"),
    [("float32", "bfloat16"), ("float64", "int32"), ("int32", "float64"), ("complex64", "float16")],
)
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 2), (0, 3), (1,)], ids=str)
def test_cast_reads_any_layout(device, rng, layout, source, target, shape):
    x = random_array(rng, source, shape)
    result = run_kernel("cast", device, LAYOUTS[layout](x), numpy_dtype(target))
    assert_same_bits(result, reference.cast(x, numpy_dtype(target)))


@pytest.mark.parametrize("target", ["bfloat16", "int32", "float64", "complex64", "float32"])
def test_cast_of_a_scalar_is_a_scalar(device, target):
    x = np.array(2.75, np.float32)
    result = run_kernel("cast", device, x, numpy_dtype(target))
    assert isinstance(result, np.ndarray)
    assert_same_bits(result, reference.cast(x, numpy_dtype(target)))


@pytest.mark.parametrize(
    ("source", "target"), [("float32", "bfloat16"), ("int32", "float64"), ("complex64", "int32"), ("int8", "int8")]
)
@pytest.mark.parametrize("shape", [(3, 4), (), (0,)], ids=str)
def test_cast_writes_to_out_and_returns_it(device, rng, source, target, shape):
    x = random_array(rng, source, shape)
    out = np.zeros(shape, numpy_dtype(target))
    assert run_kernel("cast", device, x, out.dtype, out) is out
    assert_same_bits(out, reference.cast(x, out.dtype))


@pytest.mark.parametrize("target", ["int32", "float32", "uint32"])
@pytest.mark.parametrize("shift", [0, 1])
def test_cast_reads_x_as_it_was_if_out_lies_in_it(device, rng, target, shift):
    memory = random_array(rng, "float32", (9,))
    x, out = memory[: 9 - shift], memory[shift:].view(target)
    expected = reference.cast(x.copy(), np.dtype(target))
    assert_same_bits(run_kernel("cast", device, x, out.dtype, out), expected)


@pytest.mark.parametrize(
    ("out", "got"),
    [
        (np.zeros((2, 4), np.int32), "int32 of shape (2, 4)"),
        (np.zeros(6, np.int32), "int32 of shape (6,)"),
        (np.zeros((2, 3), np.int64), "int64 of shape (2, 3)"),
        (np.zeros((2, 3), np.float32), "float32 of shape (2, 3)"),
        (np.zeros((2, 6), np.int32)[:, ::2], "int32 of shape (2, 3)"),
        (np.zeros((2, 3), ">i4"), ">i4 of shape (2, 3)"),
        (LAYOUTS["fortran"](np.zeros((2, 3), np.int32)), "int32 of shape (2, 3)"),
        (LAYOUTS["read_only"](np.zeros((2, 3), np.int32)), "int32 of shape (2, 3)"),
        (LAYOUTS["unaligned"](np.zeros((2, 3), np.int32)), "int32 of shape (2, 3)"),
    ],
    ids=["shape", "rank", "size", "kind", "strided", "big_endian", "fortran", "read_only", "unaligned"],
)
def test_cast_refuses_an_out_that_does_not_take_the_result(device, out, got):
    sentence = f"cast: out does not take the result: got {got}, expected C-contiguous writable int32 of shape (2, 3)"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        run_kernel("cast", device, np.ones((2, 3), np.float32), np.dtype(np.int32), out)
    assert not np.any(out)


@pytest.mark.parametrize("dtype", ["object", "U2", "datetime64[s]", "S3"])
def test_cast_refuses_a_foreign_dtype_on_either_side(device, dtype):
    foreign = np.dtype(dtype)
    sentence = rf"^cast: the dtype is not castable: got {re.escape(str(foreign))}, expected one of "
    with pytest.raises(TypeError, match=sentence):
        run_kernel("cast", device, np.zeros(2, foreign), np.dtype(np.int32))
    with pytest.raises(TypeError, match=sentence):
        run_kernel("cast", device, np.zeros(2, np.int32), foreign)


def test_float16_works_on_a_processor_without_instructions_for_it():
    code = """
import numpy as np
from nbvars import kernels

def assert_same(got, expected):
    same = (got == expected) & (np.signbit(got) == np.signbit(expected)) | np.isnan(got) & np.isnan(expected)
    assert got.dtype == expected.dtype and np.all(same)

rng = np.random.default_rng(1)
halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
near = 2.0 ** rng.uniform(-28, 17, 200_000) * rng.choice([-1, 1], 200_000)
finite = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float64)
ties = finite[:-1] + (finite[1:] - finite[:-1]) / 2
near = np.concatenate([near, ties, np.nextafter(ties, 0), np.nextafter(ties, np.inf), [65520, np.nan, -np.inf]])
patterns = rng.integers(0, 2**32, 200_000, np.uint32).view(np.float32)
with np.errstate(all="ignore"):
    assert_same(kernels.cast(halves, np.dtype("float32")), halves.astype(np.float32))
    for x in (near, near.astype(np.float32), patterns):
        assert_same(kernels.cast(x, np.dtype("float16")), x.astype(np.float16))
ref = np.ones(4, np.float16)
kernels.scatter_add(ref, np.array([1, 1, 3]), np.array([0.5, 2.0**-11, 3], np.float16))
print(ref.tolist())
"""
    assert run_python(code, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == "[1.0, 1.5, 1.0, 4.0]"


@given(
    memory=st.binary(max_size=64),
    source=st.sampled_from(FLOATS),
    target=st.sampled_from([*INTEGERS, *FLOATS]),
)
def test_cast_of_any_bits_equals_the_reference(device, memory, source, target):
    kind = numpy_dtype(source)
    x = np.frombuffer(memory[: len(memory) // kind.itemsize * kind.itemsize], kind)
    assert_same_bits(run_kernel("cast", device, x, numpy_dtype(target)), reference.cast(x, numpy_dtype(target)))


@given(
    numbers=st.lists(st.floats(-1e20, 1e20) | st.floats(-300, 300), max_size=8),
    source=st.sampled_from(["float32", "float64"]),
    target=st.sampled_from(INTEGERS),
)
def test_cast_of_any_number_to_an_integer_equals_the_reference(device, numbers, source, target):
    x = np.array(numbers, source)
    assert_same_bits(run_kernel("cast", device, x, np.dtype(target)), reference.cast(x, np.dtype(target)))


@given(numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8), target=st.sampled_from(FLOATS))
def test_cast_of_any_integer_to_a_float_equals_the_reference(device, numbers, target):
    x = np.array(numbers, np.int64)
    assert_same_bits(run_kernel("cast", device, x, numpy_dtype(target)), reference.cast(x, numpy_dtype(target)))
