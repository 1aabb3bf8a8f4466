"""The fast path of scatters: the results of the reference where it takes the work, nothing where it declines."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nbvars.kernels.cpu.fast_scatter import MOST_FAST_BYTES, fast_scatter
from nbvars.kernels.cpu.header import LOCK
from tests import reference
from tests.conftest import NUMERIC, assert_same_bits, numpy_dtype, random_array

OPERATIONS = ["add", "div", "max", "min", "mul", "sub", "update"]


def header_of(variable):
    """Return the header of a variable whose memory is that of the array ``variable``."""
    layout = [*variable.shape, *variable.strides]
    return np.array([0, variable.ctypes.data, variable.size, 0, len(layout), *layout], np.int64)


def assert_updated(operation, variable, indices, values):
    header, expected = header_of(variable), variable.copy()
    with np.errstate(all="ignore"):
        getattr(reference, f"scatter_{operation}")(expected, indices, values)
    assert fast_scatter(operation, variable.dtype)(header.ctypes.data, indices, values) is True
    assert_same_bits(variable, expected)
    assert header[LOCK] == 0


def assert_declined(variable, indices, values, lock=0):
    header = header_of(variable)
    header[LOCK] = lock
    before = variable.tobytes()
    assert fast_scatter("sub", variable.dtype)(header.ctypes.data, indices, values) is False
    assert variable.tobytes() == before
    assert header[LOCK] == lock


@pytest.mark.parametrize(
    ("operation", "dtype"),
    [("sub", dtype) for dtype in NUMERIC]
    + [(op, dtype) for op in OPERATIONS for dtype in ("float32", "bfloat16") if op != "sub"]
    + [("max", "int8"), ("update", "bool"), ("update", "complex128"), ("mul", "complex64")],
)
def test_the_result_is_that_of_the_slices_in_order(rng, operation, dtype):
    for shape, index_shape in [((5,), (7,)), ((5, 3), (2, 3)), ((9, 64), (20,)), ((4, 1, 2), ()), ((6, 2, 3), (1,))]:
        variable = random_array(rng, dtype, shape, negative_zero=False)
        indices = rng.integers(0, shape[0], index_shape)
        values = random_array(rng, dtype, np.shape(indices) + shape[1:], negative_zero=False)
        assert_updated(operation, variable, np.asarray(indices), values)


def test_the_first_and_the_last_row_are_in_reach():
    assert_updated("sub", np.ones((1000, 4), np.float32), np.array([0, 999, 0]), np.ones((3, 4), np.float32))


def test_indices_of_four_bytes_are_taken(rng):
    for shape in ((1000,), (1000, 5)):
        indices = rng.integers(0, 1000, 1500).astype(np.int32)
        values = random_array(rng, "float32", (1500, *shape[1:]))
        assert_updated("sub", random_array(rng, "float32", shape), indices, values)
    for index in (1000, -1):
        assert_declined(np.ones((1000, 2), np.float32), np.array([0, index], np.int32), np.ones((2, 2), np.float32))


@pytest.mark.parametrize("index", [3, -1, 2**62, -(2**63)])
def test_a_bad_index_is_declined_before_anything_is_written(index):
    assert_declined(np.ones((3, 2), np.float32), np.array([0, index]), np.ones((2, 2), np.float32))


@pytest.mark.parametrize(
    ("shape", "index_shape", "value_shape"),
    [
        ((3, 2), (2,), (2, 3)),
        ((3, 2), (2,), (3, 2)),
        ((3, 2), (2,), (2,)),
        ((3, 2), (2,), (2, 1, 2)),
        ((3, 2), (4,), (2, 2, 2)),
        ((3, 2), (2, 2), (4, 2)),
        ((), (1,), (1,)),
        ((3, 0), (2,), (2, 0)),
        ((3, 2), (0,), (0, 2)),
        ((3, 1, 1, 1, 2), (1,), (1, 1, 1, 1, 2)),
        ((3,), (1, 1, 1, 1, 2), (1, 1, 1, 1, 2)),
        ((3,), (MOST_FAST_BYTES // 64 + 1,), (MOST_FAST_BYTES // 64 + 1,)),
    ],
)
def test_what_has_another_shape_rank_or_size_is_declined(shape, index_shape, value_shape):
    assert_declined(np.ones(shape, np.float32), np.zeros(index_shape, np.int64), np.ones(value_shape, np.float32))


def test_other_layouts_are_declined():
    variable, indices, values = np.ones((9, 4), np.float32), np.array([1, 2]), np.ones((2, 4), np.float32)
    unaligned = np.zeros(values.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(2, 4)
    unaligned_indices = np.zeros(17, np.uint8)[1:].view(np.int64)
    for others in (np.ones((2, 8), np.float32)[:, ::2], np.asfortranarray(values), values[::-1], unaligned):
        assert_declined(variable, indices, others)
    for others in (np.array([1, 0, 2, 0])[::2], indices[::-1], unaligned_indices):
        assert_declined(variable, others, values)


def test_parts_of_the_variable_itself_are_declined():
    variable = np.ones((9, 4), np.float32)
    assert_declined(variable, np.array([1, 2]), variable[:2])
    counts = np.arange(9)
    assert_declined(counts, counts[:2], np.ones(2, np.int64))


def test_a_variable_that_somebody_has_locked_is_declined():
    assert_declined(np.ones((3, 2), np.float32), np.array([1]), np.ones((1, 2), np.float32), lock=1)


@pytest.mark.parametrize(("operation", "dtype"), [("div", "int32"), ("add", "bool"), ("min", "complex64")])
def test_there_is_none_where_more_must_be_checked(operation, dtype):
    assert fast_scatter(operation, numpy_dtype(dtype)) is None


def test_arguments_of_any_number_of_references_keep_it():
    variable, indices, values = np.ones((9, 4), np.float32), np.array([1, 2]), np.ones((2, 4), np.float32)
    header = header_of(variable)
    before = sys.getrefcount(indices), sys.getrefcount(values)
    for _ in range(100):
        fast_scatter("sub", variable.dtype)(header.ctypes.data, indices, values)
        fast_scatter("sub", variable.dtype)(header.ctypes.data, indices, values[:, :3])
    assert (sys.getrefcount(indices), sys.getrefcount(values)) == before
