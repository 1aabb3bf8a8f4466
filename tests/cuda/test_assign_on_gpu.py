from __future__ import annotations

import re

import numpy as np
import pytest

from tests import reference
from tests.conftest import ALL_DTYPES, NUMERIC, assert_same_bits, numpy_dtype, random_array
from tests.cuda.conftest import run_on_gpu

OPS = ["assign", "assign_add", "assign_sub"]
CASES = [(op_type, dtype) for op_type in OPS for dtype in (ALL_DTYPES if op_type == "assign" else NUMERIC)]


def expected_of(op_type, ref, value):
    expected = ref.copy()
    getattr(reference, op_type)(expected, value.copy())
    return expected


@pytest.mark.parametrize(("op_type", "dtype"), CASES)
def test_dense_updates_combine_every_element(rng, op_type, dtype):
    for shape in [(), (0,), (1,), (3,), (300,), (17, 3)]:
        ref, value = random_array(rng, dtype, shape), random_array(rng, dtype, shape)
        assert_same_bits(run_on_gpu(op_type, ref, value), expected_of(op_type, ref, value))


@pytest.mark.parametrize(("op_type", "dtype"), CASES)
def test_dense_updates_take_one_value_of_the_gpu_for_all_elements(rng, op_type, dtype):
    for shape in [(0,), (1,), (3,), (150,), (17, 3)]:
        ref, value = random_array(rng, dtype, shape), random_array(rng, dtype, ())
        assert_same_bits(run_on_gpu(op_type, ref, value), expected_of(op_type, ref, value))


@pytest.mark.parametrize(("op_type", "dtype"), CASES)
def test_dense_updates_take_one_value_of_the_host_for_all_elements(rng, op_type, dtype):
    for shape in [(1,), (150,)]:
        ref, value = random_array(rng, dtype, shape), random_array(rng, dtype, ())
        assert_same_bits(run_on_gpu(op_type, ref, value[()]), expected_of(op_type, ref, value))


@pytest.mark.parametrize("op_type", OPS)
@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float32", "complex128"])
def test_dense_updates_work_wherever_the_memory_begins(rng, op_type, dtype):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import DeviceArray, to_device

    whole, value = random_array(rng, dtype, (100,)), random_array(rng, dtype, (40,))
    memory, kind = to_device(whole, 0), numpy_dtype(dtype)
    for start in (1, 16, 59):
        before = memory.copy_to_host()
        part = DeviceArray((40,), kind, 0, memory.pointer + start * kind.itemsize, memory)
        find_kernel(op_type, "gpu")(part, to_device(value, 0))
        expected = before.copy()
        getattr(reference, op_type)(expected[start : start + 40], value)
        assert_same_bits(memory.copy_to_host(), expected)


@pytest.mark.parametrize("op_type", OPS)
def test_dense_updates_take_a_value_that_lies_in_the_variable(rng, op_type):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import DeviceArray, to_device

    whole = random_array(rng, "float32", (64,))
    for start, shape in ((0, (60,)), (4, (60,)), (3, ())):
        memory = to_device(whole, 0)
        ref = DeviceArray((60,), memory.dtype, 0, memory.pointer, memory)
        value = DeviceArray(shape, memory.dtype, 0, memory.pointer + 4 * start, memory)
        find_kernel(op_type, "gpu")(ref, value)
        expected = whole.copy()
        getattr(reference, op_type)(expected[:60], whole[start : start + 60] if shape else whole[start])
        assert_same_bits(memory.copy_to_host(), expected)


@pytest.mark.parametrize("op_type", OPS)
def test_dense_updates_refuse_what_does_not_fit_and_write_nothing(op_type):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import to_device

    update, ref = find_kernel(op_type, "gpu"), to_device(np.arange(6, dtype=np.float32), 0)
    cases = [
        (ref, to_device(np.ones(5, np.float32), 0), ValueError, "value has the wrong shape: got (5,), expected (6,)"),
        (ref, to_device(np.ones(6), 0), TypeError, "value has the wrong dtype: got float64, expected float32"),
        (ref, np.ones(6, np.float32), TypeError, "value has the wrong type: got ndarray, expected a DeviceArray"),
        (ref.read_only(), ref, ValueError, "ref cannot be updated in place"),
        (np.ones(6), ref, TypeError, "ref has the wrong type"),
    ]
    for to, value, error, sentence in cases:
        with pytest.raises(error, match=re.escape(sentence)):
            update(to, value)
    assert_same_bits(ref.copy_to_host(), np.arange(6, dtype=np.float32))
