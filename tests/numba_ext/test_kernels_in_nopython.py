"""The launchers of ``nbvars.kernels`` called from compiled code give what they give in Python."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from nbvars import kernels
from nbvars.errors import InvalidArgumentError
from tests import reference
from tests.conftest import LAYOUTS, assert_same_bits, random_array, run_python

DENSE = ["assign", "assign_add", "assign_sub"]
SCATTER = [f"scatter_{operation}" for operation in ("add", "div", "max", "min", "mul", "sub", "update")]


def _compiled(name):
    launcher = getattr(kernels, name)
    if name in DENSE:
        return njit(lambda ref, value: launcher(ref, value))  # noqa: PLW0108 - Numba compiles it
    return njit(lambda ref, indices, values: launcher(ref, indices, values))  # noqa: PLW0108


COMPILED = {name: _compiled(name) for name in (*DENSE, *SCATTER)}


def assert_equals_reference(name, ref, *arguments):
    """Fail unless compiled code and Python make the same bits as the reference."""
    in_python, expected = ref.copy(), ref.copy()
    COMPILED[name](ref, *arguments)
    getattr(kernels, name)(in_python, *arguments)
    with np.errstate(all="ignore"):
        getattr(reference, name)(expected, *(np.asarray(argument) for argument in arguments))
    assert_same_bits(ref, expected)
    assert_same_bits(in_python, expected)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, "float32") for name in DENSE), ("assign", "bool"), ("assign_add", "int8"), ("assign_sub", "complex128")],
)
def test_dense_updates_equal_the_reference(rng, name, dtype):
    ref, value = (random_array(rng, dtype, (3, 5)) for _ in range(2))
    assert_equals_reference(name, ref, value)
    assert_equals_reference(name, ref, value[0, 1])
    assert_equals_reference(name, ref, np.array(value[2, 1]))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "float32") for name in SCATTER),
        *(("scatter_div", dtype) for dtype in ("int8", "int64", "uint64")),
        *(("scatter_mul", dtype) for dtype in ("uint8", "complex64")),
        *(("scatter_min", dtype) for dtype in ("int16", "float64")),
        ("scatter_update", "bool"),
    ],
)
def test_scatters_equal_the_reference(rng, name, dtype):
    negative_zero = name not in ("scatter_min", "scatter_max")  # which zero is the smaller one is not promised
    ref, values = (random_array(rng, dtype, shape, negative_zero=negative_zero) for shape in ((5, 3), (2, 3, 3)))
    assert_equals_reference(name, ref, np.array([[4, 0, 4], [1, 4, 1]]), values)
    assert_equals_reference(name, ref, np.array([4, 0, 4], np.int32), values[0, 0, 1])


@pytest.mark.parametrize(
    "indices", [np.int64(2), 2, np.array(2), np.uint8(2)], ids=lambda indices: type(indices).__name__
)
def test_one_row_is_named_by_its_number(rng, indices):
    table, vector = random_array(rng, "float32", (3, 2)), random_array(rng, "float32", (3,))
    in_python = table.copy(), vector.copy()
    for ref, values in ((table, vector[:2]), (table, vector[0]), (vector, table[0, 0])):
        COMPILED["scatter_sub"](ref, indices, values)
    for ref, values in ((in_python[0], in_python[1][:2]), (in_python[0], in_python[1][0]), (in_python[1], table[0, 0])):
        kernels.scatter_sub(ref, np.asarray(indices), values)
    assert_same_bits(table, in_python[0])
    assert_same_bits(vector, in_python[1])


@pytest.mark.parametrize("layout", ["strided", "fortran", "reversed", "read_only", "unaligned"])
def test_values_may_have_any_layout(rng, layout):
    ref, value = (random_array(rng, "float64", (3, 5)) for _ in range(2))
    assert_equals_reference("assign_add", ref, LAYOUTS[layout](value))
    assert_equals_reference("scatter_add", ref, LAYOUTS[layout](np.array([2, 0, 2])), LAYOUTS[layout](value))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0), (0, 3)], ids=str)
def test_every_size_is_updated(shape):
    assert_equals_reference("assign", np.zeros(shape), np.ones(shape))
    if shape:
        assert_equals_reference("scatter_update", np.zeros(shape), np.zeros(0, np.int64), np.ones((0, *shape[1:])))


def test_values_that_lie_in_the_array_are_those_of_before():
    ref = np.arange(6.0)
    COMPILED["assign"](ref, ref[::-1])
    COMPILED["scatter_add"](ref, np.arange(3), ref[1:4])
    assert ref.tolist() == [9, 7, 5, 2, 1, 0]


def assert_refused(error, sentence, name, ref, *arguments):
    before = ref.tobytes()
    with pytest.raises(error) as caught:
        COMPILED[name](ref, *arguments)
    assert f"{name}: {sentence}" in str(caught.value)
    assert ref.tobytes() == before


@pytest.mark.parametrize(
    ("error", "sentence", "name", "arguments"),
    [
        (ValueError, "the update has the wrong shape", "assign", [np.ones((2, 2))]),
        (ValueError, "the update has the wrong shape", "scatter_sub", [np.array([0, 1]), np.ones((3, 2))]),
        (ValueError, "the update has the wrong shape", "scatter_sub", [1, np.ones(3)]),
        (InvalidArgumentError, "an index is out of range", "scatter_sub", [np.array([0, 3]), np.ones((2, 2))]),
        (InvalidArgumentError, "an index is out of range", "scatter_sub", [-1, np.ones(2)]),
        (InvalidArgumentError, "an index is out of range", "scatter_sub", [np.uint64(2**63), 1.0]),
        (TypingError, "value has the wrong dtype: got float32, expected float64", "assign", [np.float32(1)]),
        (TypingError, "value has the wrong dtype: got int64, expected float64", "assign", [1]),
        (TypingError, "value has the wrong type: got unicode_type, expected an array or a number", "assign", ["x"]),
        (TypingError, "value has the wrong number of axes: got 1, expected 2, or 0", "assign", [np.ones(2)]),
        (TypingError, "indices has the wrong dtype: got float64", "scatter_sub", [np.array([0.0]), np.ones((1, 2))]),
        (
            TypingError,
            "values has the wrong number of axes: got 1, expected 2",
            "scatter_sub",
            [np.array([0]), np.ones(2)],
        ),
    ],
)
def test_what_is_wrong_changes_nothing(error, sentence, name, arguments):
    assert_refused(error, sentence, name, np.ones((3, 2)), *arguments)


def test_integers_are_not_divided_by_zero():
    sentence = "values divides integers by zero: got 0, expected no zero"
    assert_refused(InvalidArgumentError, sentence, "scatter_div", np.ones(3, np.int32), np.array([0]), np.int32(0))


@pytest.mark.parametrize("layout", ["strided", "fortran", "read_only"])
def test_what_cannot_be_updated_in_place_is_refused_when_the_function_is_compiled(layout):
    assert_refused(TypingError, "ref cannot be updated in place", "assign", LAYOUTS[layout](np.ones((3, 2))), 1.0)


def test_an_unaligned_array_is_refused():
    ref = LAYOUTS["unaligned"](np.ones((3, 2)))
    for name, arguments in (("assign", [2.0]), ("scatter_add", [0, 1.0])):
        assert_refused(ValueError, "ref cannot be updated in place: got an unaligned array", name, ref, *arguments)


def test_float16_is_refused_with_the_way_out():
    assert_refused(TypingError, "ref has the wrong dtype: got float16", "assign", np.ones(3, np.float16), np.ones(3))


def test_calls_keep_no_reference(rng):
    ref, indices, values = np.zeros((3, 2)), np.arange(3), np.ones((3, 2))
    COMPILED["scatter_sub"](ref, indices, values)
    COMPILED["assign_add"](ref, values)
    before = [sys.getrefcount(argument) for argument in (ref, indices, values)]
    for _ in range(500):
        COMPILED["scatter_sub"](ref, indices, values)
        COMPILED["assign_add"](ref, values)
    assert [sys.getrefcount(argument) for argument in (ref, indices, values)] == before
    assert not ref.any()


PAIRS = [
    *(("float32", target) for target in ("bool", "int8", "uint32", "int64", "float64", "complex64")),
    *(("float64", target) for target in ("float32", "uint64", "int32")),
    *(("complex64", target) for target in ("bool", "int16", "float32", "complex128")),
    *(("bool", target) for target in ("int8", "float32", "complex64", "bool")),
    *(("int64", target) for target in ("bool", "int8", "float32", "complex64")),
    ("uint64", "float32"),
    ("complex128", "complex64"),
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_cast_equals_the_reference(rng, source, target):
    @njit
    def cast(x, out):
        return kernels.cast(x, target), kernels.cast(x, target, out)

    x = random_array(rng, source, (4, 25))
    if np.dtype(source).kind in "fc":
        x[0, :8] = [np.nan, np.inf, -np.inf, 2.0**31, -(2.0**31), 255.5, -0.9, 2.0**24 + 1]
    elif source != "bool":
        x[0, :2] = [2**24 + 1, 2**62 + 1]
    out = np.empty(x.shape, target)
    expected = reference.cast(x, np.dtype(target))
    for given in (x, np.asfortranarray(x)):
        made, filled = cast(given, out)
        assert_same_bits(made, expected)
        assert_same_bits(filled, expected)
        assert filled.ctypes.data == out.ctypes.data


def test_cast_takes_what_says_a_dtype_and_memory_of_its_own():
    @njit
    def cast(x):
        return kernels.cast(x, np.float32), kernels.cast(x, "float32"), kernels.cast(x, x.dtype, out=x)

    x = np.array([1.5, 2.5, np.nan])
    for result in cast(x):
        np.testing.assert_array_equal(result, x)


@pytest.mark.parametrize("dtype", [np.float16, "bfloat16"])
def test_cast_to_16_bits_is_refused_with_the_way_out(dtype):
    @njit
    def cast(x):
        return kernels.cast(x, dtype)

    with pytest.raises(TypingError, match=r"cast: the dtype is not castable: .*float32_to_float16"):
        cast(np.ones(3))


def test_out_must_take_the_result():
    @njit
    def cast(x, out):
        return kernels.cast(x, np.int8, out)

    out = np.zeros(3, np.int8)
    with pytest.raises(ValueError, match="cast: out does not take the result: got another shape, expected that of x"):
        cast(np.ones(2), out)
    with pytest.raises(TypingError, match="cast: out does not take the result"):
        cast(np.ones(3), np.zeros(3, np.int16))
    with pytest.raises(TypingError, match="cast: out cannot be updated in place"):
        cast(np.ones(3), LAYOUTS["read_only"](out))
    assert not out.any()


def test_every_kernel_on_arrays_has_a_form():
    from nbvars import numba_ext

    not_of_arrays = {
        "find_kernel",
        *(name for name in kernels.__all__ if "num_threads" in name or "pool_bytes" in name),
    }
    for name in set(kernels.__all__) - not_of_arrays:
        launcher = getattr(kernels, name)
        form = numba_ext._FUNCTIONS[launcher]
        assert list(inspect.signature(form).parameters) == list(inspect.signature(launcher).parameters), name


IN_PARALLEL = """
import numpy as np
from numba import njit, prange
from nbvars import kernels

@njit(parallel=True, cache=False)
def update(table, indices, deltas):
    for k in prange(table.shape[0]):
        kernels.scatter_sub(table[k], indices, deltas[k])
        kernels.assign_add(table[k], 1.0)

table, deltas = np.zeros((50, 4, 3)), np.ones((50, 2, 3))
update(table, np.array([1, 1]), deltas)
print(np.unique(table[:, 1]), np.unique(table[:, [0, 2, 3]]))
"""


def test_a_prange_updates_arrays():
    assert run_python(IN_PARALLEL, NUMBA_NUM_THREADS="4") == "[-1.] [1.]"
