"""``train``'s global step: made once for a graph, found by collection or by name, and read in either mode."""

from __future__ import annotations

import gc
import logging

import pytest

import nbvars as tf
from nbvars import train


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def test_global_step_is_an_int64_variable_outside_of_all_scopes(graph):
    with tf.name_scope("model"):
        step = train.create_global_step()
    assert isinstance(step, tf.Variable)
    assert step.name == "global_step:0"
    assert step.dtype.base_dtype is tf.int64
    assert step.shape.as_list() == []
    assert not step.trainable
    assert step.aggregation is tf.VariableAggregation.ONLY_FIRST_REPLICA
    assert tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES) == [step]
    assert tf.get_collection(tf.GraphKeys.GLOBAL_STEP) == [step]
    assert tf.trainable_variables() == []


def test_global_step_is_made_once(graph):
    assert train.get_global_step() is None
    step = train.get_or_create_global_step()
    assert train.get_or_create_global_step() is step
    assert train.get_global_step() is step
    with pytest.raises(ValueError, match='"global_step" already exists'):
        train.create_global_step()


def test_global_step_of_another_graph_is_made_there(graph):
    other = tf.Graph()
    step = train.get_or_create_global_step(other)
    assert step.graph is other
    assert train.get_global_step(other) is step
    assert train.get_global_step() is None
    with tf.eager_mode():
        assert train.create_global_step(tf.Graph()).dtype.is_ref_dtype


def test_global_step_counts_in_a_session(graph):
    step = train.create_global_step()
    bump = step.assign_add(1)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert train.global_step(sess, step) == 0
        sess.run([bump.op])
        sess.run(bump)
        got = train.global_step(sess, step)
        assert got == train.global_step(sess, "global_step:0") == 2
        assert type(got) is int
        with tf.eager_mode():
            assert train.global_step(sess, step) == 2


def test_tensor_of_that_name_is_the_global_step_if_the_collection_is_empty(graph):
    step = tf.Variable(3, name="global_step")
    assert train.get_global_step() is step.ref()


def test_several_global_steps_are_none_and_are_logged(graph, caplog):
    for value in (1, 2):
        tf.add_to_collection(tf.GraphKeys.GLOBAL_STEP, tf.Variable(value))
    with caplog.at_level(logging.ERROR, "nbvars"):
        assert train.get_global_step() is None
    assert "holds several" in caplog.text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: 3, 'Existing "global_step" must be a Variable or Tensor'),
        (lambda: tf.Variable(1.0), 'Existing "global_step" does not have integer type: got float32'),
        (lambda: tf.constant(True), 'Existing "global_step" does not have integer type: got bool'),
        (lambda: tf.Variable([1]), r'Existing "global_step" is not scalar: got \(1'),
    ],
)
@pytest.mark.parametrize("scope", [tf.graph_mode, tf.eager_mode])
def test_what_cannot_count_is_no_global_step(graph, make, words, scope):
    with scope():
        step = make()
        with pytest.raises(TypeError, match=words):
            train.assert_global_step(step)
        tf.add_to_collection(tf.GraphKeys.GLOBAL_STEP, step)
        with pytest.raises(TypeError, match=words):
            train.get_or_create_global_step()


@pytest.mark.parametrize(
    "make", [lambda: tf.Variable(1), lambda: tf.constant(1, "uint8"), lambda: tf.placeholder("int64")]
)
def test_integer_scalars_can_be_global_steps(graph, make):
    train.assert_global_step(make())


def test_eager_global_step_keeps_its_count(graph):
    with tf.eager_mode():
        train.get_or_create_global_step().assign_add(5)
        gc.collect()
        step = train.get_or_create_global_step()
        assert step.name == "global_step:0"
        assert train.global_step(None, step) == 5
        assert train.global_step(None, tf.constant(7)) == 7
        with pytest.raises(ValueError, match="already exists"):
            train.create_global_step()
