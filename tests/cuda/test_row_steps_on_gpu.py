from __future__ import annotations

import re

import numpy as np
import pytest

from nbvars.errors import InvalidArgumentError
from tests import reference_steps
from tests.conftest import FLOATS, assert_same_bits, random_array
from tests.cuda.steps import Step, gradient, on_gpu

NAMES = list(reference_steps.FORMULAS)
INDICES = np.array([0, 6, 3, 3, 3, 0, 6, 5, 3, 3])
"""One row is named five times: its slices are read four at a time."""


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_steps_of_rows_have_the_bits_of_the_formula_and_sum_repeated_rows_first(rng, name, dtype):
    for row_shape in [(3,), (16,)]:
        step = Step(rng, name, dtype, (7, *row_shape))
        step.check(INDICES, gradient(rng, dtype, (INDICES.size, *row_shape)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("row_shape", [(), (1,), (24,), (2, 5), (200,), (0,)], ids=str)
def test_rows_have_any_shape(rng, dtype, row_shape):
    step = Step(rng, "momentum", dtype, (7, *row_shape))
    for indices in (INDICES, np.array([4]), np.array([], np.int64), np.array([[1, 2], [2, 6]])):
        step.check(indices, gradient(rng, dtype, (*indices.shape, *row_shape)))


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)], ids=str)
def test_rows_are_named_by_integers_of_any_dtype_and_shape(rng, dtype, shape):
    step = Step(rng, "momentum", "float32", (7, 4))
    step.check(np.asarray(rng.integers(0, 7, shape)).astype(dtype), gradient(rng, "float32", (*shape, 4)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_steps_of_rows_work_wherever_the_memory_begins(rng, dtype):
    for param_offset, grad_offset in [(0, 1), (1, 0), (3, 3)]:
        step = Step(rng, "adam", dtype, (7, 8), param_offset)
        step.check(INDICES, gradient(rng, dtype, (INDICES.size, 8)), offset=grad_offset)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("indices", [INDICES, np.array([5, 2, 0])], ids=["repeated", "different"])
def test_steps_of_rows_have_the_bits_of_the_cpu(rng, dtype, indices):
    from nbvars.kernels import find_kernel

    step, values = Step(rng, "adam", dtype, (7, 9)), random_array(rng, dtype, (indices.size, 9))
    param, slots = step.param.copy_to_host(), [slot.copy_to_host() for slot in step.slots]
    find_kernel("adam_step_rows", "cpu")(param, slots, indices, values, step.settings)
    find_kernel("adam_step_rows", "gpu")(step.param, step.slots, on_gpu(indices), on_gpu(values), step.settings)
    for got, expected in zip([step.param, *step.slots], [param, *slots], strict=True):
        assert_same_bits(got.copy_to_host(), expected)


@pytest.mark.parametrize("indices", [[1, 0], [1, 0, 0], [1, 1, 0]], ids=str)
def test_negative_zeros_keep_their_sign_whatever_other_rows_are_named(indices):
    from nbvars.kernels import find_kernel

    param, values = on_gpu(np.full((2, 1), -0.0, np.float32)), np.full((len(indices), 1), -0.0, np.float32)
    find_kernel("gradient_descent_step_rows", "gpu")(param, [], on_gpu(np.array(indices)), on_gpu(values), (1.0,))
    assert not np.signbit(param.copy_to_host()).any()  # -0 - -0 is 0, but -0 - 0 is -0


@pytest.mark.parametrize("bad", [-1, 7, -(2**63), 2**63 - 1])
def test_an_index_out_of_range_is_reported_and_only_its_slice_left_out(rng, bad):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda import status

    step, indices = Step(rng, "adam", "float32", (7, 2)), INDICES.copy()
    values = gradient(rng, "float32", (indices.size, 2))
    indices[4] = bad
    find_kernel("adam_step_rows", "gpu")(step.param, step.slots, on_gpu(indices), on_gpu(values), step.settings)
    sentence = f"adam_step_rows: an index is out of range: indices[4] = {bad} is not in [0, 7)"
    with pytest.raises(InvalidArgumentError, match=re.escape(sentence)):
        status.check(0)
    step.expect(np.delete(indices, 4), np.delete(values, 4, axis=0))
    step.compare()


def test_values_and_indices_are_read_as_they_were_if_they_lie_in_what_is_written(rng):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import DeviceArray

    step = Step(rng, "momentum", "float32", (6, 6))
    values = DeviceArray((3, 6), step.param.dtype, 0, step.param.pointer + 16, step.param)
    before = step.expected_param.reshape(-1)[4:22].reshape(3, 6)
    indices = np.array([2, 0, 2])
    find_kernel("momentum_step_rows", "gpu")(step.param, step.slots, on_gpu(indices), values, step.settings)
    step.expect(indices, before)
    step.compare()
    with_indices = np.array([[0.0], [0.0], [0.0]])
    param = on_gpu(with_indices)  # their bits are those of the rows 0, 0 and 0
    named = DeviceArray((3,), np.dtype(np.int64), 0, param.pointer, param)
    find_kernel("gradient_descent_step_rows", "gpu")(param, [], named, on_gpu(np.ones((3, 1))), (1.0,))
    assert_same_bits(param.copy_to_host(), np.array([[-3.0], [0.0], [0.0]]))


def test_steps_of_rows_refuse_what_does_not_fit_and_write_nothing():
    from nbvars.kernels import find_kernel

    host = np.ones((4, 2), np.float32)
    param, rows, grads = on_gpu(host), on_gpu(np.arange(3)), on_gpu(host[:3])
    step = find_kernel("gradient_descent_step_rows", "gpu")
    scalar, one = on_gpu(np.ones((), np.float32)), on_gpu(np.ones(1, np.float32))
    for ref, indices, values, error, sentence in [
        (param, on_gpu(np.ones(3, np.float32)), grads, TypeError, "got float32, expected an integer dtype"),
        (param, on_gpu(np.arange(2)), grads, ValueError, "grad has the wrong shape: got (3, 2), expected (2, 2)"),
        (param, rows, on_gpu(np.ones((3, 2))), TypeError, "grad has the wrong dtype: got float64, expected float32"),
        (param, np.arange(3), grads, TypeError, "indices has the wrong type: got ndarray, expected a DeviceArray"),
        (param.read_only(), rows, grads, ValueError, "ref cannot be updated in place"),
        (scalar, on_gpu(np.zeros(1, np.int64)), one, ValueError, "a scalar has no rows: got shape ()"),
    ]:
        with pytest.raises(error, match=re.escape(sentence)):
            step(ref, [], indices, values, (0.1,))
    with pytest.raises(ValueError, match="the number of slots is wrong: got 1, expected 0"):
        step(param, [param], rows, grads, (0.1,))
    assert_same_bits(param.copy_to_host(), host)
