"""What is no array is refused by every launcher, and a NumPy number is an array of no axes."""

from __future__ import annotations

import numpy as np
import pytest

from nbvars import kernels
from nbvars.kernels.elements import Array

ARRAY = np.ones((3, 2), np.float32)
ROWS = np.array([1])


@pytest.mark.parametrize("wrong", [[[1.0, 2.0]], 1.0, None, "text"], ids=repr)
def test_launchers_refuse_what_is_no_array(wrong):
    expected = rf"has the wrong type: got {type(wrong).__name__}, expected an ndarray$"
    calls = [
        lambda: kernels.assign(wrong, ARRAY),
        lambda: kernels.assign_add(ARRAY.copy(), wrong),
        lambda: kernels.scatter_sub(wrong, ROWS, ARRAY[:1]),
        lambda: kernels.scatter_sub(ARRAY.copy(), wrong, ARRAY[:1]),
        lambda: kernels.scatter_sub(ARRAY.copy(), ROWS, wrong),
        lambda: kernels.cast(wrong, np.dtype(np.int8)),
        lambda: kernels.count_up_to(wrong, 3),
        lambda: kernels.find_kernel("adagrad_step", "cpu")(wrong, [ARRAY.copy()], ARRAY, (0.1,)),
        lambda: kernels.find_kernel("adagrad_step", "cpu")(ARRAY.copy(), [wrong], ARRAY, (0.1,)),
        lambda: kernels.find_kernel("adagrad_step", "cpu")(ARRAY.copy(), [ARRAY.copy()], wrong, (0.1,)),
        lambda: kernels.find_kernel("adagrad_step_rows", "cpu")(ARRAY.copy(), [ARRAY.copy()], wrong, ARRAY[:1], (0.1,)),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=expected):
            call()


def test_numpy_numbers_are_arrays_of_no_axes():
    ref: Array = ARRAY.copy()
    kernels.assign_add(ref, np.float32(2))
    kernels.scatter_sub(ref, np.int64(1), np.float32(1))
    assert ref.tolist() == [[3, 3], [2, 2], [3, 3]]
    assert kernels.cast(np.float32(2.5), np.dtype(np.int32)) == 2


def test_subclasses_of_ndarray_are_arrays():
    ref = ARRAY.copy().view(np.recarray)
    kernels.assign_add(ref, np.ones((3, 2), np.float32).view(np.recarray))
    assert np.all(np.asarray(ref) == 2)


def test_an_entry_point_that_gets_no_array_raises_and_changes_nothing():
    from nbvars.kernels.cpu.fast_updates import fast_updates

    header = np.array([0, ARRAY.ctypes.data, 6, 4, *ARRAY.shape, *ARRAY.strides], np.int64)
    with pytest.raises(TypeError, match="something else than an ndarray"):
        fast_updates(ARRAY.dtype).add_array(header.ctypes.data, [1.0], False)
    assert np.all(ARRAY == 1)
