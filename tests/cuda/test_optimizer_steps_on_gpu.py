from __future__ import annotations

import re

import numpy as np
import pytest

from tests import reference_steps
from tests.conftest import FLOATS, assert_same_bits, numpy_dtype, random_array
from tests.cuda.steps import Step, gradient, on_gpu

NAMES = list(reference_steps.FORMULAS)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_dense_steps_have_the_bits_of_the_formula(rng, name, dtype):
    for shape in [(), (0,), (1,), (3,), (150,), (17, 3)]:
        step = Step(rng, name, dtype, shape)
        for _ in range(2):
            step.check(gradient(rng, dtype, shape))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_dense_steps_keep_nan_infinity_and_small_numbers_to_their_element(rng, name, dtype):
    step = Step(rng, name, dtype, (100,))
    step.check(random_array(rng, dtype, (100,)))
    assert np.isfinite(step.expected_param.astype(np.float64)).any()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", ["gradient_descent", "adam", "centered_rmsprop"])
def test_dense_steps_have_the_bits_of_the_cpu(rng, name, dtype):
    from nbvars.kernels import find_kernel

    step, slopes = Step(rng, name, dtype, (130,)), random_array(rng, dtype, (130,))
    slots = [slot.copy_to_host() for slot in step.slots]
    param = step.param.copy_to_host()
    find_kernel(f"{name}_step", "cpu")(param, slots, slopes, step.settings)
    find_kernel(f"{name}_step", "gpu")(step.param, step.slots, on_gpu(slopes), step.settings)
    for got, expected in zip([step.param, *step.slots], [param, *slots], strict=True):
        assert_same_bits(got.copy_to_host(), expected)


def test_powers_of_ftrl_other_than_the_root_are_those_of_the_cpu_but_for_rounding(rng):
    from nbvars.kernels import find_kernel

    step, slopes = Step(rng, "ftrl", "float32", (50,)), gradient(rng, "float32", (50,))
    settings = (0.1, -0.7, 0.3, 0.02, 0.1)
    param, slots = step.param.copy_to_host(), [slot.copy_to_host() for slot in step.slots]
    find_kernel("ftrl_step", "cpu")(param, slots, slopes, settings)
    find_kernel("ftrl_step", "gpu")(step.param, step.slots, on_gpu(slopes), settings)
    for got, expected in zip([step.param, *step.slots], [param, *slots], strict=True):
        np.testing.assert_allclose(got.copy_to_host(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dense_steps_work_wherever_the_memory_begins(rng, dtype):
    for param_offset, grad_offset in [(0, 1), (1, 0), (3, 3)]:
        for num_items in (1, 8, 33):
            step = Step(rng, "adam", dtype, (num_items,), param_offset)
            step.check(gradient(rng, dtype, (num_items,)), offset=grad_offset)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dense_steps_write_nothing_beside_the_parameter(rng, dtype):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import DeviceArray, to_device

    whole, kind = gradient(rng, dtype, (100,)), numpy_dtype(dtype)
    for start, num_items in [(16, 33), (16, 64), (3, 21)]:
        memory = to_device(whole, 0)
        part = DeviceArray((num_items,), kind, 0, memory.pointer + start * kind.itemsize, memory)
        slopes = gradient(rng, dtype, (num_items,))
        find_kernel("gradient_descent_step", "gpu")(part, [], on_gpu(slopes), (0.1,))
        expected = whole.copy()
        reference_steps.step("gradient_descent", expected[start : start + num_items], [], slopes, (0.1,))
        assert_same_bits(memory.copy_to_host(), expected)


@pytest.mark.parametrize("start", [0, 1, 4, 17])
def test_gradients_are_read_as_they_were_if_they_lie_in_what_is_written(rng, start):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.memory import DeviceArray

    step = Step(rng, "momentum", "float32", (80,))
    for memory, before in [(step.param, step.expected_param), (step.slots[0], step.expected_slots[0])]:
        slopes = np.concatenate([before[start:], np.zeros(start, np.float32)])
        short = 80 - start
        grad = DeviceArray((short,), memory.dtype, 0, memory.pointer + 4 * start, memory)
        param, slot = (DeviceArray((short,), each.dtype, 0, each.pointer, each) for each in (step.param, *step.slots))
        find_kernel("momentum_step", "gpu")(param, [slot], grad, step.settings)
        halves = [step.expected_param[:short], [step.expected_slots[0][:short]]]
        reference_steps.step("momentum", *halves, slopes[:short].copy(), step.settings)
        step.compare()


SHAPES = {"param": ("float32", (4, 2)), "slot": ("float32", (4, 2)), "grad": ("float32", (4, 2))}


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"grad": ("float32", (2, 4))}, ValueError, "grad has the wrong shape: got (2, 4), expected (4, 2)"),
        ({"grad": ("float32", ())}, ValueError, "grad has the wrong shape: got (), expected (4, 2)"),
        ({"grad": ("float64", (4, 2))}, TypeError, "grad has the wrong dtype: got float64, expected float32"),
        ({"slot": ("float32", (4, 3))}, ValueError, "a slot does not fit the variable: got float32 of shape (4, 3)"),
        ({"slot": ("float64", (4, 2))}, ValueError, "got float64 of shape (4, 2), expected float32 of shape (4, 2)"),
        (
            {"param": ("int32", (4, 2)), "grad": ("int32", (4, 2))},
            TypeError,
            "the variable has the wrong dtype: got int32, expected a floating dtype",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(changed, error, sentence):
    from nbvars.kernels import find_kernel

    arrays = [np.ones(shape, dtype) for dtype, shape in (SHAPES | changed).values()]
    param, slot, grad = map(on_gpu, arrays)
    with pytest.raises(error, match=f"^momentum_step: .*{re.escape(sentence)}"):
        find_kernel("momentum_step", "gpu")(param, [slot], grad, (0.1, 0.9))
    for got, expected in zip((param, slot, grad), arrays, strict=True):
        assert_same_bits(got.copy_to_host(), expected)


def test_a_step_refuses_arrays_of_the_host_read_only_ones_and_a_wrong_number_of_slots():
    from nbvars.kernels import find_kernel

    host, step = np.ones(3, np.float32), find_kernel("momentum_step", "gpu")
    array = on_gpu(host)
    for param, slots, grad, error, sentence in [
        (host, [array], array, TypeError, "param has the wrong type: got ndarray, expected a DeviceArray"),
        (array, [host], array, TypeError, "slot has the wrong type: got ndarray, expected a DeviceArray"),
        (array, [array], host, TypeError, "grad has the wrong type: got ndarray, expected a DeviceArray"),
        (array.read_only(), [array], array, ValueError, "ref cannot be updated in place"),
        (array, [array.read_only()], array, ValueError, "ref cannot be updated in place"),
        (array, [], array, ValueError, "the number of slots is wrong: got 0, expected 1"),
        (array, [array, array], array, ValueError, "the number of slots is wrong: got 2, expected 1"),
    ]:
        with pytest.raises(error, match=re.escape(sentence)):
            step(param, slots, grad, (0.1, 0.9))
    assert_same_bits(array.copy_to_host(), host)
