from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvars import kernels
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cpu import scatter
from tests import reference
from tests.conftest import (
    ALL_DTYPES,
    COMPLEX,
    FLOATS,
    INTEGERS,
    LAYOUTS,
    NUMERIC,
    assert_same_bits,
    numpy_dtype,
    random_array,
    run_kernel,
)

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

# A complex quotient may be rounded otherwise than NumPy's: so many times its magnitude.
TOLERANCES = {"complex64": 8 * np.finfo(np.float32).eps, "complex128": 8 * np.finfo(np.float64).eps}


def assert_equals_reference(op_type, device, ref, indices, values):
    expected = ref.copy()
    getattr(reference, op_type)(expected, indices.copy(), values.copy())
    assert_same_bits(run_kernel(op_type, device, ref, indices, values), expected)


def assert_refused(error, sentence, op_type, device, ref, indices, values):
    before = ref.tobytes()
    with pytest.raises(error, match=re.escape(sentence)):
        run_kernel(op_type, device, ref, indices, values)
    assert ref.tobytes() == before


@pytest.mark.parametrize(
    ("op_type", "dtype"),
    [
        (op_type, dtype)
        for op_type in OPS
        for dtype in DTYPES_OF[op_type]
        if (op_type, dtype) not in [("scatter_div", name) for name in COMPLEX]
    ],
)
def test_scatter_applies_every_slice_in_order(device, rng, op_type, dtype):
    negative_zero = op_type not in ("scatter_min", "scatter_max")  # which zero is the smaller one is not promised
    for row_shape in [(), (1,), (3,), (64,), (2, 3)]:
        ref = random_array(rng, dtype, (7, *row_shape), negative_zero=negative_zero)
        indices = np.array([0, 6, 3, 3, 3, 0, 6, 5] * 8)
        values = random_array(rng, dtype, (64, *row_shape), negative_zero=negative_zero)
        assert_equals_reference(op_type, device, ref, indices, values)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_scatter_div_of_complex_numbers_is_within_tolerance(device, rng, dtype):
    for row_shape in [(), (3,)]:
        ref, values = (
            (rng.standard_normal((n, *row_shape)) + 1j * rng.standard_normal((n, *row_shape))).astype(dtype)
            for n in (5, 4)
        )
        indices = np.array([0, 4, 2, 4])
        expected = ref.copy()
        reference.scatter_div(expected, indices, values)
        run_kernel("scatter_div", device, ref, indices, values)
        assert np.all(np.abs(ref - expected) <= TOLERANCES[dtype] * np.abs(expected))


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("row_shape", [(), (2,)])
def test_scatter_div_of_complex_numbers_by_zero_gives_infinity_and_nan(device, dtype, row_shape):
    ref = np.ones((4, *row_shape), dtype)
    ref[2] = 0
    values = np.array([0, 0, 2], dtype).reshape(3, *[1 for _ in row_shape]) * np.ones((3, *row_shape), dtype)
    run_kernel("scatter_div", device, ref, np.array([1, 2, 3]), values)
    assert np.all(ref[0] == 1)
    assert not np.any(np.isfinite(ref[1]))
    assert np.all(np.isnan(ref[2]))
    assert np.all(ref[3] == 0.5)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_scatter_div_of_integers_rounds_towards_zero_and_wraps(device, dtype):
    limits = np.iinfo(dtype)
    pairs = [(7, 2), (6, 3), (limits.max, 2), (limits.max, limits.max), (limits.min, limits.max)]
    if limits.min < 0:
        pairs += [(-7, 2), (7, -2), (-7, -2), (-6, 3), (-1, limits.max), (limits.min, -1), (limits.min, 2)]
    quotients = {(-7, 2): -3, (7, -2): -3, (-7, -2): 3, (7, 2): 3, (limits.min, -1): limits.min}
    ref, values = (np.array(column, dtype) for column in zip(*pairs, strict=True))
    expected = ref.copy()
    reference.scatter_div(expected, np.arange(len(pairs)), values)
    run_kernel("scatter_div", device, ref, np.arange(len(pairs)), values)
    assert_same_bits(ref, expected)
    for pair, quotient in quotients.items():
        if pair in pairs:
            assert ref[pairs.index(pair)] == quotient


