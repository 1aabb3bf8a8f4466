"""``init_from_checkpoint``: variables of a graph that begin with values of a checkpoint."""

from __future__ import annotations

import os

import numpy as np
import pytest

import nbvars as tf
from nbvars import errors

VALUES = {
    "old/w": np.arange(15.0).reshape(5, 3),
    "old/b": np.arange(3, dtype=np.float32),
    "old/inner/n": np.array(7),
}


def save(folder, values=VALUES, name="model"):
    """Save eager variables of these values; return the path."""
    with tf.eager_mode():
        variables = {name: tf.Variable(value, dtype=value.dtype) for name, value in values.items()}
        return tf.train.Saver(variables).save(None, folder / name)


@pytest.fixture
def path(tmp_path):
    return save(tmp_path)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def variables_of(names=VALUES, scope="new", partitioner=None):
    """Make zeros with ``get_variable``, for each tensor in ``old`` a variable in ``scope``."""
    made = {}
    for name in names:
        value = np.zeros_like(VALUES[name])
        with tf.variable_scope(scope):
            parts = partitioner if value.ndim else None
            made[name] = tf.get_variable(
                name.removeprefix("old/"), value.shape, tf.as_dtype(value.dtype), partitioner=parts
            )
    return made


def initial_values(variables):
    """Return the values of the variables after their initializers."""
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return {name: sess.run(tf.convert_to_tensor(variable)) for name, variable in variables.items()}


def assert_equal(values, expected=VALUES):
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        assert values[name].dtype == value.dtype
        np.testing.assert_array_equal(values[name], value)


@pytest.mark.parametrize(
    "map_of",
    [
        lambda made: made,
        lambda made: list(made.items()),
        lambda made: {name: "new/" + name.removeprefix("old/") for name in made},
        lambda made: {"old/": "new/"},
        lambda made: {"old/inner/": "new/inner/", "old/w": made["old/w"], "old/b": "new/b"},
    ],
)
def test_variables_begin_with_the_tensors_that_the_map_names(map_of, path):
    made = variables_of()
    tf.train.init_from_checkpoint(path, map_of(made))
    assert_equal(initial_values(made))


def test_the_scope_around_all_is_a_slash(path):
    made = variables_of(scope="old")
    tf.train.init_from_checkpoint(path, {"/": "/"})
    assert_equal(initial_values(made))


def test_a_scope_of_the_checkpoint_may_be_the_graph_without_one(path):
    made = {
        name: tf.get_variable(name.removeprefix("old/"), initializer=np.zeros_like(VALUES[name])) for name in VALUES
    }
    tf.train.init_from_checkpoint(path, {"old/": "/"})
    assert_equal(initial_values(made))


def test_variables_that_get_variable_has_not_made_are_given_themselves(path):
    made = tf.Variable(np.ones((5, 3)), name="other")
    tf.train.init_from_checkpoint(path, {"old/w": made})
    assert_equal(initial_values({"old/w": made}), {"old/w": VALUES["old/w"]})


def test_a_folder_is_its_latest_checkpoint(tmp_path):
    save(tmp_path, name="first")
    later = {name: value + 1 for name, value in VALUES.items()}
    save(tmp_path, later, name="second")
    made = variables_of()
    tf.train.init_from_checkpoint(tmp_path, {"old/": "new/"})
    assert_equal(initial_values(made), later)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("map_of", [lambda w: "new/w", lambda w: w, list, lambda w: [*w][::-1]])
def test_partitioned_variables_begin_with_their_slices(axis, map_of, path):
    made = variables_of(["old/w"], partitioner=tf.fixed_size_partitioner(2, axis))
    tf.train.init_from_checkpoint(path, {"old/w": map_of(made["old/w"])})
    with tf.Session() as sess:
        sess.run(made["old/w"].initializer)
        np.testing.assert_array_equal(sess.run(tf.convert_to_tensor(made["old/w"])), VALUES["old/w"])


