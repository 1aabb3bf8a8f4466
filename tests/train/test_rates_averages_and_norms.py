"""Learning rates that fall, averages of variables, and norms that are kept within bounds."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf

train = tf.train

RATES = {
    "exponential": (lambda step: train.exponential_decay(0.5, step, 4, 0.9), lambda s: 0.5 * 0.9 ** (s / 4)),
    "staircase": (
        lambda step: train.exponential_decay(0.5, step, 4, 0.9, staircase=True),
        lambda s: 0.5 * 0.9 ** (s // 4),
    ),
    "natural": (lambda step: train.natural_exp_decay(0.5, step, 4, 0.3), lambda s: 0.5 * np.exp(-0.3 * s / 4)),
    "inverse": (lambda step: train.inverse_time_decay(0.5, step, 4, 0.3), lambda s: 0.5 / (1 + 0.3 * s / 4)),
    "polynomial": (
        lambda step: train.polynomial_decay(0.5, step, 4, 0.1, 2.0),
        lambda s: 0.4 * (1 - min(s, 4) / 4) ** 2 + 0.1,
    ),
    "cycle": (
        lambda step: train.polynomial_decay(0.5, step, 4, 0.1, cycle=True),
        lambda s: 0.4 * (1 - s / (4 * max(1, -(-s // 4)))) + 0.1,
    ),
    "piecewise": (
        lambda step: train.piecewise_constant(step, [2, 5], [1.0, 0.5, 0.1]),
        lambda s: 1.0 if s <= 2 else 0.5 if s <= 5 else 0.1,
    ),
}


@pytest.mark.parametrize("name", RATES)
def test_rates_follow_their_formulas_in_both_modes(name):
    make, formula = RATES[name]
    step = tf.Variable(np.int64(0), trainable=False)
    rate = make(step)
    with tf.Graph().as_default(), tf.Session() as session:
        fed = tf.placeholder(tf.int64, [])
        in_graph = make(fed)
        for s in range(10):
            with tf.eager_mode():
                now = rate().numpy()
                step.assign_add(1)
            np.testing.assert_allclose(now, formula(s), rtol=1e-6)
            assert session.run(in_graph, {fed: s}) == now


def test_boundaries_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="length of boundaries should be 1 less"):
        train.piecewise_constant(1, [1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="do not rise"):
        train.piecewise_constant(1, [2, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="global_step is required"):
        train.exponential_decay(0.1, None, 1, 0.5)


def test_averages_of_variables_follow_the_formula_in_both_modes():
    values = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]]
    v, ema = tf.Variable(values[0]), train.ExponentialMovingAverage(0.9)
    expected = np.array(values[0])
    ema.apply([v])
    with tf.Graph().as_default(), tf.Session() as session:
        w, in_graph = tf.Variable(values[0], name="w"), train.ExponentialMovingAverage(0.9)
        move = in_graph.apply([w])
        assert in_graph.average_name(w) == "w/ExponentialMovingAverage"
        assert tf.moving_average_variables() == [w]
        session.run(tf.global_variables_initializer())
        for value in values[1:]:
            expected = 0.9 * expected + 0.1 * np.array(value)
            with tf.eager_mode():
                v.assign(value)
                ema.apply([v])
            session.run(w.assign(value).op)
            session.run(move)
            np.testing.assert_allclose(session.run(in_graph.average(w)), expected, rtol=1e-6)
            np.testing.assert_array_equal(session.run(in_graph.average(w)), ema.average(v).numpy())


def test_the_number_of_updates_lets_averages_begin_faster():
    v, count = tf.Variable(0.0), tf.Variable(0, trainable=False)
    ema = train.ExponentialMovingAverage(0.999, num_updates=count)
    ema.apply([v])
    v.assign(1.0)
    ema.apply([v])
    assert float(ema.average(v)) == pytest.approx(0.9)
    assert ema.average(tf.Variable(1.0)) is None


def test_averages_stand_for_variables_when_they_are_restored():
    with tf.Graph().as_default():
        v, other = tf.Variable(1.0, name="v"), tf.Variable(2.0, trainable=False, name="other")
        ema = train.ExponentialMovingAverage(0.9)
        ema.apply()
        assert ema.variables_to_restore() == {"v/ExponentialMovingAverage": v, "other": other}


def test_what_has_no_average_is_refused():
    with pytest.raises(TypeError, match="this has no average: got int32"):
        train.ExponentialMovingAverage(0.9).apply([tf.Variable(1)])
    with tf.Graph().as_default():
        v, ema = tf.Variable(1.0), train.ExponentialMovingAverage(0.9)
        ema.apply([v])
        with pytest.raises(ValueError, match="Moving average already computed for this"):
            ema.apply([v])


def test_norms_are_kept_within_bounds():
    assert tf.clip_by_norm([3.0, 4.0], 1.0).numpy().tolist() == pytest.approx([0.6, 0.8])
    assert tf.clip_by_norm([3.0, 4.0], 10.0).numpy().tolist() == [3.0, 4.0]
    assert tf.clip_by_norm([0.0, 0.0], 1.0).numpy().tolist() == [0.0, 0.0]
    rows = tf.clip_by_norm([[3.0, 4.0], [0.3, 0.4]], 1.0, axes=[1]).numpy()
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)
    slices = tf.clip_by_norm(tf.IndexedSlices(np.array([[3.0, 4.0]]), np.array([7]), [9, 2]), 1.0)
    np.testing.assert_allclose(slices.values.numpy(), [[0.6, 0.8]])


def test_all_together_are_scaled_by_one_factor():
    tensors = [[3.0], None, tf.IndexedSlices(np.array([[4.0]], np.float32), np.array([1]))]
    (first, nothing, slices), norm = tf.clip_by_global_norm(tensors, 2.5)
    assert (float(norm), nothing) == (5.0, None)
    assert (first.numpy().tolist(), slices.values.numpy().tolist()) == ([1.5], [[2.0]])
    unchanged, _ = tf.clip_by_global_norm([[3.0]], 10.0)
    assert unchanged[0].numpy().tolist() == [3.0]
    assert tf.clip_by_global_norm([None], 1.0) == ([None], None)
    assert np.isnan(tf.clip_by_global_norm([[np.inf, 1.0]], 1.0)[0][0].numpy()).all()
    with pytest.raises(TypeError, match="t_list is no list"):
        tf.clip_by_global_norm(tf.constant([1.0]), 1.0)


def test_clipping_has_a_gradient():
    x = tf.constant([0.3, 0.4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(tf.clip_by_norm(x, 10.0) + tf.clip_by_norm(x * 0.0, 1.0))
    assert tape.gradient(y, x).numpy().tolist() == [1.0, 1.0]
