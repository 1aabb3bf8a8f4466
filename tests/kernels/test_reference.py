from __future__ import annotations

import numpy as np
import pytest

from tests import reference
from tests.conftest import assert_same_bits

NEW_ROWS = np.array([[9, 8, 7], [6, 5, 4]])


@pytest.fixture
def table():
    return np.arange(12).reshape(4, 3)


def test_gather_nd_takes_elements_and_slices(table):
    pairs = np.array([[[0, 2], [3, 0]], [[1, 1], [3, 0]]])
    assert_same_bits(reference.gather_nd(table, pairs), np.array([[2, 9], [4, 9]]))
    assert_same_bits(reference.gather_nd(table, np.array([[3], [0]])), table[[3, 0]])
    assert_same_bits(reference.gather_nd(table, np.zeros((2, 0), int)), np.stack([table, table]))
    assert_same_bits(reference.gather_nd(table, np.array([1, 2])), np.array(5))


@pytest.mark.parametrize(("op_type", "ufunc"), [("scatter_nd_add", np.add), ("scatter_nd_sub", np.subtract)])
def test_scatter_nd_keeps_repeated_indices(table, op_type, ufunc):
    places = np.array([[0, 2], [3, 0], [0, 2]])
    expected = table.copy()
    ufunc.at(expected, tuple(places.T), np.array([10, 20, 30]))
    getattr(reference, op_type)(table, places, np.array([10, 20, 30]))
    assert_same_bits(table, expected)


def test_scatter_nd_update_copies_rows_and_the_last_wins(table):
    reference.scatter_nd_update(table, np.array([[2], [0]]), NEW_ROWS)
    assert_same_bits(table[[2, 0]], NEW_ROWS)
    reference.scatter_nd_update(table, np.array([[1], [1]]), NEW_ROWS)
    assert_same_bits(table[1], NEW_ROWS[1])


def test_batch_scatter_update_equals_put_along_axis(table):
    columns = np.array([[2, 0], [1, 1], [0, 2], [2, 2]])
    updates = np.repeat(np.arange(100, 104), 2).reshape(4, 2)
    expected = table.copy()
    np.put_along_axis(expected, columns, updates, axis=1)
    reference.batch_scatter_update(table, columns, updates)
    assert_same_bits(table, expected)


def test_batch_scatter_update_of_one_batch_is_scatter_update(table):
    expected = table.copy()
    reference.scatter_update(expected, np.array([3, 1]), NEW_ROWS)
    reference.batch_scatter_update(table, np.array([3, 1]), NEW_ROWS)
    assert_same_bits(table, expected)


def test_assert_same_bits_tells_zeros_apart_and_not_nans():
    nans = np.array([0x7FC00000, 0x7F800001, 0xFFC00000], np.uint32).view(np.float32)
    assert_same_bits(nans, np.full(3, np.nan, np.float32))
    for got, expected in [([0.0], [-0.0]), ([np.nan], [1.0]), ([1.0], [np.nan])]:
        with pytest.raises(AssertionError):
            assert_same_bits(np.array(got), np.array(expected))
    with pytest.raises(AssertionError):
        assert_same_bits(np.zeros(2, np.float32), np.zeros(2))
