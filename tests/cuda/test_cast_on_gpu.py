from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from nbvars import kernels
from tests import reference
from tests.conftest import ALL_DTYPES, COMPLEX, FLOATS, INTEGERS, assert_same_bits, numpy_dtype, random_array
from tests.cuda.conftest import run_on_gpu
from tests.kernels.test_cast_kernels import special_values

HALVES = ["float16", "bfloat16"]
MANTISSA_BITS = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}
SOME_PAIRS = [
    ("float32", "float16"),
    ("bfloat16", "float32"),
    ("float64", "int8"),
    ("int8", "float64"),
    ("int16", "bool"),
    ("uint32", "float32"),
    ("complex64", "float16"),
    ("complex128", "complex64"),
    ("int8", "complex128"),
    ("int64", "uint64"),
]


def on_device(array):
    from nbvars.kernels.cuda.memory import to_device

    return to_device(array, 0)


def view(memory, dtype, shape, offset_bytes):
    from nbvars.kernels.cuda.memory import DeviceArray

    return DeviceArray(shape, numpy_dtype(dtype), 0, memory.pointer + offset_bytes, memory)


def cast_on_device(*arguments):
    return kernels.find_kernel("cast", "gpu")(*arguments)


def num_items_of_two_blocks(source, target):
    """Return so many items that threads of the first block cast all their runs, some one, and a few are left over."""
    from nbvars.kernels.cuda.cast import kernel_pair, run_of
    from nbvars.kernels.cuda.launch import NUM_THREADS

    run = run_of(*kernel_pair(source, target))
    return run.num_items * (NUM_THREADS * run.per_thread + NUM_THREADS + 1) + run.num_items // 2 + 1


def any_items(rng, dtype, num_items):
    """Return special values, and behind them any bits."""
    kind, special = numpy_dtype(dtype), special_values(dtype)
    if dtype == "bool":
        return np.resize(special, num_items)
    others = np.frombuffer(rng.bytes(max(0, num_items - special.size) * kind.itemsize), kind)
    return np.concatenate([special, others])


@pytest.mark.parametrize("source", ALL_DTYPES)
@pytest.mark.parametrize("target", ALL_DTYPES)
def test_cast_on_gpu_equals_the_cpu_and_the_reference(rng, source, target):
    x = any_items(rng, source, num_items_of_two_blocks(source, target))
    result = run_on_gpu("cast", x, numpy_dtype(target))
    assert_same_bits(result, kernels.cast(x, numpy_dtype(target)))
    assert_same_bits(result, reference.cast(x, numpy_dtype(target)))


def nans(dtype):
    """Return quiet and signalling NaNs of both signs, and how each is written: sign, and mantissa from the left."""
    mantissa_bits, bits = MANTISSA_BITS[dtype], 8 * numpy_dtype(dtype).itemsize
    quiet, infinity = 1 << (mantissa_bits - 1), (1 << (bits - 1)) - (1 << mantissa_bits)
    # Of a signalling NaN one of the upper bits is set: another one could round to infinity.
    mantissas = [quiet, quiet | 1, quiet | quiet >> 1, quiet | 0b101_0101 << (mantissa_bits - 7), quiet >> 1, quiet - 1]
    both = [(sign, mantissa) for sign in (0, 1) for mantissa in mantissas]
    patterns = [(sign << (bits - 1)) | infinity | mantissa for sign, mantissa in both]
    return np.array(patterns, f"uint{bits}").view(numpy_dtype(dtype)), both


def expected_nan(source, target, sign, mantissa):
    """Return the bits of a NaN that is cast: quiet, with its sign and what there is room for; bfloat16 has one each."""
    from_bits, to_bits, bits = MANTISSA_BITS[source], MANTISSA_BITS[target], 8 * numpy_dtype(target).itemsize
    kept = mantissa << (to_bits - from_bits) if to_bits >= from_bits else mantissa >> (from_bits - to_bits)
    quiet = 1 << (to_bits - 1)
    if target == "bfloat16":
        kept = quiet
    if (source, target) != ("bfloat16", "float32"):  # the same upper bits: a signalling NaN stays one
        kept |= quiet
    return (sign << (bits - 1)) | ((1 << (bits - 1)) - (1 << to_bits)) | kept


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(FLOATS, 2)))
def test_cast_on_gpu_makes_the_nans_of_the_cpu(source, target):
    x, written = nans(source)
    result = run_on_gpu("cast", x, numpy_dtype(target))
    expected = [expected_nan(source, target, *each) for each in written]
    assert result.view(f"uint{8 * result.itemsize}").tolist() == expected
    if "float16" not in (source, target):  # how the CPU converts float16 depends on its instructions
        assert result.tobytes() == kernels.cast(x, numpy_dtype(target)).tobytes()


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_cast_on_gpu_to_the_same_dtype_copies_the_bits(rng, dtype):
    x = any_items(rng, dtype, 50)
    assert run_on_gpu("cast", x, numpy_dtype(dtype)).tobytes() == x.tobytes()


