from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbvars import kernels
from nbvars.errors import InvalidArgumentError
from nbvars.kernels.cpu import optimizer_steps
from nbvars.kernels.elements import element_of
from nbvars.kernels.step_rules import STEPS
from tests import reference_steps
from tests.conftest import FLOATS, LAYOUTS, assert_same_bits, numpy_dtype, random_array, run_kernel

NAMES = list(reference_steps.FORMULAS)
ROWS = [(name, dtype) for name in NAMES for dtype in ("float32", "float64")]
ROWS += [(name, dtype) for name in ("gradient_descent", "momentum", "adam") for dtype in ("float16", "bfloat16")]
ROW_SHAPES = [(), (1,), (3,), (64,), (2, 3)]
INDICES = np.array([0, 6, 3, 3, 3, 0, 6, 5] * 2)


class Step:
    """Parameter and slots of one step, and a copy of them for the oracle."""

    def __init__(self, rng, name, dtype, shape):
        _, num_slots, self.settings = reference_steps.FORMULAS[name]
        self.name, kind = name, numpy_dtype(dtype)
        precision = np.float32 if kind.itemsize == 2 else kind
        self.param = rng.standard_normal(shape).astype(kind)
        # Sums and means of squares are positive, and so may be the others.
        self.slots = [np.asarray(rng.random(shape) + 0.5, precision) for _ in range(num_slots)]
        self.expected = self.param.copy(), [slot.copy() for slot in self.slots]

    def run(self, device, *gradient):
        """Run the kernel, of whole arrays for a gradient, of rows for indices and values."""
        op_type = f"{self.name}_step_rows" if len(gradient) > 1 else f"{self.name}_step"
        run_kernel(op_type, device, self.param, self.slots, *gradient, self.settings)

    def check(self, device, *gradient):
        """Run both; fail unless they leave the same bits."""
        oracle = reference_steps.step_rows if len(gradient) > 1 else reference_steps.step
        oracle(self.name, *self.expected, *(array.copy() for array in gradient), self.settings)
        self.run(device, *gradient)
        self.compare()

    def compare(self):
        """Fail unless parameter and slots are as expected."""
        assert_same_bits(self.param, self.expected[0])
        for slot, expected in zip(self.slots, self.expected[1], strict=True):
            assert_same_bits(slot, expected)


def gradient(rng, dtype, shape):
    return np.asarray(rng.standard_normal(shape)).astype(numpy_dtype(dtype))


def test_there_is_an_oracle_for_every_step():
    assert {name: rule.num_slots for name, rule in STEPS.items()} == {
        name: num_slots for name, (_, num_slots, _) in reference_steps.FORMULAS.items()
    }
    for name, rule in STEPS.items():
        assert len(rule.settings) == len(reference_steps.FORMULAS[name][2])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_dense_steps_have_the_bits_of_the_formula(device, rng, name, dtype):
    for shape in [(), (0,), (1,), (3,), (1000,), (17, 3), (2, 0, 3)]:
        step = Step(rng, name, dtype, shape)
        for _ in range(2):
            step.check(device, gradient(rng, dtype, shape))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_dense_steps_keep_nan_infinity_and_small_numbers_to_their_element(device, rng, name, dtype):
    step = Step(rng, name, dtype, (200,))
    step.check(device, random_array(rng, dtype, (200,)))
    assert np.isfinite(step.param).any()


@pytest.mark.parametrize(("name", "dtype"), ROWS)
def test_steps_of_rows_have_the_bits_of_the_formula_and_sum_repeated_rows_first(device, rng, name, dtype):
    for row_shape in ROW_SHAPES:
        step = Step(rng, name, dtype, (7, *row_shape))
        for indices in (INDICES, INDICES[:3], np.array([4]), np.array([], np.int64)):
            step.check(device, indices, gradient(rng, dtype, (indices.size, *row_shape)))


def test_a_row_that_is_named_twice_moves_once_by_the_sum(device):
    param, total = np.zeros((3, 1), np.float32), np.ones((3, 1), np.float32)
    values = np.array([[1.0], [2.0], [1.0]], np.float32)
    run_kernel("adagrad_step_rows", device, param, [total], np.array([2, 1, 2]), values, (1.0,))
    assert total[:, 0].tolist() == [1.0, 5.0, 5.0]  # 1 + 2**2, and not 1 + 1 + 1
    assert param[1, 0] == param[2, 0] == np.float32(-2) / np.sqrt(np.float32(5))
    assert param[0, 0] == 0


@pytest.mark.parametrize("indices", [[1, 0], [1, 0, 0], [1, 1, 0]], ids=str)
def test_negative_zeros_keep_their_sign_whatever_other_rows_are_named(device, indices):
    param, values = np.full((2, 1), -0.0, np.float32), np.full((len(indices), 1), -0.0, np.float32)
    run_kernel("gradient_descent_step_rows", device, param, [], np.array(indices), values, (1.0,))
    assert not np.signbit(param).any()  # -0 - -0 is 0, but -0 - 0 is -0


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)], ids=str)
def test_rows_are_named_by_integers_of_any_dtype_and_shape(device, rng, dtype, shape):
    step = Step(rng, "momentum", "float32", (7, 4))
    step.check(device, rng.integers(0, 7, shape).astype(dtype), gradient(rng, "float32", (*shape, 4)))


