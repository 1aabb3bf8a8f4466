from __future__ import annotations

import re

import numpy as np
import pytest

from nbvars import kernels
from nbvars.kernels.cpu import assign
from tests import reference
from tests.conftest import ALL_DTYPES, LAYOUTS, NUMERIC, assert_same_bits, numpy_dtype, random_array, run_kernel

OPS = ["assign", "assign_add", "assign_sub"]
CASES = [(op_type, dtype) for op_type in OPS for dtype in (ALL_DTYPES if op_type == "assign" else NUMERIC)]


def assert_equals_reference(op_type, device, ref, value):
    expected = ref.copy()
    getattr(reference, op_type)(expected, value.copy())
    assert_same_bits(run_kernel(op_type, device, ref, value), expected)


def assert_refused(error, sentence, op_type, device, ref, value):
    before = ref.tobytes()
    with pytest.raises(error, match=re.escape(sentence)):
        run_kernel(op_type, device, ref, value)
    assert ref.tobytes() == before


@pytest.mark.parametrize(("op_type", "dtype"), CASES)
def test_dense_updates_combine_every_element(device, rng, op_type, dtype):
    for shape in [(), (0,), (1,), (3,), (1000,), (17, 3), (2, 0, 3), (2, 3, 4, 1, 2)]:
        ref, value = random_array(rng, dtype, shape), random_array(rng, dtype, shape)
        assert_equals_reference(op_type, device, ref, value)


@pytest.mark.parametrize(("op_type", "dtype"), CASES)
def test_dense_updates_take_one_value_for_all_elements(device, rng, op_type, dtype):
    for shape in [(0,), (1,), (3,), (100,), (17, 3)]:
        ref, value = random_array(rng, dtype, shape), random_array(rng, dtype, ())
        assert_equals_reference(op_type, device, ref, value)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 2), (0, 3)], ids=str)
@pytest.mark.parametrize("op_type", OPS)
def test_dense_updates_read_values_of_any_layout(device, rng, op_type, layout, dtype, shape):
    value = LAYOUTS[layout](random_array(rng, dtype, shape))
    assert_equals_reference(op_type, device, random_array(rng, dtype, shape), value)


@pytest.mark.parametrize("dtype", ["float32", "int64", "complex64"])
@pytest.mark.parametrize("op_type", OPS)
def test_dense_updates_read_one_value_of_either_byte_order(device, rng, op_type, dtype):
    value = np.array(3, dtype).astype(np.dtype(dtype).newbyteorder(">"))
    assert_equals_reference(op_type, device, random_array(rng, dtype, (4,)), value)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_assign_keeps_every_bit_of_a_nan(device, rng, dtype):
    kind = numpy_dtype(dtype)
    bits = f"uint{8 * kind.itemsize}"
    nans = np.full(9, np.nan).astype(kind).view(bits)
    nans |= rng.integers(0, 1 << (2 if dtype == "bfloat16" else 8), 9).astype(bits)
    ref = run_kernel("assign", device, np.zeros(9, kind), nans.view(kind))
    np.testing.assert_array_equal(ref.view(bits), nans)


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize(
    "overlapping",
    [lambda ref: ref, lambda ref: ref[::-1], lambda ref: ref.T, lambda ref: ref[:, ::-1]],
    ids=["itself", "reversed", "transposed", "mirrored"],
)
def test_dense_updates_read_a_value_as_it_was_if_it_lies_in_ref(device, rng, op_type, overlapping):
    ref = random_array(rng, "float32", (5, 5))
    assert_equals_reference(op_type, device, ref, overlapping(ref))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
@pytest.mark.parametrize("position", [0, 3])
def test_dense_updates_read_one_value_as_it_was_if_it_lies_in_ref(device, op_type, dtype, position):
    ref = np.arange(1, 7).astype(dtype)
    assert_equals_reference(op_type, device, ref, ref[position, ...])


