from __future__ import annotations

import numpy as np
import pytest


def sorted_on_gpu(indices, num_rows):
    from nbvars.kernels.cuda.memory import to_device
    from nbvars.kernels.cuda.sorting import sort_rows

    result = sort_rows(to_device(indices, 0), num_rows)
    return result.rows.copy_to_host(), result.order.copy_to_host()


def assert_sorted(indices, num_rows):
    rows = np.where((indices >= 0) & (indices < num_rows), indices, num_rows).astype(np.int64).reshape(-1)
    order = np.argsort(rows, kind="stable")
    got_rows, got_order = sorted_on_gpu(indices, num_rows)
    np.testing.assert_array_equal(got_order, order)
    np.testing.assert_array_equal(got_rows, rows[order])


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("num_rows", [1, 5, 15, 16, 300])
def test_rows_are_sorted_and_equal_ones_stay_in_order(rng, dtype, num_rows):
    assert_sorted(rng.integers(0, num_rows, 300).astype(dtype), num_rows)


@pytest.mark.parametrize("size", [0, 1, 2, 127, 128, 129, 257])
def test_any_number_of_rows_is_sorted(rng, size):
    assert_sorted(rng.integers(0, 20, size), 20)


def test_rows_of_more_tiles_than_blocks_are_sorted(rng):
    from nbvars.kernels.cuda import sorting

    assert_sorted(rng.integers(0, 12, (sorting.MOST_BLOCKS + 3) * sorting.TILE + 5), 12)


def test_indices_that_are_no_rows_come_last_in_the_order_they_have():
    low, high = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    assert_sorted(np.array([[3, -1, 7], [6, low, 0], [high, 7, 3]]), 7)
    assert_sorted(np.array([0, -1, 5]), 0)
    assert_sorted(np.array([-1, 2**31 - 1, -(2**31), 2], np.int32), 3)


def test_row_numbers_beyond_32_bits_are_sorted():
    assert_sorted(np.array([2**34, 5, 2**33 + 1, 2**33, 2**34 - 1, 5]), 2**34)
