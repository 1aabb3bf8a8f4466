"""Copies and pickles of optimizers and moving averages, with their variables."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import nbvars as tf

WAYS = {"deepcopy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


@pytest.fixture(autouse=True)
def empty_default_graph():
    tf.reset_default_graph()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [tf.train.AdamOptimizer, tf.train.AdagradOptimizer], ids=["adam", "adagrad"])
def test_the_twin_of_an_optimizer_goes_on_with_the_twins_of_its_variables(way, make):
    variable, optimizer = tf.Variable([1.0, 2.0]), make(0.1)

    def step(optimizer, variable):
        optimizer.apply_gradients([(np.array([1, -3], np.float32), variable)])

    step(optimizer, variable)
    twin, twin_optimizer = WAYS[way]((variable, optimizer))
    for slot in optimizer.get_slot_names():
        assert twin_optimizer.get_slot(twin, slot) is not optimizer.get_slot(variable, slot)
        assert twin_optimizer.get_slot(variable, slot) is None
    step(optimizer, variable)
    step(twin_optimizer, twin)
    np.testing.assert_array_equal(twin.numpy(), variable.numpy())
    assert len(twin_optimizer.variables()) == len(optimizer.variables())


def test_a_shallow_copy_of_an_optimizer_has_the_same_slots():
    variable, optimizer = tf.Variable([1.0]), tf.train.MomentumOptimizer(0.1, 0.9)
    optimizer.apply_gradients([(np.ones(1, np.float32), variable)])
    twin = copy.copy(optimizer)
    assert twin.get_slot(variable, "momentum") is optimizer.get_slot(variable, "momentum")


@pytest.mark.parametrize("way", WAYS)
def test_the_twin_of_averages_knows_the_twins_of_its_variables(way):
    variable, averages = tf.Variable([1.0]), tf.train.ExponentialMovingAverage(0.5)
    averages.apply([variable])
    twin, twin_averages = WAYS[way]((variable, averages))
    twin.assign([3.0])
    twin_averages.apply([twin])
    assert twin_averages.average(twin).numpy() == [2]
    assert averages.average(variable).numpy() == [1]
