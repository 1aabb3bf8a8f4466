"""Eager variables and tensors as arguments and results of other processes."""

from __future__ import annotations

import multiprocessing
import operator

import numpy as np
import pytest

import nbvars as tf

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture(params=multiprocessing.get_all_start_methods())
def pool(request):
    # What the children call is of the standard library and of nbvars: they need to find no test.
    with multiprocessing.get_context(request.param).Pool(1) as pool:
        yield pool
        pool.close()
        pool.join()


def test_variables_and_tensors_go_to_another_process_and_come_back(pool):
    variables = [tf.Variable([1.0, 2.0], name="w"), tf.Variable(np.int64(3))]
    results = pool.map(operator.methodcaller("assign_add", 1), variables)
    assert [variable.numpy().tolist() for variable in variables] == [[1, 2], 3]
    assert [result.numpy().tolist() for result in results] == [[2, 3], 4]
    tensor = tf.cast([1, 2], tf.bfloat16)
    assert pool.apply(operator.neg, (tensor,)).numpy().tolist() == [-1, -2]
    assert pool.apply(tf.reduce_sum, (variables[0],)).numpy() == 3
