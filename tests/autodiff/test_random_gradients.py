"""Gradients of random numbers by the parameters of their distribution, the draws being constants."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf

SHAPE = [4, 3]
LOW = np.array([-2.0, 0.5, 100.0])
HIGH = np.array([[1.0], [2.0], [3.0], [0.25]]) + 100
WEIGHTS = np.random.default_rng(0).normal(size=SHAPE)
NORMALS = [tf.random_normal, tf.truncated_normal]
ALL = [*NORMALS, tf.random_uniform]


def drawn(function, first, second, dtype=tf.float64):
    tf.set_random_seed(1)
    return function(SHAPE, first, second, dtype)


@pytest.mark.parametrize("function", ALL, ids=lambda function: function.__name__)
def test_gradients_are_those_of_differences_with_the_same_draws(function):
    parameters = [tf.Variable(LOW), tf.constant(HIGH)]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        numbers = drawn(function, *parameters)
        loss = tf.reduce_sum(numbers * numbers * WEIGHTS)
    gradients = [each.numpy() for each in tape.gradient(loss, parameters)]

    def loss_at(first, second):
        return np.sum(drawn(function, first, second).numpy() ** 2 * WEIGHTS)

    for i, gradient in enumerate(gradients):
        for place in np.ndindex(gradient.shape):
            step = [np.zeros(3), np.zeros((4, 1))]
            step[i][place] = 1e-4
            above, below = loss_at(LOW + step[0], HIGH + step[1]), loss_at(LOW - step[0], HIGH - step[1])
            np.testing.assert_allclose(gradient[place], (above - below) / 2e-4, rtol=1e-5)


@pytest.mark.parametrize("function", NORMALS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_the_derivative_by_the_deviation_is_the_draw(function, dtype):
    deviation = tf.Variable(0.5, dtype=dtype)
    with tf.GradientTape() as tape:
        numbers = drawn(function, tf.constant(0, dtype), deviation, dtype)
    got = tape.gradient(numbers, deviation, np.ones(SHAPE))
    # A power of two as the deviation makes no rounding of its own.
    expected = np.sum(numbers.numpy().astype(np.float64) * 2)
    np.testing.assert_allclose(np.asarray(got, np.float64), expected, rtol=1e-2 if "16" in dtype else 1e-6)


def test_in_a_graph_mean_and_deviation_learn_their_way_to_a_distribution():
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        mean, deviation = tf.Variable(0.0), tf.Variable(1.0)
        numbers = tf.random_normal([1000], mean, deviation)
        # Of all normal distributions this is least where the mean is 3 and the deviation is 0.5.
        loss = tf.reduce_mean(tf.square(numbers - 3.0)) + tf.square(deviation) - 2.0 * deviation
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        session.run(tf.global_variables_initializer())
        for _ in range(100):
            session.run(train)
        np.testing.assert_allclose(session.run([mean, deviation]), [3.0, 0.5], atol=0.02)


@pytest.mark.parametrize("function", ALL, ids=lambda function: function.__name__)
def test_where_all_numbers_are_one_the_gradient_is_finite(function):
    first, second = tf.Variable(0.0), tf.Variable(0.0)
    with tf.GradientTape() as tape:
        numbers = function([5], first, second)
    gradients = [float(each) for each in tape.gradient(numbers, [first, second])]
    assert gradients == [5.0, 0.0]


def test_integers_have_no_gradient():
    maxval = tf.Variable(5)
    with tf.GradientTape() as tape:
        loss = tf.cast(tf.random_uniform([3], 0, maxval, tf.int32), tf.float32)
    assert tape.gradient(loss, maxval) is None
