"""Variables as messages: TensorFlow's bytes, scopes, and variables made of messages."""

from __future__ import annotations

import numpy as np
import pytest

import nbvars as tf
from nbvars import proto
from nbvars.variables.save_slice_info import SaveSliceInfo

# SerializeToString of variable_pb2.VariableDef in TensorFlow 2.21.
NOT_TRAINED = b"\n\x03a:0\x12\x08a/Assign\x1a\x08a/read:02\x11a/initial_value:0"
TRAINED = b"\n\x05s/b:0\x12\ns/b/Assign\x1a\ns/b/read:02\x13s/b/initial_value:08\x01"
TRAINED_IN_SCOPE = b"\n\x03b:0\x12\x08b/Assign\x1a\x08b/read:02\x11b/initial_value:08\x01"
# As versions wrote it that knew neither initial_value_name nor trainable.
OLDEST = b"\n\x03a:0\x12\x08a/Assign\x1a\x08a/read:0"


@pytest.fixture
def graph():
    """A graph with ``a``, which is not trained, and ``s/b``, which is."""
    with tf.Graph().as_default() as graph:
        tf.Variable([1.0, 2.0], name="a", trainable=False)
        with tf.name_scope("s"):
            tf.Variable(3, name="b")
        yield graph


def variables():
    return tf.global_variables()


def test_a_message_has_the_bytes_of_tensorflow(graph):
    a, b = variables()
    assert b.to_proto().SerializeToString() == TRAINED
    assert b.to_proto("s").SerializeToString() == TRAINED_IN_SCOPE
    # TensorFlow never writes false.
    assert a.to_proto().SerializeToString() == NOT_TRAINED + b"\x38\x00"


def test_a_variable_outside_the_scope_has_no_message(graph):
    a, b = variables()
    assert a.to_proto("s") is None
    assert b.to_proto("s/") is not None
    assert b.to_proto("s/b") is None
    assert tf.Variable(1.0, name="sx").to_proto("s") is None


def test_the_message_says_what_the_variable_was_made_with():
    with tf.Graph().as_default():
        variable = tf.Variable(
            1.0,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
            trainable=False,
        )
        made = variable.to_proto()
        assert (made.synchronization, made.aggregation, made.is_resource) == (3, 1, False)
        again = tf.Variable.from_proto(made)
    assert again.synchronization is tf.VariableSynchronization.ON_READ
    assert again.aggregation is tf.VariableAggregation.SUM
    assert again.trainable is False


@pytest.mark.parametrize("data", [TRAINED, bytearray(TRAINED), memoryview(TRAINED)], ids=type)
def test_bytes_are_read(graph, data):
    assert tf.Variable.from_proto(data).name == "s/b:0"


def test_a_message_of_another_library_is_read(graph):
    class Foreign:
        """What TensorFlow's own message looks like from outside."""

        class DESCRIPTOR:
            name = "VariableDef"

        def SerializeToString(self):
            return TRAINED

    assert tf.Variable.from_proto(Foreign()).name == "s/b:0"


def test_a_variable_from_a_message_is_the_same_variable_in_a_session(graph):
    a = variables()[0]
    same = tf.Variable(variable_def=a.to_proto())
    num_operations = graph.version
    assert same.value() is a.value()
    assert same.ref() is a.ref()
    assert same.initial_value is a.initial_value
    assert same.initializer is a.initializer
    assert graph.version == num_operations
    with tf.Session() as session:
        session.run(same.initializer)
        session.run(same.assign_add([1.0, 1.0]))
        assert session.run(a).tolist() == [2, 3]
        same.load([5.0, 6.0])
        assert session.run(a + 0.0).tolist() == [5, 6]
        assert same.eval().tolist() == [5, 6]
        session.run(tf.scatter_sub(same, [0], [1.0]))
        assert session.run(a).tolist() == [4, 6]


def test_a_variable_from_a_message_joins_no_collection(graph):
    tf.Variable.from_proto(TRAINED)
    assert len(tf.global_variables()) == 2


def test_names_are_read_in_the_import_scope(graph):
    b = variables()[1]
    for scope in ("s", "s/"):
        assert tf.Variable.from_proto(TRAINED_IN_SCOPE, import_scope=scope).op is b.op
        assert tf.Variable(variable_def=TRAINED_IN_SCOPE, import_scope=scope).initializer is b.initializer


def test_a_constraint_is_given_to_the_new_variable(graph):
    assert tf.Variable(variable_def=TRAINED, constraint=tf.abs).constraint is tf.abs
    assert tf.Variable(variable_def=TRAINED).constraint is None


@pytest.mark.parametrize("is_trained", [True, False])
def test_a_message_without_trainable_falls_back_to_the_collection(is_trained):
    with tf.Graph().as_default():
        tf.Variable([1.0], name="a", trainable=is_trained)
        assert tf.Variable.from_proto(OLDEST).trainable is is_trained
        assert tf.Variable.from_proto(NOT_TRAINED).trainable is is_trained


