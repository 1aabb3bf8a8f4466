"""Optimizers on variables of a GPU: the steps of many variables together, with the bits of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf

OPTIMIZERS = {
    "sgd": lambda: tf.train.GradientDescentOptimizer(0.1),
    "momentum": lambda: tf.train.MomentumOptimizer(0.1, 0.9),
    "adam": lambda: tf.train.AdamOptimizer(0.01),
    "adamw": lambda: tf.train.AdamWOptimizer(weight_decay=0.01),
}
SHAPES = [(3,), (40,), (5, 7), (1,)]


def trained(optimizer, device, rng, num_steps=3):
    with tf.device(device):
        variables = [tf.Variable(rng.standard_normal(shape).astype(np.float32)) for shape in SHAPES]
    for _ in range(num_steps):
        grads = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
        optimizer.apply_gradients(zip(grads, variables, strict=True))
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_of_many_variables_are_those_of_the_cpu(name):
    on_gpu = trained(OPTIMIZERS[name](), "/gpu:0", np.random.default_rng(3))
    on_cpu = trained(OPTIMIZERS[name](), "/cpu:0", np.random.default_rng(3))
    for got, expected in zip(on_gpu, on_cpu, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_variables_of_one_dtype_share_a_launch(monkeypatch):
    from nbvars.kernels.cuda import launch

    optimizer, launched = tf.train.GradientDescentOptimizer(0.5), []
    with tf.device("/gpu:0"):
        variables = [tf.Variable(np.ones(n, np.float32)) for n in (3, 20, 100)]
    step = [(np.full(n, 2, np.float32), variable) for n, variable in zip((3, 20, 100), variables, strict=True)]
    optimizer.apply_gradients(step)
    for kernel in list(launch.KERNELS.values()):
        run = kernel.launch
        monkeypatch.setattr(kernel, "launch", lambda *a, run=run, n=kernel.name: (launched.append(n), run(*a))[1])
    optimizer.apply_gradients(step)
    assert launched == ["gradient_descent step of vectors of a group of float32"]
    assert all((variable.numpy() == -1).all() for variable in variables)


def test_a_loss_is_minimized_on_the_gpu():
    x = np.linspace(-1, 1, 20, dtype=np.float32)
    with tf.device("/gpu:0"):
        slope, offset = tf.Variable(np.float32(0)), tf.Variable(np.float32(0))
        given, wanted = tf.constant(x), tf.constant(3 * x - 1)
        optimizer = tf.train.GradientDescentOptimizer(0.5)
        for _ in range(60):
            optimizer.minimize(lambda: tf.reduce_mean(tf.square(slope * given + offset - wanted)))
    np.testing.assert_allclose([slope.numpy(), offset.numpy()], [3, -1], atol=1e-3)


def test_a_step_with_a_gradient_of_another_shape_changes_nothing():
    with tf.device("/gpu:0"):
        variables = [tf.Variable(np.ones(n, np.float32)) for n in (3, 4)]
    grads = [np.ones(3, np.float32), np.ones(5, np.float32)]
    with pytest.raises(ValueError, match="wrong shape"):
        tf.train.GradientDescentOptimizer(0.5).apply_gradients(zip(grads, variables, strict=True))
    assert all((variable.numpy() == 1).all() for variable in variables)