def test_one_slice_may_begin_with_its_part_alone(path):
    first, second = variables_of(["old/w"], partitioner=tf.fixed_size_partitioner(2))["old/w"]
    tf.train.init_from_checkpoint(path, {"old/w": [second]})
    with tf.Session() as sess:
        sess.run([first.initializer, second.initializer])
        np.testing.assert_array_equal(sess.run(second), VALUES["old/w"][3:])
        assert not np.array_equal(sess.run(first), VALUES["old/w"][:3])


def test_a_group_of_initializers_that_was_made_before_is_made_anew(path):
    made = variables_of(["old/w"], partitioner=tf.fixed_size_partitioner(2))["old/w"]
    before = made.initializer
    tf.train.init_from_checkpoint(path, {"old/": "new/"})
    assert made.initializer is not before
    assert made.initializer is made.initializer


def test_initial_and_initialized_values_are_those_of_the_checkpoint(path):
    made = variables_of()["old/w"]
    tf.train.init_from_checkpoint(path, {"old/": "new/"})
    twice = tf.Variable(made.initialized_value() * 2.0)
    with tf.Session() as sess:
        np.testing.assert_array_equal(sess.run(made.initial_value), VALUES["old/w"])
        sess.run(twice.initializer)
        np.testing.assert_array_equal(sess.run(twice), VALUES["old/w"] * 2)


def test_values_are_read_when_the_initializers_run(path, tmp_path):
    made = variables_of()
    tf.train.init_from_checkpoint(path, {"old/": "new/"})
    assert_equal(initial_values(made))
    later = {name: value + 1 for name, value in VALUES.items()}
    assert save(tmp_path, later) == path
    assert_equal(initial_values(made), later)


def test_a_checkpoint_that_is_deleted_before_the_run_is_named(path):
    made = variables_of()
    tf.train.init_from_checkpoint(path, {"old/": "new/"})
    os.unlink(path + ".safetensors")
    with pytest.raises(errors.NotFoundError, match=f"no checkpoint of this path: got {path}") as raised:
        initial_values(made)
    assert raised.value.op.type == "RestoreV2"


def test_a_checkpoint_that_is_damaged_before_the_run_is_data_loss(path):
    made = variables_of()
    tf.train.init_from_checkpoint(path, {"old/": "new/"})
    with open(path + ".safetensors", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(errors.DataLossError, match=r"model\.safetensors"):
        initial_values(made)


@pytest.mark.parametrize("partitioner", [None, tf.fixed_size_partitioner(2)])
@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.zeros((4, 3)), r"got \(4, 3\)"),
        (np.zeros((5, 3), np.float32), "got float32, expected float64"),
        (None, "old/w not found in checkpoint"),
    ],
)
def test_a_checkpoint_that_no_longer_fits_at_the_run_is_an_error(partitioner, value, match, path, tmp_path):
    made = variables_of(["old/w"], partitioner=partitioner)
    tf.train.init_from_checkpoint(path, {"old/w": made["old/w"]})
    save(tmp_path, {"other": np.zeros(1)} if value is None else {"old/w": value})
    with pytest.raises((errors.InvalidArgumentError, errors.NotFoundError), match=match):
        initial_values(made)


def test_nodes_are_named_as_in_tensorflow_and_come_back_from_a_graph_def(graph, path):
    pytest.importorskip("google.protobuf")
    made = variables_of(partitioner=tf.fixed_size_partitioner(2, -1))
    tf.train.init_from_checkpoint(path, {"old/": "new/"})
    definition = graph.as_graph_def()
    nodes = [node for node in definition.node if node.op == "RestoreV2"]
    assert [node.name for node in nodes] == [f"checkpoint_initializer{end}" for end in ("", "_1", "_2")]
    assert all(set(node.attr) <= {"dtypes", "_output_shapes"} for node in nodes)
    assert [len(node.attr["dtypes"].list.type) for node in nodes] == [2, 1, 2]
    names = {name: [part.initial_value.name for part in value] for name, value in made.items() if value.shape.ndims}
    with tf.Graph().as_default():
        tf.import_graph_def(definition, name="")
        with tf.Session() as sess:
            for name, parts in names.items():
                expected = VALUES[name]
                np.testing.assert_array_equal(np.concatenate(sess.run(parts), expected.ndim - 1), expected)