@pytest.mark.parametrize("op_type", ["scatter_min", "scatter_max"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_scatter_min_and_max_keep_nan_of_either_side(device, op_type, dtype):
    nan, one = (np.array(x).astype(numpy_dtype(dtype)) for x in (np.nan, 1))
    ref = np.array([nan, one, one], numpy_dtype(dtype))
    values = np.array([one, nan, one], numpy_dtype(dtype))
    run_kernel(op_type, device, ref, np.arange(3), values)
    assert list(ref != ref) == [True, True, False]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("row_shape", [(), (5,)])
def test_scatter_update_keeps_every_bit_of_a_nan(device, rng, dtype, row_shape):
    kind = numpy_dtype(dtype)
    bits = f"uint{8 * kind.itemsize}"
    nans = np.full((3, *row_shape), np.nan).astype(kind).view(bits)
    nans |= rng.integers(0, 1 << (2 if dtype == "bfloat16" else 8), nans.shape).astype(bits)
    ref = np.zeros((4, *row_shape), kind)
    run_kernel("scatter_update", device, ref, np.array([3, 0, 1]), nans.view(kind))
    np.testing.assert_array_equal(ref.view(bits)[[3, 0, 1]], nans)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("row_shape", [(), (3,), (2, 3)])
def test_scatter_reads_values_of_any_layout(device, rng, layout, dtype, row_shape):
    ref = random_array(rng, dtype, (6, *row_shape))
    values = LAYOUTS[layout](random_array(rng, dtype, (4, *row_shape)))
    assert_equals_reference("scatter_sub", device, ref, np.array([5, 0, 2, 0]), values)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint64"])
@pytest.mark.parametrize("row_shape", [(), (3,)])
def test_scatter_reads_indices_of_any_layout(device, rng, layout, dtype, row_shape):
    ref = random_array(rng, "float32", (6, *row_shape))
    indices = LAYOUTS[layout](np.array([[5, 0, 2], [0, 1, 5]], dtype))
    values = random_array(rng, "float32", (2, 3, *row_shape))
    assert_equals_reference("scatter_sub", device, ref, indices, values)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 2), (0,), (2, 0)], ids=str)
@pytest.mark.parametrize("row_shape", [(), (1,), (3,), (0,)], ids=str)
def test_scatter_takes_indices_of_any_integer_type_and_shape(device, rng, dtype, shape, row_shape):
    ref = random_array(rng, "float32", (6, *row_shape))
    indices = rng.integers(0, 6, shape).astype(dtype)
    values = random_array(rng, "float32", (*shape, *row_shape))
    assert_equals_reference("scatter_sub", device, ref, indices, values)


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("row_shape", [(), (3,)], ids=str)
def test_scatter_with_one_value_uses_it_everywhere(device, rng, op_type, row_shape):
    ref = random_array(rng, "float32", (6, *row_shape), negative_zero=False)
    assert_equals_reference(op_type, device, ref, np.array([1, 4, 1]), np.array(1.5, np.float32))


def test_scatter_reads_broadcast_values(device, rng):
    ref = random_array(rng, "float32", (6, 3))
    values = np.broadcast_to(random_array(rng, "float32", (3,)), (4, 3))
    assert_equals_reference("scatter_sub", device, ref, np.array([5, 0, 2, 0]), values)


@pytest.mark.parametrize("op_type", OPS)
def test_scatter_without_indices_changes_nothing(device, op_type):
    ref = np.arange(6, dtype=np.float32).reshape(3, 2)
    before = ref.copy()
    run_kernel(op_type, device, ref, np.zeros(0, np.int32), np.zeros((0, 2), np.float32))
    assert_same_bits(ref, before)


def test_scatter_on_no_rows_takes_no_indices(device):
    ref = np.zeros((0, 2), np.float32)
    run_kernel("scatter_sub", device, ref, np.zeros(0, np.int32), np.zeros((0, 2), np.float32))
    sentence = "scatter_sub: an index is out of range: indices[0] = 0 is not in [0, 0)"
    assert_refused(
        InvalidArgumentError, sentence, "scatter_sub", device, ref, np.array([0]), np.zeros((1, 2), np.float32)
    )


@pytest.mark.parametrize("num_slices", [1, 15, 16, 17, 31, 32, 33, 100])
@pytest.mark.parametrize("row_shape", [(), (2,)], ids=str)
def test_scatter_applies_all_slices_whatever_their_number(device, rng, num_slices, row_shape):
    ref = random_array(rng, "float32", (50, *row_shape))
    indices = rng.integers(0, 50, num_slices)
    values = random_array(rng, "float32", (num_slices, *row_shape))
    assert_equals_reference("scatter_add", device, ref, indices, values)


