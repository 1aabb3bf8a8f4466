from __future__ import annotations

import re

import numpy as np
import pytest

from nbvars.errors import InvalidArgumentError
from tests import reference
from tests.conftest import ALL_DTYPES, COMPLEX, FLOATS, INTEGERS, NUMERIC, assert_same_bits, numpy_dtype, random_array
from tests.cuda.conftest import run_on_gpu

DTYPES_OF = {
    "scatter_update": ALL_DTYPES,
    "scatter_add": NUMERIC,
    "scatter_sub": NUMERIC,
    "scatter_mul": NUMERIC,
    "scatter_div": NUMERIC,
    "scatter_min": INTEGERS + FLOATS,
    "scatter_max": INTEGERS + FLOATS,
}
OPS = list(DTYPES_OF)
CASES = [(op_type, dtype) for op_type in OPS for dtype in DTYPES_OF[op_type]]
# A complex quotient may be rounded otherwise than NumPy's.
EXACT_CASES = [
    (op_type, dtype) for op_type, dtype in CASES if (op_type, dtype) not in {("scatter_div", c) for c in COMPLEX}
]
INDICES = np.array([0, 6, 3, 3, 3, 0, 6, 5, 3, 3])


def expected_of(op_type, ref, indices, values):
    expected = ref.copy()
    getattr(reference, op_type)(expected, indices, values)
    return expected


def small_numbers(rng, dtype, shape):
    """Return numbers of which sums and products are exact, none of them 0."""
    kind = numpy_dtype(dtype)
    if dtype in COMPLEX:
        return (rng.integers(1, 4, shape) + 1j * rng.integers(1, 4, shape)).astype(kind)
    numbers = rng.choice([1, 2, 4], shape) if kind.kind == "u" else rng.choice([-2, -1, 1, 2, 4], shape)
    return numbers.astype(kind)


@pytest.mark.parametrize(("op_type", "dtype"), EXACT_CASES)
@pytest.mark.parametrize("row_shape", [(), (3,), (16,)])
def test_scatter_combines_every_slice(rng, op_type, dtype, row_shape):
    ref, values = (small_numbers(rng, dtype, (n, *row_shape)) for n in (7, INDICES.size))
    if op_type == "scatter_div" and dtype in INTEGERS:
        ref = (ref.astype(np.int64) * 64 % 128).astype(dtype)  # so that no order of division leaves a rest
    got = run_on_gpu(op_type, ref, INDICES.astype(np.int32), values)
    assert_same_bits(got, expected_of(op_type, ref, INDICES, values))


@pytest.mark.parametrize(("op_type", "dtype"), EXACT_CASES)
@pytest.mark.parametrize("row_shape", [(), (16,)])
def test_deterministic_scatter_applies_slices_in_order_to_the_bit(rng, op_type, dtype, row_shape):
    negative_zero = op_type not in ("scatter_min", "scatter_max")  # which zero is the smaller one is not promised
    ref, values = (random_array(rng, dtype, (n, *row_shape), negative_zero=negative_zero) for n in (7, INDICES.size))
    got = run_on_gpu(op_type, ref, INDICES, values, True)
    assert_same_bits(got, expected_of(op_type, ref, INDICES, values))


@pytest.mark.parametrize("dtype", COMPLEX)
def test_scatter_div_of_complex_numbers_is_that_of_the_cpu(rng, dtype):
    from nbvars import kernels

    ref, values = (
        (rng.standard_normal((n, 3)) + 1j * rng.standard_normal((n, 3))).astype(dtype) for n in (7, INDICES.size)
    )
    expected = ref.copy()
    kernels.scatter_div(expected, INDICES, values)
    assert_same_bits(run_on_gpu("scatter_div", ref, INDICES, values), expected)


@pytest.mark.parametrize("op_type", ["scatter_add", "scatter_sub"])
@pytest.mark.parametrize("dtype", ["int8", "float16", "bfloat16", "float32", "float64", "int64"])
@pytest.mark.parametrize("width", [1, 2, 5, 8, 20, 40])
def test_sums_are_exact_for_rows_of_any_width(rng, op_type, dtype, width):
    ref, values = small_numbers(rng, dtype, (4, width)), small_numbers(rng, dtype, (5, width))
    indices = np.array([3, 0, 3, 3, 1])
    assert_same_bits(run_on_gpu(op_type, ref, indices, values), expected_of(op_type, ref, indices, values))