@pytest.mark.parametrize(("op_type", "dtype"), CASES)
def test_dense_updates_reach_every_element_and_no_other_from_any_address(device, rng, op_type, dtype):
    kind = numpy_dtype(dtype)
    memory = np.empty(400 * kind.itemsize, np.uint8)
    step = kind.alignment  # complex numbers may start amid one
    for start in range(step, 5 * 64 // 4, step):
        for num_items in (0, 1, 7, 33):
            memory[:] = rng.integers(0, 256, memory.size, np.uint8)
            before = memory.copy()
            end = start + num_items * kind.itemsize
            ref, value = memory[start:end].view(kind), random_array(rng, dtype, (num_items,))
            ref[:] = random_array(rng, dtype, (num_items,))
            for update in (value, random_array(rng, dtype, ())):
                assert_equals_reference(op_type, device, ref, update)
            assert np.array_equal(memory[:start], before[:start])
            assert np.array_equal(memory[end:], before[end:])


@pytest.mark.parametrize("dtype", ["uint8", "bfloat16", "float32", "complex64", "complex128"])
@pytest.mark.parametrize("num_bytes", [assign.STREAM_BYTES, assign.STREAM_FILL_BYTES_ON_ZEN])
@pytest.mark.parametrize("num_threads", [1, 2])
def test_assign_past_the_caches_reaches_every_element_and_no_other(
    rng, restored_num_threads, dtype, num_bytes, num_threads
):
    kernels.set_num_threads(num_threads)
    kind = numpy_dtype(dtype)
    num_items = num_threads * num_bytes // kind.itemsize + 100
    memory = np.zeros((num_items + 64) * kind.itemsize, np.uint8)
    for start in (kind.alignment, 16, 17 * kind.alignment):
        ref = memory[start : start + num_items * kind.itemsize].view(kind)
        value = rng.integers(0, 256, num_items * kind.itemsize, np.uint8).view(kind)
        for update in (value, value[3, ...]):
            memory[:] = 77
            kernels.assign(ref, update)
            assert np.array_equal(ref.view(np.uint8), np.broadcast_to(update, ref.shape).copy().view(np.uint8))
            assert np.all(memory[:start] == 77)
            assert np.all(memory[start + ref.nbytes :] == 77)


@pytest.mark.parametrize("op_type", OPS)
def test_dense_updates_read_a_single_element_of_any_stride(device, op_type):
    assert_equals_reference(op_type, device, np.ones(1, np.float32), np.arange(9, dtype=np.float32)[3::7][:1])
    assert_equals_reference(op_type, device, np.ones((1, 1), np.float32), np.ones((5, 5), np.float32)[::3, ::4][:1, 1:])


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("distance", [-3, -1, 1, 3, 40])
def test_dense_updates_read_a_value_as_it_was_if_it_overlaps_with_ref(op_type, distance):
    memory = np.arange(200, dtype=np.float32)
    ref, value = memory[50:150], memory[50 + distance : 150 + distance]
    expected = ref.copy()
    getattr(reference, op_type)(expected, value.copy())
    getattr(kernels, op_type)(ref, value)
    assert np.array_equal(ref, expected)


def test_shared_out_updates_read_one_value_as_it_was_if_it_lies_in_ref(monkeypatch, restored_num_threads):
    def run_one_by_one(kernel, parts):
        assert len(parts) == 2
        for part in parts:
            kernel(*part)

    kernels.set_num_threads(2)
    monkeypatch.setattr(assign, "run_parts", run_one_by_one)
    ref = np.ones(2 * assign.PART_BYTES // 4, np.float32)
    assign.assign_add(ref, ref[0, ...])
    assert np.all(ref == 2)


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("shape", [(2,), (3, 2), (1,), (1, 1), (2, 3, 1), (6,), (0, 3)], ids=str)
def test_dense_updates_refuse_a_value_of_another_shape(device, op_type, shape):
    sentence = f"{op_type}: value has the wrong shape: got {shape}, expected (2, 3), or () for one value everywhere"
    ref = np.ones((2, 3), np.float32)
    assert_refused(ValueError, sentence, op_type, device, ref, np.ones(shape, np.float32))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("dtype", ["float64", "int32", "bool", "complex64", "float16", "object"])
@pytest.mark.parametrize("shape", [(2, 3), ()], ids=str)
def test_dense_updates_refuse_a_value_of_another_dtype(device, op_type, dtype, shape):
    sentence = f"{op_type}: value has the wrong dtype: got {dtype}, expected float32"
    assert_refused(TypeError, sentence, op_type, device, np.ones((2, 3), np.float32), np.ones(shape, dtype))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("layout", ["strided", "fortran", "reversed", "big_endian", "unaligned", "read_only"])
def test_dense_updates_refuse_a_ref_that_they_cannot_update_in_place(device, op_type, layout):
    ref = LAYOUTS[layout](np.ones((3, 2), np.float32))
    sentence = f"{op_type}: ref cannot be updated in place: got strides {ref.strides}, "
    expected = "expected a C-contiguous, writable, aligned array in native byte order"
    assert_refused(ValueError, sentence, op_type, device, ref, np.ones((3, 2), np.float32))
    assert_refused(ValueError, expected, op_type, device, ref, np.ones((3, 2), np.float32))


@pytest.mark.parametrize(
    ("op_type", "dtype"),
    [("assign_add", "bool"), ("assign_sub", "bool"), *[(op, dtype) for op in OPS for dtype in ("object", "U3")]],
)
def test_dense_updates_refuse_a_dtype_that_lacks_the_operation(device, op_type, dtype):
    ref = np.zeros(3, dtype)
    before = ref.copy()
    sentence = f"{op_type}: ref has the wrong dtype: got {ref.dtype.name}, expected one of ["
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}"):
        run_kernel(op_type, device, ref, ref.copy())
    assert np.array_equal(ref, before)