@pytest.mark.parametrize("source", HALVES)
@pytest.mark.parametrize("target", ["int8", "uint16", "int32", "uint64", "float16", "bfloat16", "float32", "float64"])
def test_cast_on_gpu_of_halves_all_over_their_range_equals_the_reference(source, target):
    from nbvars.kernels.cuda.toolkit import IS_SIMULATED

    halves = np.arange(0, 2**16, 37 if IS_SIMULATED else 1, np.uint16).view(numpy_dtype(source))
    assert_same_bits(run_on_gpu("cast", halves, numpy_dtype(target)), reference.cast(halves, numpy_dtype(target)))


@pytest.mark.parametrize("source", ["float32", "float64"])
@pytest.mark.parametrize("target", HALVES)
def test_cast_on_gpu_rounds_ties_between_halves_to_even(source, target):
    from nbvars.kernels.cuda.toolkit import IS_SIMULATED

    kind, infinity = numpy_dtype(target), {"float16": 0x7C00, "bfloat16": 0x7F80}[target]
    halves = np.arange(infinity, dtype=np.uint16).view(kind).astype(source)
    middles = (halves[:-1] + (halves[1:] - halves[:-1]) / 2)[:: 97 if IS_SIMULATED else 1]
    x = np.concatenate([np.nextafter(middles, 0), middles, np.nextafter(middles, np.inf)]).astype(source)
    x = np.concatenate([x, -x])
    with np.errstate(all="ignore"):
        assert_same_bits(run_on_gpu("cast", x, kind), x.astype(kind))
    assert not np.any(run_on_gpu("cast", middles, kind).view(np.uint16) & 1)


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", INTEGERS)
def test_cast_on_gpu_to_integer_truncates_and_saturates_and_makes_nan_0(source, target):
    limits = np.iinfo(target)
    x = np.array([1.9, -1.9, -0.0, np.nan, -np.nan, np.inf, -np.inf]).astype(numpy_dtype(source))
    expected = [1, -1 if limits.min < 0 else 0, 0, 0, 0, limits.max, limits.min]
    assert run_on_gpu("cast", x, np.dtype(target)).tolist() == expected


@pytest.mark.parametrize(("source", "target"), SOME_PAIRS)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (15,), (16,), (17,), (7, 9), (0, 3)], ids=str)
def test_cast_on_gpu_keeps_the_shape(rng, source, target, shape):
    x = random_array(rng, source, shape)
    assert_same_bits(run_on_gpu("cast", x, numpy_dtype(target)), reference.cast(x, numpy_dtype(target)))


@pytest.mark.parametrize(("source", "target"), SOME_PAIRS)
def test_cast_on_gpu_writes_to_out_wherever_both_begin_and_nowhere_else(rng, source, target):
    whole, kind, out_kind = random_array(rng, source, (80,)), numpy_dtype(source), numpy_dtype(target)
    for start, out_start in ((0, 0), (1, 0), (0, 1), (16, 16), (3, 5)):
        x, memory = on_device(whole), on_device(np.full(80, 7).astype(out_kind))
        part = view(x, source, (6, 8), start * kind.itemsize)
        out = view(memory, target, (6, 8), out_start * out_kind.itemsize)
        assert cast_on_device(part.read_only(), out_kind, out) is out
        expected = np.full(80, 7).astype(out_kind)
        expected[out_start : out_start + 48] = reference.cast(whole[start : start + 48], out_kind)
        assert_same_bits(memory.copy_to_host(), expected)
        assert_same_bits(x.copy_to_host(), whole)


def test_cast_on_gpu_takes_complex_numbers_that_begin_between_two(rng):
    whole = random_array(rng, "complex64", (41,))
    between = whole.view(np.float32)[1:-1].view(np.complex64)
    memory = on_device(whole)
    x = view(memory, "complex64", (40,), 4)
    for target in ("bool", "int64", "float32", "complex128"):
        result = cast_on_device(x, numpy_dtype(target)).copy_to_host()
        assert_same_bits(result, reference.cast(between, numpy_dtype(target)))


