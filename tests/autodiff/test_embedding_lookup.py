"""nn.embedding_lookup: rows of one table and of several, by both strategies, and gradients that stay slices."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars.errors import InvalidArgumentError

TABLE = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
IDS = np.array([[6, 0, 3], [3, 1, 5]])
STRATEGIES = ["mod", "div"]


def parts_of(table, strategy, num_parts):
    """Return the tables over which the rows of one are spread."""
    if strategy == "mod":
        return [table[i::num_parts] for i in range(num_parts)]
    return np.array_split(table, num_parts)


def whole(gradients, strategy):
    """Return the gradient by one table from those by its parts."""
    dense = [np.asarray(tf.convert_to_tensor(each)) for each in gradients]
    if strategy == "div":
        return np.concatenate(dense)
    rows = [dense[i % len(dense)][i // len(dense)] for i in range(sum(map(len, dense)))]
    return np.array(rows)


def clipped(rows, max_norm):
    lengths = np.sqrt(np.sum(rows * rows, -1, keepdims=True))
    return rows * max_norm / np.maximum(lengths, max_norm)


@pytest.mark.parametrize("kind", [tf.Variable, tf.constant, np.asarray], ids=["variable", "tensor", "array"])
@pytest.mark.parametrize("ids", [IDS, 4, [], [2, 2], np.zeros((0, 3), np.int32), np.array([5], np.uint8)])
def test_ids_of_any_rank_name_rows_of_one_table(kind, ids):
    expected = TABLE[np.asarray(ids, np.int64)]
    got = tf.nn.embedding_lookup(kind(TABLE), ids)
    np.testing.assert_array_equal(got.numpy(), expected, strict=True)


@pytest.mark.parametrize("num_parts", [1, 2, 3, 7, 9])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("ids", [IDS, 4, np.zeros((0, 3), np.int32)], ids=["matrix", "scalar", "none"])
def test_several_tables_are_one(ids, strategy, num_parts):
    tables = [tf.Variable(part) for part in parts_of(TABLE, strategy, num_parts)]
    got = tf.nn.embedding_lookup(tables, ids, strategy)
    np.testing.assert_array_equal(got.numpy(), TABLE[ids], strict=True)


@pytest.mark.parametrize("is_static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_graph_finds_the_rows_of_eager_mode(strategy, is_static):
    parts = parts_of(TABLE, strategy, 3)
    with tf.Graph().as_default(), tf.Session() as session:
        ids = tf.placeholder(tf.int32, IDS.shape if is_static else None)
        tables = [tf.placeholder(tf.float32, part.shape if is_static else None) for part in parts]
        rows = tf.nn.embedding_lookup(tables, ids, strategy)
        assert rows.shape.as_list() == [2, 3, 2] if is_static else rows.shape.ndims is None
        got = session.run(rows, {ids: IDS, **dict(zip(tables, parts, strict=True))})
    np.testing.assert_array_equal(got, TABLE[IDS])


def test_a_partitioned_variable_is_looked_up_by_div():
    with tf.Graph().as_default(), tf.Session() as session:
        table = tf.get_variable("table", initializer=TABLE, partitioner=tf.fixed_size_partitioner(3))
        rows = tf.nn.embedding_lookup(table, IDS, partition_strategy="div")
        gradients = tf.gradients(rows, list(table))
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(session.run(rows), TABLE[IDS])
        assert [type(each) for each in gradients] == [tf.IndexedSlices] * 3


@pytest.mark.parametrize("max_norm", [0.5, 1.0, 100.0])
@pytest.mark.parametrize("num_parts", [1, 2])
def test_long_rows_are_scaled_down_to_max_norm(num_parts, max_norm):
    got = tf.nn.embedding_lookup([*parts_of(TABLE, "mod", num_parts)], IDS, max_norm=max_norm)
    np.testing.assert_allclose(got.numpy(), clipped(TABLE[IDS], max_norm), rtol=1e-6)


def test_max_norm_of_a_vector_bounds_each_number():
    np.testing.assert_allclose(tf.nn.embedding_lookup([[3.0, -4.0, 0.5]], [0, 1, 2], max_norm=1.0), [1.0, -1.0, 0.5])


@pytest.mark.parametrize("max_norm", [None, 1.0])
@pytest.mark.parametrize("num_parts", [1, 3])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_gradients_of_a_tape_are_slices_and_add_up_to_those_of_the_dense_table(strategy, num_parts, max_norm):
    tables = [tf.Variable(part) for part in parts_of(TABLE, strategy, num_parts)]
    with tf.GradientTape() as tape:
        rows = tf.nn.embedding_lookup(tables, IDS, strategy, max_norm=max_norm)
        loss = tf.reduce_sum(rows * rows * rows)
    gradients = tape.gradient(loss, tables)
    assert [type(each) for each in gradients] == [tf.IndexedSlices] * num_parts
    assert sum(each.indices.shape.as_list()[0] for each in gradients) == IDS.size
    one_hot = tf.constant(np.eye(7, dtype=np.float32)[IDS])
    table = tf.Variable(TABLE)
    with tf.GradientTape() as tape:
        rows = tf.tensordot(one_hot, table, 1)
        rows = rows if max_norm is None else tf.clip_by_norm(rows, max_norm, [-1])
        loss = tf.reduce_sum(rows * rows * rows)
    expected = tape.gradient(loss, table)
    np.testing.assert_allclose(whole(gradients, strategy), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_gradients_of_a_graph_are_the_slices_of_a_tape(strategy):
    parts = parts_of(TABLE, strategy, 2)
    with tf.GradientTape() as tape:
        tables = [tf.Variable(part) for part in parts]
        loss = tf.reduce_sum(tf.square(tf.nn.embedding_lookup(tables, IDS, strategy)))
    expected = tape.gradient(loss, tables)
    with tf.Graph().as_default(), tf.Session() as session:
        tables = [tf.Variable(part) for part in parts]
        ids = tf.placeholder(tf.int64, [None, 3])
        gradients = tf.gradients(tf.reduce_sum(tf.square(tf.nn.embedding_lookup(tables, ids, strategy))), tables)
        session.run(tf.global_variables_initializer())
        got = session.run(gradients, {ids: IDS})
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.indices, other.indices)


def test_a_step_reads_and_writes_only_the_rows_that_were_looked_up():
    untouched = [2, 4]
    table, ids = tf.Variable(np.where(np.isin(np.arange(7), untouched)[:, None], np.float32(np.nan), TABLE)), IDS
    optimizer = tf.train.LazyAdamOptimizer(0.1)
    optimizer.minimize(lambda: tf.reduce_sum(tf.square(tf.nn.embedding_lookup(table, ids))))
    changed = table.numpy()
    assert np.isnan(changed[untouched]).all()
    touched = np.unique(IDS)
    # The first step of Adam is of the learning rate, against the sign of the gradient.
    np.testing.assert_allclose(changed[touched], TABLE[touched] - 0.1 * np.sign(TABLE[touched]), rtol=1e-4)
    assert (optimizer.get_slot(table, "m").numpy()[untouched] == 0).all()


@pytest.mark.parametrize("bad_id", [-1, 7, 1000])
@pytest.mark.parametrize("num_parts", [1, 2, 9])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_id_out_of_range_is_an_error_with_any_number_of_tables(strategy, num_parts, bad_id):
    with pytest.raises(InvalidArgumentError, match=r"gather: indices\[\d+\] = -?\d+ is not in \[0, \d\)"):
        tf.nn.embedding_lookup(parts_of(TABLE, strategy, num_parts), [0, bad_id], strategy)


def test_what_is_no_table_and_no_id_is_refused():
    with pytest.raises(ValueError, match="params must be specified"):
        tf.nn.embedding_lookup(None, [0])
    with pytest.raises(ValueError, match="Need at least one param"):
        tf.nn.embedding_lookup([], [0])
    with pytest.raises(ValueError, match="Unrecognized partition strategy: got 'no', expected 'mod' or 'div'"):
        tf.nn.embedding_lookup([TABLE, TABLE], [0], "no")
    with pytest.raises(TypeError, match="ids has the wrong dtype: got float32, expected an integer"):
        tf.nn.embedding_lookup(TABLE, [0.0])
    with pytest.raises(ValueError, match="concat"):
        tf.nn.embedding_lookup([TABLE, TABLE[:, :1]], [0])
    with tf.Graph().as_default(), pytest.raises(ValueError, match="max_norm needs to know the axes of a row"):
        tf.nn.embedding_lookup(tf.placeholder(tf.float32), [0], max_norm=1.0)


def test_names_are_those_of_tensorflow():
    with tf.Graph().as_default():
        table = tf.Variable(TABLE)
        assert tf.nn.embedding_lookup(table, [1]).name == "embedding_lookup/Identity:0"
        assert tf.nn.embedding_lookup(table, [1], name="rows").name == "rows/Identity:0"
        assert tf.nn.embedding_lookup([table, table], [1]).name == "embedding_lookup_1/Reshape_1:0"