@pytest.mark.parametrize("spec", ["5 3 4,2:-", "5 3 -1,2:-", "5 3 0,2", "5 3 a:-", "nonsense"])
def test_a_slice_that_a_graph_def_has_wrong_is_an_invalid_argument(spec, graph, path):
    pytest.importorskip("google.protobuf")
    made = variables_of(["old/w"])["old/w"]
    tf.train.init_from_checkpoint(path, {"old/w": made})
    definition = graph.as_graph_def()
    [node] = [node for node in definition.node if node.name.endswith("shape_and_slices")]
    node.attr["value"].tensor.string_val[:] = [spec.encode()]
    with tf.Graph().as_default(), tf.Session() as sess:
        [value] = tf.import_graph_def(definition, return_elements=[made.initial_value.name], name="")
        with pytest.raises(errors.InvalidArgumentError):
            sess.run(value)


def test_what_does_not_fit_is_said_at_once_and_changes_nothing(graph, path):
    made = variables_of()
    wide = tf.get_variable("wide", initializer=np.zeros((9, 9)))
    wrong = tf.get_variable("wrong", initializer=np.zeros(3))
    with tf.Graph().as_default():
        foreign = tf.Variable(np.zeros((5, 3)), name="foreign")
    num_operations = len(graph.get_operations())
    initializers = [variable.initializer for variable in made.values()]
    entries = [("old/", "new/"), ("old/w", wide), ("old/b", wrong), ("old/bb", wide), ("old/w", "new/ww")]
    entries += [("old/", "new"), ("old/", "none/"), ("old/w", [wide, wrong]), ("old/w", []), ("old/w", foreign)]
    with pytest.raises(ValueError, match="none of which has changed") as raised:
        tf.train.init_from_checkpoint(path, entries)
    for part in (
        "wide has shape (5, 3) there and (9, 9) here",
        "wrong is float32 there and float64 here",
        "Tensor old/bb for wide is not found in the checkpoint (closest: old/b)",
        "get_variable has made no variable new/ww (closest: new/w)",
        "only one of 'old/' and 'new' is a scope",
        "get_variable has made no variables in none/",
        "wide:0, wrong are not the slices of one variable",
        "an empty list are not the slices of one variable",
        "foreign is of another graph",
    ):
        assert part in str(raised.value)
    assert len(graph.get_operations()) == num_operations
    assert [variable.initializer for variable in made.values()] == initializers


@pytest.mark.parametrize("assignment_map", [None, 3, "w", [3], {"old/w": 3}, {3: "new/w"}, {"old/w": [3]}])
def test_what_is_no_map_is_a_type_error(assignment_map, path):
    with pytest.raises(TypeError, match="init_from_checkpoint: assignment_map"):
        tf.train.init_from_checkpoint(path, assignment_map)


def test_an_empty_map_adds_nothing(graph, path):
    tf.train.init_from_checkpoint(path, {})
    assert graph.get_operations() == []


def test_a_checkpoint_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(errors.NotFoundError, match="no checkpoint of this path"):
        tf.train.init_from_checkpoint(tmp_path / "none", {"/": "/"})


def test_graphs_that_are_finalized_stay_as_they_are(graph, path):
    made = variables_of(["old/w"])
    graph.finalize()
    with pytest.raises(RuntimeError, match="finalized"):
        tf.train.init_from_checkpoint(path, made)


def test_eager_variables_have_no_initializers(path):
    with tf.eager_mode(), pytest.raises(RuntimeError, match="init_from_checkpoint"):
        tf.train.init_from_checkpoint(path, {"/": "/"})


def test_control_dependencies_and_loops_around_do_not_concern_the_initializers(graph, path):
    made = variables_of(["old/w"])
    with tf.control_dependencies([tf.placeholder("float32", name="unfed").op]):
        tf.train.init_from_checkpoint(path, made)
    assert_equal(initial_values(made), {"old/w": VALUES["old/w"]})