@pytest.mark.parametrize("num_threads", [1, 2, 3])
@pytest.mark.parametrize(("name", "dtype"), ROWS)
def test_the_bits_are_those_of_the_formula_for_any_number_of_threads(
    device, rng, monkeypatch, restored_num_threads, name, dtype, num_threads
):
    nums_parts, run_parts = [], optimizer_steps.run_parts

    def counted(kernel, parts):
        nums_parts.append(len(parts))
        run_parts(kernel, parts)

    monkeypatch.setattr(optimizer_steps, "run_parts", counted)
    monkeypatch.setattr(optimizer_steps, "PART_BYTES", 64)
    kernels.set_num_threads(num_threads)
    step = Step(rng, name, dtype, (101, 7))
    step.check(device, gradient(rng, dtype, (101, 7)))
    step.check(device, rng.integers(0, 101, 90), gradient(rng, dtype, (90, 7)))
    assert nums_parts == [num_threads, num_threads]


@pytest.mark.parametrize("bad", [-1, 7, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("position", [0, 15])
def test_an_index_out_of_range_is_named_and_nothing_is_written(device, rng, bad, position):
    step = Step(rng, "adam", "float32", (7, 2))
    indices = INDICES.copy()
    indices[position] = bad
    with pytest.raises(
        InvalidArgumentError, match=re.escape(f"adam_step_rows: an index is out of range: indices[{position}] = {bad} ")
    ):
        step.run(device, indices, gradient(rng, "float32", (16, 2)))
    step.compare()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_kernel_itself_passes_over_rows_that_are_not_there(rng, dtype):
    """Another thread may change the indices after they were checked."""
    whole = Step(rng, "momentum", dtype, (9, 5))  # the rows before and after those that the kernel knows
    param, velocity = whole.param[2:7], whole.slots[0][2:7]
    rows = np.array([-1, 5, 3, -(2**63), 2**63 - 1, 6])
    grads = gradient(rng, dtype, (6, 5))
    kernel = optimizer_steps._rows_kernel("momentum", element_of("add", param.dtype))
    settings = np.array([*whole.settings, 0, 0, 0, 0])
    kernel(param, velocity, param, param, rows, grads, settings, 5, 0, 1)
    reference_steps.step_rows("momentum", *whole.expected, np.array([5]), grads[2:3], whole.settings)
    whole.compare()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_gradients_have_any_layout(device, rng, layout, dtype):
    step = Step(rng, "momentum", dtype, (8, 3))
    step.check(device, LAYOUTS[layout](gradient(rng, dtype, (8, 3))))
    step.check(device, LAYOUTS[layout](np.array([3, 1, 3])), LAYOUTS[layout](gradient(rng, dtype, (3, 3))))


def test_gradients_are_read_as_they_were_if_they_lie_in_what_is_written(device, rng):
    for choose in (
        lambda step: step.param,
        lambda step: step.param[::-1],
        lambda step: step.slots[0],
        lambda step: step.param.T,
    ):
        step = Step(rng, "momentum", "float32", (6, 6))
        step.check(device, choose(step))
        step.check(device, np.array([2, 0, 1]), choose(step)[0:3])


@pytest.mark.parametrize("distance", [-17, -3, -1, 1, 3, 17])
def test_gradients_are_read_as_they_were_if_they_overlap_with_the_parameter(device, rng, distance):
    step, memory = Step(rng, "momentum", "float32", (100,)), np.zeros(140, np.float32)
    memory[:] = gradient(rng, "float32", 140)
    memory[20:120] = step.param
    step.param = memory[20:120]
    step.check(device, memory[20 + distance : 120 + distance])


@pytest.mark.parametrize("dtype", FLOATS)
def test_steps_reach_every_element_and_no_other_from_any_address(device, rng, dtype):
    kind = numpy_dtype(dtype)
    for start in (1, 3, 16, 21):
        for num_items in (1, 7, 33, 64):
            step = Step(rng, "adam", dtype, (num_items,))
            memory = rng.integers(0, 256, 128 * kind.itemsize, np.uint8).view(kind)
            around = memory.copy()
            place = slice(start, start + num_items)
            around[place] = memory[place] = step.param
            step.param = memory[place]
            step.check(device, gradient(rng, dtype, (num_items,)))
            around[place] = step.param
            assert memory.tobytes() == around.tobytes()


SHAPES = {
    "param": ("float32", (4, 2)),
    "slot": ("float32", (4, 2)),
    "grad": ("float32", (4, 2)),
}


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"grad": ("float32", (2, 4))}, ValueError, "grad has the wrong shape: got (2, 4), expected (4, 2)"),
        ({"grad": ("float32", ())}, ValueError, "grad has the wrong shape: got (), expected (4, 2)"),
        ({"grad": ("float64", (4, 2))}, TypeError, "grad has the wrong dtype: got float64, expected float32"),
        ({"slot": ("float32", (4, 3))}, ValueError, "a slot does not fit the variable: got float32 of shape (4, 3)"),
        ({"slot": ("float64", (4, 2))}, ValueError, "got float64 of shape (4, 2), expected float32 of shape (4, 2)"),
        (
            {"param": ("float16", (4, 2)), "grad": ("float16", (4, 2)), "slot": ("float16", (4, 2))},
            ValueError,
            "got float16 of shape (4, 2), expected float32 of shape (4, 2)",
        ),
        (
            {"param": ("int32", (4, 2)), "grad": ("int32", (4, 2))},
            TypeError,
            "the variable has the wrong dtype: got int32, expected a floating dtype",
        ),
        (
            {"param": ("complex64", (4, 2)), "grad": ("complex64", (4, 2))},
            TypeError,
            "the variable has the wrong dtype: got complex64, expected a floating dtype",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(device, changed, error, sentence):
    arrays = {key: np.ones(shape, dtype) for key, (dtype, shape) in (SHAPES | changed).items()}
    before = {key: array.tobytes() for key, array in arrays.items()}
    param, slot, grad = arrays.values()
    with pytest.raises(error, match=f"^momentum_step: .*{re.escape(sentence)}"):
        run_kernel("momentum_step", device, param, [slot], grad, (0.1, 0.9))
    if grad.shape == param.shape:
        with pytest.raises(error, match=f"^momentum_step_rows: .*{re.escape(sentence)}"):
            run_kernel("momentum_step_rows", device, param, [slot], np.arange(4), grad, (0.1, 0.9))
    assert {key: array.tobytes() for key, array in arrays.items()} == before


def test_steps_refuse_memory_that_kernels_cannot_write(device):
    def strided():
        return np.ones((4, 4), np.float32)[:, ::2]

    ones = np.ones((4, 2), np.float32)
    read_only = LAYOUTS["read_only"](ones)
    for param, slot in [(strided(), ones), (ones.copy(), strided()), (read_only, ones), (ones.copy(), read_only)]:
        with pytest.raises(ValueError, match="momentum_step: ref cannot be updated in place"):
            run_kernel("momentum_step", device, param, [slot], ones, (0.1, 0.9))
        assert (param == 1).all()
        assert (slot == 1).all()


def test_steps_of_rows_refuse_what_names_no_rows(device):
    param, grads = np.ones((4, 2), np.float32), np.ones((3, 2), np.float32)
    for indices, error, sentence in [
        (np.ones(3, np.float32), TypeError, "indices has the wrong dtype: got float32, expected an integer dtype"),
        (np.arange(2), ValueError, "grad has the wrong shape: got (3, 2), expected (2, 2)"),
    ]:
        with pytest.raises(error, match=re.escape(sentence)):
            run_kernel("gradient_descent_step_rows", device, param, [], indices, grads, (0.1,))
    scalar, one = np.ones((), np.float32), np.ones(1, np.float32)
    with pytest.raises(ValueError, match="a scalar has no rows: got shape \\(\\)"):
        run_kernel("gradient_descent_step_rows", device, scalar, [], np.zeros(1, np.int64), one, (0.1,))
    assert (param == 1).all()
    assert scalar == 1


@pytest.mark.parametrize("num_slots", [0, 2])
def test_a_step_refuses_more_or_fewer_slots_than_it_has(device, num_slots):
    param = np.ones(3, np.float32)
    slots = [np.ones(3, np.float32) for _ in range(num_slots)]
    with pytest.raises(ValueError, match=f"momentum_step: the number of slots is wrong: got {num_slots}, expected 1"):
        run_kernel("momentum_step", device, param, slots, param.copy(), (0.1, 0.9))
    assert (param == 1).all()


def group_by_hand(rows, values):
    """Return the rows in the order in which they come first, and the sums of their values in their order."""
    sums = {}
    for row, value in zip(rows.tolist(), values, strict=True):
        sums[row] = sums.get(row, np.zeros_like(value)) + value
    return list(sums), list(sums.values())


@given(st.lists(st.integers(0, 2**62) | st.sampled_from([0, 1, 16, 2**20, 2**40, 2**62]), max_size=70), st.data())
def test_rows_are_grouped_in_the_order_of_their_first_slices(rows, data):
    if rows:  # some of them once more
        rows = rows + data.draw(st.lists(st.sampled_from(rows), max_size=30))
    indices = np.array(rows, np.int64)
    values = np.arange(2.0 * len(rows)).reshape(-1, 2)
    if not rows:
        return
    found, sums = optimizer_steps.group_rows(indices, values)
    expected_rows, expected_sums = group_by_hand(indices, values)
    assert found.tolist() == expected_rows
    np.testing.assert_array_equal(sums, expected_sums)


def test_rows_that_are_all_different_are_not_copied():
    rows, values = np.array([5, 0, 9]), np.ones((3, 2), np.float32)
    found, sums = optimizer_steps.group_rows(rows, values)
    assert found is rows
    assert sums is values