def test_trainable_in_the_message_counts_more_than_the_collection(graph):
    assert tf.Variable.from_proto(OLDEST + b"\x38\x01").trainable is True
    tf.add_to_collection(tf.GraphKeys.TRAINABLE_VARIABLES, variables()[0])
    assert tf.Variable.from_proto(OLDEST + b"\x38\x00").trainable is False


def test_a_message_without_initial_value_takes_that_of_the_initializer(graph):
    a = variables()[0]
    assert tf.Variable.from_proto(OLDEST).initial_value is a.initial_value
    assert tf.Variable.from_proto(OLDEST).to_proto().initial_value_name == "a/initial_value:0"


def test_an_initial_value_outside_of_the_scope_is_not_named():
    with tf.Graph().as_default():
        start = tf.constant(1.0, name="outside")
        with tf.name_scope("s"):
            variable = tf.Variable(start, name="v")
        assert variable.to_proto("s").initial_value_name == ""
        again = tf.Variable.from_proto(variable.to_proto("s"), import_scope="s")
    assert again.initial_value is start


def test_the_slice_of_a_larger_variable_survives():
    with tf.Graph().as_default():
        with tf.name_scope("s"):
            variable = tf.Variable([1.0, 2.0], name="part")
        variable._save_slice_info = SaveSliceInfo("s/whole", [4], [2], [2])
        made = variable.to_proto("s")
        assert made.save_slice_info_def.full_name == "whole"
        again = tf.Variable.from_proto(made.SerializeToString(), import_scope="s")
        info = again._save_slice_info
        assert (info.full_name, info.full_shape, info.var_offset, info.var_shape) == ("s/whole", [4], [2], [2])
        assert tf.Variable.from_proto(variable.to_proto())._save_slice_info.full_name == "s/whole"


def test_unknown_fields_of_later_versions_do_no_harm(graph):
    assert tf.Variable.from_proto(TRAINED + b"\xa2\x06\x03new").name == "s/b:0"


@pytest.mark.parametrize("field", ["variable_name", "initializer_name", "snapshot_name", "initial_value_name"])
def test_a_name_that_the_graph_does_not_have_is_a_key_error(graph, field):
    made = variables()[0].to_proto()
    setattr(made, field, "elsewhere" if field == "initializer_name" else "elsewhere:0")
    with pytest.raises(KeyError, match="elsewhere"):
        tf.Variable.from_proto(made)


def test_a_message_of_another_scope_is_a_key_error(graph):
    with pytest.raises(KeyError, match="other/s/b:0"):
        tf.Variable.from_proto(TRAINED, import_scope="other")


@pytest.mark.parametrize("field", ["variable_name", "initializer_name", "snapshot_name"])
def test_a_missing_name_is_a_value_error(graph, field):
    made = variables()[0].to_proto()
    made.ClearField(field)
    with pytest.raises(ValueError, match=f"has no {field}"):
        tf.Variable.from_proto(made)


def test_what_is_no_variable_is_a_value_error(graph):
    made = variables()[0].to_proto()
    made.variable_name = "a/read:0"
    with pytest.raises(ValueError, match=r"a/read:0 is no variable: got float32, expected a reference dtype"):
        tf.Variable.from_proto(made)


def test_a_resource_variable_is_a_value_error(graph):
    made = variables()[0].to_proto()
    made.is_resource = True
    with pytest.raises(ValueError, match="resource variable"):
        tf.Variable.from_proto(made)


@pytest.mark.parametrize("field", ["synchronization", "aggregation"])
def test_an_unknown_number_of_an_enum_is_a_value_error(graph, field):
    made = variables()[0].to_proto()
    setattr(made, field, 77)
    with pytest.raises(ValueError, match="77"):
        tf.Variable.from_proto(made)


@pytest.mark.parametrize("data", [b"\n\xff", b"\xff\xff", TRAINED[:-3]], ids=repr)
def test_malformed_bytes_are_a_value_error(graph, data):
    with pytest.raises(ValueError, match=r"data is malformed: got \d+ bytes"):
        tf.Variable.from_proto(data)


@pytest.mark.parametrize("value", [3, "a:0", object], ids=repr)
def test_what_is_no_message_is_a_type_error(graph, value):
    with pytest.raises(TypeError, match="must be a VariableDef proto"):
        tf.Variable.from_proto(value)


def test_another_message_is_a_type_error(graph):
    with pytest.raises(TypeError, match="must be a VariableDef proto"):
        tf.Variable(variable_def=proto.message_class("NodeDef")())


def test_both_sources_of_a_value_are_refused(graph):
    with pytest.raises(ValueError, match="variable_def and initial_value are mutually exclusive"):
        tf.Variable(1.0, variable_def=TRAINED)


def test_eager_variables_have_no_message():
    with pytest.raises(RuntimeError, match="not compatible with eager execution"):
        tf.Variable(1.0).to_proto()
    with pytest.raises(ValueError, match="a VariableDef holds no value"):
        tf.Variable.from_proto(TRAINED)


def test_a_scalar_variable_of_unknown_shape_survives():
    with tf.Graph().as_default():
        variable = tf.Variable(np.float32(1), validate_shape=False)
        assert tf.Variable.from_proto(variable.to_proto()).shape.ndims is None
