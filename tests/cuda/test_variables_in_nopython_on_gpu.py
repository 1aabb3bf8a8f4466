"""Functions that Numba compiles for the CPU refuse variables of a GPU, and leave them to those of numba-cuda."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

import nbvars as tf


@njit
def first(variable):
    return variable[0]


def test_a_variable_of_a_gpu_is_refused_with_the_way_out():
    with tf.device("/gpu:0"):
        variable = tf.Variable(np.ones(3, np.float32))
    for _ in range(2):
        with pytest.raises(TypeError, match=r"njit: a variable of a GPU is out of the reach .*; pass v.numpy\(\)"):
            first(variable)
    # numba-cuda would take this for the type of a variable.
    assert not hasattr(variable, "_numba_type_")
    assert first(variable.numpy()) == 1