@pytest.mark.parametrize("overlap", [slice(None), slice(None, None, -1), slice(1, None)], ids=str)
@pytest.mark.parametrize("row_shape", [(), (3,)], ids=str)
def test_scatter_reads_values_as_they_were_if_they_lie_in_ref(device, rng, overlap, row_shape):
    ref = random_array(rng, "float32", (6, *row_shape))
    values = ref[overlap]
    assert_equals_reference("scatter_sub", device, ref, np.array([5, 0, 2, 0, 1, 3])[: len(values)], values)


def test_scatter_reads_one_value_as_it_was_if_it_lies_in_ref(device):
    ref = np.arange(1, 7, dtype=np.float32)
    assert_equals_reference("scatter_add", device, ref, np.array([0, 1, 0]), ref[0, ...])


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 2)], ids=str)
def test_scatter_reads_indices_as_they_were_if_they_lie_in_ref(device, shape):
    ref = np.arange(5, 5 - np.prod(shape), -1).reshape(shape) % 6
    indices = ref if len(shape) == 1 else ref[:, 0]
    assert_equals_reference("scatter_add", device, ref, indices, np.arange(np.prod(shape)).reshape(shape))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize(
    ("indices", "named"),
    [
        (np.array([0, 3, 7]), "indices[1] = 3 is not in [0, 3)"),
        (np.array([0, 1, -1, 5], np.int32), "indices[2] = -1 is not in [0, 3)"),
        (np.array([[0, 1], [200, 9]], np.uint8), "indices[1,0] = 200 is not in [0, 3)"),
        (np.array([[0, 4], [5, 1]], order="F"), "indices[0,1] = 4 is not in [0, 3)"),
        (np.array([-(2**63)]), "indices[0] = -9223372036854775808 is not in [0, 3)"),
        (np.array([2**63 - 1]), "indices[0] = 9223372036854775807 is not in [0, 3)"),
        (np.array(3), "= 3 is not in [0, 3)"),
    ],
)
def test_scatter_names_the_first_bad_index_and_writes_nothing(device, op_type, indices, named):
    for row_shape in [(), (2,)]:
        ref, values = (np.ones(shape + row_shape, np.float32) for shape in ((3,), indices.shape))
        sentence = f"{op_type}: an index is out of range: "
        assert_refused(InvalidArgumentError, sentence, op_type, device, ref, indices, values)
        assert_refused(InvalidArgumentError, named, op_type, device, ref, indices, values)


@pytest.mark.parametrize("dtype", ["<u8", ">u8"])
@pytest.mark.parametrize("index", [2**64 - 1, 2**63, 2**63 + 1])
def test_scatter_names_a_bad_index_that_int64_cannot_hold(device, dtype, index):
    ref, values = np.ones((3, 2), np.float32), np.ones((2, 2), np.float32)
    indices = np.array([1, index], dtype)
    assert_refused(InvalidArgumentError, "an index is out of range", "scatter_add", device, ref, indices, values)
    assert_refused(
        InvalidArgumentError, f"indices[1] = {index} is not in [0, 3)", "scatter_add", device, ref, indices, values
    )


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bool", "complex64", "object", "U2"])
def test_scatter_refuses_indices_that_are_not_integers(device, op_type, dtype):
    sentence = f"{op_type}: indices has the wrong dtype: got {np.zeros(2, dtype).dtype.name}, expected an integer dtype"
    ref, values = np.ones((3, 2), np.float32), np.ones((2, 2), np.float32)
    assert_refused(TypeError, sentence, op_type, device, ref, np.zeros(2, dtype), values)


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (2,), (1, 2), (2, 2, 1), (4,), (0, 2)], ids=str)
def test_scatter_refuses_values_of_another_shape(device, op_type, shape):
    ref = np.ones((3, 2), np.float32)
    sentence = f"{op_type}: values has the wrong shape: got {shape}, expected (2, 2)"
    assert_refused(ValueError, sentence, op_type, device, ref, np.array([0, 1]), np.ones(shape, np.float32))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("dtype", ["float64", "int32", "bool", "complex64", "float16"])
