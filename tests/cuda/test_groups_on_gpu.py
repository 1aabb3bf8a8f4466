from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pytest

from tests import reference, reference_steps
from tests.conftest import ALL_DTYPES, FLOATS, NUMERIC, assert_same_bits, numpy_dtype, random_array
from tests.cuda.steps import Step, gradient, on_gpu

OPS = ["assign", "assign_add", "assign_sub"]
CASES = [(op_type, dtype) for op_type in OPS for dtype in (ALL_DTYPES if op_type == "assign" else NUMERIC)]
NAMES = list(reference_steps.FORMULAS)
SHAPES = [(3,), (0,), (150,), (), (17, 3), (64,)]


@pytest.fixture
def launches(monkeypatch):
    """The number of blocks of each launch."""
    from nbvars.kernels.cuda.launch import Kernel

    counted, launch = [], Kernel.launch  # a slot

    def counting(kernel):
        def counted_launch(device, num_blocks, *arguments):
            counted.append(num_blocks)
            launch.__get__(kernel)(device, num_blocks, *arguments)

        return counted_launch

    monkeypatch.setattr(Kernel, "launch", property(counting, launch.__set__))
    return counted


def views_of(whole, bounds):
    """Return arrays that lie in ``whole``, which is on the GPU: those between each two items of ``bounds``."""
    from nbvars.kernels.cuda.memory import DeviceArray

    size = whole.dtype.itemsize
    return [DeviceArray((stop - start,), whole.dtype, 0, whole.pointer + start * size, whole) for start, stop in bounds]


def expected_of(op_type, refs, values):
    made = [ref.copy() for ref in refs]
    for ref, value in zip(made, values, strict=True):
        getattr(reference, op_type)(ref, value.copy())
    return made


def assert_all_same_bits(arrays, expected):
    for got, wanted in zip(arrays, expected, strict=True):
        assert_same_bits(got.copy_to_host(), wanted)


@pytest.mark.parametrize(("op_type", "dtype"), CASES)
def test_all_arrays_of_a_group_are_updated_in_one_launch(rng, launches, op_type, dtype):
    from nbvars.kernels.cuda.groups import group_update

    refs = [random_array(rng, dtype, shape) for shape in SHAPES]
    on_device = [on_gpu(ref) for ref in refs]
    for _ in range(2):
        values = [random_array(rng, dtype, shape) for shape in SHAPES]
        group_update(op_type, on_device, [on_gpu(value) for value in values])
        refs = expected_of(op_type, refs, values)
        assert_all_same_bits(on_device, refs)
    assert len(launches) == 2


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_all_parameters_of_a_group_make_their_step_in_one_launch(rng, launches, name, dtype):
    from nbvars.kernels.cuda.groups import group_step

    steps = [Step(rng, name, dtype, shape) for shape in [(3,), (0,), (75,), ()]]
    params, slots = [step.param for step in steps], [step.slots for step in steps]
    for _ in range(2):
        grads = [gradient(rng, dtype, step.param.shape) for step in steps]
        group_step("apply", name, params, slots, [on_gpu(grad) for grad in grads], steps[0].settings)
        for step, grad in zip(steps, grads, strict=True):
            step.expect(grad)
            step.compare()
    assert len(launches) == 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_members_of_a_group_lie_anywhere_and_have_any_size(rng, launches, dtype):
    from nbvars.kernels.cuda.groups import group_step

    steps = [Step(rng, "adam", dtype, (size,), offset) for size, offset in [(40, 1), (16, 0), (600, 0), (41, 3)]]
    grads = [gradient(rng, dtype, step.param.shape) for step in steps]
    on_device = [on_gpu(grad, offset) for grad, offset in zip(grads, (0, 1, 0, 2), strict=True)]
    arrays = [step.param for step in steps], [step.slots for step in steps], on_device
    group_step("apply", "adam", *arrays, steps[0].settings)
    for step, grad in zip(steps, grads, strict=True):
        step.expect(grad)
        step.compare()
    assert len(launches) == 1
    assert launches[0] > len(steps)  # the largest has several blocks


@pytest.mark.parametrize("op_type", OPS)
def test_group_updates_write_nothing_beside_their_arrays(rng, op_type):
    from nbvars.kernels.cuda.groups import group_update

    for dtype in ("int8", "float16", "float32", "complex128"):
        whole, bounds = random_array(rng, dtype, (120,)), [(16, 49), (64, 96), (50, 55), (101, 119)]
        memory, expected = on_gpu(whole), whole.copy()
        values = [random_array(rng, dtype, (stop - start,)) for start, stop in bounds]
        group_update(op_type, views_of(memory, bounds), [on_gpu(value) for value in values])
        for (start, stop), value in zip(bounds, values, strict=True):
            getattr(reference, op_type)(expected[start:stop], value)
        assert_same_bits(memory.copy_to_host(), expected)


def test_values_are_read_as_they_were_if_they_lie_in_other_members(rng, launches):
    from nbvars.kernels.cuda.groups import group_update

    whole = random_array(rng, "float32", (200,))
    memory = on_gpu(whole)
    refs = views_of(memory, [(0, 40), (40, 80), (80, 120), (160, 200)])
    sources = [(40, 80), (0, 40), (79, 119), (120, 160)]  # two are exchanged, one moves by an item
    group_update("assign", refs, views_of(memory, sources))
    expected = np.concatenate([whole[40:80], whole[:40], whole[79:119], whole[120:160], whole[120:160]])
    assert_same_bits(memory.copy_to_host(), expected)
    assert len(launches) == 1


