"""Losses of classifiers against their definitions, far from zero and at the edges."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError

LOGITS = np.array([[1000.0, -1000.0, 0.0], [0.5, 1.5, -2.0], [-1e4, -1e4, -1e4]])
LABELS = np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])


def log_softmax(x):
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_softmax_loss_follows_its_definition():
    got = tf.nn.softmax_cross_entropy_with_logits(labels=LABELS, logits=LOGITS)
    np.testing.assert_allclose(got, -np.sum(LABELS * log_softmax(LOGITS), -1), rtol=1e-12)


def test_a_label_of_zero_has_no_part_however_small_the_probability():
    got = tf.nn.softmax_cross_entropy_with_logits(labels=[[1.0, 0.0]], logits=[[0.0, -np.inf]])
    assert got.numpy().tolist() == [0.0]


def test_sparse_softmax_loss_takes_the_logarithm_at_the_label():
    got = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 2, 1], logits=LOGITS)
    np.testing.assert_allclose(got, -log_softmax(LOGITS)[[0, 1, 2], [0, 2, 1]], rtol=1e-12)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range_is_refused(label):
    with pytest.raises(InvalidArgumentError, match=rf"a label is out of range: got {label}, expected \[0, 3\)"):
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, label, 1], logits=LOGITS)


def test_sigmoid_loss_follows_its_definition_and_does_not_overflow():
    x = np.array([-2.0, -0.5, 0.0, 3.0])
    z = np.array([0.0, 1.0, 0.25, 0.5])
    sigmoid = 1 / (1 + np.exp(-x))
    got = tf.nn.sigmoid_cross_entropy_with_logits(labels=z, logits=x)
    np.testing.assert_allclose(got, -z * np.log(sigmoid) - (1 - z) * np.log(1 - sigmoid), rtol=1e-12)
    far = tf.nn.sigmoid_cross_entropy_with_logits(labels=[1.0, 0.0], logits=[-1e30, 1e30])
    np.testing.assert_array_equal(far, np.array([1e30, 1e30], np.float32))


@pytest.mark.parametrize("name", ["softmax", "sparse_softmax", "sigmoid"])
def test_losses_take_named_arguments_only(name):
    loss = getattr(tf.nn, f"{name}_cross_entropy_with_logits")
    with pytest.raises(ValueError, match="only call with named arguments"):
        loss(LOGITS, LABELS)
    with pytest.raises(ValueError, match="labels must be provided"):
        loss(logits=LOGITS)


def test_shapes_and_dtypes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"labels"):
        tf.nn.softmax_cross_entropy_with_logits(labels=LABELS[:2], logits=LOGITS)
    with pytest.raises(TypeError, match="got float32, expected float64"):
        tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.ones([3, 3]), logits=tf.constant(LOGITS))
    with pytest.raises(TypeError, match="labels"):
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0.0, 1.0, 2.0], logits=LOGITS)
    with pytest.raises(ValueError, match="the classes are not the last axis: got 0, expected -1"):
        tf.nn.softmax_cross_entropy_with_logits(labels=LABELS, logits=LOGITS, dim=0)