@pytest.mark.parametrize("op_type", ["scatter_add", "scatter_mul", "scatter_update"])
@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float32"])
@pytest.mark.parametrize("deterministic", [False, True])
def test_scatter_works_wherever_the_memory_begins(rng, op_type, dtype, deterministic):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import DeviceArray, to_device

    kind = numpy_dtype(dtype)
    whole, slices = small_numbers(rng, dtype, (75,)), small_numbers(rng, dtype, (25,))
    indices = np.array([3, 0, 3])
    for start, first in ((0, 0), (1, 0), (0, 1), (3, 1), (16, 16)):
        memory, given = to_device(whole, 0), to_device(slices, 0)
        ref = DeviceArray((4, 8), kind, 0, memory.pointer + start * kind.itemsize, memory)
        values = DeviceArray((3, 8), kind, 0, given.pointer + first * kind.itemsize, given) if first < 2 else None
        values = values or to_device(slices[:24].reshape(3, 8), 0)
        expected = whole.copy()
        getattr(reference, op_type)(expected[start : start + 32].reshape(4, 8), indices, values.copy_to_host())
        find_kernel(op_type, "gpu")(ref, to_device(indices, 0), values, deterministic)
        assert_same_bits(memory.copy_to_host(), expected)


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("deterministic", [False, True])
def test_scatter_takes_one_value_for_all_elements(rng, op_type, deterministic):
    ref, value = np.array([[8.0, 4.0], [2.0, 1.0], [16.0, 32.0]], np.float32), np.float32(2)
    indices = np.array([[2, 0], [2, 2]])
    expected = expected_of(op_type, ref, indices, value)
    for given in (value, np.array(value)):  # of the host, and in the memory of the GPU
        assert_same_bits(run_on_gpu(op_type, ref, indices, given, deterministic), expected)