@pytest.mark.parametrize("target", ["int32", "float32", "uint32", "int8", "float64", "complex64"])
@pytest.mark.parametrize(("start", "out_start"), [(0, 0), (0, 4), (4, 0), (1, 3), (60, 0)])
def test_cast_on_gpu_reads_x_as_it_was_if_out_lies_in_it(rng, target, start, out_start):
    whole, kind = random_array(rng, "float32", (160,)), numpy_dtype(target)
    memory = on_device(whole)
    offset = -(-4 * out_start // kind.itemsize) * kind.itemsize
    out = cast_on_device(view(memory, "float32", (70,), 4 * start), kind, view(memory, target, (70,), offset))
    expected = whole.copy().view(np.uint8)
    expected[offset : offset + 70 * kind.itemsize] = reference.cast(whole[start : start + 70], kind).view(np.uint8)
    assert out.pointer == memory.pointer + offset
    assert_same_bits(memory.copy_to_host().view(np.uint8), expected)


@pytest.mark.parametrize(("first", "second"), [("int32 int8", "uint32 uint8"), ("bool float64", "uint8 float64")])
def test_pairs_that_make_the_same_bits_share_a_kernel(first, second):
    from nbvars.kernels.cuda.cast import kernel_pair

    assert kernel_pair(*first.split()) == kernel_pair(*second.split())


@pytest.mark.parametrize("unlike", ["int8 int16", "float32 int32", "int32 float32", "bool float32", "uint8 bool"])
def test_pairs_that_make_other_bits_have_a_kernel(unlike):
    from nbvars.kernels.cuda.cast import kernel_pair

    source, target = kernel_pair(*unlike.split())
    assert source != target


def test_cast_on_gpu_refuses_an_out_that_does_not_take_the_result():
    x = on_device(np.ones((2, 3), np.float32))
    cases = [
        (np.zeros((2, 4), np.int32), "int32 of shape (2, 4)"),
        (np.zeros(6, np.int32), "int32 of shape (6,)"),
        (np.zeros((2, 3), np.int64), "int64 of shape (2, 3)"),
    ]
    outs = [(on_device(out), got) for out, got in cases]
    outs.append((on_device(np.zeros((2, 3), np.int32)).read_only(), "int32 of shape (2, 3)"))
    for out, got in outs:
        expected = "C-contiguous writable int32 of shape (2, 3)"
        sentence = f"cast: out does not take the result: got {got}, expected {expected}"
        with pytest.raises(ValueError, match=re.escape(sentence)):
            cast_on_device(x, np.dtype(np.int32), out)
        assert not np.any(out.copy_to_host())


@pytest.mark.parametrize("dtype", ["object", "U2", "datetime64[s]", "S3"])
def test_cast_on_gpu_refuses_a_foreign_dtype(dtype):
    sentence = rf"^cast: the dtype is not castable: got {re.escape(str(np.dtype(dtype)))}, expected one of "
    with pytest.raises(TypeError, match=sentence):
        cast_on_device(on_device(np.zeros(2, np.int32)), np.dtype(dtype))


def test_cast_on_gpu_refuses_arrays_of_the_host():
    x = on_device(np.zeros(2, np.int32))
    with pytest.raises(TypeError, match="cast: x has the wrong type: got ndarray, expected a DeviceArray"):
        cast_on_device(np.zeros(2, np.int32), np.dtype(np.int64))
    with pytest.raises(TypeError, match="cast: out has the wrong type: got ndarray, expected a DeviceArray"):
        cast_on_device(x, np.dtype(np.int64), np.zeros(2, np.int64))


@pytest.mark.parametrize("dtype", ["float32", ">f4", np.float32])
def test_cast_on_gpu_takes_what_numpy_takes_for_a_dtype(dtype):
    result = cast_on_device(on_device(np.array([1, -2])), dtype).copy_to_host()
    assert_same_bits(result, np.array([1, -2], np.float32))


@pytest.mark.parametrize("dtype", COMPLEX)
def test_cast_on_gpu_of_a_complex_number_to_bool_asks_both_parts(dtype):
    x = np.array([0, 1, 1j, -0.0, complex(0, np.nan), complex(-0.0, -0.0), complex(np.nan, 0)], dtype)
    assert run_on_gpu("cast", x, np.dtype(bool)).tolist() == [False, True, True, False, True, False, True]