def test_an_array_that_is_there_twice_is_updated_twice(rng):
    from nbvars.kernels.cuda.groups import group_step, group_update

    ref, values = random_array(rng, "float32", (50,)), [random_array(rng, "float32", (50,)) for _ in range(2)]
    array = on_gpu(ref)
    group_update("assign_add", [array, array], [on_gpu(value) for value in values])
    for value in values:
        reference.assign_add(ref, value)
    assert_same_bits(array.copy_to_host(), ref)
    step = Step(rng, "momentum", "float32", (50,))
    params, slots = [step.param, step.param], [step.slots, step.slots]
    group_step("apply", "momentum", params, slots, [on_gpu(value) for value in values], step.settings)
    for value in values:
        step.expect(value)
    step.compare()


def test_a_group_is_kept_while_its_arrays_live_and_forgotten_then(rng):
    from nbvars.kernels.cuda import group_tables
    from nbvars.kernels.cuda.groups import group_update

    num_before = len(group_tables._groups)
    refs = [on_gpu(random_array(rng, "float32", (5,))) for _ in range(3)]
    values = [on_gpu(random_array(rng, "float32", (5,))) for _ in range(3)]
    group_update("assign", refs, values)
    (group, _) = list(group_tables._groups.values())[-1]
    sent = group._last[1]
    group_update("assign", refs, values)
    assert len(group_tables._groups) == num_before + 1
    assert group._last[1] is sent  # the same addresses are not sent again
    group_update("assign", refs, [*values[:2], values[1]])
    assert group._last[1] is not sent
    del refs[1]
    assert len(group_tables._groups) == num_before


def test_groups_of_nothing_and_of_empty_arrays_launch_nothing(launches):
    from nbvars.kernels.cuda.groups import group_step, group_update

    empty = on_gpu(np.empty(0, np.float32))
    group_update("assign", [], [])
    group_update("assign", [empty], [empty])
    group_step("apply", "momentum", [], [], [], (0.1, 0.9))
    group_step("apply", "momentum", [empty], [[empty]], [empty], (0.1, 0.9))
    assert not launches


def test_what_does_not_fit_is_refused_and_nothing_is_written():
    from nbvars.kernels.cuda.groups import group_step, group_update

    host = np.ones(4, np.float32)
    good, other = on_gpu(host), on_gpu(host)
    value, short, wide = on_gpu(2 * host), on_gpu(host[:3]), on_gpu(np.ones(4))
    cases = [
        ([good, other], [value], ValueError, "the lists have different lengths: got 2 refs, 1 values"),
        ([good, other], [value, short], ValueError, "values[1] has the wrong shape: got (3,), expected (4,)"),
        ([good, other], [value, wide], TypeError, "values[1] has the wrong dtype: got float64, expected float32"),
        ([good, other], [value, host], TypeError, "values[1] is in the wrong place"),
        ([good, host], [value, value], TypeError, "ref has the wrong type: got ndarray, expected a DeviceArray"),
        ([good, wide], [value, value], TypeError, "ref has the wrong dtype: got float64, expected float32"),
        ([good, other.read_only()], [value, value], ValueError, "ref cannot be updated in place"),
    ]
    for refs, values, error, sentence in cases:
        with pytest.raises(error, match=re.escape(f"group_update: {sentence}")):
            group_update("assign", refs, values)
    slots = [[on_gpu(host)], [on_gpu(host)]]
    for params, of_params, grads, error, sentence in [
        ([good, other], slots[:1], [value, value], ValueError, "different lengths: got 2 params, 1 slots, 2 grads"),
        ([good, other], [slots[0], []], [value, value], ValueError, "the number of slots is wrong: got 0, expected 1"),
        ([good, other], slots, [value, short], ValueError, "grads[1] has the wrong shape: got (3,), expected (4,)"),
        ([good, wide], [slots[0], [wide]], [value, wide], TypeError, "param has the wrong dtype: got float64"),
    ]:
        with pytest.raises(error, match=re.escape(sentence)):
            group_step("apply", "momentum", params, of_params, grads, (0.1, 0.9))
    assert_all_same_bits([good, other, *slots[0]], [host, host, host])


def test_steps_of_a_group_have_the_bits_of_the_cpu(rng):
    from nbvars.kernels import find_kernel
    from nbvars.kernels.cuda.groups import group_step

    for dtype in ("float16", "float64"):
        shapes = [(33,), (8, 2)]
        params = [gradient(rng, dtype, shape) for shape in shapes]
        grads = [random_array(rng, dtype, shape) for shape in shapes]
        precision = np.float32 if numpy_dtype(dtype).itemsize == 2 else dtype
        slots = [[np.zeros(shape, precision) for _ in range(2)] for shape in shapes]
        settings = (0.01, 0.1, 0.001, 1e-7)
        on_device = [on_gpu(each) for each in params], [[on_gpu(slot) for slot in each] for each in slots]
        group_step("apply", "adam", *on_device, [on_gpu(each) for each in grads], settings)
        for param, of_param, grad in zip(params, slots, grads, strict=True):
            find_kernel("adam_step", "cpu")(param, of_param, grad, settings)
        assert_all_same_bits(on_device[0], params)
        assert_all_same_bits(chain.from_iterable(on_device[1]), chain.from_iterable(slots))