def test_scatter_refuses_values_of_another_dtype(device, op_type, dtype):
    ref = np.ones((3, 2), np.float32)
    sentence = f"{op_type}: values has the wrong dtype: got {dtype}, expected float32"
    assert_refused(TypeError, sentence, op_type, device, ref, np.array([0, 1]), np.ones((2, 2), dtype))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("layout", ["strided", "fortran", "reversed", "big_endian", "unaligned", "read_only"])
def test_scatter_refuses_a_ref_that_it_cannot_update_in_place(device, op_type, layout):
    ref = LAYOUTS[layout](np.ones((3, 2), np.float32))
    sentence = f"{op_type}: ref cannot be updated in place: got strides {ref.strides}, "
    expected = "expected a C-contiguous, writable, aligned array in native byte order"
    values = np.ones((2, 2), np.float32)
    assert_refused(ValueError, sentence, op_type, device, ref, np.array([0, 1]), values)
    assert_refused(ValueError, expected, op_type, device, ref, np.array([0, 1]), values)


@pytest.mark.parametrize("op_type", OPS)
def test_scatter_refuses_a_ref_without_rows(device, op_type):
    sentence = f"{op_type}: ref has no rows: got shape (), expected at least one dimension"
    one = np.array(1, np.float32)
    assert_refused(ValueError, sentence, op_type, device, one, np.array(0), one.copy())


@pytest.mark.parametrize(
    ("op_type", "dtype"),
    [(op_type, dtype) for op_type in OPS for dtype in ["bool", *COMPLEX] if dtype not in DTYPES_OF[op_type]],
)
def test_scatter_refuses_a_dtype_that_lacks_the_operation(device, op_type, dtype):
    ref = np.ones((3, 2), dtype)
    sentence = f"{op_type}: ref has the wrong dtype: got {dtype}, expected one of ["
    assert_refused(TypeError, sentence, op_type, device, ref, np.array([0]), np.ones((1, 2), dtype))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("dtype", ["object", "U3", "datetime64[s]", "float128"])
def test_scatter_refuses_a_foreign_dtype(device, op_type, dtype):
    if dtype == "float128" and not hasattr(np, dtype):
        pytest.skip("runs where NumPy has float128")
    ref = np.zeros((3, 2), dtype)
    sentence = f"{op_type}: ref has the wrong dtype: got {ref.dtype.name}, expected one of ["
    before = ref.copy()
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}"):
        run_kernel(op_type, device, ref, np.array([0]), ref[:1])
    assert np.array_equal(ref, before)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("row_shape", [(), (2,)], ids=str)
def test_scatter_div_refuses_integers_divided_by_zero(device, dtype, row_shape):
    ref, values = np.full((3, *row_shape), 6, dtype), np.full((2, *row_shape), 2, dtype)
    values[-1] = 0
    sentence = "scatter_div: values divides integers by zero: got 0, expected no zero"
    assert_refused(InvalidArgumentError, sentence, "scatter_div", device, ref, np.array([0, 1]), values)


@pytest.mark.parametrize("dtype", FLOATS)
def test_scatter_div_of_floats_by_zero_follows_ieee_754(device, dtype):
    kind = numpy_dtype(dtype)
    ref = np.array([1, -1, 0, 1], np.float32).astype(kind)
    values = np.array([0, 0, 0, -0.0], np.float32).astype(kind)
    assert_equals_reference("scatter_div", device, ref, np.arange(4), values)
    assert ref[0] == np.inf
    assert ref[3] == -np.inf
    assert ref[2] != ref[2]


@pytest.mark.parametrize("row_shape", [(), (4,)], ids=str)
@pytest.mark.parametrize("intruder", [8, 9, -1, 2**62, -(2**63)])
def test_scatter_stays_inside_ref_if_indices_change_after_the_check(monkeypatch, row_shape, intruder):
    memory = np.zeros((24, *row_shape), np.float32)
    ref = memory[8:16]
    checked = scatter.check_indices

    def check_then_change(where, indices, num_rows):
        rows = checked(where, indices, num_rows)
        rows[1] = intruder
        return rows

    monkeypatch.setattr(scatter, "check_indices", check_then_change)
    scatter.scatter_add(ref, np.array([0, 1, 2]), np.ones((3, *row_shape), np.float32))
    expected = np.zeros_like(memory)
    expected[[8, 10]] = 1
    assert_same_bits(memory, expected)


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_scatter_div_survives_zeros_that_come_after_the_check(monkeypatch, dtype):
    ref, values = np.full((4, 2), 6, dtype), np.full((2, 2), 2, dtype)
    run_parts = scatter.run_parts

    def run_after_change(kernel, parts):
        values[1] = 0
        run_parts(kernel, parts)

    monkeypatch.setattr(scatter, "run_parts", run_after_change)
    scatter.scatter_div(ref, np.array([0, 1]), values)
    np.testing.assert_array_equal(ref[[0, 2, 3]], [[3, 3], [6, 6], [6, 6]])


