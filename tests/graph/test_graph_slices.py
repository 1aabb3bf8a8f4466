"""IndexedSlices of tensors of a graph."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf

VALUES = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
INDICES = np.array([2, 0, 2])
DENSE = np.array([[3, 4], [0, 0], [6, 8]], np.float32)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def run(fetches, feed_dict=None):
    with tf.Session() as session:
        session.run([variable.initializer for variable in tf.all_variables()])
        return session.run(fetches, feed_dict)


def test_properties(graph):
    with tf.device("/cpu:0"):
        values = tf.constant(VALUES, name="v")
    indices, shape = tf.constant(INDICES, name="i"), tf.constant([3, 2], name="s")
    slices = tf.IndexedSlices(values, indices, shape)
    assert slices.values is values
    assert slices.indices is indices
    assert slices.dense_shape is shape
    assert (slices.name, slices.dtype, slices.device) == ("v:0", tf.float32, "/device:CPU:0")
    assert slices.op is values.op
    assert slices.graph is graph
    assert slices.shape == slices.get_shape() == [3, 2]
    assert repr(slices) == f"nbvars.IndexedSlices(values={values!r}, indices={indices!r}, dense_shape={shape!r})"
    assert graph.version == 3


def test_lists_and_arrays_become_constants_when_they_are_asked_for(graph):
    slices = tf.IndexedSlices(VALUES.tolist(), INDICES, [3, 2])
    assert graph.version == 0
    assert (slices.dtype, slices.shape) == (tf.float32, [3, 2])
    values, indices, shape = slices.values, slices.indices, slices.dense_shape
    assert [each.op.type for each in (values, indices, shape)] == ["Const"] * 3
    assert [each.dtype for each in (values, indices, shape)] == [tf.float32, tf.int64, tf.int64]
    assert (slices.values, slices.indices, slices.dense_shape) == (values, indices, shape)
    assert graph.version == 3
    assert [part.tolist() for part in run(slices)] == [VALUES.tolist(), [2, 0, 2], [3, 2]]


def test_dense_shape_may_be_unknown():
    slices = tf.IndexedSlices(tf.constant(VALUES), tf.constant(INDICES))
    assert slices.dense_shape is None
    assert slices.shape.ndims is None
    assert run(slices).dense_shape is None
    with pytest.raises(
        ValueError, match="IndexedSlices without a dense_shape cannot become a tensor: got dense_shape None"
    ):
        tf.convert_to_tensor(slices)


def test_shapes_that_only_a_run_knows_are_accepted():
    values, indices = tf.placeholder("float32"), tf.placeholder("int32")
    shape = tf.placeholder("int32", [2])
    slices = tf.IndexedSlices(values, indices, shape)
    assert slices.shape.as_list() == [None, None]
    dense = tf.convert_to_tensor(slices)
    assert run(dense, {values: VALUES, indices: INDICES, shape: [3, 2]}).tolist() == DENSE.tolist()
    assert run(dense, {values: VALUES[:, :1], indices: INDICES, shape: [4, 1]}).shape == (4, 1)
    for wrong, words in [
        ({values: VALUES, indices: INDICES, shape: [3, 3]}, "dense_shape does not fit values: got"),
        ({values: VALUES, indices: INDICES[:2], shape: [3, 2]}, "values have the wrong shape: got"),
        ({values: VALUES, indices: INDICES, shape: [-3, 2]}, "dense_shape does not fit values: got"),
        ({values: VALUES, indices: INDICES, shape: [2, 2]}, r"sum_of_slices: indices\[0\] = 2 is not in \[0, 2\)"),
    ]:
        with pytest.raises(ValueError, match=words):
            run(dense, wrong)
    assert tf.IndexedSlices(values, indices, tf.placeholder("int32")).shape.ndims is None


@pytest.mark.parametrize(
    ("values", "indices", "dense_shape", "error", "words"),
    [
        ([None, 2], [3], [5, 3], ValueError, r"dense_shape does not fit values: got \(5, 3\), expected \(n, 2\)"),
        ([4, 2], [3], None, ValueError, r"values have the wrong shape: got \(4, 2\), expected \(3, ...\)"),
        (
            [4, None],
            [3, None],
            None,
            ValueError,
            r"values have the wrong shape: got \(4, None\), expected \(3, None, ...\)",
        ),
        ([4], [None, 1], None, ValueError, "values have the wrong shape"),
        ([3, 2], [3], [5], ValueError, r"dense_shape does not fit values: got \(5,\), expected \(n, 2\)"),
        ([3, 2], [3], [5.0, 2.0], ValueError, "dense_shape is no shape"),
    ],
)
def test_parts_that_can_never_agree_are_refused(values, indices, dense_shape, error, words):
    with pytest.raises(error, match=words):
        tf.IndexedSlices(tf.placeholder("float32", values), tf.placeholder("int32", indices), dense_shape)


def test_parts_of_the_wrong_kind_are_refused():
    values = tf.placeholder("float32")
    with pytest.raises(TypeError, match="indices has the wrong dtype: got float32, expected an integer dtype"):
        tf.IndexedSlices(values, values)
    with pytest.raises(TypeError, match="dense_shape has the wrong dtype: got float32, expected an integer dtype"):
        tf.IndexedSlices(values, [0], values)
    with pytest.raises(ValueError, match=r"dense_shape does not fit values: got \(3, 3\), expected \(n, 2\)"):
        tf.IndexedSlices(tf.constant(VALUES), INDICES, tf.constant([3, 3]))


def test_parts_of_several_graphs_are_refused():
    with tf.Graph().as_default():
        other, shape = tf.constant(INDICES), tf.constant([3, 2])
    values = tf.constant(VALUES)
    words = "values, indices and dense_shape must be from the same graph"
    for parts in ((values, other), (values, INDICES, shape)):
        with pytest.raises(ValueError, match=words):
            tf.IndexedSlices(*parts)


@pytest.mark.parametrize("kind", [tf.constant, np.asarray, lambda array: array.tolist()])
def test_slices_become_tensors(kind):
    slices = tf.IndexedSlices(kind(VALUES), kind(INDICES), kind(np.array([3, 2])))
    dense = tf.convert_to_tensor(slices)
    assert (dense.dtype, dense.shape, dense.op.type) == (tf.float32, [3, 2], "SumOfSlices")
    assert run(dense).tolist() == DENSE.tolist()
    assert run(tf.exp(slices)).tolist() == np.exp(DENSE).tolist()
    assert run(tf.ones([3, 2]) + slices).tolist() == (DENSE + 1).tolist()


def test_slices_of_a_graph_become_tensors_of_it_in_eager_mode(graph):
    values = tf.constant(VALUES)
    with tf.eager_mode():
        dense = tf.convert_to_tensor(tf.IndexedSlices(values, INDICES, [3, 2]))
    assert dense.graph is graph
    assert run(dense).tolist() == DENSE.tolist()


def test_variables_and_lists_of_tensors_can_be_parts():
    variable = tf.Variable(VALUES)
    rows = [tf.constant(1.0), tf.constant(2.0)]
    found = run([tf.IndexedSlices(variable, INDICES), tf.IndexedSlices(rows, [tf.constant(1), 0])])
    assert [part.tolist() for part in found[0][:2]] == [VALUES.tolist(), [2, 0, 2]]
    assert [part.tolist() for part in found[1][:2]] == [[1, 2], [1, 0]]


def test_eager_variables_are_no_parts_of_a_graph():
    with tf.eager_mode():
        variable = tf.Variable(VALUES)
    with pytest.raises(TypeError, match="an eager variable cannot become part of a graph"):
        tf.convert_to_tensor(tf.IndexedSlices(variable, tf.constant(INDICES), [3, 2]))


@pytest.mark.parametrize("kind", [tf.constant, np.asarray])
def test_negation_keeps_the_rows(kind):
    slices = -tf.IndexedSlices(kind(VALUES), kind(INDICES), kind(np.array([3, 2])))
    assert slices.values.op.type == "Neg"
    got = run(slices)
    assert type(got) is tf.IndexedSlicesValue
    assert [part.tolist() for part in got] == [(-VALUES).tolist(), [2, 0, 2], [3, 2]]
    assert (-tf.IndexedSlices(VALUES, INDICES)).dense_shape is None


def test_slices_of_a_graph_update_its_variables():
    variable = tf.Variable(DENSE)
    values, indices = tf.placeholder("float32", [None, 2]), tf.placeholder("int64", [None])
    update = variable.scatter_sub(tf.IndexedSlices(values, indices))
    assert run(update, {values: VALUES, indices: INDICES}).tolist() == np.zeros((3, 2)).tolist()


def test_an_index_outside_of_the_dense_shape_is_an_error_of_the_run():
    dense = tf.convert_to_tensor(tf.IndexedSlices(tf.constant(VALUES), tf.constant([0, 3, 1]), [3, 2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1\] = 3 is not in \[0, 3\)") as caught:
        run(dense)
    assert caught.value.op is dense.op