def test_scatter_takes_one_index(rng):
    ref = np.zeros((3, 2), np.float32)
    got = run_on_gpu("scatter_add", ref, np.array(1), np.array([2, 3], np.float32))
    assert got.tolist() == [[0, 0], [2, 3], [0, 0]]
    assert run_on_gpu("scatter_add", ref, np.int32(2), np.float32(1)).tolist() == [[0, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize("op_type", ["scatter_add", "scatter_mul", "scatter_update"])
@pytest.mark.parametrize("index_dtype", ["int8", "uint8", "int16", "uint16", "uint32", "uint64", "int32", "int64"])
def test_indices_of_every_integer_dtype_name_rows(op_type, index_dtype):
    ref, values = np.full((5, 2), 8, np.int32), np.full((3, 2), 2, np.int32)
    indices = np.array([4, 1, 4], index_dtype)
    assert_same_bits(run_on_gpu(op_type, ref, indices, values), expected_of(op_type, ref, indices, values))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize(("shape", "num_slices"), [((4, 3), 0), ((0, 3), 0), ((4, 0), 2), ((4, 0, 2), 0)])
def test_scatter_of_nothing_changes_nothing(op_type, deterministic, shape, num_slices):
    from nbvars.kernels.cuda import status

    ref, values = np.ones(shape, np.float32), np.ones((num_slices, *shape[1:]), np.float32)
    got = run_on_gpu(op_type, ref, np.zeros(num_slices, np.int64), values, deterministic)
    assert_same_bits(got, ref)
    status.check(0)


@pytest.mark.parametrize("deterministic", [False, True])
def test_scatter_takes_arrays_that_lie_in_the_variable(rng, deterministic):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import DeviceArray, to_device

    whole = np.arange(40).reshape(20, 2) % 10
    memory = to_device(whole, 0)
    indices = DeviceArray((4,), memory.dtype, 0, memory.pointer + 8, memory)
    values = DeviceArray((4, 2), memory.dtype, 0, memory.pointer + 16, memory)
    find_kernel("scatter_add", "gpu")(memory, indices, values, deterministic)
    flat = whole.reshape(-1)
    expected = expected_of("scatter_add", whole, flat[1:5], flat[2:10].reshape(4, 2))
    assert_same_bits(memory.copy_to_host(), expected)


@pytest.mark.parametrize("op_type", ["scatter_min", "scatter_max"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("deterministic", [False, True])
def test_scatter_min_and_max_keep_nan_of_either_side(op_type, dtype, deterministic):
    nan, one = (np.array(x).astype(numpy_dtype(dtype)) for x in (np.nan, 1))
    ref, values = np.array([nan, one, one], numpy_dtype(dtype)), np.array([one, nan, one], numpy_dtype(dtype))
    got = run_on_gpu(op_type, ref, np.arange(3), values, deterministic)
    assert list(got != got) == [True, True, False]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("deterministic", [False, True])
def test_scatter_div_of_integers_rounds_towards_zero_and_wraps(dtype, deterministic):
    limits = np.iinfo(dtype)
    pairs = [(7, 2), (6, 3), (limits.max, 2), (limits.max, limits.max), (limits.min, limits.max)]
    if limits.min < 0:
        pairs += [(-7, 2), (7, -2), (-7, -2), (-6, 3), (-1, limits.max), (limits.min, -1), (limits.min, 2)]
    ref, values = (np.array(column, dtype) for column in zip(*pairs, strict=True))
    indices = np.arange(len(pairs))
    got = run_on_gpu("scatter_div", ref, indices, values, deterministic)
    assert_same_bits(got, expected_of("scatter_div", ref, indices, values))


def test_scatter_update_is_in_order_where_numbers_of_all_rows_take_too_much_memory(rng, monkeypatch):
    from nbvars.kernels.cuda import ordered_scatter

    monkeypatch.setattr(ordered_scatter, "MOST_BYTES_OF_LAST", 0)
    ref, values = random_array(rng, "float32", (30, 4)), random_array(rng, "float32", (10, 4))
    indices = np.array([5, 5, 1, 29, 5, 0, 1, 1, 7, 5])
    got = run_on_gpu("scatter_update", ref, indices, values)
    assert_same_bits(got, expected_of("scatter_update", ref, indices, values))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize(("position", "value"), [(0, -1), (3, 7), (9, 2**31 - 1)])
def test_a_bad_index_is_left_out_and_reported_once(rng, op_type, dtype, deterministic, position, value):
    from nbvars.kernels.cuda import status

    ref, values = np.full((7, 5), 64, dtype), small_numbers(rng, dtype, (INDICES.size, 5))
    indices, is_good = INDICES.astype(np.int32), np.arange(INDICES.size) != position
    indices[position] = value
    got = run_on_gpu(op_type, ref, indices, values, deterministic)
    assert_same_bits(got, expected_of(op_type, ref, indices[is_good], values[is_good]))
    wrong = (
        f"{op_type}: an index is out of range: indices[{position}] = {value} is not in [0, 7); the slice was left out"
    )
    with pytest.raises(InvalidArgumentError, match=re.escape(wrong)):
        status.check(0)
    status.check(0)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("dtype", ["int8", "uint64"])
def test_a_slice_that_divides_integers_by_zero_is_left_out_and_reported(deterministic, dtype):
    from nbvars.kernels.cuda import status

    ref, values = np.full((4, 3), 64, dtype), np.full((3, 3), 2, dtype)
    values[1, 2] = 0
    got = run_on_gpu("scatter_div", ref, np.array([1, 3, 1]), values, deterministic)
    assert got.tolist() == [[64] * 3, [16] * 3, [64] * 3, [64] * 3]
    with pytest.raises(InvalidArgumentError, match=r"scatter_div: .*by zero: slice 1 of values has a 0"):
        status.check(0)


def test_rows_without_elements_have_bad_indices_too():
    from nbvars.kernels.cuda import status

    run_on_gpu("scatter_add", np.ones((3, 0), np.float32), np.array([1, 3]), np.ones((2, 0), np.float32))
    with pytest.raises(InvalidArgumentError, match=re.escape("indices[1] = 3 is not in [0, 3)")):
        status.check(0)


@pytest.mark.parametrize("op_type", OPS)
def test_scatter_refuses_what_does_not_fit_and_writes_nothing(op_type):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import to_device

    update, before = find_kernel(op_type, "gpu"), np.arange(6, dtype=np.float32).reshape(3, 2)
    ref, indices, values = to_device(before, 0), to_device(np.array([1, 2]), 0), to_device(before[:2], 0)
    scalar = to_device(np.ones((), np.float32), 0)
    cases = [
        (ref, indices, to_device(before, 0), ValueError, "values has the wrong shape: got (3, 2), expected (2, 2)"),
        (ref, indices, to_device(np.ones((2, 2)), 0), TypeError, "values has the wrong dtype: got float64"),
        (ref, to_device(np.ones(2), 0), values, TypeError, "indices has the wrong dtype: got float64"),
        (ref, np.array([1, 2]), values, TypeError, "indices has the wrong type: got ndarray, expected a DeviceArray"),
        (ref, indices, before[:2], TypeError, "values has the wrong type: got ndarray, expected a DeviceArray"),
        (ref.read_only(), indices, values, ValueError, "ref cannot be updated in place"),
        (scalar, indices, scalar, ValueError, "ref has no rows: got shape ()"),
        (before, indices, values, TypeError, "ref has the wrong type"),
    ]
    for to, rows, slices, error, sentence in cases:
        with pytest.raises(error, match=re.escape(f"{op_type}: {sentence}")):
            update(to, rows, slices)
    assert_same_bits(ref.copy_to_host(), before)