@pytest.mark.parametrize(
    ("num_threads", "num_favourites", "num_owners"), [(1, 0, 1), (2, 0, 2), (3, 0, 2), (4, 0, 4), (2, 1, 1), (4, 1, 2)]
)
def test_large_scatters_are_shared_out_unless_some_rows_are_named_all_the_time(
    monkeypatch, rng, restored_num_threads, num_threads, num_favourites, num_owners
):
    monkeypatch.setattr(scatter, "PART_BYTES", 1 << 20)
    num_slices, width = 1 << 14, 64
    ref = np.zeros((1 << 16, width), np.float32)
    rows = rng.permutation(len(ref))[:num_slices]
    rows[: num_favourites * num_slices : 4] = 7
    seen, run_parts = [], scatter.run_parts
    monkeypatch.setattr(scatter, "run_parts", lambda kernel, parts: (seen.append(parts), run_parts(kernel, parts)))
    kernels.set_num_threads(num_threads)
    values = rng.standard_normal((num_slices, width), dtype=np.float32)
    scatter.scatter_sub(ref, rows, values)
    assert [part[-2:] for part in seen[0]] == [(owner, num_owners - 1) for owner in range(num_owners)]
    expected = np.zeros_like(ref)
    np.subtract.at(expected, rows, values)
    assert_same_bits(ref, expected)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("num_slices", [1023, 1024, 1025, 3000])
@pytest.mark.parametrize("row_shape", [(), (3,)], ids=str)
def test_scatter_crosses_the_ends_of_blocks_with_either_width_of_indices(device, rng, dtype, num_slices, row_shape):
    ref = random_array(rng, "float32", (50, *row_shape))
    indices = rng.integers(0, 50, num_slices).astype(dtype)
    values = random_array(rng, "float32", (num_slices, *row_shape))
    assert_equals_reference("scatter_sub", device, ref, indices, values)


@st.composite
def scatter_cases(draw):
    kind = numpy_dtype(draw(st.sampled_from(["float32", "int8", "uint64", "bfloat16", "float16"])))
    num_rows = draw(st.integers(1, 6))
    row_shape = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    indices_shape = tuple(draw(st.lists(st.integers(0, 4), max_size=2)))
    num_indices = int(np.prod(indices_shape))
    some_rows = st.lists(st.integers(0, num_rows - 1), min_size=num_indices, max_size=num_indices)
    indices = np.array(draw(some_rows), draw(st.sampled_from(["int64", "int32", "uint8"])))

    def any_bits(shape):
        num_bytes = int(np.prod(shape)) * kind.itemsize
        memory = draw(st.binary(min_size=num_bytes, max_size=num_bytes))
        return np.frombuffer(memory, kind).reshape(shape).copy()

    return any_bits((num_rows, *row_shape)), indices.reshape(indices_shape), any_bits(indices_shape + row_shape)


@given(
    op_type=st.sampled_from(["scatter_add", "scatter_sub", "scatter_mul", "scatter_update"]),
    case=scatter_cases(),
)
def test_scatter_of_any_bits_equals_the_reference(device, op_type, case):
    assert_equals_reference(op_type, device, *case)


@given(
    num_rows=st.integers(1, 5),
    indices=st.lists(st.integers(-3, 8), min_size=1, max_size=6),
    width=st.sampled_from([1, 3]),
)
def test_scatter_refuses_exactly_the_indices_out_of_range(device, num_rows, indices, width):
    ref, values = np.ones((num_rows, width), np.float32), np.ones((len(indices), width), np.float32)
    bad = [k for k, row in enumerate(indices) if not 0 <= row < num_rows]
    if bad:
        named = f"indices[{bad[0]}] = {indices[bad[0]]} is not in [0, {num_rows})"
        assert_refused(InvalidArgumentError, named, "scatter_add", device, ref, np.array(indices), values)
    else:
        assert_equals_reference("scatter_add", device, ref, np.array(indices), values)
